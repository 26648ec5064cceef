"""Matroska: FFV1 of 16-bit gray, or what an Azure Kinect records.

Azure Kinect recorders write the tracks COLOR, DEPTH and IR, the depth as raw big-endian gray
(``b16g``), times in microseconds, and the cameras' calibration as an attachment. A file of
timestamps beside the video is more exact than Matroska's usual milliseconds and wins.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..lens import intrinsics
from ..settings import SourceSettings
from . import matroska_file, timestamps_file, video_container

__all__ = ["SUFFIXES", "accepts", "files", "holds_depth", "open_video", "require", "write_video"]

SUFFIXES = (".mkv",)


def accepts(path: Path) -> bool:
    """Return whether ``path`` is named as a Matroska file."""
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


def holds_depth(path: Path) -> bool:
    """Return whether there is a track of 16-bit gray, or the file is damaged."""
    return video_container.holds_depth(path, "matroska")


def require(path: Path, settings: SourceSettings) -> None:
    """Raise ``BadInput`` unless there is a depth track; timestamps beside it must be in order."""
    if settings.timestamps == "strict":
        matroska_file.require_length(path)
    with video_container.opened(path, "matroska") as container:
        video_container.depth_stream(container, path)
    if timestamps_file.beside(path) is not None:
        timestamps_file.require(path, settings)


def files(path: Path) -> list[Path]:
    """Return the video and those of its companions that are there."""
    return video_container.companions(path)


def open_video(
    path: Path, settings: SourceSettings, *, scratch: Path | None = None
) -> video_container.Container:
    """Open a Matroska file, with the calibration that it holds."""
    if settings.timestamps == "strict":
        matroska_file.require_whole(path)
    with video_container.opened(path, "matroska") as container:
        context = video_container.depth_stream(container, path).codec_context
        shape = (context.height, context.width)
        lens = next(
            (
                intrinsics.of_azure_kinect(item.data, shape, path)
                for item in container.streams.attachments
                if item.name == intrinsics.ATTACHMENT
            ),
            None,
        )
    return video_container.Container(path, "matroska", settings, has_times=True, intrinsics=lens)


def write_video(
    path: Path,
    blocks: Iterable[npt.NDArray[np.uint16]],
    shape: tuple[int, int],
    times_s: npt.NDArray[np.float64],
) -> None:
    """Write FFV1 with times to the millisecond."""
    video_container.write(path, "matroska", blocks, shape, times_s)
