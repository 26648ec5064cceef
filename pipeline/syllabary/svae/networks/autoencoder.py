"""Encoder and decoder of a model, by the name in its settings."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ... import registry
from ...reduction.pca import Pca
from ...settings import Settings
from ..choices import network_settings
from ..settings import ModelSettings
from .interface import Decoder, Encoder, Network

__all__ = ["Networks", "create", "find_network"]


class Networks(NamedTuple):
    """An encoder and a decoder."""

    encoder: Encoder
    decoder: Decoder

    def tensors(self) -> dict[str, Tensor]:
        """Return every weight by name, as checkpoints store them."""
        return {
            f"{part}.{name}": value.detach().clone()
            for part, network in (("encoder", self.encoder), ("decoder", self.decoder))
            for name, value in network.state_dict().items()
        }

    def to(self, device: torch.device) -> "Networks":
        """Move all weights to a device, in place."""
        for network in self:
            network.to(device)
        return self

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Replace all weights by those in ``tensors``."""
        for part, network in (("encoder", self.encoder), ("decoder", self.decoder)):
            prefix = f"{part}."
            network.load_state_dict(
                {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            )


def find_network(name: str) -> Network[Settings]:
    """Import the network of that name, a module of this folder.

    Raises
    ------
    UnknownName
        There is no such network; the message names the nearest one.
    TypeError
        The module lacks a member of ``Network``.
    """
    module = registry.find("syllabary.svae.networks", name)
    if not isinstance(module, Network):
        raise TypeError(f"{module.__name__} lacks a member of networks.interface.Network.")
    network: Network[Settings] = module
    return network


def create(settings: ModelSettings, reduction: Pca, rng: np.random.Generator) -> Networks:
    """Create the networks of a model, with weights drawn from ``rng``."""
    network = find_network(settings.network)
    checked = network_settings(settings)
    return Networks(network.Encoder(checked, reduction, rng), network.Decoder(checked, reduction, rng))
