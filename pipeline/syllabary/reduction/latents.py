"""The latents of a recording, which reduction makes and the models are trained on."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..records.clock import Clock

__all__ = ["LatentSeries"]


class LatentSeries(NamedTuple):
    """Latents of every tick of a recording: the pose, then the motion if the model uses it.

    Attributes
    ----------
    values : (T, D) float64
        Whitened latents: mean 0 and variance 1 over the training frames. NaN where missing; a tick
        may have a pose and no motion.
    observed : (T,) bool
        False where there was no frame, or too few of its pixels were measured.
    information : (T, D) float64, optional
        Precision of each latent given the measured pixels and the other latents. It is
        ``sum_p observed_p (scale_d V_dp)² / variance_p``; the latent's noise over time is added to
        the variance. 0 where missing. Latents that were not computed from crops have none.
    shifts : (T, 3) float64, optional
        Shift of the animal's image against the template: px, px, rad.
    subject_offset : (pose,) float64, optional
        Mean pose of the animal, which was subtracted from the values.
    motion : int
        Number of the last dimensions that are motion.
    subject : str
        The animal; empty if the recording is the only one of its animal.
    clock : Clock, optional
        Ticks of the series, if they are not those of the recording; its frames are at another rate.
    """

    values: npt.NDArray[np.float64]
    observed: npt.NDArray[np.bool_]
    information: npt.NDArray[np.float64] | None = None
    shifts: npt.NDArray[np.float64] | None = None
    subject_offset: npt.NDArray[np.float64] | None = None
    motion: int = 0
    subject: str = ""
    clock: Clock | None = None

    @property
    def pose(self) -> int:
        """Number of the first dimensions, which the decoder takes."""
        return self.values.shape[1] - self.motion
