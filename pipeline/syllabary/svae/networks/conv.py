"""Convolutions that correct the linear network where crops are not linear in the latents.

The encoder halves the crop in every stage and adds to the mean and log precision of the PCA. The decoder
mirrors it and adds to the heights of the PCA. Their last layers start at zero. Each stage is a residual
block (doi:10.48550/arXiv.1603.05027) of one 3 x 3 convolution, because time per frame limits the size of
a study. Nothing is normalized over a batch, so frames are independent.
"""

import itertools
import math
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from ...reduction.pca import Pca
from . import base
from .settings.conv import Settings

__all__ = ["Decoder", "Encoder", "Settings"]

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


class Encoder(base.Encoder):
    """Latents and precisions of the PCA, corrected by the image.

    Parameters
    ----------
    settings : Settings
    reduction : Pca
    rng : numpy Generator
        Draws the initial weights, except for the last layer, which starts at zero.
    """

    def __init__(self, settings: Settings, reduction: Pca, rng: np.random.Generator):
        super().__init__(settings, reduction, rng)
        self.spread_mm = _spread_mm(reduction)
        rows, columns = _coarsest(reduction, settings)
        self.padding = _padding(reduction, settings)
        widths = (2, *settings.channels)
        self.stages = nn.Sequential(*(_Down(a, b, rng) for a, b in itertools.pairwise(widths)))
        self.hidden = _linear(widths[-1] * rows * columns, settings.hidden, rng)
        self.last = _zero(_linear(settings.hidden, 2 * len(reduction.scale), rng))

    def correction(
        self, heights: torch.Tensor, observed: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what to add to the mean, and the log of the factor on the precision: (N, D)."""
        scored = observed & self.used
        deviation = (heights.to(self.mean.dtype) - self.mean) / self.spread_mm
        image = torch.stack([torch.where(scored, deviation, 0), scored.to(self.mean.dtype)], 1)
        image = nn.functional.pad(image, self.padding).contiguous(memory_format=torch.channels_last)
        features = nn.functional.silu(self.stages(image)).flatten(1)
        shift, log_scale = self.last(nn.functional.silu(self.hidden(features))).chunk(2, -1)
        return shift, log_scale


class Decoder(base.Decoder):
    """Heights of the PCA, corrected by an image that is computed from the latents.

    Parameters
    ----------
    settings : Settings
    reduction : Pca
    rng : numpy Generator
        Draws the initial weights, except for the last layer, which starts at zero.
    """

    def __init__(self, settings: Settings, reduction: Pca, rng: np.random.Generator):
        super().__init__(settings, reduction, rng)
        self.spread_mm = _spread_mm(reduction)
        self.coarsest = _coarsest(reduction, settings)
        widths = settings.channels[::-1]
        self.first = _linear(len(reduction.scale), settings.hidden, rng)
        self.hidden = _linear(settings.hidden, widths[0] * math.prod(self.coarsest), rng)
        self.stages = nn.Sequential(*(_Up(a, b, rng) for a, b in itertools.pairwise(widths)))
        # The last stage has four values per pixel of half the size, so no convolution runs at full size.
        self.last = _zero(_convolution(widths[-1], 4, 3, rng))

    def add_correction(self, heights: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """Return heights (N, H, W), mm, with a correction that is not linear in the latents (N, D)."""
        features = self.hidden(nn.functional.silu(self.first(latents)))
        image = features.unflatten(1, (-1, *self.coarsest))
        image = self.stages(image.contiguous(memory_format=torch.channels_last))
        image = nn.functional.pixel_shuffle(self.last(nn.functional.silu(image)), 2)[:, 0]
        rows, columns = self.mean.shape
        image = (self.spread_mm * self.used * image[:, :rows, :columns]).flatten(1)
        # Project the components out of the correction, so that latents stay the components' scores.
        image = image - (image @ self.components.T) @ self.components
        return heights + image.view_as(heights)


class _Down(nn.Module):
    """Halve the sides: means of 2 x 2 pixels, with channels mixed, plus a convolution."""

    def __init__(self, inputs: int, outputs: int, rng: np.random.Generator):
        super().__init__()
        self.mix = _convolution(inputs, outputs, 1, rng)
        self.convolution = _convolution(inputs, outputs, 3, rng, stride=2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        mixed = self.mix(nn.functional.avg_pool2d(image, 2))
        return (mixed + self.convolution(nn.functional.silu(image))) * math.sqrt(0.5)


class _Up(nn.Module):
    """Double the sides: mixed channels plus a convolution, each pixel repeated 2 x 2."""

    def __init__(self, inputs: int, outputs: int, rng: np.random.Generator):
        super().__init__()
        self.mix = _convolution(inputs, outputs, 1, rng)
        self.convolution = _convolution(inputs, outputs, 3, rng)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        coarse = (self.mix(image) + self.convolution(nn.functional.silu(image))) * math.sqrt(0.5)
        return nn.functional.interpolate(coarse, scale_factor=2, mode="nearest")


def _spread_mm(reduction: Pca) -> float:
    """SD of a used pixel over the training frames, mm, all pixels together."""
    signal = np.tensordot(reduction.scale**2, reduction.components**2, axes=1)
    return float(np.sqrt(np.mean((signal + reduction.pixel_variance_mm2)[reduction.used])))


def _coarsest(reduction: Pca, settings: Settings) -> tuple[int, int]:
    """Rows and columns after the last stage."""
    rows, columns = reduction.mean.shape
    halvings: int = 2 ** len(settings.channels)
    return -(-rows // halvings), -(-columns // halvings)


def _padding(reduction: Pca, settings: Settings) -> tuple[int, int, int, int]:
    """Columns and rows to append, as ``nn.functional.pad`` takes them."""
    halvings = 2 ** len(settings.channels)
    rows, columns = (-side % halvings for side in reduction.mean.shape)
    return 0, columns, 0, rows


def _convolution(
    inputs: int, outputs: int, side: int, rng: np.random.Generator, *, stride: int = 1
) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, side, stride=stride, padding=side // 2, device="meta")
    return _drawn(layer, rng)


def _linear(inputs: int, outputs: int, rng: np.random.Generator) -> nn.Linear:
    return _drawn(nn.Linear(inputs, outputs, device="meta"), rng)


@torch.no_grad()
def _drawn(layer: Layer, rng: np.random.Generator) -> Layer:
    """Draw weights of variance 2 over the number of inputs (doi:10.1109/ICCV.2015.123), and bias 0.

    The layer is on the meta device, so that torch does not draw weights from its global generator.
    """
    shape = tuple(layer.weight.shape)
    weight = rng.standard_normal(shape, np.float32) * math.sqrt(2 / math.prod(shape[1:]))
    layer = _zero(layer.to_empty(device="cpu"))
    layer.weight.copy_(torch.from_numpy(weight))
    return layer


@torch.no_grad()
def _zero(layer: Layer) -> Layer:
    for parameter in layer.parameters():
        parameter.zero_()
    return layer
