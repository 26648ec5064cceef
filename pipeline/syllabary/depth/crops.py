"""Second pass: the mouse cut out of its frame, upright and heading along +x, by one warp.

The warp takes the sub-pixel center, the heading and the scale together, so that every pixel is
interpolated once. Scale belongs to the floor: what is higher appears larger, as the camera saw it.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from .arena import Arena
from .settings import CropSettings, TrackingSettings
from .tracking import foreground

__all__ = ["Crop", "Cutter"]

BORDER_PX = 4


class Crop(NamedTuple):
    """Heights above the floor, mm, saturating at 255; and which pixels were measured."""

    heights: npt.NDArray[np.uint8]
    observed: npt.NDArray[np.bool_]


class Cutter:
    """Cut crops out of the frames of one arena.

    Parameters
    ----------
    arena : Arena
    tracking : TrackingSettings
        What counts as standing out of the floor.
    settings : CropSettings
    """

    def __init__(self, arena: Arena, tracking: TrackingSettings, settings: CropSettings) -> None:
        self.arena, self.tracking, self.settings = arena, tracking, settings
        self._reference = arena.reference_mm
        known = self._reference > 0
        self._correction = np.where(known, arena.floor_mm - self._reference, 0).astype(np.float32)

    def cut(
        self, depth_mm: npt.NDArray[np.uint16], x_px: float, y_px: float, heading_rad: float
    ) -> Crop:
        """Cut the mouse at (x, y) px, heading in the arena's frame, out of a frame."""
        size = self.settings.size_px
        cosine, sine = np.cos(heading_rad), np.sin(heading_rad)
        turn = np.array([[cosine, -sine], [sine, cosine]])
        # Crop pixels to image pixels.
        scale = self.arena.floor_scale(x_px, y_px) @ turn * self.settings.pixel_mm
        corner = np.array([x_px, y_px]) - scale @ np.full(2, (size - 1) / 2)
        reach = np.abs(scale).sum(axis=1) * size / 2 + BORDER_PX
        rows, columns = depth_mm.shape
        left, right = max(0, int(x_px - reach[0])), min(columns, int(x_px + reach[0]) + 2)
        top, bottom = max(0, int(y_px - reach[1])), min(rows, int(y_px + reach[1]) + 2)
        window = (slice(top, bottom), slice(left, right))
        depth = depth_mm[window]
        stands = foreground(self._reference[window], depth, self.tracking)
        mouse = _at(stands, x_px - left, y_px - top)
        heights = (stands + self._correction[window]) * self.arena.slant[window] * mouse
        matrix = np.column_stack([scale, corner - (left, top)])
        warped = cv2.warpAffine(
            heights.astype(np.float32),
            matrix,
            (size, size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        )
        measured = cv2.warpAffine(
            (depth > 0).astype(np.uint8),
            matrix,
            (size, size),
            flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        )
        return Crop(np.clip(np.rint(warped), 0, 255).astype(np.uint8), measured > 0)


def _at(stands: npt.NDArray[np.uint8], column: float, row: float) -> npt.NDArray[np.bool_]:
    """Return the connected thing that has most pixels near a place."""
    count, labels = cv2.connectedComponents(cv2.min(stands, 1))
    if count == 2:
        return labels > 0
    rows, columns = np.ogrid[: stands.shape[0], : stands.shape[1]]
    near = np.exp(-0.5 * ((rows - row) ** 2 + (columns - column) ** 2) / 15.0**2)
    weight = np.bincount(labels.ravel(), weights=near.ravel(), minlength=count)
    weight[0] = 0.0
    return (labels == np.argmax(weight)) & (labels > 0)
