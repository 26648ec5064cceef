"""``depth.dat``: frames back to back without a header, 0 = not measured.

Rows, columns and type of a pixel come from ``extract.source``, else from ``metadata.json`` beside the
file. Without either, frames are uint16 mm of a Kinect v2.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from ..settings import SourceSettings
from ..video import Video
from . import metadata_file, timestamps_file

__all__ = ["SUFFIXES", "accepts", "files", "open_video", "require", "write_video"]

SUFFIXES = (".dat",)
# What a camera wrote goes before what was coded from it.
IS_RAW = True


class Layout(NamedTuple):
    """Properties that are known without reading a frame."""

    metadata: Mapping[str, object]
    shape: tuple[int, int]
    dtype: np.dtype[np.generic]
    frames: int


def accepts(path: Path) -> bool:
    """Return whether ``path`` is named as a raw file."""
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


def require(path: Path, settings: SourceSettings) -> None:
    """Raise ``BadInput`` unless frames and timestamps are whole and belong together."""
    timestamps_file.match(path, _inspect(path, settings).frames, settings)


def files(path: Path) -> list[Path]:
    """Return the file and those of its companions that are there."""
    clock = timestamps_file.beside(path)
    companions = [metadata_file.beside(path), *([clock[0]] if clock else [])]
    return [path, *(companion for companion in companions if companion.is_file())]


def open_video(path: Path, settings: SourceSettings, *, scratch: Path | None = None) -> "Dat":
    """Open a raw file."""
    layout = _inspect(path, settings)
    return Dat(path, layout, timestamps_file.match(path, layout.frames, settings), settings)


def write_video(
    path: Path,
    blocks: Iterable[npt.NDArray[np.uint16]],
    shape: tuple[int, int],
    times_s: npt.NDArray[np.float64],
) -> None:
    """Write blocks of frames (n, rows, columns) as little-endian uint16."""
    with path.open("wb") as file:
        for block in blocks:
            file.write(np.ascontiguousarray(block, "<u2").tobytes())


class Dat(Video):
    """Frames of a raw file."""

    def __init__(
        self,
        path: Path,
        layout: Layout,
        clock: timestamps_file.Clock,
        settings: SourceSettings,
    ) -> None:
        metadata = metadata_file.started(layout.metadata, clock.start_time)
        lens = metadata_file.intrinsics(layout.metadata, metadata_file.beside(path))
        super().__init__(path, layout.shape, clock.times_s, metadata, intrinsics=lens)
        self.byte_order_is_set = settings.byte_order is not None
        self._dtype = layout.dtype
        self._file = path.open("rb")
        self.when_closed(self._file.close)

    def _read(self, start: int, stop: int) -> npt.NDArray[np.generic]:
        pixels = self.shape[0] * self.shape[1]
        self._file.seek(start * pixels * self._dtype.itemsize)
        block = np.fromfile(self._file, dtype=self._dtype, count=(stop - start) * pixels)
        if len(block) != (stop - start) * pixels:
            raise BadInput(
                f"{self.path}: frames {start} to {stop - 1} cannot be read; the file shrank while it "
                "was open: copy it again."
            )
        return block.reshape(-1, *self.shape)


def _inspect(path: Path, settings: SourceSettings) -> Layout:
    """Count frames from the size of the file."""
    metadata = metadata_file.read(path)
    about = metadata_file.beside(path)
    rows, columns = shape = metadata_file.shape(metadata, settings, about)
    dtype = metadata_file.dtype(metadata, settings, about)
    size, frame = path.stat().st_size, rows * columns * dtype.itemsize
    if size == 0:
        raise BadInput(f"{path}: the file is empty; copy the recording again.")
    if size % frame and (settings.timestamps == "strict" or size < frame):
        raise BadInput(
            f"{path}: {size} bytes are not a whole number of {columns}x{rows} {dtype.name} frames "
            f"({frame} bytes each); was the recording cut short, set extract.source.timestamps to "
            "'cut'; has it another resolution, set extract.source.rows, columns and dtype."
        )
    return Layout(metadata, shape, dtype, size // frame)
