"""Slow random courses, smooth and stationary."""

import numpy as np
import numpy.typing as npt

__all__ = ["fluctuation", "wander"]


def wander(
    ticks: int, memory_s: float, interval_s: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Draw a course (T,) of mean 0 and variance 1.

    Parameters
    ----------
    ticks : int
        T.
    memory_s : float
        Time after which the course is almost independent of its past, s.
    interval_s : float
        Time between ticks, s.
    rng : numpy Generator
    """
    from scipy.signal import lfilter

    keep = np.exp(-interval_s / (0.5 * memory_s))
    # Two leaky sums in a row, scaled to unit variance; the start is cut off, until it is stationary.
    gain = np.sqrt((1 - keep**2) ** 3 / (1 + keep**2))
    before = round(5 * memory_s / interval_s)
    noise = rng.standard_normal(before + ticks)
    return lfilter([gain], [1, -2 * keep, keep**2], noise)[before:]


def fluctuation(
    ticks: int, memory_s: float, interval_s: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Draw a course (T,) of mean 0 and variance 1 whose autocorrelation falls exponentially.

    Parameters
    ----------
    ticks : int
        T.
    memory_s : float
        Time after which the autocorrelation is 37 %, s.
    interval_s : float
        Time between ticks, s.
    rng : numpy Generator
    """
    from scipy.signal import lfilter

    keep = np.exp(-interval_s / memory_s)
    noise = rng.standard_normal(ticks)
    noise[1:] *= np.sqrt(1 - keep**2)
    return lfilter([1.0], [1.0, -keep], noise)
