"""Matroska: FFV1 of 16-bit gray, or what an Azure Kinect records.

Azure Kinect recorders write the tracks COLOR, DEPTH and IR, the depth as raw big-endian gray
(``b16g``), times in microseconds, and the cameras' calibration as an attachment. A file of
timestamps beside the video is more exact than Matroska's usual milliseconds and wins.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..settings import SourceSettings
from . import _calibration, _clock, _container, _matroska

__all__ = ["SUFFIXES", "accepts", "files", "open_video", "require", "write_video"]

SUFFIXES = (".mkv",)


def accepts(path: Path) -> bool:
    """Return whether ``path`` is named as a Matroska file."""
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


def require(path: Path, settings: SourceSettings) -> None:
    """Raise ``BadInput`` unless there is a depth track; timestamps beside it must be in order."""
    if settings.timestamps == "strict":
        _matroska.require_length(path)
    with _container.opened(path, "matroska") as container:
        _container.depth_stream(container, path)
    if _clock.beside(path) is not None:
        _clock.require(path, settings)


def files(path: Path) -> list[Path]:
    """Return the video and those of its companions that are there."""
    return _container.companions(path)


def open_video(
    path: Path, settings: SourceSettings, *, scratch: Path | None = None
) -> _container.Container:
    """Open a Matroska file, with the calibration that it holds."""
    if settings.timestamps == "strict":
        _matroska.require_whole(path)
    with _container.opened(path, "matroska") as container:
        context = _container.depth_stream(container, path).codec_context
        lens = _calibration.attached(container, (context.height, context.width), path)
    return _container.Container(path, "matroska", settings, has_times=True, intrinsics=lens)


def write_video(
    path: Path,
    blocks: Iterable[npt.NDArray[np.uint16]],
    shape: tuple[int, int],
    times_s: npt.NDArray[np.float64],
) -> None:
    """Write FFV1 with times to the millisecond."""
    _container.write(path, "matroska", blocks, shape, times_s)
