"""What every reader opens: a number of depth frames, and when each was taken."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from ..video import Intrinsics

__all__ = ["Recording", "require_shape", "to_mm"]

# A larger frame is a damaged header: depth cameras have a million pixels.
MAX_PIXELS = 1 << 24


class Recording(ABC):
    """Frames of a recording, read where they are asked for; a context manager.

    Attributes
    ----------
    path : Path
        File that holds the frames.
    shape : (int, int)
        Rows and columns.
    timestamps_s : (F,) float64
        Time of each frame on the acquisition's clock, s; increasing.
    metadata : mapping
        What the acquisition program wrote down, by its own names.
    start_time, subject : str
        ISO 8601, and the animal; empty where the recording does not tell.
    intrinsics : Intrinsics or None
        The camera's calibration, where the recording holds one.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int],
        timestamps_s: npt.NDArray[np.float64],
        metadata: Mapping[str, Any],
        *,
        unit_mm: float = 1.0,
        intrinsics: Intrinsics | None = None,
    ) -> None:
        self.path, self.shape, self.timestamps_s = path, shape, timestamps_s
        self.metadata, self.intrinsics = metadata, intrinsics
        self.start_time = _text(metadata.get("StartTime"))
        self.subject = _text(metadata.get("SubjectName"))
        self._unit_mm = unit_mm
        self._closing: list[Callable[[], object]] = []

    def __len__(self) -> int:
        return len(self.timestamps_s)

    def read(self, start: int, stop: int) -> npt.NDArray[np.uint16]:
        """Return frames [start, stop), (n, rows, columns) uint16 mm; fewer at the end.

        Raises
        ------
        BadInput
            A frame is damaged, or the file shrank while it was open.
        """
        start, stop, _ = slice(start, stop).indices(len(self))
        if stop <= start:
            return np.zeros((0, *self.shape), np.uint16)
        try:
            return to_mm(self._read(start, stop), self._unit_mm)
        except OSError as error:
            raise BadInput(
                f"{self.path}: frames {start} to {stop - 1} cannot be read ({error.strerror or error}); "
                "is the disk in order? Copy the recording again."
            ) from None

    @abstractmethod
    def _read(self, start: int, stop: int) -> npt.NDArray[np.generic]:
        """Return frames [start, stop), which are there, as the file has them."""

    def when_closed(self, action: Callable[[], object]) -> None:
        """Do something after the files are closed."""
        self._closing.append(action)

    def close(self) -> None:
        """Close the files."""
        while self._closing:
            self._closing.pop(0)()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def to_mm(counts: npt.NDArray[np.generic], unit_mm: float) -> npt.NDArray[np.uint16]:
    """Turn counts of ``unit_mm`` into whole mm, saturating; what is no number becomes 0."""
    if counts.dtype.kind == "u" and counts.dtype.itemsize == 2 and unit_mm == 1:
        return counts.astype(np.uint16, copy=False)
    depth = np.nan_to_num(counts.astype(np.float64) * unit_mm, nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(np.rint(depth), 0, 65535).astype(np.uint16)


def require_shape(shape: tuple[int, ...], where: Path | str) -> None:
    """Raise ``BadInput`` for frames that no depth camera takes."""
    rows, columns = shape
    if rows < 1 or columns < 1 or rows * columns > MAX_PIXELS:
        raise BadInput(
            f"{where}: frames of {columns}x{rows} pixels; wanted at least one and at most {MAX_PIXELS}: "
            "the header is damaged or belongs to another file."
        )


def _text(value: Any) -> str:
    """Return a value of ``metadata.json`` as text; some programs write lists of one string."""
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value)
