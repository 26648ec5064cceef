"""Extractions of MoSeq2: ``results_00.h5``, an HDF5 file of crops and their places.

The file's centroids count from the corner of the arena's bounding box, and its angles turn
counterclockwise.
"""

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from .. import ticks
from ..settings import SourceSettings
from ..video import ExtractedCrops, require_shape
from . import hdf5_file

__all__ = ["SUFFIXES", "accepts", "files", "open_crops", "require"]

SUFFIXES = (".h5", ".hdf5")
# How MoSeq2 names its files, and a dataset that no other HDF5 file of frames has.
PREFIX = "results_"
SCALARS = "scalars/centroid_x_px"
COLUMNS = ("scalars/centroid_x_px", "scalars/centroid_y_px", "scalars/angle")
WHOLE = ("metadata/extraction/background", "metadata/extraction/roi")
TIMESTAMPS = ("timestamps", "metadata/timestamps")
START_TIMES = ("metadata/acquisition/StartTime", "metadata/extraction/StartTime")


def accepts(path: Path) -> bool:
    """Return whether ``path`` is an extraction of MoSeq2, by its name or by its datasets."""
    if path.suffix.lower() not in SUFFIXES or path.is_dir():
        return False
    if path.name.startswith(PREFIX):
        return True
    try:
        with h5py.File(path, "r") as h5:
            return SCALARS in h5
    except (OSError, RuntimeError):
        return False


def require(path: Path, settings: SourceSettings) -> None:
    """Raise ``BadInput`` unless all needed datasets are there, of numbers and of equal length."""
    with hdf5_file.whole(path), h5py.File(path, "r") as h5:
        clock = _timestamps(h5)
        axes = {"frames": 3, **dict.fromkeys(COLUMNS, 1), **dict.fromkeys(WHOLE, 2), clock: 1}
        missing = [name for name in axes if name not in h5]
        if missing:
            raise BadInput(
                f"{path}: not a MoSeq2 extraction with all its parts (lacks {', '.join(missing)}); give "
                "the raw session folder instead, or extract it again with a MoSeq2 of 2019 or later."
            )
        items = {name: h5[name] for name in axes}
        odd = [name for name, item in items.items() if not hdf5_file.is_numeric(item, axes[name])]
        if odd:
            raise BadInput(
                f"{path}: {', '.join(odd)} are not what MoSeq2 writes there; extract it again."
            )
        lengths = {name: len(items[name]) for name in ("frames", clock, *COLUMNS)}
        if len(set(lengths.values())) > 1 or not lengths["frames"]:
            text = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise BadInput(
                f"{path}: datasets of one recording have different lengths ({text}); extract it again."
            )
        require_shape(items["frames"].shape[1:], f"{path}: frames")
        shapes = [items[name].shape for name in WHOLE]
        require_shape(shapes[0], f"{path}: {WHOLE[0]}")
        if shapes[0] != shapes[1]:
            raise BadInput(
                f"{path}: background and roi have different shapes, {shapes[0]} and {shapes[1]}; "
                "extract it again."
            )
        ticks.require(items[clock][()] / 1000.0, path, way_out="extract it again from the raw recording")


def files(path: Path) -> list[Path]:
    """Return the file."""
    return [path]


def open_crops(
    path: Path, settings: SourceSettings, *, scratch: Path | None = None
) -> "MoSeq2Extraction":
    """Open an extraction of MoSeq2.

    Raises
    ------
    BadInput
        As ``require``.
    """
    require(path, settings)
    with hdf5_file.whole(path):
        h5 = h5py.File(path, "r")
        try:
            return MoSeq2Extraction(path, h5)
        except BaseException:
            h5.close()
            raise


class MoSeq2Extraction(ExtractedCrops):
    """Crops of an extraction, and where they were cut."""

    def __init__(self, path: Path, h5: h5py.File) -> None:
        super().__init__(path)
        self.timestamps_s = h5[_timestamps(h5)][()] / 1000.0
        background = np.nan_to_num(np.rint(h5["metadata/extraction/background"][()]).clip(0, 65535))
        self.background_mm = background.astype(np.uint16)
        self.mask = h5["metadata/extraction/roi"][()] > 0
        rows, columns = np.nonzero(self.mask)
        left, top = (columns.min(), rows.min()) if len(rows) else (0, 0)
        self.x_px = h5["scalars/centroid_x_px"][()].astype(np.float64) + left
        self.y_px = h5["scalars/centroid_y_px"][()].astype(np.float64) + top
        self.heading_rad = -h5["scalars/angle"][()].astype(np.float64)
        self.start_time = _start_time(h5)
        self._frames = h5["frames"]
        height, width = self._frames.shape[1:]
        self.crop_shape = (height, width)
        self.when_closed(h5.close)

    def read(self, start: int, stop: int) -> npt.NDArray[np.uint8]:
        """Return crops [start, stop), heights in mm that saturate at 255."""
        start, stop, _ = slice(start, stop).indices(len(self))
        if stop <= start:
            return np.zeros((0, *self.crop_shape), np.uint8)
        with hdf5_file.whole(self.path):
            block = self._frames[start:stop]
        return np.nan_to_num(np.clip(block, 0, 255)).astype(np.uint8)


def _timestamps(h5: h5py.File) -> str:
    return next((name for name in TIMESTAMPS if name in h5), TIMESTAMPS[0])


def _start_time(h5: h5py.File) -> str:
    for name in START_TIMES:
        if name in h5:
            value = h5[name][()]
            value = value.ravel()[0] if isinstance(value, np.ndarray) and value.size else value
            return value.decode() if isinstance(value, bytes) else str(value)
    return ""
