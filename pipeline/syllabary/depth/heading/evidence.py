"""Features of one frame that distinguish head from tail.

Odd features change their sign when the axis is reversed. Even features describe the body and do not
change. A function of both that is odd prefers neither end by itself.
"""

import math

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["FEATURES", "ODD", "SIGNS", "motion", "shape"]

Array = npt.NDArray[np.float64]
PAIRS = 5
ODD = (
    "skewness",
    "thin_side",
    *(f"wider_{i}" for i in range(PAIRS)),
    *(f"higher_{i}" for i in range(PAIRS)),
)
EVEN = (*(f"wide_{i}" for i in range(PAIRS)), *(f"high_{i}" for i in range(PAIRS)), "aspect")
FEATURES = (*ODD, *EVEN)
# Signs by which the features are multiplied when the axis is reversed.
SIGNS = np.array([-1.0] * len(ODD) + [1.0] * len(EVEN))
# The bins of the profile reach this many standard deviations to either side.
REACH_SD = 2.0
# A body ends about 2 standard deviations from its centroid; nose and ears end a little farther.
TAIL_BEYOND_SD = 3.0


def shape(
    along_mm: npt.NDArray[np.float64],
    height_mm: npt.NDArray[np.floating],
    thin_along_mm: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the features of a body's shape.

    Parameters
    ----------
    along_mm : (n,)
        Positions of the body's points along its axis, from its centroid, mm.
    height_mm : (n,)
        Their heights, mm.
    thin_along_mm : (m,)
        Positions along the axis of the thin parts that hang on the body (tail, nose), mm.

    Returns
    -------
    (len(FEATURES),) float64
        Of order 1. The odd ones come first, zero for a body that looks the same from both ends.
    """
    return _features(along_mm, np.asarray(height_mm, np.float64), np.asarray(thin_along_mm, np.float64))


@numba.njit(cache=True)
def _features(along_mm: Array, height_mm: Array, thin_along_mm: Array) -> Array:
    count = len(along_mm)
    out = np.zeros(4 * PAIRS + 3)
    variance = 0.0
    for s in along_mm:
        variance += s * s / count
    sd = math.sqrt(variance)
    if sd == 0:
        return out
    cubes, heights = 0.0, 0.0
    width, height = np.zeros(2 * PAIRS), np.zeros(2 * PAIRS)
    for i in range(count):
        s = along_mm[i] / sd
        cubes += s**3
        heights += height_mm[i]
        place = min(max(int((s / REACH_SD + 1) * PAIRS), 0), 2 * PAIRS - 1)
        width[place] += 1
        height[place] += height_mm[i]
    thin = 0.0
    for s in thin_along_mm:
        beyond = min(max(abs(s) / sd - TAIL_BEYOND_SD, 0.0), 4.0)
        thin += math.copysign(beyond, s)
    mean = heights / count
    height /= np.maximum(width, 1) * max(mean, 1e-9)
    width *= PAIRS / count
    out[0] = min(max(cubes / count, -2.0), 2.0)
    out[1] = min(max(20 * thin / count, -2.0), 2.0)
    for i in range(PAIRS):
        front, back = PAIRS + i, PAIRS - 1 - i
        out[2 + i] = width[front] - width[back]
        out[2 + PAIRS + i] = height[front] - height[back]
        out[2 + 2 * PAIRS + i] = width[front] + width[back]
        out[2 + 3 * PAIRS + i] = height[front] + height[back]
    out[2 + 4 * PAIRS] = mean / sd
    return out


def motion(
    position_mm: npt.NDArray[np.float64],
    time_s: npt.NDArray[np.float64],
    axis_rad: npt.NDArray[np.float64],
    walking_speed_mm_s: float,
) -> npt.NDArray[np.float64]:
    """Return evidence from walking, as mice walk forward.

    Parameters
    ----------
    position_mm : (F, 2)
        Centroids; NaN where the mouse was not found.
    time_s, axis_rad : (F,)
    walking_speed_mm_s : float
        Speed along the axis that is worth one nat; no frame is worth more than 4.

    Returns
    -------
    (F,) float64, nats in favor of the measured axis direction; 0 where a position is missing.
    """
    reach = 3
    ahead = np.minimum(np.arange(len(time_s)) + reach, len(time_s) - 1)
    behind = np.maximum(np.arange(len(time_s)) - reach, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        velocity = (position_mm[ahead] - position_mm[behind]) / (time_s[ahead] - time_s[behind])[:, None]
    forward = velocity[:, 0] * np.cos(axis_rad) + velocity[:, 1] * np.sin(axis_rad)
    return np.nan_to_num(np.clip(forward / walking_speed_mm_s, -4, 4), nan=0.0, posinf=0.0, neginf=0.0)
