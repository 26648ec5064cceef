"""The first pass over a recording: the mouse in every frame."""

import logging
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ...progress import track as progress
from ..arena.geometry import Arena
from ..blocks import read_ahead
from ..settings import TrackingSettings
from ..video import Video
from .holes import Filler
from .tracker import Mouse, Track, Tracker

__all__ = ["Frame", "locate"]

log = logging.getLogger(__name__)
Frame = npt.NDArray[np.uint16]


def locate(
    video: Video,
    arena: Arena,
    settings: TrackingSettings,
    *,
    block_frames: int,
    recording: str,
    keep: Callable[[int, Frame, Frame, Mouse], None] | None = None,
) -> Track:
    """Find the mouse in every frame.

    Parameters
    ----------
    block_frames : int
        Frames read at once; changes memory, never the result.
    recording : str
        Its name, for progress and log.
    keep : callable, optional
        Called with the number, the depth image, the same with its holes filled, and the mouse of each
        frame that shows one.
    """
    filler = Filler(video, arena, settings)
    if filler.is_needed:
        log.info("%s: pixels of the animal are missing; they are filled from those around", recording)
    track = Track.empty(len(video))
    tracker = Tracker(arena, settings)
    after_s = np.diff(video.timestamps_s, prepend=video.timestamps_s[:1]).tolist()
    blocks = read_ahead(video, block_frames)
    for start, block in progress(
        blocks, f"track {recording}", total=len(video), unit="frames", step=block_frames
    ):
        for i, depth in enumerate(block, start):
            filled = filler.fill(depth)
            mouse = tracker.find(filled, after_s[i])
            if mouse is not None and filled is not None:
                track.put(i, mouse)
                if keep is not None:
                    keep(i, depth, filled, mouse)
    missing = len(video) - int(track.detected.sum())
    if missing:
        log.info("%s: no mouse in %d of %d frames", recording, missing, len(video))
    return track
