"""HDF5 of any layout: a dataset of frames (F, rows, columns) and one of their times (F,).

Where a file has several candidates, ``extract.source`` names the right ones.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from ...records.hdf5 import open_to_read
from .. import counts
from ..settings import SourceSettings
from ..timing import clocks
from ..video import Video, require_shape
from . import hdf5_file, metadata_file, timestamps_file

__all__ = ["SUFFIXES", "accepts", "files", "holds_depth", "open_video", "require"]

SUFFIXES = (".h5", ".hdf5")
# Readers of a format that is stored in HDF5 come first.
IS_GENERAL = True
# A chunk is unpacked as a whole, and kept from one read to the next.
MAX_CHUNK_BYTES = 1 << 28

LENGTHS_MM = {
    "m|met(er|re)s?": 1000.0,
    "cm|centimet(er|re)s?": 10.0,
    "mm|millimet(er|re)s?": 1.0,
    "[uµ]m|microns?|micromet(er|re)s?": 0.001,
}


def accepts(path: Path) -> bool:
    """Return whether ``path`` is named as an HDF5 file."""
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


def holds_depth(path: Path) -> bool:
    """Return whether there is a dataset of three axes, or the file is damaged."""
    datasets: list[str] = []
    try:
        with hdf5_file.whole(path), open_to_read(path) as h5:
            h5.visititems(lambda name, item: datasets.append(name) if _fits(item, 3, "") else None)
    except BadInput:
        return True
    return bool(datasets)


def require(path: Path, settings: SourceSettings) -> None:
    """Raise ``BadInput`` unless frames and times are there and belong together."""
    open_video(path, settings).close()


def files(path: Path) -> list[Path]:
    """Return the file."""
    return [path]


def open_video(path: Path, settings: SourceSettings, *, scratch: Path | None = None) -> "Hdf5":
    """Open an HDF5 file."""
    with hdf5_file.whole(path):
        h5 = open_to_read(path, cache_bytes=MAX_CHUNK_BYTES)
        try:
            frames = _dataset(h5, settings.hdf5_frames, "hdf5_frames", 3)
            require_shape(frames.shape[1:], f"{path}: {frames.name}")
            chunk = math.prod(frames.chunks or (0,)) * frames.dtype.itemsize
            if chunk > MAX_CHUNK_BYTES:
                raise BadInput(
                    f"{path}: {frames.name} is stored in chunks of {chunk} bytes, none of which fits "
                    f"into memory; store it again (h5repack) in chunks of at most {MAX_CHUNK_BYTES}."
                )
            rate = metadata_file.rate({**h5.attrs, **frames.attrs})
            has_file = timestamps_file.beside(path) is not None
            times_s = None if has_file or settings.timestamps == "even" else _times_s(h5, settings, rate)
            clock = timestamps_file.match(path, len(frames), settings, inside=times_s, rate=rate)
            metadata: dict[str, object] = {
                name: value if isinstance(value, str) else value.item()
                for name, key in (("SubjectName", "subject"), ("StartTime", "start_time"))
                if isinstance(value := h5.attrs.get(key), str | np.number)
            }
            unit = str(frames.attrs.get("units", frames.attrs.get("unit"))).lower()
            for name, unit_mm in LENGTHS_MM.items():
                if re.fullmatch(name, unit):
                    metadata[counts.KEYS[0]] = unit_mm
            about = metadata_file.started(metadata, clock.start_time)
            return Hdf5(path, h5, frames, clock.times_s, about, settings)
        except BaseException:
            h5.close()
            raise


class Hdf5(Video):
    """Frames of a dataset."""

    def __init__(
        self,
        path: Path,
        h5: h5py.File,
        frames: h5py.Dataset,
        times_s: npt.NDArray[np.float64],
        metadata: Mapping[str, object],
        settings: SourceSettings,
    ) -> None:
        rows, columns = frames.shape[1:]
        super().__init__(path, (rows, columns), times_s, metadata)
        self._frames = frames
        self.when_closed(h5.close)

    def _read(self, start: int, stop: int) -> npt.NDArray[np.generic]:
        with hdf5_file.whole(self.path):
            return self._frames[start:stop]


def _dataset(h5: h5py.File, name: str | None, setting: str, axes: int, like: str = "") -> h5py.Dataset:
    """Return the dataset of that name, else the only one of numbers with so many axes."""
    if name is not None:
        if not isinstance(h5.get(name), h5py.Dataset):
            raise BadInput(f"{h5.filename}: no dataset {name!r}; extract.source.{setting} names one.")
        datasets = [h5[name]]
    else:
        datasets = []
        h5.visititems(lambda _, item: datasets.append(item) if _fits(item, axes, like) else None)
    if len(datasets) != 1 or not _fits(datasets[0], axes, ""):
        names = ", ".join(str(item.name) for item in datasets[:5]) or "none"
        kind = "frames (F, rows, columns)" if axes == 3 else "times (F,)"
        raise BadInput(
            f"{h5.filename}: wanted one dataset of {kind}, found {names}; name it with "
            f"extract.source.{setting}."
        )
    return datasets[0]


def _fits(item: object, axes: int, like: str) -> bool:
    return hdf5_file.is_numeric(item, axes) and like in str(item.name).rpartition("/")[2].lower()


def _times_s(h5: h5py.File, settings: SourceSettings, rate: float | None) -> npt.NDArray[np.float64]:
    """Read the times; their unit is in the settings, in ``units``, in the name, or in the values."""
    times = _dataset(h5, settings.hdf5_timestamps, "hdf5_timestamps", 1, "time")
    values = times[()].astype(np.float64)
    where = f"{h5.filename}: {times.name}"
    if settings.hdf5_timestamps is None and clocks.counts_frames(values):
        raise BadInput(
            f"{where} counts frames (whole numbers one apart) and holds no times; name the dataset with "
            "extract.source.hdf5_timestamps, or set extract.source.timestamps to 'even' and its "
            "frames_per_second."
        )
    name = times.attrs.get("units", times.attrs.get("unit", times.name.rpartition("/")[2]))
    unit = clocks.unit(
        values, where, setting=settings.timestamp_unit, named=clocks.named_unit(str(name)), rate=rate
    )
    return clocks.seconds(values, unit)
