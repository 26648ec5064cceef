"""The part of every frame that the second pass needs, in a scratch file, so that video is decoded once.

A frame's window is as large as its crop can reach in any direction. It holds the heights of the
mouse alone and which pixels were measured. Only the bounding box of the heights is written, so that
a frame takes some kilobytes instead of hundreds.
"""

import tempfile
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import cv2
import numpy as np
import numpy.typing as npt

from ..records import files

__all__ = ["Window", "Windows"]

# Where the window is in the file and in the frame, and where in the window the mouse is.
FIELDS = ("at", "left", "top", "columns", "rows", "x", "y", "width", "height")


class Window(NamedTuple):
    """A part of a frame around the mouse.

    Attributes
    ----------
    left, top : int
        Column and row of the frame at which it begins.
    heights : (h, w) uint8
        Height of the mouse above the empty arena, mm; 0 elsewhere.
    measured : (h, w) bool
        Pixels whose depth was measured.
    """

    left: int
    top: int
    heights: npt.NDArray[np.uint8]
    measured: npt.NDArray[np.bool_]


class Windows:
    """The windows of a recording of F frames, on disk; a context manager.

    Parameters
    ----------
    frames : int
    folder : path, optional
        Where the nameless file lies; the system's own scratch folder by default.

    Raises
    ------
    BadInput
        The disk is full, or nothing may be written there.
    """

    def __init__(self, frames: int, folder: Path | str | None = None) -> None:
        self._folder = Path(folder or tempfile.gettempdir())
        # Where the system allows it, the file has no name, so that it cannot be left behind.
        with files.explained(self._folder):
            self._file = tempfile.TemporaryFile(prefix="syllabary-", dir=folder)  # noqa: SIM115
        self._index = np.zeros((frames, len(FIELDS)), np.int64)
        self._end = 0

    def put(self, frame: int, window: Window) -> None:
        """Keep the window of a frame; frames come in any order, each once, and before any ``get``."""
        x, y, width, height = cv2.boundingRect(window.heights)
        rows, columns = window.heights.shape
        self._index[frame] = (self._end, window.left, window.top, columns, rows, x, y, width, height)
        body = window.heights[y : y + height, x : x + width].tobytes()
        with files.explained(self._folder):
            self._end += self._file.write(body + np.packbits(window.measured).tobytes())

    def get(self, frame: int) -> Window | None:
        """Return the window of a frame, None where none was kept."""
        at, left, top, columns, rows, x, y, width, height = self._index[frame].tolist()
        if not columns:
            return None
        with files.explained(self._folder):  # seeking flushes pending writes
            self._file.seek(at)
        area = width * height
        stored = np.frombuffer(self._file.read(area + -(-rows * columns // 8)), np.uint8)
        heights = np.zeros((rows, columns), np.uint8)
        heights[y : y + height, x : x + width] = stored[:area].reshape(height, width)
        measured = np.unpackbits(stored[area:], count=rows * columns).reshape(rows, columns)
        return Window(left, top, heights, measured.view(np.bool_))

    def close(self) -> None:
        """Delete the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
