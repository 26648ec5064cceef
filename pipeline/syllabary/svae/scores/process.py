"""A trained prior of any kind as one kind of process, its parameters at their means."""

from typing import NamedTuple

import torch
from torch import Tensor

from ...expfam import mniw, niw
from ...priors.blocks import autoregression, sticky
from ...priors.interface import GlobalParameters, MixtureParameters, StartParameters, StickyParameters

__all__ = ["Law", "Process", "process", "stationary"]

# A step that was never counted keeps a probability that has a logarithm.
SMALLEST = 1e-12


class Law(NamedTuple):
    """A Gaussian."""

    mean: Tensor
    """(D,)"""
    covariance: Tensor
    """(D, D)"""


class Process(NamedTuple):
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
    start: Law | None
    """Of the first frame of a sequence; None: every frame is drawn by its state alone."""

    @property
    def size(self) -> int:
        """D."""
        return self.offsets.shape[-1]

    @property
    def lags(self) -> int:
        """L."""
        return self.weights.shape[-1] // self.size


def process(parameters: GlobalParameters) -> Process:
    """Read the parameters of any file in ``priors/`` as a process.

    A sequence to be scored begins anywhere in a recording. So its first state has the stationary
    probabilities of the steps, its first frame the law that all whitened latents have, N(0, 1) in
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
        start = Law(torch.zeros(size, dtype=torch.float64), torch.eye(size, dtype=torch.float64))
        if isinstance(parameters, StartParameters):
            base = niw.to_standard(parameters.start_hyperprior)
            start = Law(base.mean, base.scale / (base.degrees - size - 1))
    else:
        weights = weights.new_zeros((*offsets.shape, size))
    return Process(stationary(rows), rows, weights, offsets, (noise + noise.mT) / 2, start)


def stationary(rows: Tensor) -> Tensor:
    """Return the probabilities (K,) that a step leaves as they are.

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
    found = torch.ones_like(rows[0])
    for k in range(1, states):
        found[k] = (found[:k] * left[:k, k]).sum()
    return found / found.sum()
