"""The filtered distribution of a frame, given itself and the frames before it."""

from typing import NamedTuple

import torch
from torch import Tensor

from .chain import Potential
from .generative import GenerativeProcess

__all__ = ["Belief", "filtered", "step"]


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
    size, lags = generative_process.size, generative_process.lags
    count, frames = potential.precision_mean.shape[:2]
    states = generative_process.first.expand(count, -1)
    nodes = states.new_zeros((count, frames, states.shape[-1]))
    log_density = states.new_zeros((count, frames))
    for t in range(frames):
        if t:
            states = states @ generative_process.rows
        if generative_process.start is not None and t == 0:
            # Before its first frame the animal stood still.
            means = generative_process.start.mean.repeat(lags).expand(count, 1, -1)
            covariances = generative_process.start.covariance.repeat(lags, lags).expand(count, 1, -1, -1)
        else:
            if t == 0:
                means = generative_process.offsets.new_zeros((count, lags * size))
                covariances = means.new_zeros((count, lags * size, lags * size))
            means, covariances = step(generative_process, means[:, None], covariances[:, None])
        # exp(−½ xᵀ R x + hᵀ x) against N(m, P): with R = C Cᵀ no inverse of P or R is needed.
        precision, pull = potential.precision[:, t, None], potential.precision_mean[:, t, None]
        value, vector = torch.linalg.eigh(precision)
        root = vector * value.clamp(min=0).sqrt()[..., None, :]
        across = covariances[..., :size]
        inner = root.mT @ across[..., :size, :] @ root
        factor = torch.linalg.cholesky(inner + torch.eye(size).to(inner))
        slope = pull - (precision @ means[..., :size, None])[..., 0]
        spread = torch.linalg.solve_triangular(factor, root.mT @ across.mT, upper=False)
        down = torch.linalg.solve_triangular(
            factor, root.mT @ across[..., :size, :] @ slope[..., None], upper=False
        )[..., 0]
        log_det = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        center = means[..., :size]
        # log of the integral, with x = m + e: the exponent at m, and that of e.
        score = ((pull - 0.5 * (precision @ center[..., None])[..., 0]) * center).sum(-1) - log_det
        prior_square = (slope * (across[..., :size, :] @ slope[..., None])[..., 0]).sum(-1)
        score = score + 0.5 * (prior_square - down.square().sum(-1))
        nodes[:, t] = score
        joint = states.log() + score
        log_density[:, t] = torch.logsumexp(joint, -1)
        states = torch.softmax(joint, -1)
        means = means + (across @ slope[..., None])[..., 0] - (spread.mT @ down[..., None])[..., 0]
        covariances = covariances - spread.mT @ spread
        share = states if means.shape[1] > 1 else torch.ones_like(states[:, :1])
        mean = (share[..., None] * means).sum(1)
        apart = means - mean[:, None]
        covariances = (
            share[..., None, None] * (covariances + apart[..., :, None] * apart[..., None, :])
        ).sum(1)
        means, covariances = mean, (covariances + covariances.mT) / 2
    return Belief(states, means, covariances, nodes, log_density)


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
