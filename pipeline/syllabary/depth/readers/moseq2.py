"""Extractions of MoSeq2: ``results_00.h5``, an HDF5 file of crops and their places.

The file's centroids count from the corner of the arena's bounding box, and its angles turn
counterclockwise. Its times are in ms if they come from ``depth_ts.txt``, and in s from a Matroska file,
under the same name; some files have none, and then the rate among its parameters spaces frames.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import yaml

from ...errors import BadInput
from ...records.hdf5 import open_to_read
from ..settings import SourceSettings
from ..timing import clocks, ticks
from ..video import ExtractedCrops, require_shape
from . import hdf5_file, metadata_file

__all__ = ["SUFFIXES", "accepts", "files", "open_crops", "require"]

log = logging.getLogger(__name__)

SUFFIXES = (".h5", ".hdf5")
# How MoSeq2 names its files, and a dataset that no other HDF5 file of frames has.
PREFIX = "results_"
SCALARS = "scalars/centroid_x_px"
COLUMNS = ("scalars/centroid_x_px", "scalars/centroid_y_px", "scalars/angle")
WHOLE = ("metadata/extraction/background", "metadata/extraction/roi")
TIMESTAMPS = ("timestamps", "metadata/timestamps")
# Where the camera's rate can be, the acquisition program's before MoSeq2's own parameter.
RATES = ("metadata/acquisition", "metadata/extraction/parameters")
MAX_YAML_BYTES = 1 << 20
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
    with hdf5_file.whole(path), open_to_read(path) as h5:
        clock = _timestamps(h5, settings)
        axes = {"frames": 3, **dict.fromkeys(COLUMNS, 1), **dict.fromkeys(WHOLE, 2), **clock}
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
        lengths = {name: len(items[name]) for name in ("frames", *clock, *COLUMNS)}
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
        _times_s(path, h5, settings)


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
        h5 = open_to_read(path)
        try:
            return MoSeq2Extraction(path, h5, settings)
        except BaseException:
            h5.close()
            raise


class MoSeq2Extraction(ExtractedCrops):
    """Crops of an extraction, and where they were cut."""

    def __init__(self, path: Path, h5: h5py.File, settings: SourceSettings) -> None:
        super().__init__(path)
        self.timestamps_s = _times_s(path, h5, settings)
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


def _timestamps(h5: h5py.File, settings: SourceSettings) -> dict[str, int]:
    """Return the dataset of times, by its name, and its axes; empty if it is not there or not wanted."""
    names = [name for name in TIMESTAMPS if name in h5 and settings.timestamps != "even"]
    return dict.fromkeys(names[:1], 1)


def _times_s(path: Path, h5: h5py.File, settings: SourceSettings) -> npt.NDArray[np.float64]:
    """Return the time of each frame, s."""
    rate = settings.frames_per_second
    for name in _timestamps(h5, settings):
        values = h5[name][()].astype(np.float64)
        where = f"{path}: {name}"
        if settings.timestamp_unit is None and clocks.counts_frames(values):
            raise BadInput(
                f"{where} counts frames (whole numbers one apart) and holds no times; set "
                "extract.source.timestamps to 'even' and its frames_per_second, or extract it again "
                "from the raw recording."
            )
        unit = clocks.unit(values, where, setting=settings.timestamp_unit, usual="ms")
        times_s = clocks.seconds(values, unit)
        ticks.require(times_s, where, way_out="extract it again from the raw recording")
        return times_s
    if rate is None:
        rate = _rate(path, h5)
        if rate is None:
            raise BadInput(
                f"{path}: holds no times (timestamps) and no frame rate (metadata/extraction/parameters/"
                "fps); set extract.source.timestamps to 'even' and its frames_per_second."
            )
        log.warning(
            "%s: holds no times; frames are spaced evenly, by %g frames/s of its metadata.", path, rate
        )
    clocks.require_rate(rate, path)
    return np.arange(len(h5["frames"])) / rate


def _rate(path: Path, h5: h5py.File) -> float | None:
    """Return the rate that the file states, or the one in the ``.yaml`` that MoSeq2 writes beside it."""
    for group in RATES:
        values: dict[str, object] = {}
        for name, item in h5[group].items() if isinstance(h5.get(group), h5py.Group) else ():
            if isinstance(item, h5py.Dataset) and item.size == 1:
                values[name] = _scalar(item[()])
        if (rate := metadata_file.rate(values)) is not None:
            return rate
    about = path.with_suffix(".yaml")
    if not about.is_file() or about.stat().st_size > MAX_YAML_BYTES:
        return None
    try:
        status = yaml.safe_load(about.read_text(encoding="utf-8", errors="replace"))
    except yaml.YAMLError as error:
        raise BadInput(
            f"{about}: not valid YAML ({' '.join(str(error).split())[:80]}); repair or remove the file."
        ) from None
    parameters = status.get("parameters") if isinstance(status, Mapping) else None
    return metadata_file.rate(parameters) if isinstance(parameters, Mapping) else None


def _scalar(value: object) -> object:
    value = value.ravel()[0] if isinstance(value, np.ndarray) and value.size else value
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _start_time(h5: h5py.File) -> str:
    names = [name for name in START_TIMES if name in h5]
    return clocks.start_text(_scalar(h5[names[0]][()])) if names else ""
