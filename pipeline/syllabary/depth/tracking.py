"""First pass: where the mouse is in every frame, and how it lies.

Works on whole millimetres inside the arena's window. Frames are taken in their order, one after
the other, and what the last one left is carried on: blocks leave no trace.
"""

import logging
from dataclasses import dataclass, fields
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from . import tether
from .arena import Arena
from .heading import evidence
from .settings import TrackingSettings
from .shape import Shape, measure, seen_from_above

__all__ = ["Mouse", "Track", "Tracker", "foreground", "tail_kernel"]

log = logging.getLogger(__name__)
# Thin parts are looked for this far around the body, px.
TAIL_REACH_PX = 40


class Mouse(NamedTuple):
    """The mouse in one frame: center of its pixels, px; shape in the arena; head features."""

    x_px: float
    y_px: float
    shape: Shape
    features: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Track:
    """The first pass over a recording of F frames; NaN where the mouse was not found.

    Over short losses its place is filled in by ``bridging``; its size never is.
    """

    x_px: npt.NDArray[np.float64]
    y_px: npt.NDArray[np.float64]
    x_mm: npt.NDArray[np.float64]
    y_mm: npt.NDArray[np.float64]
    axis_rad: npt.NDArray[np.float64]
    elongation: npt.NDArray[np.float64]
    length_mm: npt.NDArray[np.float64]
    width_mm: npt.NDArray[np.float64]
    area_mm2: npt.NDArray[np.float64]
    height_mm: npt.NDArray[np.float64]
    height_max_mm: npt.NDArray[np.float64]
    features: npt.NDArray[np.float64]

    @classmethod
    def empty(cls, frames: int) -> "Track":
        """Return a track in which nothing was found yet."""
        columns = {f.name: np.full(frames, np.nan) for f in fields(cls) if f.name != "features"}
        return cls(**columns, features=np.zeros((frames, len(evidence.FEATURES))))

    def put(self, frame: int, mouse: Mouse) -> None:
        """Fill in one frame."""
        self.x_px[frame], self.y_px[frame] = mouse.x_px, mouse.y_px
        for name, value in mouse.shape._asdict().items():
            getattr(self, name)[frame] = value
        self.features[frame] = mouse.features

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """Frames in which there was a mouse."""
        return np.isfinite(self.area_mm2)


def foreground(
    reference_mm: npt.NDArray[np.uint16], depth_mm: npt.NDArray[np.uint16], settings: TrackingSettings
) -> npt.NDArray[np.uint8]:
    """Return how far everything stands out of the empty arena, mm.

    What is lower than ``min_height_mm``, higher than ``max_height_mm``, or was not measured is 0.
    """
    out = cv2.subtract(reference_mm, depth_mm)  # saturates at 0
    # An unmeasured pixel has depth 0 and so stands out by its whole distance.
    _, out = cv2.threshold(out, settings.max_height_mm, 0, cv2.THRESH_TOZERO_INV)
    heights = out.astype(np.uint8)
    if settings.median_px > 1:
        heights = cv2.medianBlur(heights, settings.median_px)
    _, heights = cv2.threshold(heights, settings.min_height_mm, 0, cv2.THRESH_TOZERO)
    return heights


def tail_kernel(tail_width_mm: float, mm_per_px: float) -> npt.NDArray[np.uint8]:
    """Return the disc that does not fit into a tail."""
    size = max(1, round(tail_width_mm / mm_per_px)) | 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))


class Tracker:
    """Find the mouse in one frame after the other.

    Parameters
    ----------
    arena : Arena
    settings : TrackingSettings
    """

    def __init__(self, arena: Arena, settings: TrackingSettings) -> None:
        self.arena, self.settings = arena, settings
        self._reference = np.ascontiguousarray(arena.reference_mm[arena.window])
        self._kernel = tail_kernel(settings.tail_width_mm, arena.mm_per_px)
        # Arena coordinates of a pixel are depth * map - origin, three maps of the window.
        maps = arena.rays[arena.window] @ arena.rotation.T
        self._maps = np.ascontiguousarray(np.moveaxis(maps, -1, 0)).reshape(3, -1)
        self._offset = arena.rotation @ arena.origin_mm
        self._floor = np.ascontiguousarray(arena.floor_mm[arena.window]).ravel()
        self._slant = np.ascontiguousarray(arena.slant[arena.window]).ravel()
        self._last: tuple[float, float] | None = None
        self._since_s = 0.0

    def find(self, depth_mm: npt.NDArray[np.uint16], after_s: float) -> Mouse | None:
        """Return the mouse in a frame that came ``after_s`` seconds after the one before."""
        self._since_s += after_s
        heights = foreground(self._reference, depth_mm[self.arena.window], self.settings)
        solid = cv2.morphologyEx(cv2.min(heights, 1), cv2.MORPH_OPEN, self._kernel)
        part = self._choose(solid)
        if part is None:
            return None
        mask, (left, top) = part
        rows, columns = np.nonzero(tether.cut(mask, self.arena.mm_per_px, self.settings.max_length_mm))
        rows, columns = rows + top, columns + left
        mouse = self._measure(heights, solid, rows, columns)
        self._last, self._since_s = (mouse.shape.x_mm, mouse.shape.y_mm), 0.0
        return mouse

    def _choose(
        self, solid: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.uint8], tuple[int, int]] | None:
        """Return the mask of the likeliest connected part and its upper left corner."""
        count, labels, stats, centers = cv2.connectedComponentsWithStats(solid)
        patch = self.arena.mm_per_px**2
        best, chosen = 0.0, 0
        for label in range(1, count):
            area = float(stats[label, cv2.CC_STAT_AREA]) * patch
            if area < self.settings.min_area_mm2:
                continue
            if count > 2 and self._last is not None:
                place = self._place(*centers[label])
                reach = self.settings.max_speed_mm_s * self._since_s + 50.0
                away = float(np.hypot(place[0] - self._last[0], place[1] - self._last[1]))
                area *= float(np.exp(-0.5 * (away / reach) ** 2))
            if area > best:
                best, chosen = area, label
        if not chosen:
            return None
        left, top, width, height = (int(v) for v in stats[chosen, :4])
        inside = labels[top : top + height, left : left + width] == chosen
        return inside.astype(np.uint8), (left, top)

    def _place(self, column: float, row: float) -> npt.NDArray[np.float64]:
        """Return the arena position of a point of the window, on the floor."""
        index = round(row) * self._reference.shape[1] + round(column)
        return self._floor[index] * self._maps[:, index] - self._offset

    def _measure(
        self,
        heights: npt.NDArray[np.uint8],
        solid: npt.NDArray[np.uint8],
        rows: npt.NDArray[np.int64],
        columns: npt.NDArray[np.int64],
    ) -> Mouse:
        index = rows * heights.shape[1] + columns
        depth = self._reference.ravel()[index].astype(np.float64) - heights.ravel()[index]
        x = depth * self._maps[0, index] - self._offset[0]
        y = depth * self._maps[1, index] - self._offset[1]
        height = (self._floor[index] - depth) * self._slant[index]
        patch = depth**2 / (self.arena.camera.fx_px * self.arena.camera.fy_px)
        shape = measure(x, y, height, patch)
        cosine, sine = np.cos(shape.axis_rad), np.sin(shape.axis_rad)
        along = (x - shape.x_mm) * cosine + (y - shape.y_mm) * sine
        # Thin parts that hang on the body, placed on the floor: the tail lies there.
        top, left = max(0, rows.min() - TAIL_REACH_PX), max(0, columns.min() - TAIL_REACH_PX)
        near = (slice(top, rows.max() + TAIL_REACH_PX), slice(left, columns.max() + TAIL_REACH_PX))
        _, labels = cv2.connectedComponents(cv2.min(heights[near], 1))
        own = labels[rows[0] - top, columns[0] - left]
        thin = np.nonzero((labels == own) & (solid[near] == 0))
        spot = (thin[0] + top) * heights.shape[1] + thin[1] + left
        place = self._floor[spot] * self._maps[:2, spot] - self._offset[:2, None]
        thin_along = (place[0] - shape.x_mm) * cosine + (place[1] - shape.y_mm) * sine
        window = self.arena.window
        return Mouse(
            x_px=float(columns.mean()) + window[1].start,
            y_px=float(rows.mean()) + window[0].start,
            shape=seen_from_above(shape, self.arena.lens_mm),
            features=evidence.shape(along, height, thin_along),
        )
