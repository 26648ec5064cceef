"""What readers open: a raw recording of depth frames, or crops that were extracted already."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .counts import CountMetadata, Counts, from_metadata, ordered, to_mm
from .timing import clocks

__all__ = ["ExtractedCrops", "Intrinsics", "Video", "require_shape"]

# A larger frame is a damaged header: depth cameras have a million pixels.
MAX_PIXELS = 1 << 24


class Intrinsics(NamedTuple):
    """A camera's calibration, for pixel centers at whole numbers from (0, 0).

    Attributes
    ----------
    fx_px, fy_px, cx_px, cy_px : float
        Focal lengths and optical axis, px.
    distortion : tuple of 8 floats
        k1, k2, p1, p2, k3, k4, k5, k6 of Brown and Conrady's rational model, as OpenCV orders them.
    """

    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    distortion: tuple[float, ...] = (0.0,) * 8


class Source:
    """An open file or folder; a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._closing: list[Callable[[], object]] = []

    def when_closed(self, action: Callable[[], object]) -> None:
        """Run ``action`` after the files are closed."""
        self._closing.append(action)

    def close(self) -> None:
        """Close the files."""
        while self._closing:
            self._closing.pop(0)()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Video(Source, ABC):
    """Depth frames of a raw recording, read on demand.

    Attributes
    ----------
    path : Path
        File that holds the frames.
    shape : (int, int)
        Rows and columns.
    timestamps_s : (F,) float64
        Time of each frame on the acquisition's clock, s; increasing.
    metadata : mapping
        Values that the acquisition program wrote, by its own names.
    start_time, subject : str
        ISO 8601, and the animal; empty where the recording does not name them.
    intrinsics : Intrinsics or None
        The camera's calibration, where the recording holds one.
    counts : Counts
        What its counts mean; ``sources`` finds it out.
    byte_order_is_set : bool
        Whether the settings gave the order of bytes.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int],
        timestamps_s: npt.NDArray[np.float64],
        metadata: Mapping[str, object],
        *,
        intrinsics: Intrinsics | None = None,
    ) -> None:
        super().__init__(path)
        self.shape, self.timestamps_s = shape, timestamps_s
        self.metadata, self.intrinsics = metadata, intrinsics
        self.start_time = clocks.start_text(metadata.get("StartTime"))
        self.subject = _text(metadata.get("SubjectName"))
        self.counts = Counts()
        self.byte_order_is_set = False

    def __len__(self) -> int:
        return len(self.timestamps_s)

    def read(self, start: int, stop: int) -> npt.NDArray[np.uint16]:
        """Return frames [start, stop), (n, rows, columns) uint16 mm, 0 = not measured; fewer at the end.

        Raises
        ------
        BadInput
            A frame is damaged, or the file shrank while it was open.
        """
        start, stop, _ = slice(start, stop).indices(len(self))
        if stop <= start:
            return np.zeros((0, *self.shape), np.uint16)
        return to_mm(self._whole(start, stop), self.counts)

    def raw(self, start: int, stop: int) -> npt.NDArray[np.generic]:
        """Return frames [start, stop), not empty, as counts (n, rows, columns) in their right order.

        Raises
        ------
        BadInput
            As ``read``.
        """
        return ordered(self._whole(start, stop), self.counts)

    def sample_frames(self, count: int) -> list[int]:
        """Return at most ``count`` frames spread over the recording, which are quickly read."""
        return np.unique(np.linspace(0, len(self) - 1, count).astype(int)).tolist()

    @property
    def count_metadata(self) -> CountMetadata:
        """What the metadata say of the counts."""
        return from_metadata(self.metadata, self.path)

    def _whole(self, start: int, stop: int) -> npt.NDArray[np.generic]:
        try:
            return self._read(start, stop)
        except OSError as error:
            raise BadInput(
                f"{self.path}: frames {start} to {stop - 1} cannot be read ({error.strerror or error}); "
                "is the disk in order? Copy the recording again."
            ) from None

    @abstractmethod
    def _read(self, start: int, stop: int) -> npt.NDArray[np.generic]:
        """Return frames [start, stop), which are there, as the file has them."""


class ExtractedCrops(Source, ABC):
    """Crops of F frames that another program cut out of a recording, read on demand.

    Attributes
    ----------
    crop_shape : (int, int)
        Rows and columns of a crop.
    timestamps_s : (F,) float64
        Time of each frame, s; increasing.
    start_time : str
        ISO 8601; empty where the file does not name it.
    background_mm : (rows, columns) uint16
        Depth of the empty arena in the recording's images, mm; 0 = unknown.
    mask : (rows, columns) bool
        Floor of the arena.
    x_px, y_px : (F,) float64
        The pixel of the image around which each crop was cut; NaN where there is no mouse.
    heading_rad : (F,) float64
        Direction in the image that is +x of the crop, from +x toward +y.
    """

    crop_shape: tuple[int, int]
    timestamps_s: npt.NDArray[np.float64]
    start_time: str
    background_mm: npt.NDArray[np.uint16]
    mask: npt.NDArray[np.bool_]
    x_px: npt.NDArray[np.float64]
    y_px: npt.NDArray[np.float64]
    heading_rad: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.timestamps_s)

    @abstractmethod
    def read(self, start: int, stop: int) -> npt.NDArray[np.uint8]:
        """Return crops [start, stop), (n, h, w) uint8, heights above the floor in mm.

        Raises
        ------
        BadInput
            A crop is damaged.
        """


def require_shape(shape: tuple[int, ...], where: Path | str) -> None:
    """Raise ``BadInput`` for frames of a size that no depth camera takes."""
    rows, columns = shape
    if rows < 1 or columns < 1 or rows * columns > MAX_PIXELS:
        raise BadInput(
            f"{where}: frames of {columns}x{rows} pixels; wanted at least one and at most {MAX_PIXELS}: "
            "the header is damaged or belongs to another file."
        )


def _text(value: object) -> str:
    """Return a value of ``metadata.json`` as text; some programs write lists of one string."""
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value)
