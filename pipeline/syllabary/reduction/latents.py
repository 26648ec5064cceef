"""Latents of one recording, as the reduction hands them to training."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["LatentSeries"]


class LatentSeries(NamedTuple):
    """Latents of every tick of a recording: first the pose, then how the animal moves, if it counts.

    Attributes
    ----------
    values : (T, D) float64
        Whitened latents: mean 0 and variance 1 over the training frames. NaN where missing; a tick
        may have a pose and no motion.
    observed : (T,) bool
        False where there was no frame, or too few of its pixels were measured.
    information : (T, D) float64, optional
        Precision that the measured pixels alone give each latent, the others being known:
        ``sum_p observed_p (scale_d V_dp)² / variance_p``, with the noise of the latent over time
        added to its variance. 0 where missing. Latents that were not made of crops have none.
    shifts : (T, 3) float64, optional
        How the animal's image is moved against the template: px, px, rad.
    subject_offset : (pose,) float64, optional
        The animal's own mean pose, which the values are without.
    motion : int
        Number of the last dimensions that are motion.
    """

    values: npt.NDArray[np.float64]
    observed: npt.NDArray[np.bool_]
    information: npt.NDArray[np.float64] | None = None
    shifts: npt.NDArray[np.float64] | None = None
    subject_offset: npt.NDArray[np.float64] | None = None
    motion: int = 0

    @property
    def pose(self) -> int:
        """Number of the first dimensions, which a decoder takes."""
        return self.values.shape[1] - self.motion
