"""AVI with FFV1 or another lossless coding of 16-bit gray; it holds no time per frame.

Timestamps lie beside it, or the settings space frames evenly.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..settings import SourceSettings
from . import timestamps_file, video_container

__all__ = ["SUFFIXES", "accepts", "files", "holds_depth", "open_video", "require", "write_video"]

SUFFIXES = (".avi",)


def accepts(path: Path) -> bool:
    """Return whether ``path`` is named as an AVI file."""
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


def holds_depth(path: Path) -> bool:
    """Return whether there is a track of 16-bit gray, or the file is damaged."""
    return video_container.holds_depth(path, "avi")


def require(path: Path, settings: SourceSettings) -> None:
    """Raise ``BadInput`` unless there is a depth track, and timestamps."""
    with video_container.opened(path, "avi") as container:
        rate = video_container.rate(video_container.depth_stream(container, path))
    timestamps_file.require(path, settings, rate=rate)


def files(path: Path) -> list[Path]:
    """Return the video and those of its companions that are there."""
    return video_container.companions(path)


def open_video(
    path: Path, settings: SourceSettings, *, scratch: Path | None = None
) -> video_container.Container:
    """Open an AVI file."""
    return video_container.Container(path, "avi", settings, has_times=False)


def write_video(
    path: Path,
    blocks: Iterable[npt.NDArray[np.uint16]],
    shape: tuple[int, int],
    times_s: npt.NDArray[np.float64],
) -> None:
    """Write FFV1 at a constant rate."""
    video_container.write(path, "avi", blocks, shape, times_s)
