"""Blocks of a recording's frames; the next block is read while the current one is processed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from .video import Video

__all__ = ["read_ahead"]


def read_ahead(video: Video, frames: int) -> Iterator[tuple[int, npt.NDArray[np.uint16]]]:
    """Yield (first frame, block) in turn; a separate thread reads at most one block ahead.

    ``video`` must not be read by other code meanwhile.

    Parameters
    ----------
    video : Video
    frames : int
        Frames in a block; three blocks are in memory at most.

    Raises
    ------
    BadInput
        As the reader raises it, when the block is due.
    """
    starts = range(0, len(video), frames)
    with ThreadPoolExecutor(1, thread_name_prefix="read") as thread:
        due = thread.submit(video.read, 0, frames)
        for start in starts:
            block = due.result()
            if start + frames < len(video):
                due = thread.submit(video.read, start + frames, start + 2 * frames)
            yield start, block
