"""How fast the animal moves forward, sideways and around, by tracking that registration corrected.

Tracking puts the crop at a place and a heading; ``registration`` finds how the animal lies in the
crop against the template. The animal's own place is that of the crop plus the shift, turned by the
heading and in mm, and its own heading that of the crop plus the turn. Speeds are differences from
tick to tick, along the heading of the later tick. Over a short gap the animal is taken to have gone
straight: how far it came is known, and a lost frame must not cost two speeds.
"""

import numpy as np
import numpy.typing as npt

from ..records.crops import Crops

__all__ = ["CHANNELS", "corrected", "speeds"]

BRIDGE_TICKS = 6
CHANNELS = ("forward_mm_s", "sideways_mm_s", "turning_rad_s")

Array = npt.NDArray[np.float64]


def speeds(
    crops: Crops,
    shifts: Array | None,
    seen: npt.NDArray[np.bool_] | None = None,
    *,
    bridge: int = BRIDGE_TICKS,
) -> Array:
    """Return the motion of every tick of a recording.

    Parameters
    ----------
    crops : Crops
    shifts : (T, 3) float64, optional
        What registration found: px, px, rad.
    seen : (T,) bool, optional
        Ticks whose shifts are to be trusted; else those with a frame.
    bridge : int
        Longest gap that is bridged, ticks.

    Returns
    -------
    (T, 3) float64
        ``CHANNELS``; sideways is from +x toward +y. NaN where the animal was not tracked, and in
        longer gaps.
    """
    place, heading = corrected(crops, shifts)
    known = (crops.frame >= 0) if seen is None else seen
    known = known & np.isfinite(heading) & np.isfinite(place).all(1)
    place, heading = _bridged(place, heading, np.flatnonzero(known), bridge)
    found = np.full((len(crops), len(CHANNELS)), np.nan)
    step = np.diff(place, axis=0)
    c, s = np.cos(heading[1:]), np.sin(heading[1:])
    turn = (np.diff(heading) + np.pi) % (2 * np.pi) - np.pi
    moved = [c * step[:, 0] + s * step[:, 1], c * step[:, 1] - s * step[:, 0], turn]
    found[1:] = np.stack(moved, 1) / np.diff(crops.time_s)[:, None]
    found[~np.isfinite(found).all(1)] = np.nan
    return found


def corrected(crops: Crops, shifts: Array | None) -> tuple[Array, Array]:
    """Return the animal's place (T, 2), mm, and heading (T,), rad; NaN where it was not tracked."""
    place = crops.scalars[["x_mm", "y_mm"]].to_numpy(np.float64).copy()
    heading = crops.scalars["heading_rad"].to_numpy(np.float64).copy()
    if shifts is not None:
        c, s = np.cos(heading), np.sin(heading)
        x_mm, y_mm = crops.pixel_mm * shifts[:, :2].T
        place += np.stack([c * x_mm - s * y_mm, s * x_mm + c * y_mm], 1)
        heading += shifts[:, 2]
    return place, heading


def _bridged(
    place: Array, heading: Array, known: npt.NDArray[np.intp], most: int
) -> tuple[Array, Array]:
    """Straight lines between known ticks that are near each other; NaN elsewhere."""
    tick = np.arange(len(heading))
    found, turned = np.full_like(place, np.nan), np.full_like(heading, np.nan)
    if not len(known):
        return found, turned
    after = np.searchsorted(known, tick)
    before = np.searchsorted(known, tick, "right") - 1
    inside = (before >= 0) & (after < len(known))
    gap = known[np.minimum(after, len(known) - 1)] - known[np.maximum(before, 0)]
    inside &= gap <= most + 1
    around = np.unwrap(heading[known])
    for axis in range(2):
        found[inside, axis] = np.interp(tick[inside], known, place[known, axis])
    turned[inside] = np.interp(tick[inside], known, around)
    return found, turned
