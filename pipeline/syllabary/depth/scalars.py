"""The scalars of every tick, in mm, rad and s, from measured timestamps; NaN where missing."""

import numpy as np
import numpy.typing as npt

from .arena.eras import Eras
from .timing.ticks import Ticks
from .tracking.tracker import Track

__all__ = ["columns", "rate", "spread_over_ticks"]

Array = npt.NDArray[np.float64]
# Time to the tick before and after from which a rate is taken, s. A place is uncertain by some 0.5 mm
# in every frame; in 8 ms that would be 60 mm/s.
REACH_S = 1 / 30


def spread_over_ticks(values: npt.NDArray[np.floating], ticks: Ticks) -> Array:
    """Spread per-frame values (F,) over ticks (T,); dropped ticks are NaN."""
    out = np.full(len(ticks.frame), np.nan)
    out[ticks.of_frame] = values
    return out


def rate(values: Array, time_s: Array, *, period: float | None = None) -> Array:
    """Rate of change per second, from the ticks around each; NaN where both are missing.

    These are the ticks before and after, or, of a camera that is so quick that a step between them would
    be mostly noise, those about ``REACH_S`` away.

    Parameters
    ----------
    values : (T,) or (T, D)
        NaN where missing. A tick with one neighbor missing takes the step to the other.
    time_s : (T,)
    period : float, optional
        Differences are taken around the circle of this circumference.

    Returns
    -------
    as ``values``, per second.
    """
    out = np.full_like(values, np.nan)
    if len(values) < 2:
        return out
    columns = (slice(None), *([None] * (values.ndim - 1)))
    reach = min(max(1, round(REACH_S / float(np.median(np.diff(time_s))))), len(values) - 1)
    step, dt = values[reach:] - values[:-reach], (time_s[reach:] - time_s[:-reach])[columns]
    if period is not None:
        step = (step + period / 2) % period - period / 2
    finite = np.isfinite(step)
    total, time = np.zeros_like(values), np.zeros_like(values)
    for place in (slice(None, -reach), slice(reach, None)):
        total[place] += np.where(finite, step, 0)
        time[place] += np.where(finite, dt, 0)
    np.divide(total, time, out=out, where=(time > 0) & np.isfinite(values))
    return out


def columns(track: Track, heading_rad: Array, ticks: Ticks, eras: Eras) -> dict[str, Array]:
    """Return the columns of ``scalars``.

    Parameters
    ----------
    track : Track
        F frames.
    heading_rad : (F,)
    eras : Eras
        The arena of every frame.
    """

    def on_ticks(values: Array) -> Array:
        return spread_over_ticks(values, ticks)

    x, y, heading = on_ticks(track.x_mm), on_ticks(track.y_mm), on_ticks(heading_rad)
    velocity = rate(np.stack([x, y], axis=-1), ticks.time_s)
    return {
        "x_mm": x,
        "y_mm": y,
        "heading_rad": heading,
        "speed_mm_s": np.hypot(velocity[:, 0], velocity[:, 1]),
        "turning_rad_s": rate(heading, ticks.time_s, period=2 * np.pi),
        "length_mm": on_ticks(track.length_mm),
        "width_mm": on_ticks(track.width_mm),
        "height_mm": on_ticks(track.height_mm),
        "height_max_mm": on_ticks(track.height_max_mm),
        "area_mm2": on_ticks(track.area_mm2),
        "center_distance_mm": np.hypot(x, y),
        "wall_distance_mm": on_ticks(_wall_distance(track.x_mm, track.y_mm, eras)),
    }


def _wall_distance(x: Array, y: Array, eras: Eras) -> Array:
    """Distance from the point of the floor below the mouse to the floor's edge, (F,) mm."""
    out = np.full(len(x), np.nan)
    for era in eras:
        arena = era.arena
        frames = np.arange(len(x))[era.frames]
        frames = frames[np.isfinite(x[frames]) & np.isfinite(y[frames])]
        place = np.stack([x[frames], y[frames], np.zeros(len(frames))], axis=-1)
        pixel = np.rint(arena.pixels(place)).astype(int)
        rows = np.clip(pixel[:, 1], 0, arena.mask.shape[0] - 1)
        cols = np.clip(pixel[:, 0], 0, arena.mask.shape[1] - 1)
        focal = np.sqrt(arena.camera.fx_px * arena.camera.fy_px)
        out[frames] = eras.arena.wall_px[rows, cols] * arena.plane_mm[rows, cols] / focal
    return out
