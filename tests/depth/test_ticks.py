import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.depth.timing import ticks


def test_every_single_dropped_frame_is_found(rng):
    kept = np.ones(2000, bool)
    kept[rng.choice(np.arange(1, 1999, 2), 55, replace=False)] = False
    times = np.arange(2000)[kept] / 30.28 + rng.normal(0, 1e-3, kept.sum())
    clock = ticks.from_timestamps(times)
    assert_array_equal(clock.frame >= 0, kept)


def test_a_clock_that_drifts_invents_no_gaps():
    # The sensor slows by 1 % over an hour: a grid of the median interval is off by many ticks.
    intervals = np.linspace(0.0330, 0.0334, 100_000)
    clock = ticks.from_timestamps(666_649.6 + np.cumsum(intervals))
    assert_array_equal(clock.frame, np.arange(100_000))


def test_gaps_of_any_length_are_exact(rng):
    for _ in range(100):
        spans = np.where(rng.random(200) < 0.1, rng.integers(2, 9, 200), 1)
        times = np.concatenate([[0], np.cumsum(spans)]) + rng.uniform(-0.03, 0.03, 201)
        clock = ticks.from_timestamps(times * 0.033 + 12.0)
        assert_array_equal(np.diff(clock.of_frame), spans)


def test_missing_ticks_get_times_between_their_neighbors():
    clock = ticks.from_timestamps(np.array([7.0, 8.0, 9.0, 12.0, 13.0]))
    assert_array_equal(clock.frame, [0, 1, 2, -1, -1, 3, 4])
    assert_allclose(clock.time_s, np.arange(7))


def test_no_frame_and_one_frame():
    assert len(ticks.from_timestamps(np.zeros(0)).frame) == 0
    clock = ticks.from_timestamps(np.array([3.0]))
    assert_array_equal(clock.frame, [0])
    assert_array_equal(clock.time_s, [0.0])
