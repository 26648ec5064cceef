"""Which of the things that were tracked are the animal: by size and number, frame by frame.

A hand is larger than any animal, but an animal of one study can be larger than a hand in another.
So every frame is also compared with the usual frame of its own recording.
"""

from dataclasses import fields

import numpy as np
import numpy.typing as npt

from ...records.crops import Missing
from ..settings import TrackingSettings
from .shape import is_full
from .tracker import Track

__all__ = ["judge"]

# Limits relative to the recording's median. A mouse that rears is 2.4 times as high, one that
# stretches after sleep 1.6 times as large.
AREA, LENGTH, HEIGHT = (0.2, 1.8), 2.5, 4.0
# Area of another thing from which it may be an animal; and from which it may be the animal while what
# was tracked is an object, which hardly ever moves.
RIVAL, SMALL_RIVAL = 0.4, 0.12
RESTING_MM_S, RESTING = 10.0, 0.95


def judge(track: Track, time_s: npt.NDArray[np.float64], settings: TrackingSettings) -> Track:
    """Return the track without the frames that show something else than one animal.

    Parameters
    ----------
    time_s : (F,)
    settings : TrackingSettings
        Its ``max_area_mm2`` is the largest area of an animal.
    """
    largest = settings.max_area_mm2
    sane = track.detected & (track.area_mm2 <= largest) & ~(track.rival_mm2 > largest)
    sane &= is_full(track.area_mm2, track.length_mm, track.width_mm)
    area, length, height = (
        float(np.median(column[sane])) if sane.any() else np.inf
        for column in (track.area_mm2, track.length_mm, track.height_mm)
    )
    implausible = track.detected & (
        ~sane
        | (track.area_mm2 < AREA[0] * area)
        | (track.area_mm2 > AREA[1] * area)
        | (track.length_mm > LENGTH * length)
        | (track.height_mm > HEIGHT * height)
        | (track.rival_mm2 > AREA[1] * area)
    )
    several = track.rival_mm2 > RIVAL * area
    beside = track.rival_mm2 > SMALL_RIVAL * area
    if _rests(track, beside, time_s):
        several |= beside
    several &= track.detected & ~implausible
    track.missing[implausible], track.missing[several] = Missing.IMPLAUSIBLE, Missing.SEVERAL
    return _without(track, implausible | several)


def _rests(track: Track, frames: npt.NDArray[np.bool_], time_s: npt.NDArray[np.float64]) -> bool:
    """Return whether what was tracked hardly ever moves in some frames (F,)."""
    pairs = frames[1:] & frames[:-1]
    away = np.hypot(np.diff(track.x_mm), np.diff(track.y_mm))[pairs]
    speed = away / np.diff(time_s)[pairs]
    return bool(len(speed) and np.quantile(speed, RESTING) < RESTING_MM_S)


def _without(track: Track, frames: npt.NDArray[np.bool_]) -> Track:
    """Return the track without a mouse in some frames (F,)."""
    if not frames.any():
        return track

    out = Track.empty(len(frames))
    kept = ~frames
    for field in fields(track):
        getattr(out, field.name)[kept] = getattr(track, field.name)[kept]
    out.missing[:] = track.missing
    return out
