import numpy as np
import pytest

from syllabary.simulate.wander import wander

INTERVAL_S = 1 / 30


def autocorrelation(course, lag):
    return np.corrcoef(course[:-lag], course[lag:])[0, 1]


@pytest.mark.parametrize("memory_s", [1.0, 3.0])
def test_courses_have_mean_0_and_variance_1(rng, memory_s):
    course = wander(200_000, memory_s, INTERVAL_S, rng)
    # As many independent values as there are memories in the course.
    independent = 200_000 * INTERVAL_S / memory_s
    assert abs(course.mean()) < 5 / np.sqrt(independent)
    assert course.var() == pytest.approx(1, abs=5 * np.sqrt(2 / independent))


def test_after_its_memory_little_is_left(rng):
    course = wander(300_000, 2.0, INTERVAL_S, rng)
    assert autocorrelation(course, 1) > 0.99
    assert autocorrelation(course, 30) > 0.5
    assert abs(autocorrelation(course, 240)) < 0.1


def test_courses_are_smooth(rng):
    """A course that were a random walk would have steps of variance proportional to their length."""
    course = wander(100_000, 2.0, INTERVAL_S, rng)
    step, double = np.diff(course), course[2:] - course[:-2]
    assert double.var() / step.var() > 3.5


def test_the_start_is_as_any_other_tick():
    starts = [wander(3, 2.0, INTERVAL_S, np.random.default_rng(seed))[0] for seed in range(2000)]
    assert np.var(starts) == pytest.approx(1, abs=0.15)


def test_the_same_generator_gives_the_same_course():
    first, second = (wander(50, 1.0, INTERVAL_S, np.random.default_rng(3)) for _ in range(2))
    assert first.shape == (50,)
    assert (first == second).all()
