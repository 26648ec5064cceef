"""The interface of a network: the types that callers of encoders and decoders use.

A network is a module of this folder that satisfies ``Network``. Its encoder and decoder are
``torch.nn.Module`` with float32 weights. ``base`` has classes that satisfy ``Encoder`` and ``Decoder``.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol, Self, TypeVar, runtime_checkable

import numpy as np
import torch
from torch import nn

from ...reduction.pca import Pca
from ...settings import Settings

__all__ = ["Decoder", "Encoder", "Network"]

C = TypeVar("C", bound=Settings)


class Trainable(Protocol):
    """What ``torch.nn.Module`` offers, as far as it is used."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yield the trainable tensors; none if the network is fixed."""

    def state_dict(self) -> Mapping[str, torch.Tensor]:
        """Return all tensors by name."""

    def load_state_dict(self, state_dict: Mapping[str, torch.Tensor]) -> object:
        """Replace all tensors, by name."""

    def to(self, device: torch.device) -> Self:
        """Move all tensors to a device, in place."""

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set whether autograd records operations on the parameters."""


class Encoder(Trainable, Protocol):
    """From crops to a Gaussian potential on the latents of each frame."""

    @property
    def used(self) -> torch.Tensor:
        """(H, W) bool, pixels that are modeled; on the device of the weights."""

    @property
    def max_precision(self) -> float:
        """Upper limit of the precision of a latent."""

    def __call__(
        self,
        heights: torch.Tensor,
        observed: torch.Tensor,
        means: torch.Tensor,
        information: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and precision of the potential of each frame.

        Frames are independent: a batch gives the same as its frames one at a time.

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
        """


class Decoder(Trainable, Protocol):
    """From latents to the expected heights of a crop, with the noise of each pixel."""

    @property
    def used(self) -> torch.Tensor:
        """(H, W) bool, pixels that are modeled."""

    @property
    def scale(self) -> torch.Tensor:
        """(D,) standard deviations of the components' coordinates, mm."""

    @property
    def outliers(self) -> float:
        """Share of pixels that do not show the animal or the floor; 0 if pixels are Gaussian."""

    @property
    def log_floor(self) -> float:
        """Log of the smallest noise variance of a pixel, mm²."""

    def __call__(self, latents: torch.Tensor) -> torch.Tensor:
        """Return the expected heights (N, H, W) float32, mm, of whitened latents (N, D)."""

    def log_variance(self) -> torch.Tensor:
        """Return the log of the noise variance of each pixel, mm²: (H, W) float32."""


@runtime_checkable
class Network(Protocol[C]):
    """A module of this folder.

    ``C`` is the type of its settings. Every initial weight is drawn from ``rng``, and before
    training the network equals the PCA.
    """

    @property
    def Settings(self) -> type[C]:
        """Class of the settings, a section of the config."""

    def Encoder(self, settings: C, reduction: Pca, rng: np.random.Generator) -> Encoder:
        """Return an encoder for crops of the reduction's size."""

    def Decoder(self, settings: C, reduction: Pca, rng: np.random.Generator) -> Decoder:
        """Return a decoder to crops of the reduction's size."""
