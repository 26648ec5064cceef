"""The empty arena: the depth of every pixel when nothing stands on it."""

import cv2
import numpy as np
import numpy.typing as npt

from . import ordering
from .settings import BackgroundSettings
from .sources import Video

__all__ = ["estimate", "far_mode"]

MIN_SAMPLES = 3
STRIP_ROWS = 32


def estimate(video: Video, settings: BackgroundSettings) -> npt.NDArray[np.uint16]:
    """Estimate the background from frames spread over the recording.

    Returns
    -------
    (rows, columns) uint16
        Depth, mm; 0 where the sensor hardly ever measured.
    """
    wanted = np.unique(np.linspace(0, len(video) - 1, settings.frames).astype(int))
    samples = np.stack([video.read(i, i + 1)[0] for i in wanted.tolist()])
    background = np.empty(video.shape, np.uint16)
    for row in range(0, video.shape[0], STRIP_ROWS):
        background[row : row + STRIP_ROWS] = far_mode(samples[:, row : row + STRIP_ROWS], settings)
    # Flying pixels at edges disagree with all their neighbors.
    blurred = cv2.medianBlur(background, 3)
    return np.where(background > 0, blurred, 0).astype(np.uint16)


def far_mode(samples: npt.NDArray[np.uint16], settings: BackgroundSettings) -> npt.NDArray[np.uint16]:
    """Return the median of each pixel's depths, or of the farther ones where an animal rested.

    A mouse that sleeps in its corner for most of the recording is the median there. Its pixels
    have two modes, and the floor is the farther one.

    Parameters
    ----------
    samples : (n, rows, columns) uint16
        Depth, mm; 0 = not measured, ignored.
    """
    ordered = np.moveaxis(ordering.sort(samples), 0, -1)
    count = ordered.shape[-1]
    # Unmeasured zeros sort first: the measured samples of a pixel are its last `valid` ones.
    valid = np.count_nonzero(ordered, axis=-1)

    def rank(position: npt.NDArray[np.floating]) -> npt.NDArray[np.uint16]:
        index = np.clip(np.floor(position).astype(int), 0, count - 1)
        return np.take_along_axis(ordered, index[..., None], axis=-1)[..., 0]

    median = rank(count - valid + (valid - 1) * 0.5)
    far = rank(count - valid + (valid - 1) * settings.far_quantile)
    threshold = far.astype(np.float64) - settings.object_mm
    farther = np.count_nonzero(ordered > threshold[..., None], axis=-1)
    floor = rank(count - farther + (farther - 1) * 0.5)
    result = np.where(far > median + settings.object_mm, floor, median)
    return np.where(valid >= min(MIN_SAMPLES, count), result, 0).astype(np.uint16)
