"""A film as a recorder writes it: container, counts, byte order, invalid code and clock as drawn."""

import datetime
import json
from pathlib import Path

import h5py
import numpy as np

from syllabary.depth.readers import avi

from .film import COLUMNS, ROWS, Film, frames
from .options import Options

__all__ = ["UNITS_MM", "write"]

UNITS_MM = {"mm": 1.0, "tenths": 0.1, "quarters": 0.25, "player_bits": 0.125, "float_mm": 1.0,
            "float_m": 1000.0}  # fmt: skip
START_S = 1_700_000_000.0


def write(film: Film, options: Options, folder: Path) -> Path:
    """Write the recording and return the path that a user would name."""
    folder.mkdir(parents=True)
    counts = np.stack([_counts(frame, options) for frame in frames(film, options)])
    lines = _clock(film.time_s[film.kept], options)
    if options.container == "hdf5":
        path = folder / "recording.h5"
        with h5py.File(path, "w") as file:
            file["depth"] = counts
            _clock_in_hdf5(file, film.time_s[film.kept], options.clock)
        return path
    (folder / "depth_ts.txt").write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    about = {"SubjectName": "m1", "DepthResolution": [COLUMNS, ROWS]}
    if counts.dtype.kind == "f":
        about["DepthDataType"] = "Single[]"
    (folder / "metadata.json").write_text(json.dumps(about), encoding="utf-8")
    if options.container == "avi":
        times_s = film.time_s[film.kept]
        avi.write_video(folder / "depth.avi", [counts], counts.shape[1:], times_s)
    else:
        order = ">" if options.big_endian else "<"
        counts.astype(counts.dtype.newbyteorder(order)).tofile(folder / "depth.dat")
    return folder


def _counts(depth_mm: np.ndarray, options: Options) -> np.ndarray:
    """Return a frame in the recorder's counts."""
    if options.counts == "float_mm":
        return depth_mm.astype(np.float32)
    if options.counts == "float_m":
        return (depth_mm / 1000).astype(np.float32)
    counts = np.clip(np.rint(depth_mm / UNITS_MM[options.counts]), 0, 65534).astype(np.uint16)
    if options.counts == "player_bits":
        counts = (np.rint(depth_mm).astype(np.uint16) << 3) | np.uint16(options.seed % 2)
        counts[depth_mm == 0] = 0
    if options.invalid:
        counts[depth_mm == 0] = options.invalid
    return counts


def _clock(time_s: np.ndarray, options: Options) -> list[str]:
    """Return a line of text per frame."""
    kind, since = options.clock, time_s + 512.0
    if kind == "s":
        return [f"{t:.6f}" for t in since]
    if kind == "us":
        return [f"{t * 1e6:.0f}" for t in since]
    if kind == "100ns":
        return [f"{t * 1e7:.0f}" for t in since]
    if kind == "epoch_s":
        return [f"{t + START_S:.6f}" for t in time_s]
    if kind == "epoch_ms":
        return [f"{(t + START_S) * 1e3:.3f}" for t in time_s]
    if kind == "iso":
        start = datetime.datetime.fromtimestamp(START_S, datetime.UTC)
        return [
            (start + datetime.timedelta(seconds=t)).isoformat(timespec="microseconds") for t in time_s
        ]
    milliseconds = [f"{t * 1e3:.4f}" for t in since]
    if kind == "count_first":
        return [f"{i} {t}" for i, t in enumerate(milliseconds)]
    if kind == "count_header":
        return ["frame,timestamp_ms", *(f"{i},{t}" for i, t in enumerate(milliseconds))]
    if kind == "count_last":
        return [f"{t} {i}" for i, t in enumerate(milliseconds)]
    return [f"{t} 0" for t in milliseconds]


def _clock_in_hdf5(file: h5py.File, time_s: np.ndarray, kind: str) -> None:
    """Write the times as numbers; clocks of text, and counts beside them, are milliseconds here."""
    factor, start = {"s": (1, 512), "us": (1e6, 512), "100ns": (1e7, 512), "epoch_s": (1, START_S),
                     "epoch_ms": (1e3, START_S)}.get(kind, (1e3, 512))  # fmt: skip
    file["timestamps"] = (time_s + start) * factor
    if kind == "ms":
        file["timestamps"].attrs["units"] = "ms"
