"""An encoder that learns an offset of each latent; the decoder is the linear one."""

import torch

from . import base
from .base import Decoder, Settings

__all__ = ["Decoder", "Encoder", "Settings"]


class Encoder(base.Encoder):
    """The latents of the components, plus an offset that begins at zero."""

    def __init__(self, settings, reduction, rng):
        super().__init__(settings, reduction, rng)
        self.offset = torch.nn.Parameter(torch.zeros(len(reduction.scale)))

    def correction(self, heights, observed):
        """Return what to add to the mean, and the log of the factor on the precision: (N, D)."""
        shift = self.offset.expand(len(heights), -1)
        return shift, torch.zeros_like(shift)
