"""One-step predictions of a switching model whose latents have noise."""

import math

import torch
from torch import Tensor

from ...expfam import mniw, niw
from ..types import Filtered, GaussianEvidence
from . import autoregression

__all__ = ["filter"]


def filter(
    dynamics: mniw.Natural,
    start: niw.Natural | None,
    first: Tensor,
    rows: Tensor,
    evidence: GaussianEvidence,
    lengths: Tensor | None,
) -> Filtered:
    """Predict the evidence of every frame from that of the frames before, parameters at their means.

    The exact filter of a switching model has K^t terms. Here the latents given the past are one
    Gaussian with the mixture's mean and covariance ("generalized pseudo-Bayes of first order").
    Without dynamics the filter is exact.

    Parameters
    ----------
    dynamics : mniw.Natural
        (K, ...)
    start : niw.Natural or None
        Distribution of x_1; None if no frame depends on another.
    first, rows : (K,) and (K, K)
        Probabilities of the first state and of the steps.
    evidence : GaussianEvidence
        (..., T, D)
    lengths : (...) int, optional
        Frames that count in each sequence.

    References
    ----------
    doi:10.1109/TAC.1970.1099359 (first-order generalized pseudo-Bayes).
    """
    leading, (frames, size) = tuple(evidence.mean.shape[:-2]), evidence.mean.shape[-2:]
    count = math.prod(leading)
    means = evidence.mean.reshape(count, frames, size).double()
    precisions = evidence.precision.reshape(count, frames, size).double()
    usable = (precisions > 0).any(-1)
    if lengths is not None:
        usable = usable & (torch.arange(frames) < lengths.reshape(count, 1))
    means = torch.where(usable[..., None] & (precisions > 0), means, 0.0)
    precisions = torch.where(usable[..., None], precisions, 0.0)
    standard = mniw.to_standard(dynamics)
    noise = autoregression.noise(standard)
    weights, offsets = standard.mean[..., :-1], standard.mean[..., -1]
    log_density = means.new_zeros((count, frames))
    log_scale = torch.where(precisions > 0, torch.log(precisions / (2 * math.pi)), 0.0).sum(-1) / 2
    belief = first.expand(count, -1)
    center = spread = means.new_zeros(0)
    for t in range(frames):
        if t:
            belief = belief @ rows
        if start is None:
            center, spread = offsets.expand(count, *offsets.shape), noise.expand(count, *noise.shape)
        elif t == 0:
            origin = niw.to_standard(start)
            center = origin.mean.expand(count, 1, size)
            spread = (origin.scale / (origin.degrees - size - 1) * (1 + 1 / origin.mean_count)).expand(
                count, 1, size, size
            )
        else:
            moved = weights @ spread[:, None]
            center = (weights @ center[:, None, :, None])[..., 0] + offsets
            spread = moved @ weights.mT + noise
        score, surprise, gain = _measure(means[:, t], precisions[:, t], center, spread)
        joint = torch.log(belief) + score
        total = torch.logsumexp(joint, -1)
        log_density[:, t] = total + log_scale[:, t]
        belief = torch.exp(joint - total[:, None])
        if start is not None:
            center = center + (gain.mT @ surprise[..., None])[..., 0]
            spread = spread - gain.mT @ gain
            share = belief if center.shape[1] > 1 else torch.ones_like(belief[:, :1])
            mean = (share[..., None] * center).sum(1)
            apart = center - mean[:, None]
            outer = apart[..., :, None] * apart[..., None, :]
            spread = (share[..., None, None] * (spread + outer)).sum(1)
            center, spread = mean, (spread + spread.mT) / 2
    log_density = torch.where(usable, log_density, 0.0)
    return Filtered(log_density.reshape(*leading, frames), usable.reshape(*leading, frames))


def _measure(
    mean: Tensor, precision: Tensor, center: Tensor, spread: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Compare one frame's evidence (B, D) with its prediction under every state, (B, K, ...).

    Returns the log density (B, K) up to a constant, the whitened surprise (B, K, D), and the
    whitened gain (B, K, D, D).
    """
    # With r = √R: (Q + 1/R)⁻¹ = r (1 + r Q r)⁻¹ r, which needs no inverse of R.
    root = precision.sqrt()[:, None]
    innovation = root * (mean[:, None] - center)
    inner = root[..., :, None] * spread * root[..., None, :]
    factor = torch.linalg.cholesky(inner + torch.eye(mean.shape[-1], dtype=torch.float64))
    whitened = torch.linalg.solve_triangular(
        factor, torch.cat([innovation[..., None], root[..., None] * spread], -1), upper=False
    )
    surprise, gain = whitened[..., 0], whitened[..., 1:]
    log_det = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return -0.5 * surprise.square().sum(-1) - log_det, surprise, gain
