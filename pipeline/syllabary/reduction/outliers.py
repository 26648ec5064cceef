"""Pixels that show something else than the animal: a cable, most of all.

What hides the animal is nearer to the camera, so an outlier lies above what is expected; it stands
out far beyond the noise of its pixel; and it is narrow. A part of the animal that is higher than the
components can tell, such as the head of one that rears, is as far off, but wide, and is kept.
"""

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from .coordinates import posterior
from .frames import Frames

__all__ = ["ABOVE_MM", "WIDEST_MM", "Clearing", "find", "guess"]

# Height above what is expected, mm, below which nothing is an outlier: a quick movement reaches it.
ABOVE_MM = 15.0
# Side of the smallest square, mm, that is part of an animal.
WIDEST_MM = 13.0
NEIGHBORS = np.ones((3, 3), np.uint8)

Array = npt.NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.generic)


def find(above: npt.NDArray[np.bool_], pixel_mm: float) -> npt.NDArray[np.bool_]:
    """Return which pixels are outliers.

    Parameters
    ----------
    above : (n, H, W) bool
        Pixels that stand out.
    pixel_mm : float
        Side of a pixel.

    Returns
    -------
    (n, H, W) bool
        Those in which no square of ``WIDEST_MM`` fits, with their neighbors: at its border a thing is
        mixed with what is behind it.
    """
    square = _square(pixel_mm)
    found = np.zeros(above.shape, bool)
    for i in np.flatnonzero(above.any((1, 2))):
        flags = above[i].view(np.uint8)
        narrow = flags & (1 - cv2.morphologyEx(flags, cv2.MORPH_OPEN, square))
        found[i] = cv2.dilate(narrow, NEIGHBORS)
    return found


def guess(heights: npt.NDArray[np.float32], pixel_mm: float) -> npt.NDArray[np.bool_]:
    """Return what may be outliers where nothing is known of the animal: narrow and high.

    Parameters
    ----------
    heights : (n, H, W) float32
        mm; 0 where not observed.
    pixel_mm : float
        Side of a pixel.
    """
    square = _square(pixel_mm)
    found = np.zeros(heights.shape, bool)
    for i, image in enumerate(heights):
        narrow = image - cv2.morphologyEx(image, cv2.MORPH_OPEN, square) > ABOVE_MM
        found[i] = cv2.dilate(narrow.view(np.uint8), NEIGHBORS)
    return found


@dataclass(frozen=True)
class Clearing:
    """Where P used pixels lie in a crop, and so which of them are narrow things.

    Attributes
    ----------
    used : (H, W) bool
    pixel_mm : float
    """

    used: npt.NDArray[np.bool_]
    pixel_mm: float

    def outliers(self, above: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Return outliers (n, P) among pixels (n, P) that stand out."""
        return find(self._images(above), self.pixel_mm)[:, self.used]

    def by_guess(self, frames: Frames) -> Frames:
        """Leave out what is narrow and high."""
        found = np.empty_like(frames.missing)
        for rows, heights, _ in frames.blocks(np.zeros(frames.heights.shape[1])):
            narrow = guess(self._images(heights), self.pixel_mm)[:, self.used]
            found[rows] = np.packbits(narrow, axis=1)
        return frames._replace(missing=frames.missing | found)

    def by_model(
        self, frames: Frames, cleared: Frames, mean: Array, basis: Array, ridge: Array
    ) -> Frames:
        """Leave out what stands out from what the pixels cleared so far make expected.

        The noise of a pixel is not known yet, so the least height counts.
        """
        found = np.empty_like(frames.missing)
        blocks = zip(frames.blocks(mean), cleared.blocks(mean), strict=True)
        for (rows, deviation, missing), (_, kept, left_out) in blocks:
            expected = (posterior(kept, left_out, basis, ridge)[0] @ basis).astype(np.float32)
            above = (deviation - expected > ABOVE_MM) & ~missing
            found[rows] = np.packbits(self.outliers(above), axis=1)
        return frames._replace(missing=frames.missing | found)

    def _images(self, pixels: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Put pixels (n, P) where they are in a crop (n, H, W), zeros elsewhere."""
        images = np.zeros((len(pixels), *self.used.shape), pixels.dtype)
        images[:, self.used] = pixels
        return images


def _square(pixel_mm: float) -> npt.NDArray[np.uint8]:
    """The smallest square that is part of an animal; an even one would shift what it opens."""
    side = max(3, 2 * round((WIDEST_MM / pixel_mm - 1) / 2) + 1)
    return np.ones((side, side), np.uint8)
