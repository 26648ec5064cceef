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
    information : (T, D) float64, optional
        Precision that the measured pixels alone give each latent, the others being known:
        ``sum_p observed_p (scale_d V_dp)² / variance_p``. 0 where not observed. Latents that
        were not made of crops have none.
    """

    values: npt.NDArray[np.float64]
    observed: npt.NDArray[np.bool_]
    information: npt.NDArray[np.float64] | None = None
