"""A session folder: ``depth.dat``, its timestamps and ``metadata.json``.

``depth.dat`` has no header: frames back to back, uint16 mm, rows by columns, 0 = not
measured. ``depth_ts.txt`` has a line per frame that begins with milliseconds;
``timestamps.csv`` has a line per frame that begins with seconds. ``metadata.json`` may be
missing; then frames are those of a Kinect v2.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from ...errors import BadInput

__all__ = ["SUFFIXES", "Video", "accepts", "files", "open_video", "require"]

SUFFIXES = (".dat",)
KINECT_V2_SHAPE = (424, 512)
# File name and seconds per unit of its first column.
TIMESTAMPS = (("depth_ts.txt", 1e-3), ("timestamps.csv", 1.0))


class Session(NamedTuple):
    """What is known without reading a frame."""

    dat: Path
    shape: tuple[int, int]
    frames: int
    dtype: str
    metadata: Mapping[str, Any]


def accepts(path: Path) -> bool:
    """Return whether ``path`` is a folder or a ``.dat`` file."""
    return path.is_dir() or path.suffix in SUFFIXES


def require(path: Path) -> None:
    """Raise ``BadInput`` unless frames and timestamps are whole and belong together."""
    session = _inspect(path)
    _timestamps_s(session)


def files(path: Path) -> list[Path]:
    """Return ``depth.dat`` and those of its companions that are there."""
    dat = path / "depth.dat" if path.is_dir() else path
    companions = ["metadata.json", *(name for name, _ in TIMESTAMPS)]
    return [dat, *(dat.with_name(name) for name in companions if dat.with_name(name).is_file())]


def open_video(path: Path) -> "Video":
    """Open a session folder, or the ``.dat`` file in it."""
    session = _inspect(path)
    return Video(session, _timestamps_s(session))


class Video:
    """Frames of a session, read where they are asked for.

    Attributes
    ----------
    shape : (int, int)
        Rows and columns.
    timestamps_s : (F,) float64
        Time of each frame on the acquisition's clock, s.
    start_time, subject : str
        As ``metadata.json`` has them; empty where it does not.
    """

    def __init__(self, session: Session, timestamps_s: npt.NDArray[np.float64]) -> None:
        self.shape = session.shape
        self.timestamps_s = timestamps_s
        self.start_time = _text(session.metadata.get("StartTime"))
        self.subject = _text(session.metadata.get("SubjectName"))
        self._session = session
        self._file = session.dat.open("rb")

    def __len__(self) -> int:
        return self._session.frames

    def read(self, start: int, stop: int) -> npt.NDArray[np.uint16]:
        """Return frames [start, stop), (n, rows, columns) uint16 mm; fewer at the end."""
        start, stop, _ = slice(start, stop).indices(len(self))
        rows, columns = self.shape
        pixels = max(0, stop - start) * rows * columns
        self._file.seek(start * rows * columns * 2)
        block = np.fromfile(self._file, dtype=self._session.dtype, count=pixels)
        if len(block) != pixels:
            raise BadInput(
                f"{self._session.dat}: frames {start} to {stop - 1} cannot be read; the file shrank "
                "while it was open: copy it again."
            )
        return block.astype(np.uint16, copy=False).reshape(-1, rows, columns)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _inspect(path: Path) -> Session:
    """Find the files and count frames by the size of ``depth.dat``."""
    dat = path / "depth.dat" if path.is_dir() else path
    if not dat.is_file():
        raise BadInput(
            f"{path}: holds no depth.dat; a session folder has depth.dat, depth_ts.txt (or "
            "timestamps.csv) and metadata.json: is the path in recordings.tsv the session's own folder?"
        )
    metadata = _metadata(dat.with_name("metadata.json"))
    rows, columns = shape = _shape(metadata, dat.with_name("metadata.json"))
    size, frame = dat.stat().st_size, rows * columns * 2
    if size == 0:
        raise BadInput(f"{dat}: the file is empty; copy the recording again.")
    if size % frame:
        raise BadInput(
            f"{dat}: {size} bytes are not a whole number of {columns}x{rows} uint16 frames "
            f"({frame} bytes each); the recording was cut short, or has another resolution: copy it "
            f"again, cut it with 'truncate -s {size - size % frame} depth.dat', or give "
            "DepthResolution in metadata.json."
        )
    dtype = "<u2" if metadata.get("IsLittleEndian", True) else ">u2"
    return Session(dat, shape, size // frame, dtype, metadata)


def _metadata(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        metadata = json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not valid JSON ({error}); repair or remove the file.") from None
    if not isinstance(metadata, dict):
        raise BadInput(
            f"{path}: holds a {type(metadata).__name__}; wanted a JSON object of named values."
        )
    return metadata


def _shape(metadata: Mapping[str, Any], path: Path) -> tuple[int, int]:
    found = metadata.get("DepthResolution")
    if found is None:
        return KINECT_V2_SHAPE
    try:
        columns, rows = (int(value) for value in found)
    except (TypeError, ValueError):
        columns = rows = 0
    if columns < 1 or rows < 1:
        raise BadInput(
            f"{path}: DepthResolution is {found!r}; wanted [columns, rows], such as [512, 424]."
        )
    return rows, columns


def _timestamps_s(session: Session) -> npt.NDArray[np.float64]:
    """Read and check one timestamp per frame."""
    folder = session.dat.parent
    present = [(folder / name, unit_s) for name, unit_s in TIMESTAMPS if (folder / name).is_file()]
    if not present:
        raise BadInput(
            f"{folder}: no depth_ts.txt (milliseconds) nor timestamps.csv (seconds) beside "
            f"{session.dat.name}; wanted one line per frame: copy the file from the acquisition machine."
        )
    path, unit_s = present[0]
    times = _first_column(path)
    if len(times) != session.frames:
        raise BadInput(
            f"{path}: {len(times)} timestamps for {session.frames} frames; each frame needs its own "
            "line: copy both files again, or cut the longer one."
        )
    backwards = np.flatnonzero(~(np.diff(times) > 0))
    if len(backwards) or not np.all(np.isfinite(times)):
        line = int(backwards[0]) + 2 if len(backwards) else 1 + int(np.argmin(np.isfinite(times)))
        raise BadInput(
            f"{path}: line {line} is {times[line - 1]:.10g}, not after the line before it; timestamps "
            "must be numbers that increase: two recordings in one file, or a clock that was set back?"
        )
    return times * unit_s


def _first_column(path: Path) -> npt.NDArray[np.float64]:
    """Return the first number of each line; a first line of words is a header."""
    lines = path.read_bytes().replace(b",", b" ").split(b"\n")
    words = [line.split(None, 1)[0] for line in lines if line.strip()]
    if words and not _is_number(words[0]):
        words = words[1:]
    try:
        return np.array([float(word) for word in words], dtype=np.float64)
    except ValueError:
        line = next(i for i, word in enumerate(words) if not _is_number(word))
        found = words[line].decode(errors="replace")
        raise BadInput(
            f"{path}: timestamp {line + 1} is {found!r}, not a number; copy the file again."
        ) from None


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _text(value: Any) -> str:
    """Return a value of ``metadata.json`` as text; some programs write lists of one string."""
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value)
