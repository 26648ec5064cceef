"""The mouse cut out of every frame, upright and heading along +x, one row per tick.

``crops.h5`` is written and read in blocks, so that recordings of any length fit in memory.
"""

import contextlib
import errno
import re
from collections.abc import Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import BadInput, ShapeError
from ..provenance import Provenance
from . import files

__all__ = ["SCALARS", "TRACKING", "Crops", "CropsWriter", "Missing"]

SCHEMA = 2
# Schema 1 differs in the name of one column of ``tracking``: ``detected`` was ``found``.
READABLE = (1, SCHEMA)
CHUNK_TICKS = 16
# Ticks written at once; a constant, so that the bytes do not depend on the blocks of ``append``.
BLOCK_TICKS = 64
SCALARS = (
    "x_mm", "y_mm", "heading_rad", "speed_mm_s", "turning_rad_s", "length_mm", "width_mm",
    "height_mm", "height_max_mm", "area_mm2", "center_distance_mm", "wall_distance_mm",
)  # fmt: skip
TRACKING = ("x_px", "y_px", "heading_rad", "heading_confidence", "detected")


class Missing(IntEnum):
    """Why a tick shows no animal."""

    DETECTED = 0
    NOTHING = 1
    IMPLAUSIBLE = 2
    SEVERAL = 3
    MOVED = 4
    DROPPED = 5


class CropsWriter:
    """Write ``crops.h5`` in blocks; the file appears under its name only when complete.

    Parameters
    ----------
    path : path
    recording : str
        Name of the recording.
    pixel_mm : float
        Side of a crop pixel on the floor, mm.
    size : (int, int)
        Rows and columns of a crop.
    height_step_mm : float
        Height of one count, mm.
    size_factor : float
        Size of the animal over the size that its crops are scaled to.

    Use as a context manager: ``append`` blocks in the order of ticks, then ``finish`` once.
    Leaving the block without ``finish`` removes what was written.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        recording: str,
        pixel_mm: float,
        size: tuple[int, int] = (80, 80),
        height_step_mm: float = 1.0,
        size_factor: float = 1.0,
    ) -> None:
        self.path = Path(path)
        self.size = size
        self.attributes = {
            "recording": recording,
            "schema": SCHEMA,
            "pixel_mm": float(pixel_mm),
            "height_step_mm": float(height_step_mm),
            "size_factor": float(size_factor),
        }
        self.finished = False
        self._waiting: list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]] = []

    def __enter__(self) -> Self:
        self._whole_file = files.create(self.path)
        self._h5 = h5py.File(self._whole_file.__enter__(), "w")
        for name, dtype in (("heights", np.uint8), ("observed", np.bool_)):
            self._h5.create_dataset(
                name,
                shape=(0, *self.size),
                maxshape=(None, *self.size),
                dtype=dtype,
                chunks=(CHUNK_TICKS, *self.size),
                compression="gzip",
                compression_opts=1,
                shuffle=True,
            )
        return self

    def append(self, heights: npt.NDArray[np.uint8], observed: npt.NDArray[np.bool_]) -> None:
        """Add ticks.

        Parameters
        ----------
        heights : (n, rows, columns) uint8
            Counts of ``height_step_mm``.
        observed : (n, rows, columns) bool
            Measured pixels.

        Raises
        ------
        ShapeError
            The shapes differ from each other or from ``size``.
        """
        if heights.shape != observed.shape or heights.shape[1:] != self.size:
            raise ShapeError(
                f"crops are {heights.shape} heights and {observed.shape} observed pixels; both "
                f"must be (ticks, {self.size[0]}, {self.size[1]})."
            )
        self._waiting.append((heights, observed))
        if sum(len(block) for block, _ in self._waiting) >= BLOCK_TICKS:
            self._write(whole_blocks_only=True)

    def _write(self, *, whole_blocks_only: bool) -> None:
        if not self._waiting:
            return
        heights, observed = (np.concatenate(part) for part in zip(*self._waiting, strict=True))
        ready = len(heights) - (len(heights) % BLOCK_TICKS if whole_blocks_only else 0)
        for start in range(0, ready, BLOCK_TICKS):
            stop = min(start + BLOCK_TICKS, ready)
            done = len(self._h5["heights"])
            for name, block in (("heights", heights), ("observed", observed)):
                self._h5[name].resize(done + stop - start, axis=0)
                self._h5[name][done:] = block[start:stop]
        self._waiting = [(heights[ready:].copy(), observed[ready:].copy())]

    def finish(
        self,
        *,
        frame: npt.NDArray[np.integer],
        time_s: npt.NDArray[np.floating],
        start_time: str,
        scalars: Mapping[str, npt.NDArray[np.floating]],
        tracking: Mapping[str, npt.NDArray[np.generic]],
        arena: Mapping[str, npt.NDArray[np.generic]],
        provenance: Provenance,
        missing: npt.NDArray[np.integer] | None = None,
    ) -> None:
        """Add the arrays of the whole recording and complete the file.

        Parameters
        ----------
        frame : (T,) int
            Source frame of each tick, -1 where it was dropped.
        time_s : (T,) float
            Seconds since the first frame.
        start_time : str
            ISO 8601 time of the first frame, or empty.
        scalars, tracking : mappings of (T,) arrays
            Exactly the names in ``SCALARS`` and ``TRACKING``; NaN = missing.
        arena : mapping of arrays
            ``background_mm, mask, floor_plane, intrinsics, distortion``.
        provenance : Provenance
        missing : (T,) int, optional
            ``Missing`` of each tick.

        Raises
        ------
        ShapeError
            A column is missing, unknown, or of another length than the crops.
        """
        self._write(whole_blocks_only=False)
        ticks = len(self._h5["heights"])
        for group, columns, wanted in (("scalars", scalars, SCALARS), ("tracking", tracking, TRACKING)):
            if set(columns) != set(wanted):
                raise ShapeError(f"{group} are {sorted(columns)}; wanted {sorted(wanted)}.")
        lengths = {len(frame), len(time_s), *(len(v) for m in (scalars, tracking) for v in m.values())}
        if lengths != {ticks}:
            raise ShapeError(f"{self.path}: {ticks} crops, but columns of {sorted(lengths)} ticks.")
        self._h5["frame"] = np.asarray(frame, np.int32)
        self._h5["time_s"] = np.asarray(time_s, np.float64)
        for name in SCALARS:
            self._h5[f"scalars/{name}"] = np.asarray(scalars[name], np.float32)
        for name in TRACKING:
            dtype = np.bool_ if name == "detected" else np.float32
            self._h5[f"tracking/{name}"] = np.asarray(tracking[name], dtype)
        if missing is not None:
            self._h5["tracking/missing"] = np.asarray(missing, np.uint8)
        for name, value in arena.items():
            packing = {"compression": "gzip", "compression_opts": 1} if np.ndim(value) > 1 else {}
            self._h5.create_dataset(f"arena/{name}", data=value, **packing)
        self._h5.attrs.update(
            {**self.attributes, "start_time": start_time, "provenance": provenance.to_json()}
        )
        self.finished = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and not self.finished:
            error = RuntimeError(f"{self.path}: closed before finish()")
            kind = type(error)
        try:
            self._h5.close()
        except (OSError, RuntimeError) as failed:
            # A full disk raises again when HDF5 writes the remaining data.
            error = error if isinstance(error, OSError) else OSError(_errno(failed), str(failed))
            kind = type(error)
        self._whole_file.__exit__(kind, error, error.__traceback__ if error else None)
        if error is not None and trace is None:
            raise error


def _errno(error: OSError | RuntimeError) -> int:
    """Return the number of the system's error; HDF5 may give it in its text only."""
    match = re.search(r"errno = (\d+)", str(error))
    return getattr(error, "errno", None) or (int(match.group(1)) if match else errno.EIO)


class Crops:
    """Read ``crops.h5``: heights in slices, all other arrays in full.

    Attributes
    ----------
    recording, start_time : str
    pixel_mm, height_step_mm, size_factor : float
    frame : (T,) int32
    time_s : (T,) float64
    scalars, tracking : DataFrame, T rows
    missing : (T,) uint8
        ``Missing`` of each tick.
    arena : dict of arrays
    provenance : Provenance
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        with contextlib.ExitStack() as stack:
            self._h5 = stack.enter_context(files.hdf5(self.path, "extract", f"crops of schema {SCHEMA}"))
            self._read()
            self._open = stack.pop_all()

    def _read(self) -> None:
        schema = self._h5.attrs.get("schema")
        if schema not in READABLE:
            raise KeyError(f"schema is {schema}")
        old_names = {"detected": "found"} if schema == 1 else {}
        if not self._h5["heights"].shape == self._h5["observed"].shape or self._h5["heights"].ndim != 3:
            raise KeyError("heights and observed are not (ticks, rows, columns)")
        self.recording = str(self._h5.attrs["recording"])
        self.start_time = str(self._h5.attrs["start_time"])
        self.pixel_mm = float(self._h5.attrs["pixel_mm"])
        self.height_step_mm = float(self._h5.attrs["height_step_mm"])
        # Crops without the attribute are not scaled to a common size.
        self.size_factor = float(self._h5.attrs.get("size_factor", 1.0))
        self.provenance = Provenance.from_json(self._h5.attrs["provenance"])
        self.frame = self._h5["frame"][()]
        self.time_s = self._h5["time_s"][()]
        self.scalars = pd.DataFrame({n: self._h5[f"scalars/{n}"][()] for n in SCALARS})
        columns = {n: self._h5[f"tracking/{old_names.get(n, n)}"][()] for n in TRACKING}
        self.tracking = pd.DataFrame(columns)
        detected = self.tracking["detected"].to_numpy()
        nothing = np.where(self.frame < 0, Missing.DROPPED, Missing.NOTHING)
        if "tracking/missing" in self._h5:
            nothing = self._h5["tracking/missing"][()]
        self.missing = np.where(detected, Missing.DETECTED, nothing).astype(np.uint8)
        self.arena = {name: item[()] for name, item in self._h5["arena"].items()}
        if not np.isfinite(self.time_s).all() or not (np.diff(self.time_s) > 0).all():
            raise KeyError("time_s does not increase")

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a crop."""
        return self._h5["heights"].shape[1:]

    @property
    def scaled_pixel_mm(self) -> float:
        """Side of a pixel of the scaled animal, as used by models, mm."""
        return self.pixel_mm / self.size_factor

    def px_mm(self) -> npt.NDArray[np.float64]:
        """Return the side of a pixel of the camera on the floor below the mouse, (T,) mm."""
        fx_px, fy_px, cx_px, cy_px = self.arena["intrinsics"][:4]
        normal, distance_mm = self.arena["floor_plane"][:3], self.arena["floor_plane"][3]
        across = (self.tracking["x_px"].to_numpy(np.float64) - cx_px) / fx_px
        down = (self.tracking["y_px"].to_numpy(np.float64) - cy_px) / fy_px
        depth_mm = distance_mm / (normal[0] * across + normal[1] * down + normal[2])
        return np.asarray(depth_mm / np.sqrt(fx_px * fy_px), np.float64)

    def heights(self, start: int = 0, stop: int | None = None) -> npt.NDArray[np.uint8]:
        """Return heights of ticks [start, stop), (n, rows, columns), counts; 0 = floor."""
        return self._part("heights", start, stop)

    def observed(self, start: int = 0, stop: int | None = None) -> npt.NDArray[np.bool_]:
        """Return the measured pixels of ticks [start, stop), (n, rows, columns)."""
        return self._part("observed", start, stop)

    def _part(self, name: str, start: int, stop: int | None) -> npt.NDArray[Any]:
        try:
            return self._h5[name][start:stop]
        except OSError as error:
            raise BadInput(
                f"{self.path}: {name} from tick {start} can't be read ({' '.join(str(error).split())}); "
                "the file is damaged, so run 'syllabary extract' or copy it again."
            ) from None

    def blocks(
        self, ticks: int = 1024
    ) -> Iterator[tuple[int, npt.NDArray[np.uint8], npt.NDArray[np.bool_]]]:
        """Yield (first tick, heights, observed) of consecutive blocks of at most ``ticks`` ticks."""
        for start in range(0, len(self), ticks):
            stop = min(start + ticks, len(self))
            yield start, self.heights(start, stop), self.observed(start, stop)

    def close(self) -> None:
        """Close the file."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
