"""The filtered distribution of a frame, given itself and the frames before it."""

from typing import NamedTuple

import torch
from torch import Tensor

from ...messages import switching
from .chain import Potential
from .generative import GenerativeProcess

__all__ = ["Belief", "filtered", "step", "switching_model"]

# Share of the largest eigenvalue below which a direction of a precision is as good as unknown.
UNKNOWN = 1e-8


class Belief(NamedTuple):
    """Filtered distribution of the last frame of sequences: its state, its latents and earlier ones."""

    states: Tensor
    """(N, K) probabilities."""
    means: Tensor
    """(N, L D), the latest frame first."""
    covariances: Tensor
    """(N, L D, L D)"""
    nodes: Tensor
    """(N, T, K) log density of the potential of every frame, given its state and the frames before."""
    log_density: Tensor
    """(N, T) the same, given the frames before alone."""


def filtered(generative_process: GenerativeProcess, potential: Potential) -> Belief:
    """Return the filtered distribution of the last frame of sequences.

    The latents given the past are held as one Gaussian with the mixture's mean and covariance.

    Parameters
    ----------
    generative_process : GenerativeProcess
    potential : Potential
        (N, T, ...), of the latents given the frames.

    References
    ----------
    doi:10.1109/TAC.1970.1099359 (first-order generalized pseudo-Bayes).
    """
    # −½ xᵀ R x + hᵀ x = −½ (x − y)ᵀ R (x − y) + gᵀ (x − y) + ½ (h + g)ᵀ y with g = h − R y, for any y.
    # The nearer y is to R⁻¹ h, the fewer digits are lost; directions that R hardly knows are left out.
    value, vector = torch.linalg.eigh(potential.precision)
    value = value.clamp(min=0)
    root = vector * value.sqrt()[..., None, :]
    damping = (UNKNOWN * value[..., -1:]).square().clamp(min=torch.finfo(value.dtype).tiny)
    pull = potential.precision_mean
    along = (pull[..., None, :] @ vector)[..., 0, :] * value / (value.square() + damping)
    means = (vector @ along[..., None])[..., 0]
    linear = pull - (root @ (root.mT @ means[..., None]))[..., 0]
    belief = switching.filter(switching_model(generative_process), root, means, linear)
    constant = 0.5 * ((pull + linear) * means).sum(-1)
    return Belief(*belief[:3], belief.nodes + constant[..., None], belief.log_density + constant)


def switching_model(generative_process: GenerativeProcess) -> switching.SwitchingModel:
    """Return the same process as ``messages`` takes it."""
    start = generative_process.start
    return switching.SwitchingModel(
        *generative_process[:5], None if start is None else switching.Start(*start)
    )


def step(
    generative_process: GenerativeProcess,
    means: Tensor,
    covariances: Tensor,
    states: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Move Gaussians one frame forward.

    Parameters
    ----------
    generative_process : GenerativeProcess
    means : (N, S, L D), or (N, 1, L D), float64
    covariances : (N, S, L D, L D), or (N, 1, L D, L D), float64
    states : (N, S) int64, optional
        The state of each; by default every Gaussian moves by every state.
    """
    weights, offsets, noise = (
        generative_process.weights,
        generative_process.offsets,
        generative_process.noise,
    )
    if states is not None:
        weights, offsets, noise = weights[states], offsets[states], noise[states]
    size = generative_process.size
    kept = means.shape[-1] - size
    moved = weights @ covariances
    center = (weights @ means[..., None])[..., 0] + offsets
    inner = moved @ weights.mT + noise
    inner = (inner + inner.mT) / 2
    if not kept:
        return center, inner
    shape = center.shape[:-1]
    across = moved[..., :kept]
    old = covariances[..., :kept, :kept].expand(*shape, kept, kept)
    top = torch.cat([inner, across], -1)
    low = torch.cat([across.mT, old], -1)
    return torch.cat([center, means[..., :kept].expand(*shape, kept)], -1), torch.cat([top, low], -2)
