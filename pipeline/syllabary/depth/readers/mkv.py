"""Matroska: FFV1 of 16-bit gray, or what an Azure Kinect records.

Azure Kinect recorders write the tracks COLOR, DEPTH and IR, the depth as raw big-endian gray
(``b16g``), times in microseconds, and the cameras' calibration as an attachment. A file of
timestamps beside the video is more exact than Matroska's usual milliseconds and wins.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from ..settings import SourceSettings
from . import _calibration, _clock, _container

__all__ = ["SUFFIXES", "accepts", "files", "open_video", "require", "write_video"]

SUFFIXES = (".mkv",)
HEADER, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


def accepts(path: Path) -> bool:
    """Return whether ``path`` is named as a Matroska file."""
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


def require(path: Path, settings: SourceSettings) -> None:
    """Raise ``BadInput`` unless there is a depth track; timestamps beside it must be in order."""
    _require_whole(path, settings)
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
    _require_whole(path, settings)
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


def _require_whole(path: Path, settings: SourceSettings) -> None:
    """Raise ``BadInput`` for a file shorter than its segment says it is (RFC 9559)."""
    if settings.timestamps != "strict":
        return
    with path.open("rb") as file:
        end = _element_end(file, HEADER)
        if end is not None:
            file.seek(end)
            end = _element_end(file, SEGMENT)
    size = path.stat().st_size
    if end is not None and end > size:
        raise BadInput(
            f"{path}: has {size} of the {end} bytes that its header promises; copy it again, or set "
            "extract.source.timestamps to 'cut' to take what there is."
        )


def _element_end(file: BinaryIO, name: bytes) -> int | None:
    """Return where the element that begins here ends; None if it is another or does not say."""
    if file.read(4) != name:
        return None
    first = file.read(1)
    length = 9 - first[0].bit_length() if first and first[0] else 0
    if not length:
        return None
    # A size begins with as many bits as it has bytes, of which the last is one; all ones is unknown.
    size = int.from_bytes(first + file.read(length - 1), "big") & ((1 << 7 * length) - 1)
    return None if size == (1 << 7 * length) - 1 else file.tell() + size
