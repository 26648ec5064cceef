"""An open recording of depth frames, and the calibration of its camera."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

__all__ = ["Intrinsics", "Video"]


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


class Video(Protocol):
    """What every reader opens; see ``depth.readers``."""

    path: Path
    shape: tuple[int, int]
    timestamps_s: npt.NDArray[np.float64]
    metadata: Mapping[str, Any]
    start_time: str
    subject: str
    intrinsics: Intrinsics | None

    def __len__(self) -> int: ...
    def read(self, start: int, stop: int) -> npt.NDArray[np.uint16]:
        """Return frames [start, stop), (n, rows, columns) uint16 mm, 0 = not measured."""

    def close(self) -> None:
        """Close the files."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...
