"""Detect the mouse in a frame, and measure its position, axis and size.

Heights are whole millimeters inside the arena's window. Frames are processed in order, because the
last position helps to choose among several objects.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ...records.crops import Missing
from ..arena.geometry import Arena
from ..heading import evidence
from ..settings import TrackingSettings
from . import surface, tether
from .shape import Shape, is_full

__all__ = ["Mouse", "Track", "Tracker", "foreground", "tail_kernel"]

log = logging.getLogger(__name__)
# Distance around the body in which thin parts are detected, px.
TAIL_REACH_PX = 40


class Mouse(NamedTuple):
    """The mouse in one frame.

    Attributes
    ----------
    x_px, y_px : float
        Center of its pixels.
    shape : Shape
        In the arena.
    features : (F,) float64
        Features of the head end.
    rival_mm2 : float
        Area of the largest other thing that is as solid as an animal; 0 without one.
    """

    x_px: float
    y_px: float
    shape: Shape
    features: npt.NDArray[np.float64]
    rival_mm2: float = 0.0


@dataclass(frozen=True)
class Track:
    """The first pass over a recording of F frames; NaN where the mouse was not found.

    Over short losses its place is filled in by ``bridging``; its size never is. ``missing`` is why
    there is no mouse (``records.crops.Missing``).
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
    rival_mm2: npt.NDArray[np.float64]
    features: npt.NDArray[np.float64]
    missing: npt.NDArray[np.uint8]

    @classmethod
    def empty(cls, frames: int) -> "Track":
        """Return a track without any mouse."""
        others = ("features", "missing")
        columns = {f.name: np.full(frames, np.nan) for f in fields(cls) if f.name not in others}
        return cls(
            **columns,
            features=np.zeros((frames, len(evidence.FEATURES))),
            missing=np.full(frames, Missing.NOTHING, np.uint8),
        )

    def put(self, frame: int, mouse: Mouse) -> None:
        """Fill in one frame."""
        self.x_px[frame], self.y_px[frame] = mouse.x_px, mouse.y_px
        for column, value in zip(self._columns, mouse.shape, strict=True):
            column[frame] = value
        self.features[frame] = mouse.features
        self.rival_mm2[frame] = mouse.rival_mm2
        self.missing[frame] = Missing.DETECTED

    @cached_property
    def _columns(self) -> list[npt.NDArray[np.float64]]:
        return [getattr(self, name) for name in Shape._fields]

    @property
    def detected(self) -> npt.NDArray[np.bool_]:
        """Frames in which there was a mouse."""
        return np.isfinite(self.area_mm2)


def foreground(
    reference_mm: npt.NDArray[np.uint16], depth_mm: npt.NDArray[np.uint16], settings: TrackingSettings
) -> npt.NDArray[np.uint8]:
    """Return heights above the empty arena, mm.

    Heights below ``min_height_mm``, above ``max_height_mm`` or not measured are 0.
    """
    out = cv2.subtract(reference_mm, depth_mm)  # saturates at 0
    # An unmeasured pixel has depth 0, so its height is its whole distance.
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


class _Part(NamedTuple):
    """A connected part: mask, its first column and row, area of the largest other, mm²."""

    mask: npt.NDArray[np.uint8]
    column: int
    row: int
    rival_mm2: float


class Tracker:
    """Detect the mouse in successive frames.

    Parameters
    ----------
    arena : Arena
    settings : TrackingSettings

    Attributes
    ----------
    heights : (rows, columns) uint8
        ``foreground`` of the last frame in the arena's window.
    """

    def __init__(self, arena: Arena, settings: TrackingSettings) -> None:
        self.arena, self.settings = arena, settings
        self._kernel = tail_kernel(settings.tail_width_mm, arena.mm_per_px)
        window = arena.window
        self.heights = np.zeros(arena.reference_mm[window].shape, np.uint8)
        maps = arena.rays[window] @ arena.rotation.T
        self._view = surface.EmptyArena(
            reference_mm=np.ascontiguousarray(arena.reference_mm[window]),
            floor_mm=np.ascontiguousarray(arena.floor_mm[window], np.float32),
            slant=np.ascontiguousarray(arena.slant[window], np.float32),
            maps=np.ascontiguousarray(np.moveaxis(maps, -1, 0)),
            offset_mm=arena.rotation @ arena.origin_mm,
            patch=1 / (arena.camera.fx_px * arena.camera.fy_px),
        )
        self._sought = np.where(self._view.reference_mm > 0, 255, 0).astype(np.uint8)
        self._last: tuple[float, float] | None = None
        self._since_s = 0.0

    def find(self, depth_mm: npt.NDArray[np.uint16] | None, after_s: float) -> Mouse | None:
        """Return the mouse in a frame that came ``after_s`` seconds after the one before.

        No frame (None) shows no mouse.
        """
        self._since_s += after_s
        if depth_mm is None:
            return None
        heights = foreground(self._view.reference_mm, depth_mm[self.arena.window], self.settings)
        self.heights = heights
        # Only the bounding box of nonzero heights is processed.
        rectangle = cv2.boundingRect(heights)
        if not rectangle[2]:
            return None
        heights, left, top = _grown(heights, rectangle, len(self._kernel))
        # The median filter gives heights to pixels in which nothing is known.
        rows, columns = heights.shape
        heights = cv2.min(heights, self._sought[top : top + rows, left : left + columns])
        solid = cv2.morphologyEx(cv2.min(heights, 1), cv2.MORPH_OPEN, self._kernel)
        part = self._choose(solid, left, top)
        if part is None:
            return None
        mask, *place = part.mask, part.column, part.row
        mask = tether.cut(mask, self.arena.mm_per_px, self.settings.max_length_mm)
        mouse = self._measure(heights, solid, left, top, mask, *place)
        self._last, self._since_s = (mouse.shape.x_mm, mouse.shape.y_mm), 0.0
        return mouse._replace(rival_mm2=part.rival_mm2)

    def move(self, arena: Arena) -> None:
        """Go on in an arena that moved."""
        last, since_s = self._last, self._since_s
        self.__init__(arena, self.settings)  # type: ignore[misc]
        self._last, self._since_s = last, since_s

    def _choose(self, solid: npt.NDArray[np.uint8], left: int, top: int) -> _Part | None:
        """Return the likeliest connected part."""
        parts, column, row = _grown(solid, cv2.boundingRect(solid), 0)
        if not parts.size:
            return None
        count, labels, stats, centers = cv2.connectedComponentsWithStats(parts)
        patch = self.arena.mm_per_px**2
        large = [
            label
            for label in range(1, count)
            if float(stats[label, cv2.CC_STAT_AREA]) * patch >= self.settings.min_area_mm2
        ]
        if not large:
            return None
        masks = {label: _mask(labels, stats[label], label) for label in large}
        full = [label for label in large if len(large) == 1 or _is_full(masks[label])] or large
        best, chosen = 0.0, 0
        for label in full:
            area = float(stats[label, cv2.CC_STAT_AREA]) * patch
            if count > 2 and self._last is not None:
                center = centers[label]
                place = self._place(center[0] + column + left, center[1] + row + top)
                reach = self.settings.max_speed_mm_s * self._since_s + 50.0
                away = float(np.hypot(place[0] - self._last[0], place[1] - self._last[1]))
                area *= float(np.exp(-0.5 * (away / reach) ** 2))
            if area > best:
                best, chosen = area, label
        if not chosen:
            return None
        # Where the floor moved, crescents of wall are in sight.
        others = [label for label in (full if self.arena.moves else large) if label != chosen]
        thick = [label for label in others if tether.holds_trunk(masks[label], self.arena.mm_per_px)]
        rival = max((float(stats[label, cv2.CC_STAT_AREA]) * patch for label in thick), default=0.0)
        x, y = int(stats[chosen, cv2.CC_STAT_LEFT]), int(stats[chosen, cv2.CC_STAT_TOP])
        return _Part(masks[chosen], column + x, row + y, rival)

    def _place(self, column: float, row: float) -> npt.NDArray[np.float64]:
        """Return the arena position of a point of the window, on the floor."""
        at = round(row), round(column)
        return self._view.floor_mm[at] * self._view.maps[(slice(None), *at)] - self._view.offset_mm

    def _measure(
        self,
        heights: npt.NDArray[np.uint8],
        solid: npt.NDArray[np.uint8],
        left: int,
        top: int,
        mask: npt.NDArray[np.uint8],
        column: int,
        row: int,
    ) -> Mouse:
        """Measure the body in ``mask``, which begins at (column, row) of ``heights`` and ``solid``."""
        rows, columns = mask.shape
        box = heights[row : row + rows, column : column + columns]
        body = surface.body(box, mask, left + column, top + row, self._view)
        # Thin parts that hang on the body: the tail is one.
        near, x, y = _grown(heights, (column, row, columns, rows), TAIL_REACH_PX)
        _, labels = cv2.connectedComponents(cv2.min(near, 1))
        first_row, first_column = divmod(int(mask.argmax()), columns)
        label = labels[row - y + first_row, column - x + first_column]
        stout = solid[y : y + near.shape[0], x : x + near.shape[1]]
        thin = surface.thin_parts(labels, label, stout, left + x, top + y, body.visible, self._view)
        window = self.arena.window
        return Mouse(
            x_px=body.column + window[1].start,
            y_px=body.row + window[0].start,
            shape=body.shape,
            features=evidence.shape(body.along_mm, body.height_mm, thin),
        )


def _mask(
    labels: npt.NDArray[np.int32], box: npt.NDArray[np.int32], label: int
) -> npt.NDArray[np.uint8]:
    x, y, width, height = box[:4].tolist()
    return (labels[y : y + height, x : x + width] == label).view(np.uint8)


def _is_full(mask: npt.NDArray[np.uint8]) -> bool:
    """Return whether a mask (h, w) is as full as an animal."""
    m = cv2.moments(mask, binaryImage=True)
    area = np.array(m["m00"])
    total, spread = m["mu20"] + m["mu02"], np.hypot(2 * m["mu11"], m["mu20"] - m["mu02"])
    axes = 4 * np.sqrt(np.maximum(0.0, np.array([total + spread, total - spread])) / 2 / area)
    return bool(is_full(area, axes[0], axes[1]))


def _grown(
    image: npt.NDArray[np.uint8], rectangle: Sequence[int], margin: int
) -> tuple[npt.NDArray[np.uint8], int, int]:
    """Return a rectangle (left, top, width, height) of an image, grown, and its first column and row."""
    left, top, width, height = rectangle
    column, row = max(0, left - margin), max(0, top - margin)
    return image[row : top + height + margin, column : left + width + margin], column, row
