"""Second pass: cut the mouse out of its frame, upright and heading along +x, with one warp.

The warp takes the sub-pixel center, the heading and the scale together, so that every pixel is
interpolated once. The scale is that of the floor: higher parts appear larger, as in the image.
"""

import math
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .arena.geometry import Arena
from .settings import CropSettings, TrackingSettings
from .tracking.tracker import foreground
from .windows import Window

__all__ = ["Crop", "Cutter", "size_factor"]

Scalar = TypeVar("Scalar", np.uint8, np.float32)
BORDER_PX = 4
SQRT_HALF = math.sqrt(0.5)
# Smallest and largest size of an animal, relative to the size to which it is scaled.
SMALLEST, LARGEST = 0.4, 2.0


class Crop(NamedTuple):
    """Heights above the floor, mm, saturating at 255; and which pixels were measured."""

    heights: npt.NDArray[np.uint8]
    observed: npt.NDArray[np.bool_]


class Cutter:
    """Cut crops out of the frames of one arena, in two steps, so that the heading can come later.

    Parameters
    ----------
    arena : Arena
    tracking : TrackingSettings
        Which heights count.
    settings : CropSettings
    """

    def __init__(self, arena: Arena, tracking: TrackingSettings, settings: CropSettings) -> None:
        self.arena, self.tracking, self.settings = arena, tracking, settings
        self._reference, self._slant = arena.reference_mm, arena.slant
        self._size = (settings.size_px, settings.size_px)
        measured = self._reference > 0
        self._correction = np.where(measured, arena.floor_mm - self._reference, 0).astype(np.float32)
        # The largest scale is found in a corner of where the mouse can be.
        rows, columns = ([part.start, part.stop] for part in arena.window)
        largest = settings.pixel_mm * (1 if settings.normalize_length_mm is None else LARGEST)
        scale = arena.floor_scale(*np.meshgrid(columns, rows)) * largest
        reach = np.hypot(scale[..., 0], scale[..., 1]).max(axis=(0, 1)) * settings.size_px * SQRT_HALF
        self._reach = tuple((reach + BORDER_PX).tolist())

    def cut(
        self, depth_mm: npt.NDArray[np.uint16], x_px: float, y_px: float, heading_rad: float
    ) -> Crop:
        """Cut the mouse at (x, y) px, heading in the arena's frame, out of a frame."""
        heights = foreground(self._reference, depth_mm, self.tracking)
        window = self.window(depth_mm, heights, (0, 0), x_px, y_px)
        return self.turn(window, self.matrices(x_px, y_px, heading_rad))

    def window(
        self,
        depth_mm: npt.NDArray[np.uint16],
        heights: npt.NDArray[np.uint8],
        at: tuple[int, int],
        x_px: float,
        y_px: float,
    ) -> Window:
        """Return the part of a frame that the crop at (x, y) px can reach in any direction.

        Parameters
        ----------
        heights : (h, w) uint8
            Its ``foreground`` in the part of the frame that begins at row and column ``at``.
        """
        reach_x, reach_y = self._reach
        left, top = max(0, int(x_px - reach_x)), max(0, int(y_px - reach_y))
        depth = depth_mm[top : int(y_px + reach_y) + 2, left : int(x_px + reach_x) + 2]
        stands = _placed(heights, top - at[0], left - at[1], depth.shape)
        return Window(left, top, _at(stands, x_px - left, y_px - top), depth > 0)

    def matrices(
        self,
        x_px: npt.ArrayLike,
        y_px: npt.ArrayLike,
        heading_rad: npt.ArrayLike,
        factor: float = 1.0,
    ) -> npt.NDArray[np.float64]:
        """Return matrices from crop pixels (column, row, 1) to image pixels, (..., 2, 3).

        An animal is scaled to one that is ``factor`` times smaller.
        """
        cosine, sine = np.cos(heading_rad), np.sin(heading_rad)
        turn = np.stack([np.stack([cosine, -sine], axis=-1), np.stack([sine, cosine], axis=-1)], axis=-2)
        scale = self.arena.floor_scale(x_px, y_px) @ turn * (self.settings.pixel_mm * factor)
        center = np.stack(np.broadcast_arrays(x_px, y_px), axis=-1)
        corner = center - scale.sum(axis=-1) * ((self.settings.size_px - 1) / 2)
        return np.concatenate([scale, corner[..., None]], axis=-1)

    def turn(self, window: Window, matrix: npt.NDArray[np.float64]) -> Crop:
        """Turn the mouse in a window upright with the matrix of its frame."""
        # Heights around the mouse are 0, as are those that OpenCV assumes outside an image.
        left, top, width, height = cv2.boundingRect(window.heights)
        mouse = window.heights[top : top + height, left : left + width]
        left, top = window.left + left, window.top + top
        part = (slice(top, top + height), slice(left, left + width))
        heights = (mouse + self._correction[part] * (mouse > 0)) * self._slant[part]
        if not heights.size:
            heights = np.zeros((1, 1), np.float32)
        crop = cv2.max(self._warp(heights, matrix, left, top, cv2.INTER_LINEAR), 0)
        measured = window.measured.view(np.uint8)
        observed = self._warp(measured, matrix, window.left, window.top, cv2.INTER_NEAREST)
        # OpenCV rounds to the nearest and saturates.
        return Crop(cv2.convertScaleAbs(crop), observed.view(np.bool_))

    def _warp(
        self,
        image: npt.NDArray[Scalar],
        matrix: npt.NDArray[np.float64],
        left: int,
        top: int,
        interpolation: int,
    ) -> npt.NDArray[Scalar]:
        shifted = matrix.copy()
        shifted[0, 2] -= left
        shifted[1, 2] -= top
        return cv2.warpAffine(image, shifted, self._size, flags=interpolation | cv2.WARP_INVERSE_MAP)


def size_factor(
    length_mm: npt.NDArray[np.float64], settings: CropSettings, *, where: Path | str
) -> float:
    """Return the animal's size relative to the size to which it is scaled; 1 without scaling.

    Parameters
    ----------
    length_mm : (F,)
        NaN where the mouse was not found.
    where : path
        The recording, for the message.

    Raises
    ------
    BadInput
        The animal is too small or too large to be scaled to the setting's length.
    """
    target_mm = settings.normalize_length_mm
    lengths = length_mm[np.isfinite(length_mm)]
    if target_mm is None or not len(lengths):
        return 1.0
    factor = float(np.median(lengths)) / target_mm
    if not SMALLEST <= factor <= LARGEST:
        raise BadInput(
            f"{where}: the animal's median length is {np.median(lengths):.0f} mm, which can't be scaled "
            f"to {target_mm:g} mm (wanted {SMALLEST:g} to {LARGEST:g} times that); see "
            "extract.crop.normalize_length_mm."
        )
    return factor


def _at(stands: npt.NDArray[np.uint8], column: float, row: float) -> npt.NDArray[np.uint8]:
    """Keep only the connected object that has most pixels near a place."""
    left, top, width, height = cv2.boundingRect(stands)
    box = stands[top : top + height, left : left + width]
    if not box.size:
        return stands
    count, labels = cv2.connectedComponents(cv2.min(box, 1))
    if count == 2:
        return stands
    rows, columns = np.ogrid[: box.shape[0], : box.shape[1]]
    near = np.exp(-0.5 * ((rows + top - row) ** 2 + (columns + left - column) ** 2) / 15.0**2)
    weight = np.bincount(labels.ravel(), weights=near.ravel(), minlength=count)
    weight[0] = 0.0
    box *= labels == np.argmax(weight)
    return stands


def _placed(
    heights: npt.NDArray[np.uint8], top: int, left: int, shape: tuple[int, ...]
) -> npt.NDArray[np.uint8]:
    """Return the part of an image from a row and a column, (rows, columns); 0 outside the image."""
    rows, columns = shape
    inside = heights[max(0, top) : max(0, top + rows), max(0, left) : max(0, left + columns)]
    out = np.zeros(shape, np.uint8)
    row, column = max(0, -top), max(0, -left)
    out[row : row + inside.shape[0], column : column + inside.shape[1]] = inside
    return out
