import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.depth import scalars


def test_rates_use_real_times_and_stop_at_gaps():
    time = np.array([0.0, 0.03, 0.07, 0.1, 0.13, 0.16, 0.2])
    values = 5.0 * time
    values[[3, 5]] = np.nan
    rates = scalars.rate(values, time)
    assert_allclose(rates[[0, 1, 2]], 5.0)
    # Tick 4 has no neighbor, tick 6 neither; nothing is made up for 3 and 5.
    assert np.isnan(rates[3:]).all()


def test_rates_are_central_differences(rng):
    time, values = np.cumsum(rng.uniform(0.02, 0.05, 30)), rng.normal(size=(30, 2))
    rates = scalars.rate(values, time)
    expected = (values[2:] - values[:-2]) / (time[2:] - time[:-2])[:, None]
    assert_allclose(rates[1:-1], expected)
    assert_allclose(rates[0], (values[1] - values[0]) / (time[1] - time[0]))


def test_turning_from_pi_to_minus_pi_is_small():
    heading = np.array([3.1, -3.1, -3.0])
    turning = scalars.rate(heading, np.arange(3.0), period=2 * np.pi)
    assert np.abs(turning).max() < 0.11


def test_rate_of_one_tick_is_missing():
    assert_array_equal(scalars.rate(np.array([1.0]), np.array([0.0])), [np.nan])


@pytest.mark.parametrize("fps", [5, 15, 30, 60, 90, 120])
@pytest.mark.parametrize("speed_mm_s", [20.0, 150.0])
def test_speed_does_not_grow_with_the_frame_rate(rng, fps, speed_mm_s):
    time_s = np.arange(0, 60, 1 / fps)
    angle = time_s * speed_mm_s / 150
    place = 150 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    place += rng.normal(0, 0.15, place.shape)
    speed = np.hypot(*scalars.rate(place, time_s).T)
    assert np.median(speed) == pytest.approx(speed_mm_s, rel=0.05)


@pytest.mark.parametrize("fps", [30, 60, 120])
def test_a_rate_reaches_the_same_time_at_every_frame_rate(fps):
    time_s = np.arange(0, 2, 1 / fps)
    change = scalars.rate((time_s >= 1).astype(float), time_s)
    assert np.ptp(time_s[change > 0]) + 1 / fps == pytest.approx(2 / 30, rel=1e-6)
    assert change.sum() / fps == pytest.approx(1, rel=1e-6)
