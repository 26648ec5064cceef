"""Crops laid on the template: the same file, heights and observed pixels moved back."""

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import ShapeError
from ..progress import track
from ..records.crops import Crops
from .alignment import LEAST_SHARE, shifts_of, warped
from .frames import BLOCK, Frames
from .template import Template

__all__ = ["Registered", "register", "shifts_of_crops", "warp", "warp_frames"]

Array = npt.NDArray[np.float64]


def shifts_of_crops(template: Template, crops: Crops) -> Array:
    """Return the shifts (T, 3) of every tick of a recording; 0 where there is no frame."""
    found = np.zeros((len(crops), 3))
    for first, heights, observed in crops.blocks(4 * BLOCK):
        rows = slice(first, first + len(heights))
        found[rows] = shifts_of(template, heights * np.float32(crops.height_step_mm), observed)
    found[crops.frame < 0] = 0
    return found


def warp(
    heights: npt.NDArray[np.uint8], observed: npt.NDArray[np.bool_], shifts: Array
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Move crops back by their shifts.

    Parameters
    ----------
    heights : (n, H, W) uint8
        Anything where not observed.
    observed : (n, H, W) bool
    shifts : (n, 3) float64
        As ``shifts_of`` returns them.

    Returns
    -------
    heights, observed
        The same shapes. A pixel is the bilinear mean of those measured among the four that it falls
        between, and counts as measured if they have half of the weight or more. Crops without a
        shift stay as they are.
    """
    size: tuple[int, int] = heights.shape[1:]
    moved, seen = heights.copy(), observed.copy()
    rows, columns = size
    center = ((columns - 1) / 2, (rows - 1) / 2)
    for i in np.flatnonzero(np.any(shifts != 0, 1)):
        pair = cv2.merge([heights[i] * observed[i], observed[i].view(np.uint8)]).astype(np.float32)
        value, weight = cv2.split(warped(pair, shifts[i], center))
        seen[i] = weight >= LEAST_SHARE
        np.rint(value / np.maximum(weight, LEAST_SHARE), out=value)
        moved[i] = value
    moved[~seen] = 0
    return moved, seen


class Registered(Crops):
    """Crops laid on the template: the same file, heights and observed pixels moved back.

    Parameters
    ----------
    crops : Crops
        Open; closed with this view.
    shifts : (T, 3) float64
        Of every tick.
    """

    def __init__(self, crops: Crops, shifts: Array) -> None:
        if shifts.shape != (len(crops), 3):
            raise ShapeError(f"{crops.path}: {len(crops)} crops but shifts {shifts.shape}.")
        vars(self).update(vars(crops))
        self._crops, self._shifts = crops, shifts
        self._last: tuple[int, int | None] | None = None

    def pair(
        self, start: int = 0, stop: int | None = None
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
        """Return heights and observed pixels of ticks [start, stop)."""
        if self._last != (start, stop):
            raw = self._crops.heights(start, stop), self._crops.observed(start, stop)
            self._pair = warp(*raw, self._shifts[start:stop])
            self._last = (start, stop)
        return self._pair

    def heights(self, start: int = 0, stop: int | None = None) -> npt.NDArray[np.uint8]:
        """Return heights of ticks [start, stop), counts, 0 = floor."""
        return self.pair(start, stop)[0].copy()

    def observed(self, start: int = 0, stop: int | None = None) -> npt.NDArray[np.bool_]:
        """Return which pixels of ticks [start, stop) were measured."""
        return self.pair(start, stop)[1].copy()


def register(crops: Crops, shifts: Array | None) -> Crops:
    """Return crops as a model looks at them: laid on its template, if it has one."""
    return crops if shifts is None or isinstance(crops, Registered) else Registered(crops, shifts)


def warp_frames(template: Template, frames: Frames, size: tuple[int, int]) -> Frames:
    """Lay training frames on the template."""
    heights = np.empty_like(frames.heights)
    missing = np.empty_like(frames.missing)
    every = np.arange(len(heights))
    starts = range(0, len(heights), BLOCK)
    blocks = zip(starts, frames.images(every, size), strict=True)
    for start, (heights_mm, observed) in track(
        blocks, "registration: frames", total=len(starts), unit="blocks"
    ):
        rows = slice(start, start + BLOCK)
        shifts = shifts_of(template, heights_mm, observed)
        raw = frames.heights[rows].reshape(-1, *size)
        moved, seen = warp(raw, observed, shifts)
        heights[rows] = moved.reshape(len(moved), -1)
        missing[rows] = np.packbits(~seen.reshape(len(seen), -1), axis=1)
    return Frames(heights, missing, frames.step_mm)
