"""The camera: pixels and depths to millimeters and back.

A field of view of angle a over W pixels means a focal length of W / 2 / tan(a / 2). With the angle
instead of its tangent, every length would be 9 to 13 % too short.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import BadSetting
from ..settings import CameraSettings
from ..video import Intrinsics
from . import distortion as lens
from .intrinsics import AZURE_MODES, AZURE_SHAPES

__all__ = ["Camera", "from_settings"]

Array = npt.NDArray[np.floating]
# Horizontal and vertical field of view, degrees, of cameras that correct their own distortion.
FIELD_OF_VIEW_DEG = {"kinect_v2": (70.6, 60.0), "realsense_d435": (87.0, 58.0)}
# An Azure Kinect's lens bends too much for a field of view to stand for it. Three published
# calibrations agree with this one to 2 px of 512 up to 60 degrees from the axis; the edges of its
# modes are those of Microsoft's data sheet (75 x 65 and 120 x 120 degrees).
AZURE_FOCAL = 0.4926
AZURE_DISTORTION = (0.49652, 0.01951, 0.0, 0.0, 0.0, 0.83472, 0.11632, 0.0)
# Rows and columns that only one camera has.
PRESETS: Mapping[tuple[int, int], str] = {(424, 512): "kinect_v2", **AZURE_SHAPES}
# Depth cameras have square pixels: a larger difference is a part of the view, or another camera.
MAX_ASPECT = 1.1


class Camera(NamedTuple):
    """Focal lengths, optical axis, px, and distortion; depth is measured along the optical axis."""

    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    distortion: tuple[float, ...] = lens.NONE

    def points(self, x_px: Array, y_px: Array, depth_mm: Array) -> npt.NDArray[np.float64]:
        """Return positions in the camera frame, (..., 3) mm."""
        x, y = self._straight(x_px, y_px)
        return np.stack(
            np.broadcast_arrays(x * depth_mm, y * depth_mm, np.asarray(depth_mm, np.float64)), axis=-1
        )

    def pixels(self, points: Array) -> npt.NDArray[np.float64]:
        """Return where positions (..., 3) mm in the camera frame appear, (..., 2) px."""
        points = np.asarray(points, np.float64)
        ahead = points[..., :2] / points[..., 2:]
        if any(self.distortion):
            ahead = np.stack(lens.bend(ahead[..., 0], ahead[..., 1], self.distortion), axis=-1)
        return ahead * self._focal + np.array([self.cx_px, self.cy_px])

    def rays(self, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
        """Return the position at depth 1 of every pixel, (rows, columns, 3)."""
        rows, columns = np.indices(shape, dtype=np.float64)
        return self.points(columns, rows, np.ones(shape))

    def bending(self, x_px: npt.ArrayLike, y_px: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the px by which pixels (...) move as their rays move at depth 1, (..., 2, 2)."""
        x, y = self._straight(np.asarray(x_px, np.float64), np.asarray(y_px, np.float64))
        xx, xy, yy = np.broadcast_arrays(*lens.jacobian(x, y, self.distortion))
        rows = np.stack([np.stack([xx, xy], -1), np.stack([xy, yy], -1)], -2)
        return self._focal[:, None] * rows

    @property
    def _focal(self) -> npt.NDArray[np.float64]:
        return np.array([self.fx_px, self.fy_px])

    def _straight(
        self, x_px: Array, y_px: Array
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        x = (np.asarray(x_px, np.float64) - self.cx_px) / self.fx_px
        y = (np.asarray(y_px, np.float64) - self.cy_px) / self.fy_px
        return lens.straighten(x, y, self.distortion)


def from_settings(
    settings: CameraSettings,
    shape: tuple[int, int],
    intrinsics: Intrinsics | None = None,
    *,
    where: Path | str = "frames",
) -> Camera:
    """Return the camera of images of ``shape`` (rows, columns).

    The settings come first, then the recording's calibration, then the preset.

    Parameters
    ----------
    where : path
        The recording, for the message.

    Raises
    ------
    BadSetting
        More than one camera takes such images, or not the one that was named.
    """
    if settings.fx_px and settings.fy_px and settings.cx_px is not None and settings.cy_px is not None:
        bent = (*settings.distortion, *lens.NONE)[: len(lens.NONE)]
        return Camera(settings.fx_px, settings.fy_px, settings.cx_px, settings.cy_px, bent)
    if intrinsics is not None:
        return Camera(*intrinsics)
    rows, columns = shape
    preset = PRESETS.get(shape) if settings.preset == "auto" else settings.preset
    if preset is None:
        presets = ", ".join([*FIELD_OF_VIEW_DEG, *AZURE_MODES])
        raise BadSetting(
            f"{where}: the camera cannot be determined from images of {columns}x{rows}, and there is no "
            f"calibration; set extract.camera.preset ({presets}) or its fx_px, fy_px, cx_px and cy_px."
        )
    if preset in AZURE_MODES:
        side, left, top = AZURE_MODES[preset]
        focal, middle = AZURE_FOCAL * side, (side - 1) / 2
        camera = Camera(focal, focal, middle - left, middle - top, AZURE_DISTORTION)
    else:
        across, down = (np.tan(np.deg2rad(a) / 2) for a in FIELD_OF_VIEW_DEG[preset])
        fx, fy = float(columns / 2 / across), float(rows / 2 / down)
        camera = Camera(fx, fy, (columns - 1) / 2, (rows - 1) / 2)
    aspect = camera.fx_px / camera.fy_px
    elsewhere = preset in PRESETS.values() and preset != PRESETS.get(shape)
    if elsewhere or not 1 / MAX_ASPECT < aspect < MAX_ASPECT:
        raise BadSetting(
            f"{where}: images of {columns}x{rows} are not the whole view of extract.camera.preset "
            f"{preset!r}; name the right camera, or give fx_px, fy_px, cx_px and cy_px."
        )
    return camera
