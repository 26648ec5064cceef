"""Blocks of a recording's frames, the next one read while this one is worked on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from .video import Video

__all__ = ["read_ahead"]


def read_ahead(video: Video, frames: int) -> Iterator[tuple[int, npt.NDArray[np.uint16]]]:
    """Yield (first frame, block) in turn; a thread of its own reads, at most one block ahead.

    Nobody else may read from ``video`` meanwhile.

    Parameters
    ----------
    video : Video
    frames : int
        Frames in a block; three blocks are in memory at most.

    Raises
    ------
    BadInput
        What the reader raises, where the block is due.
    """
    starts = range(0, len(video), frames)
    with ThreadPoolExecutor(1, thread_name_prefix="read") as thread:
        due = thread.submit(video.read, 0, frames)
        for start in starts:
            block = due.result()
            if start + frames < len(video):
                due = thread.submit(video.read, start + frames, start + 2 * frames)
            yield start, block
