"""Latents of one recording, as PCA hands them to training."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["LatentSeries"]


class LatentSeries(NamedTuple):
    """Latents of every tick of a recording.

    Attributes
    ----------
    values : (T, D) float64
        Whitened latents: mean 0 and variance 1 over the training frames. NaN where missing.
    observed : (T,) bool
        False where there was no frame, or too few of its pixels were measured.
    """

    values: npt.NDArray[np.float64]
    observed: npt.NDArray[np.bool_]
