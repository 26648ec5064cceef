"""Speed forward, speed sideways and turning of the animal, from tracking corrected by registration.

Tracking gives the position and heading of the crop. ``registration`` gives the shift and turn of the
animal within the crop. The animal's position is that of the crop plus the shift, which is rotated by
the heading and scaled to mm. Its heading is that of the crop plus the turn. Speeds are differences
between ticks, along the heading of the later tick. Short gaps are bridged by straight lines, so that
one lost frame does not cost two speeds.
"""

import numpy as np
import numpy.typing as npt

from ..records.clock import clock_of, rate_of
from ..records.crops import Crops

__all__ = ["CHANNELS", "corrected", "speeds"]

BRIDGE_S = 0.2
CHANNELS = ("forward_mm_s", "sideways_mm_s", "turning_rad_s")

Array = npt.NDArray[np.float64]


def speeds(
    crops: Crops,
    shifts: Array | None,
    trusted: npt.NDArray[np.bool_] | None = None,
    *,
    bridge_s: float = BRIDGE_S,
) -> Array:
    """Return the motion of every tick of a recording.

    Parameters
    ----------
    crops : Crops
    shifts : (T, 3) float64, optional
        From ``registration``: px, px, rad.
    trusted : (T,) bool, optional
        Ticks with reliable shifts; by default all ticks with a frame.
    bridge_s : float
        Longest gap that is bridged, s.

    Returns
    -------
    (T, 3) float64
        ``CHANNELS``; sideways is from +x toward +y. NaN where the animal was not tracked, and in
        longer gaps.
    """
    position, heading = corrected(crops, shifts)
    usable = (crops.frame >= 0) if trusted is None else trusted
    usable = usable & np.isfinite(heading) & np.isfinite(position).all(1)
    clock, bridge = clock_of(crops), round(bridge_s * rate_of(crops.time_s))
    at = None if clock is None else clock.at
    position, heading = _bridged(position, heading, np.flatnonzero(usable), bridge, at)
    motion = np.full((len(crops), len(CHANNELS)), np.nan)
    step = np.diff(position, axis=0)
    c, s = np.cos(heading[1:]), np.sin(heading[1:])
    turn = (np.diff(heading) + np.pi) % (2 * np.pi) - np.pi
    moved = [c * step[:, 0] + s * step[:, 1], c * step[:, 1] - s * step[:, 0], turn]
    motion[1:] = np.stack(moved, 1) / np.diff(crops.time_s)[:, None]
    motion[~np.isfinite(motion).all(1)] = np.nan
    return motion


def corrected(crops: Crops, shifts: Array | None) -> tuple[Array, Array]:
    """Return position and heading of the animal, corrected by registration.

    Parameters
    ----------
    crops : Crops
    shifts : (T, 3) float64, optional
        From ``registration``: px, px, rad.

    Returns
    -------
    position : (T, 2) float64
        mm; NaN where the animal was not tracked.
    heading : (T,) float64
        rad; NaN where the animal was not tracked.
    """
    position = crops.scalars[["x_mm", "y_mm"]].to_numpy(np.float64).copy()
    heading = crops.scalars["heading_rad"].to_numpy(np.float64).copy()
    if shifts is not None:
        c, s = np.cos(heading), np.sin(heading)
        x_mm, y_mm = crops.pixel_mm * shifts[:, :2].T
        position += np.stack([c * x_mm - s * y_mm, s * x_mm + c * y_mm], 1)
        heading += shifts[:, 2]
    return position, heading


def _bridged(
    position: Array,
    heading: Array,
    usable: npt.NDArray[np.intp],
    max_gap: int,
    at: Array | None = None,
) -> tuple[Array, Array]:
    """Interpolate linearly between usable ticks that are near each other; NaN elsewhere.

    ``at`` (T,) is the true time of each tick's frame, ticks, if that is not the time of the tick.
    """
    tick = np.arange(len(heading))
    line, turning = np.full_like(position, np.nan), np.full_like(heading, np.nan)
    if not len(usable):
        return line, turning
    instants = usable if at is None else at[usable]
    after = np.searchsorted(instants, tick)
    before = np.searchsorted(instants, tick, "right") - 1
    inside = (before >= 0) & (after < len(usable))
    gap = usable[np.minimum(after, len(usable) - 1)] - usable[np.maximum(before, 0)]
    inside &= gap <= max_gap + 1
    unwrapped = np.unwrap(heading[usable])
    for axis in range(2):
        line[inside, axis] = np.interp(tick[inside], instants, position[usable, axis])
    turning[inside] = np.interp(tick[inside], instants, unwrapped)
    return line, turning
