"""The linear network, from which the others derive.

Its encoder returns the latents of the PCA, and its decoder the crops of the PCA. Other networks override
``correction`` and ``add_correction``.
"""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ...errors import ShapeError
from ...reduction.pca import Pca
from ..settings import NetworkSettings as Settings

__all__ = ["Decoder", "Encoder", "Settings", "capped"]

# The noise variance of a pixel starts at least this share above its floor, so that it has a gradient.
ABOVE_FLOOR = 1e-2


def capped(information: torch.Tensor, log_scale: torch.Tensor, max_precision: float) -> torch.Tensor:
    """Scale a precision, and keep it smoothly below a limit.

    Parameters
    ----------
    information : (N, D) floating
        Precision to start from, not negative.
    log_scale : (N, D), same dtype
        Logarithm of the factor; any number.
    max_precision : float
        The limit R_max.

    Returns
    -------
    (N, D), same dtype
        R with ``1/R = 1/R_max + 1/(information exp(log_scale))``; 0 where there is no
        information. The gradient is finite, and not 0 where a clipped precision would have none.
    """
    informed = information > 0
    # A product of exponentials could overflow, and log 0 has no gradient.
    log_ratio = torch.where(informed, information, 1).log() + log_scale - math.log(max_precision)
    return torch.where(informed, max_precision * torch.sigmoid(log_ratio), 0)


class Encoder(nn.Module):
    """Latents of the PCA, with the precision that the measured pixels give them.

    Parameters
    ----------
    settings : Settings
    reduction : Pca
    rng : numpy Generator
        Draws the initial weights; there are none here.
    """

    mean: torch.Tensor
    used: torch.Tensor

    def __init__(self, settings: Settings, reduction: Pca, rng: np.random.Generator):
        super().__init__()
        self.max_precision = settings.max_precision
        self.register_buffer("mean", _float32(reduction.mean))
        self.register_buffer("used", torch.from_numpy(np.array(reduction.used, bool)))

    def forward(
        self,
        heights: torch.Tensor,
        observed: torch.Tensor,
        means: torch.Tensor,
        information: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the Gaussian potential of each frame on its latents.

        Parameters
        ----------
        heights : (N, H, W) floating
            mm above the floor; anything where not observed.
        observed : (N, H, W) bool
        means, information : (N, D) floating
            Latents of the PCA and their precisions; means may be anything where there is no
            information.

        Returns
        -------
        mean, precision : (N, D) float32
            Whitened units; both 0 where there is no information.

        Raises
        ------
        ShapeError
            Frames differ from the components in size, or from the latents in number.
        """
        expected = (len(means), *self.mean.shape)
        if tuple(heights.shape) != expected or heights.shape != observed.shape:
            raise ShapeError(
                f"heights are {tuple(heights.shape)} and observed {tuple(observed.shape)}; these "
                f"components and latents take {expected}."
            )
        means, information = means.to(self.mean.dtype), information.to(self.mean.dtype)
        shift, log_scale = self.correction(heights, observed & (information > 0).any(-1)[:, None, None])
        mean = torch.where(information > 0, means + shift, 0)
        return mean, capped(information, log_scale.expand_as(mean), self.max_precision)

    def correction(
        self, heights: torch.Tensor, observed: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what to add to the mean, and the log of the factor on the precision."""
        return self.mean.new_zeros(()), self.mean.new_zeros(())


class Decoder(nn.Module):
    """Expected crops by the components, and the noise of each pixel.

    Parameters
    ----------
    settings : Settings
    reduction : Pca
    rng : numpy Generator
        Draws the initial weights; there are none here.
    """

    mean: torch.Tensor
    used: torch.Tensor
    components: torch.Tensor
    scale: torch.Tensor

    def __init__(self, settings: Settings, reduction: Pca, rng: np.random.Generator):
        super().__init__()
        self.register_buffer("mean", _float32(reduction.mean))
        self.register_buffer("used", torch.from_numpy(np.array(reduction.used, bool)))
        self.register_buffer("components", _float32(reduction.components).flatten(1))
        self.register_buffer("scale", _float32(reduction.scale))
        self.outliers = settings.outliers
        floor = settings.noise_floor_mm**2
        self.log_floor = math.log(floor)
        above = np.maximum(reduction.pixel_variance_mm2 - floor, ABOVE_FLOOR * floor)
        self.log_above_floor = nn.Parameter(_float32(np.log(above)))

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Return the expected heights (N, H, W) float32, mm, of whitened latents (N, D).

        Raises
        ------
        ShapeError
            Latents have another number of dimensions than the components.
        """
        if latents.ndim != 2 or latents.shape[1] != len(self.scale):
            raise ShapeError(
                f"latents are {tuple(latents.shape)}; these components take (N, {len(self.scale)})."
            )
        latents = latents.to(self.mean.dtype)
        linear = torch.addmm(self.mean.flatten(), latents * self.scale, self.components)
        return self.add_correction(linear.view(len(latents), *self.mean.shape), latents)

    def add_correction(self, heights: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """Return heights (N, H, W), mm, with a correction that is not linear in the latents (N, D)."""
        return heights

    def log_variance(self) -> torch.Tensor:
        """Return the log of the noise variance of each pixel, mm²: (H, W) float32.

        The variance is ``floor² + exp(parameter)``. It starts at that of the PCA and stays above the
        floor.
        """
        floor = self.log_above_floor.new_tensor(self.log_floor)
        return torch.logaddexp(self.log_above_floor, floor)


def _float32(values: npt.NDArray[np.floating]) -> torch.Tensor:
    """Copy as a tensor, so that no module shares memory with the reduction."""
    return torch.from_numpy(np.array(values, np.float32))
