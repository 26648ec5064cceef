"""The linear network that every other one starts from and adds to."""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ...errors import ShapeError
from ...reduction.pca import Pca
from ...settings import Field
from ...settings import Settings as Section

__all__ = ["Decoder", "Encoder", "Settings", "capped"]

# A pixel at the floor starts this much above it (share of the variance), so that it can move.
ABOVE_FLOOR = 1e-2


class Settings(Section):
    """What every network needs beside the components."""

    max_precision: float = Field(
        1e4,
        gt=0,
        description="precision of a latent from its frame alone, at most; latents have variance 1",
    )
    noise_floor_mm: float = Field(
        1.0, gt=0, description="SD of the noise of a pixel, mm, below which training cannot bring it"
    )
    outliers: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of pixels that are none of the animal's (cables, reflections); 0 = Gaussian",
    )


def capped(information: torch.Tensor, log_scale: torch.Tensor, most: float) -> torch.Tensor:
    """Scale a precision, and keep it smoothly below the most it may be.

    Parameters
    ----------
    information : (N, D) floating
        Precision to start from, not negative.
    log_scale : (N, D), same dtype
        Logarithm of the factor; any number.
    most : float
        Upper limit R_max.

    Returns
    -------
    (N, D), same dtype
        R with ``1/R = 1/R_max + 1/(information exp(log_scale))``; 0 where there is no
        information. The gradient is finite everywhere, which a clip's is not above the limit.
    """
    known = information > 0
    # A product of exponentials could overflow, and log 0 has no gradient.
    log_ratio = torch.where(known, information, 1).log() + log_scale - math.log(most)
    return torch.where(known, most * torch.sigmoid(log_ratio), 0)


class Encoder(nn.Module):
    """The PCA's own latents, with the information that the measured pixels give.

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
            Latents and their precisions as the PCA has them; means may be anything where
            there is no information.

        Returns
        -------
        mean, precision : (N, D) float32
            Whitened units; both 0 where there is no information.

        Raises
        ------
        ShapeError
            Frames are not of the size of the components, or not as many as latents.
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
    """The crops that latents stand for by the components, and the noise of each pixel.

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
        """Return the heights (N, H, W) float32, mm, that whitened latents (N, D) stand for.

        Raises
        ------
        ShapeError
            Latents are not of the components' number of dimensions.
        """
        if latents.ndim != 2 or latents.shape[1] != len(self.scale):
            raise ShapeError(
                f"latents are {tuple(latents.shape)}; these components take (N, {len(self.scale)})."
            )
        latents = latents.to(self.mean.dtype)
        linear = torch.addmm(self.mean.flatten(), latents * self.scale, self.components)
        return self.add_correction(linear.view(len(latents), *self.mean.shape), latents)

    def add_correction(self, heights: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """Return heights (N, H, W), mm, corrected for what is not linear in the latents (N, D)."""
        return heights

    def log_variance(self) -> torch.Tensor:
        """Return the log of the noise variance of each pixel, mm²: (H, W) float32.

        The variance is ``floor² + exp(parameter)``: that of the PCA at first, and never below
        the floor.
        """
        floor = self.log_above_floor.new_tensor(self.log_floor)
        return torch.logaddexp(self.log_above_floor, floor)


def _float32(values: npt.NDArray[np.floating]) -> torch.Tensor:
    """Copy, so that no module shares memory with the reduction."""
    return torch.from_numpy(np.array(values, np.float32))
