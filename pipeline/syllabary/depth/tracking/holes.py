"""Fill the holes of a dark animal, whose fur reflects too little light for some of its pixels.

Where the floor is nearly always measured, a hole beside measured pixels of the animal is the animal.
Where floor and animal have as many holes, a hole belongs to the nearer of the two. Filled pixels get the
mean height of the animal's pixels around them, and stay marked as not measured in the crops.
"""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ..arena.geometry import Arena
from ..settings import TrackingSettings
from ..video import Video

__all__ = ["Filler"]

SAMPLE_FRAMES = 16
# A hole is inside the animal if it is farther than this from the measured floor, and between pixels of
# the animal that are not farther apart than this.
INSIDE_PX, BETWEEN_MM = 2.5, 40.0
# Share of an animal's inside that must be missing, in some frame, before anything is filled.
MIN_MISSING = 0.05
# Share of the frames in which a pixel is missing whatever is there.
USUALLY = 0.9
# Distance of a hole from measured pixels of the animal, up to which it is the animal.
REACH_MM = 25.0
# Holes are of the animal alone where the floor has so many times fewer.
FEWER = 0.3
# Widths of the windows over which heights are averaged; the next where the last one has too few pixels.
WINDOWS_PX, MIN_AROUND = (5, 11, 41), 4.0
# Smallest share of the body that is measured; a body with less is no mouse.
MIN_MEASURED = 0.3
# Largest share of holes at its outline beyond those that its inside makes likely. It is smaller where
# they are on one side of the animal in all frames (length of the mean direction), as its shadow is.
MAX_UNLIKELY, MAX_UNLIKELY_OF_SHADOW, ONE_SIDED = 0.45, 0.1, 0.85

Mask = npt.NDArray[np.uint8]


class Pixels(NamedTuple):
    """Pixels of the arena's window, (rows, columns): heights, mm; of the animal; holes; of the floor."""

    heights: npt.NDArray[np.uint16]
    animal: Mask
    holes: Mask
    floor: Mask


class Holes(NamedTuple):
    """Where an animal is missing: share of its inside; all between its pixels; distances from animal and
    floor, px.
    """

    missing: float
    between: npt.NDArray[np.bool_]
    from_animal: npt.NDArray[np.float32]
    from_floor: npt.NDArray[np.float32]


class Filler:
    """Fill holes of the animal in the frames of a recording.

    Parameters
    ----------
    video : Video
        From some of whose frames is found out whether its animal has holes, and where the floor has.
    arena : Arena
    settings : TrackingSettings
    """

    def __init__(self, video: Video, arena: Arena, settings: TrackingSettings) -> None:
        self._settings, self._window = settings, arena.window
        self._reference = np.ascontiguousarray(arena.reference_mm[arena.window])
        self._reach_px = REACH_MM / arena.mm_per_px
        size = round(BETWEEN_MM / arena.mm_per_px) | 1
        self._between = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        frames = [
            video.read(frame, frame + 1)[0][arena.window] for frame in video.sample_frames(SAMPLE_FRAMES)
        ]
        absent = sum((frame == 0).view(np.uint8) for frame in frames)
        self._searched = ((self._reference > 0) & (absent <= USUALLY * len(frames))).view(np.uint8)
        sample = [self._pixels(frame) for frame in frames]
        looks = [self._look(pixels) for pixels in sample]
        missing = [look.missing for look in looks]
        self.is_needed, self._usually_missing = max(missing) >= MIN_MISSING, float(np.median(missing))
        sides = [
            side for pair in zip(sample, looks, strict=True) if (side := self._side(*pair)) is not None
        ]
        shadowed = len(sides) > 2 and float(np.hypot(*np.mean(sides, axis=0))) > ONE_SIDED
        self._max_unlikely = MAX_UNLIKELY_OF_SHADOW if shadowed else MAX_UNLIKELY

    def move(self, arena: Arena) -> None:
        """Measure heights from the floor where it is now; the same pixels are searched."""
        self._reference = np.ascontiguousarray(arena.reference_mm[self._window])

    def fill(self, depth_mm: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16] | None:
        """Return a frame with the animal's holes filled, the same if it has none.

        None means that too little of the animal was measured, or that it cannot be told where it ends.
        """
        if not self.is_needed:
            return depth_mm
        pixels = self._pixels(depth_mm[self._window])
        look = self._look(pixels)
        missing = max(look.missing, self._usually_missing)
        if missing < MIN_MISSING:
            return depth_mm
        near = (pixels.holes > 0) & (look.from_animal <= self._reach_px)
        around = (pixels.holes + pixels.floor > 0) & (look.from_animal > self._reach_px)
        if around.any() and np.mean(pixels.holes[around]) > FEWER * missing:
            near &= look.from_animal <= look.from_floor
        body = _largest(pixels.animal | near.view(np.uint8), pixels.animal)
        filled = body & near
        count, area = np.count_nonzero(filled), np.count_nonzero(body)
        likely = missing / (1 - missing) * (area - count) if missing < 1 else 0.0
        if count > (1 - MIN_MEASURED) * area or count > likely + self._max_unlikely * area:
            return None
        out = depth_mm.copy()
        heights = _mean_heights(pixels, body)
        out[self._window][filled] = self._reference[filled] - heights[filled]
        return out

    def _pixels(self, depth: npt.NDArray[np.uint16]) -> Pixels:
        heights = cv2.subtract(self._reference, depth)
        low, high = self._settings.min_height_mm + 1, self._settings.max_height_mm
        measured = cv2.min(depth, 1).astype(np.uint8)
        animal = measured & (cv2.inRange(heights, low, high) >> 7)
        return Pixels(heights, animal, self._searched & (1 - measured), measured & (1 - animal))

    def _look(self, pixels: Pixels) -> Holes:
        """Measure how much of the animal's inside is missing."""
        from_animal = cv2.distanceTransform(1 - pixels.animal, cv2.DIST_L2, 5)
        from_floor = cv2.distanceTransform(1 - pixels.floor, cv2.DIST_L2, 5)
        inside = (from_floor > INSIDE_PX) & (from_animal <= self._reach_px)
        animal = np.count_nonzero(pixels.animal[inside])
        if np.count_nonzero(pixels.holes[inside]) < MIN_MISSING * animal:
            return Holes(0.0, pixels.animal > 0, from_animal, from_floor)
        between = cv2.morphologyEx(pixels.animal, cv2.MORPH_CLOSE, self._between) > 0
        inside &= between
        holes = np.count_nonzero(pixels.holes[inside])
        total = holes + np.count_nonzero(pixels.animal[inside])
        return Holes(holes / total if total else 0.0, between, from_animal, from_floor)

    def _side(self, pixels: Pixels, look: Holes) -> npt.NDArray[np.float64] | None:
        """Return the direction from the animal to the holes around it, of length 1; None without any."""
        outside = (pixels.holes > 0) & ~look.between & (look.from_animal <= self._reach_px)
        if look.missing < MIN_MISSING or np.count_nonzero(outside) < MIN_AROUND:
            return None
        offset = np.argwhere(outside).mean(axis=0) - np.argwhere(pixels.animal).mean(axis=0)
        length = float(np.hypot(*offset))
        return offset / length if length else None


def _largest(body: Mask, animal: Mask) -> npt.NDArray[np.bool_]:
    """Return the connected part with most measured pixels of the animal."""
    count, labels = cv2.connectedComponents(body, connectivity=8)
    weight = np.bincount(labels[animal > 0], minlength=count)
    return np.asarray(labels == 1 + np.argmax(weight[1:])) if count > 1 else np.zeros(body.shape, bool)


def _mean_heights(pixels: Pixels, body: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint16]:
    """Return the mean height of measured pixels of the body around every pixel, mm."""
    weight = (body & (pixels.animal > 0)).astype(np.float32)
    weighted = weight * pixels.heights
    out = np.zeros(weight.shape, np.float32)
    for width in WINDOWS_PX:
        size = (width, width)
        total, around = (cv2.boxFilter(image, -1, size, normalize=False) for image in (weighted, weight))
        lacking = (out == 0) & (around >= (MIN_AROUND if width < WINDOWS_PX[-1] else 1))
        out[lacking] = (total / np.maximum(around, 1))[lacking]
    return np.rint(out).astype(np.uint16)
