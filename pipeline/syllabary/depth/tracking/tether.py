"""Remove cables and optical fibers, which are too thick to be taken for a tail."""

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["cut", "holds_trunk"]

# Diameter of a disc that fits into every trunk and into no cable.
TRUNK_MM = 16.0
# Length of head and rump beyond the area that such a disc covers.
ENDS_MM = 10.0


def cut(mask: npt.NDArray[np.uint8], mm_per_px: float, longest_mm: float) -> npt.NDArray[np.uint8]:
    """Return the mask without the cable that makes it longer than a mouse.

    Parameters
    ----------
    mask : (h, w) uint8
        1 where the mouse is, cropped to its bounding box.
    longest_mm : float
        A shorter mask is returned unchanged.
    """
    if np.hypot(*mask.shape) * mm_per_px <= longest_mm:
        return mask
    border = round(TRUNK_MM / mm_per_px)
    padded = cv2.copyMakeBorder(mask, border, border, border, border, cv2.BORDER_CONSTANT)
    thick = cv2.morphologyEx(padded, cv2.MORPH_OPEN, _disc(TRUNK_MM / mm_per_px))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(thick)
    if count < 2:
        return mask
    trunk = (labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])).astype(np.uint8)
    grown = cv2.dilate(trunk, _disc(2 * ENDS_MM / mm_per_px))
    return mask & grown[border:-border, border:-border]


def holds_trunk(mask: npt.NDArray[np.uint8], mm_per_px: float) -> bool:
    """Return whether a mask (h, w) of 0 and 1 is thick enough for the trunk of an animal."""
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return bool(cv2.erode(padded, _disc(TRUNK_MM / mm_per_px)).any())


def _disc(diameter_px: float) -> npt.NDArray[np.uint8]:
    size = max(1, round(diameter_px)) | 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
