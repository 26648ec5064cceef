"""Pixels that show a cable or another object instead of the animal.

An object that hides the animal is nearer to the camera. So an outlier lies above the expected height,
by far more than the noise of its pixel, and it is narrow. A part of the animal may lie as far above
its expected height, such as the head during rearing. Such parts are wide and are kept.
"""

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from .coordinates import posterior
from .frames import Frames

__all__ = ["ABOVE_MM", "WIDEST_MM", "Clearing", "find", "guess"]

# Height above the expected height, mm, that an outlier exceeds. Quick movements reach it.
ABOVE_MM = 15.0
# Side of the smallest square that is part of an animal, mm.
WIDEST_MM = 13.0
NEIGHBORS = np.ones((3, 3), np.uint8)

Array = npt.NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.generic)


def find(above: npt.NDArray[np.bool_], pixel_mm: float) -> npt.NDArray[np.bool_]:
    """Return which pixels are outliers.

    Parameters
    ----------
    above : (n, H, W) bool
        Pixels that stand out from their expected height.
    pixel_mm : float
        Side of a pixel.

    Returns
    -------
    (n, H, W) bool
        Pixels in which no square of ``WIDEST_MM`` fits, and their neighbors, because pixels at the
        border of an object mix two heights.
    """
    square = _square(pixel_mm)
    result = np.zeros(above.shape, bool)
    for i in np.flatnonzero(above.any((1, 2))):
        flags = above[i].view(np.uint8)
        narrow = flags & (1 - cv2.morphologyEx(flags, cv2.MORPH_OPEN, square))
        result[i] = cv2.dilate(narrow, NEIGHBORS)
    return result


def guess(heights: npt.NDArray[np.float32], pixel_mm: float) -> npt.NDArray[np.bool_]:
    """Return likely outliers before any model of the animal exists: pixels that are narrow and high.

    Parameters
    ----------
    heights : (n, H, W) float32
        mm; 0 where not observed.
    pixel_mm : float
        Side of a pixel.

    Returns
    -------
    (n, H, W) bool
    """
    square = _square(pixel_mm)
    result = np.zeros(heights.shape, bool)
    for i, image in enumerate(heights):
        narrow = image - cv2.morphologyEx(image, cv2.MORPH_OPEN, square) > ABOVE_MM
        result[i] = cv2.dilate(narrow.view(np.uint8), NEIGHBORS)
    return result


@dataclass(frozen=True)
class Clearing:
    """Remove outliers from frames that hold P used pixels of a crop.

    Attributes
    ----------
    used : (H, W) bool
    pixel_mm : float
    """

    used: npt.NDArray[np.bool_]
    pixel_mm: float

    def outliers(self, above: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Return the outliers (n, P) among pixels (n, P) that stand out."""
        return find(self._images(above), self.pixel_mm)[:, self.used]

    def by_guess(self, frames: Frames) -> Frames:
        """Mark narrow and high pixels as missing."""
        bits = np.empty_like(frames.missing)
        for rows, heights, _ in frames.blocks(np.zeros(frames.heights.shape[1])):
            narrow = guess(self._images(heights), self.pixel_mm)[:, self.used]
            bits[rows] = np.packbits(narrow, axis=1)
        return frames._replace(missing=frames.missing | bits)

    def by_model(
        self, frames: Frames, cleared: Frames, mean: Array, basis: Array, ridge: Array
    ) -> Frames:
        """Mark pixels as missing that stand out from the heights expected by a PCA.

        The noise of the pixels is not fitted yet, so the threshold is ``ABOVE_MM``.

        Parameters
        ----------
        frames : Frames
            All pixels of n frames.
        cleared : Frames
            The same frames without the outliers found before; coordinates are computed from these.
        mean : (P,) float64
            mm.
        basis : (D, P) float64
            Orthonormal rows.
        ridge : (D,) float64
            See ``coordinates.posterior``.
        """
        bits = np.empty_like(frames.missing)
        blocks = zip(frames.blocks(mean), cleared.blocks(mean), strict=True)
        for (rows, deviation, missing), (_, kept, left_out) in blocks:
            expected = (posterior(kept, left_out, basis, ridge)[0] @ basis).astype(np.float32)
            above = (deviation - expected > ABOVE_MM) & ~missing
            bits[rows] = np.packbits(self.outliers(above), axis=1)
        return frames._replace(missing=frames.missing | bits)

    def _images(self, pixels: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Place pixels (n, P) in crops (n, H, W), zeros elsewhere."""
        images = np.zeros((len(pixels), *self.used.shape), pixels.dtype)
        images[:, self.used] = pixels
        return images


def _square(pixel_mm: float) -> npt.NDArray[np.uint8]:
    """The smallest square that is part of an animal; its side is odd, or opening would shift masks."""
    side = max(3, 2 * round((WIDEST_MM / pixel_mm - 1) / 2) + 1)
    return np.ones((side, side), np.uint8)
