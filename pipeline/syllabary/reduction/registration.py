"""Registered crops: the crops of a recording, moved back by their shifts."""

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import ShapeError
from ..progress import track
from ..records.clock import on_clock
from ..records.crops import Crops
from .alignment import MIN_SHARE, shifts_of, warped
from .frames import BLOCK, Frames
from .latents import LatentSeries
from .template import Template

__all__ = ["Registered", "as_reduced", "register", "shifts_of_crops", "warp", "warp_frames"]

Array = npt.NDArray[np.float64]


def shifts_of_crops(template: Template, crops: Crops) -> Array:
    """Return the shifts (T, 3) of all ticks of a recording, px, px, rad; 0 where there is no frame."""
    shifts = np.zeros((len(crops), 3))
    for first, heights, observed in crops.blocks(4 * BLOCK):
        rows = slice(first, first + len(heights))
        shifts[rows] = shifts_of(template, heights * np.float32(crops.height_step_mm), observed)
    shifts[crops.frame < 0] = 0
    return shifts


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
        From ``alignment.shifts_of``.

    Returns
    -------
    heights, observed
        Of the same shapes. A pixel is interpolated from the measured ones among its four neighbors.
        It counts as measured if these have half of the weight or more. Crops without a shift stay
        the same.
    """
    size: tuple[int, int] = heights.shape[1:]
    moved, measured = heights.copy(), observed.copy()
    rows, columns = size
    center = ((columns - 1) / 2, (rows - 1) / 2)
    for i in np.flatnonzero(np.any(shifts != 0, 1)):
        pair = cv2.merge([heights[i] * observed[i], observed[i].view(np.uint8)]).astype(np.float32)
        value, weight = cv2.split(warped(pair, shifts[i], center))
        measured[i] = weight >= MIN_SHARE
        np.rint(value / np.maximum(weight, MIN_SHARE), out=value)
        moved[i] = value
    moved[~measured] = 0
    return moved, measured


class Registered(Crops):
    """Crops whose heights and observed pixels are moved back by shifts as they are read.

    Parameters
    ----------
    crops : Crops
        Open; closed together with this object.
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
    """Return crops registered by shifts; the same crops if there are none or they are registered.

    Parameters
    ----------
    crops : Crops
    shifts : (T, 3) float64, optional
        Of all ticks: px, px, rad.
    """
    return crops if shifts is None or isinstance(crops, Registered) else Registered(crops, shifts)


def as_reduced(crops: Crops, series: LatentSeries) -> Crops:
    """Return crops as the latents were made of them: by tick of their clock, and registered.

    Parameters
    ----------
    crops : Crops
        Of the recording, as it is or as this function returned it.
    series : LatentSeries
        Of the same recording.
    """
    return register(on_clock(crops, series.clock.fps) if series.clock else crops, series.shifts)


def warp_frames(template: Template, frames: Frames, size: tuple[int, int]) -> Frames:
    """Register training frames of ``size`` (rows, columns)."""
    heights = np.empty_like(frames.heights)
    missing = np.empty_like(frames.missing)
    indices = np.arange(len(heights))
    starts = range(0, len(heights), BLOCK)
    blocks = zip(starts, frames.images(indices, size), strict=True)
    for start, (heights_mm, observed) in track(
        blocks, "registration: frames", total=len(starts), unit="blocks"
    ):
        rows = slice(start, start + BLOCK)
        shifts = shifts_of(template, heights_mm, observed)
        raw = frames.heights[rows].reshape(-1, *size)
        moved, measured = warp(raw, observed, shifts)
        heights[rows] = moved.reshape(len(moved), -1)
        missing[rows] = np.packbits(~measured.reshape(len(measured), -1), axis=1)
    return Frames(heights, missing, frames.step_mm)
