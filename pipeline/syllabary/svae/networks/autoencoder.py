"""Recognizer and decoder, as a model's settings name them."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from torch import Tensor

from ... import registry
from ...reduction.pca import Pca
from ..choices import network_settings
from ..settings import ModelSettings
from .base import Decoder, Encoder

__all__ = ["Networks", "create"]


class Networks(NamedTuple):
    """A recognizer and a decoder."""

    encoder: Encoder
    decoder: Decoder

    def tensors(self) -> dict[str, Tensor]:
        """Return every weight by name, as checkpoints store them."""
        return {
            f"{part}.{name}": value.detach().clone()
            for part in self._fields
            for name, value in getattr(self, part).state_dict().items()
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Put weights in place that ``tensors`` returned."""
        for part in self._fields:
            own = {k.removeprefix(f"{part}."): v for k, v in tensors.items() if k.startswith(f"{part}.")}
            getattr(self, part).load_state_dict(own)


def create(settings: ModelSettings, reduction: Pca, rng: np.random.Generator) -> Networks:
    """Make the networks that the settings name, their weights drawn from ``rng``."""
    chosen = registry.find("syllabary.svae.networks", settings.network)
    own = network_settings(settings)
    return Networks(chosen.Encoder(own, reduction, rng), chosen.Decoder(own, reduction, rng))
