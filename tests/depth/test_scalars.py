import numpy as np
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
