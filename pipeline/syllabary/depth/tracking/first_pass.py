"""The first pass over a recording: the mouse in every frame."""

import logging
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ...progress import track as progress
from ...records.crops import Missing
from ..arena.eras import Eras
from ..arena.geometry import Arena
from ..arena.stillness import Watch
from ..blocks import read_ahead
from ..settings import TrackingSettings
from ..video import Video
from . import plausibility
from .holes import Filler
from .tracker import Mouse, Track, Tracker

__all__ = ["Frame", "Heights", "locate"]

log = logging.getLogger(__name__)
Frame = npt.NDArray[np.uint16]
Heights = npt.NDArray[np.uint8]


def locate(
    video: Video,
    arena: Arena,
    settings: TrackingSettings,
    *,
    block_frames: int,
    recording: str,
    keep: Callable[[int, Frame, Heights, Mouse, Arena], None] | None = None,
) -> tuple[Track, Eras]:
    """Find the mouse in every frame, and where the arena was.

    Parameters
    ----------
    arena : Arena
        Where the floor moves, it is followed from here.
    block_frames : int
        Frames read at once; changes memory, never the result.
    recording : str
        Its name, for progress and log.
    keep : callable, optional
        Called with the number, the depth image, the heights in the arena's window, the mouse and the
        arena of each frame that may show one; not all of them are in the track.
    """
    filler = Filler(video, arena, settings)
    if filler.is_needed:
        log.info("%s: pixels of the animal are missing; they are filled from those around", recording)
    track, eras = Track.empty(len(video)), Eras(arena)
    tracker, watch = Tracker(arena, settings), Watch(arena, settings)
    pose = watch.pose
    after_s = np.diff(video.timestamps_s, prepend=video.timestamps_s[:1]).tolist()
    blocks = read_ahead(video, block_frames)
    for start, block in progress(
        blocks, f"track {recording}", total=len(video), unit="frames", step=block_frames
    ):
        for i, depth in enumerate(block, start):
            in_place, in_sight = watch.is_sure(depth)
            if watch.pose is not pose:
                pose = watch.pose
                arena = eras.add(i, pose)
                tracker.move(arena)
                filler.move(arena)
            filled = filler.fill(depth)
            mouse = tracker.find(filled, after_s[i])
            if not (in_place and in_sight):
                track.missing[i] = Missing.IMPLAUSIBLE if in_place else Missing.MOVED
            elif mouse is not None:
                track.put(i, mouse)
                if keep is not None:
                    keep(i, depth, tracker.heights, mouse, arena)
    track = plausibility.judge(track, video.timestamps_s, settings)
    missing = len(video) - int(track.detected.sum())
    if missing:
        log.info("%s: no mouse in %d of %d frames", recording, missing, len(video))
    return track, eras
