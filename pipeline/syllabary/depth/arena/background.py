"""The empty arena: the depth of every pixel when nothing stands on it."""

import cv2
import numba
import numpy as np
import numpy.typing as npt

from ..settings import BackgroundSettings
from ..video import Video
from . import ordering

__all__ = ["MIN_SAMPLES", "estimate", "far_mode", "of", "sample"]

MIN_SAMPLES = 3
STRIP_ROWS = 32
# Quantile of a pixel's depths that only the floor reaches. Where it lies this much farther than the
# median, an animal rested there.
FAR_QUANTILE, OBJECT_MM = 0.9, 8.0


def estimate(video: Video, settings: BackgroundSettings) -> npt.NDArray[np.uint16]:
    """Estimate the background of a recording in which nothing but the animal moves.

    Returns
    -------
    (rows, columns) uint16
        Depth, mm; 0 where the sensor hardly ever measured.
    """
    return of(sample(video, settings))


def sample(video: Video, settings: BackgroundSettings) -> npt.NDArray[np.uint16]:
    """Return frames spread over the recording, (n, rows, columns) uint16, mm."""
    wanted = np.unique(np.linspace(0, len(video) - 1, settings.frames).astype(int))
    samples = np.empty((len(wanted), *video.shape), np.uint16)
    for k, frame in enumerate(wanted.tolist()):
        samples[k] = video.read(frame, frame + 1)[0]
    return samples


def of(samples: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    """Return the background of samples (n, rows, columns), mm; (rows, columns), 0 = unknown."""
    background = np.empty(samples.shape[1:], np.uint16)
    for row in range(0, len(background), STRIP_ROWS):
        background[row : row + STRIP_ROWS] = far_mode(samples[:, row : row + STRIP_ROWS])
    # Flying pixels at edges disagree with all their neighbors.
    blurred = cv2.medianBlur(background, 3)
    return np.where(background > 0, blurred, 0).astype(np.uint16)


def far_mode(samples: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    """Return the median of each pixel's depths, or of the farther ones where an animal rested.

    Where a mouse sleeps for most of the recording, the median is the mouse. Its pixels have two
    modes, and the floor is the farther one.

    Parameters
    ----------
    samples : (n, rows, columns) uint16
        Depth, mm; 0 = not measured, ignored.
    """
    ordered = ordering.sort(samples)
    background = np.zeros(samples.shape[1:], np.uint16)
    pixels = ordered.reshape(len(ordered), -1)
    _choose(pixels, FAR_QUANTILE, OBJECT_MM, background.reshape(-1))
    return background


@numba.njit(cache=True)
def _choose(
    ordered: npt.NDArray[np.uint16], quantile: float, object_mm: float, out: npt.NDArray[np.uint16]
) -> None:
    """Fill in ``out`` (P,) from samples (n, P) in increasing order."""
    count = len(ordered)
    for pixel in range(len(out)):
        # Unmeasured zeros sort first.
        first = _first_above(ordered, pixel, 0.0)
        last = count - 1
        if count - first < min(MIN_SAMPLES, count):
            continue
        median = ordered[first + (last - first) // 2, pixel]
        far = ordered[first + int((last - first) * quantile), pixel]
        if far > median + object_mm:
            first = _first_above(ordered, pixel, far - object_mm)
            median = ordered[first + (last - first) // 2, pixel]
        out[pixel] = median


@numba.njit(cache=True)
def _first_above(ordered: npt.NDArray[np.uint16], pixel: int, bound: float) -> int:
    low, high = 0, len(ordered)
    while low < high:
        middle = (low + high) // 2
        if ordered[middle, pixel] > bound:
            high = middle
        else:
            low = middle + 1
    return low
