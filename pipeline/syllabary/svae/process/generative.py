"""A trained prior of any kind as one generative process, its parameters at their means."""

from typing import NamedTuple

import torch
from torch import Tensor

from ...expfam import mniw, niw
from ...priors.blocks import autoregression, sticky
from ...priors.interface import GlobalParameters, MixtureParameters, StartParameters, StickyParameters

__all__ = ["Gaussian", "GenerativeProcess", "generative_process", "stationary"]

# A step that was never counted keeps a probability that has a logarithm.
SMALLEST = 1e-12


class Gaussian(NamedTuple):
    """A Gaussian."""

    mean: Tensor
    """(D,)"""
    covariance: Tensor
    """(D, D)"""


class GenerativeProcess(NamedTuple):
    """``z_t ~ rows[z_{t-1}]``, ``x_t ~ N(W_z [x_{t-1}, ..., x_{t-L}] + b_z, Q_z)``; all float64."""

    first: Tensor
    """(K,) probabilities of a state at any time: what a sequence that is cut out begins with."""
    rows: Tensor
    """(K, K) probabilities of the steps."""
    weights: Tensor
    """(K, D, L D), the latest frame first; zeros where no frame depends on another."""
    offsets: Tensor
    """(K, D)"""
    noise: Tensor
    """(K, D, D) covariances."""
    start: Gaussian | None
    """Of the first frame of a sequence; None: every frame is drawn by its state alone."""

    @property
    def size(self) -> int:
        """D."""
        return self.offsets.shape[-1]

    @property
    def lags(self) -> int:
        """L."""
        return self.weights.shape[-1] // self.size


def generative_process(parameters: GlobalParameters) -> GenerativeProcess:
    """Read the parameters of any file in ``priors/`` as a generative process.

    A sequence to be scored begins anywhere in a recording. So its first state has the stationary
    probabilities of the steps, its first frame the distribution of all whitened latents, N(0, 1) in
    the units of the model, and before it the animal stood still: lags that reach back beyond the
    first frame read the first frame. All models with dynamics thus pay the same for one frame.

    Parameters
    ----------
    parameters : NamedTuple
        Of ``arhmm``, ``slds``, ``lds``, ``hmm`` or ``gmm``.
    """
    if isinstance(parameters, StickyParameters):
        rows = sticky.counted(parameters.transition, parameters.kappa).clamp(min=SMALLEST)
    else:
        assert isinstance(parameters, MixtureParameters)
        shares = sticky.mean(parameters.shares)
        rows = shares.expand(len(shares), -1)
    standard = mniw.to_standard(parameters.dynamics)
    weights, offsets = standard.mean[..., :-1], standard.mean[..., -1]
    noise = autoregression.noise(standard)
    size = offsets.shape[-1]
    start = None
    if weights.shape[-1]:
        unit = torch.eye(size, dtype=offsets.dtype, device=offsets.device)
        start = Gaussian(offsets.new_zeros(size), unit)
        if isinstance(parameters, StartParameters):
            start_distribution = niw.to_standard(parameters.start_hyperprior)
            start = Gaussian(
                start_distribution.mean,
                start_distribution.scale / (start_distribution.degrees - size - 1),
            )
    else:
        weights = weights.new_zeros((*offsets.shape, size))
    return GenerativeProcess(stationary(rows), rows, weights, offsets, (noise + noise.mT) / 2, start)


def stationary(rows: Tensor) -> Tensor:
    """Return the stationary probabilities (K,) of a chain.

    Parameters
    ----------
    rows : (K, K) float64
        Transition probabilities.

    References
    ----------
    doi:10.1287/opre.33.5.1107, which subtracts nothing and so keeps the digits of rare states.
    """
    states = len(rows)
    left = rows.clone()
    # Take the states out one by one, the last first: what went through them goes on directly.
    for k in range(states - 1, 0, -1):
        left[:k, k] /= left[k, :k].sum()
        left[:k, :k] += left[:k, k, None] * left[k, :k]
    probabilities = torch.ones_like(rows[0])
    for k in range(1, states):
        probabilities[k] = (probabilities[:k] * left[:k, k]).sum()
    return probabilities / probabilities.sum()
