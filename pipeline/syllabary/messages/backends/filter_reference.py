"""The filter of a switching model in plain torch, all states of a frame at once.

A part of ``reference``, whose notes hold here too.
"""

import torch
from torch import Tensor

__all__ = ["switching_filter"]

Tensors = tuple[Tensor, ...]


def switching_filter(
    model: Tensors, evidence: Tensors, lengths: Tensor, results: Tensors, fault: Tensor
) -> None:
    """Generalized pseudo-Bayes of first order; see ``messages.switching``, also for m', L, u and S."""
    first, rows, weights, offsets, noise, start, start_covariance = model
    nodes, log_density, states, means, covariances = results
    size, width = offsets.shape[1], weights.shape[2]
    for i, length in enumerate(lengths.tolist()):
        belief, mean, covariance = first, start, start_covariance
        for t in range(length):
            root, y, g = (part[i, t] for part in evidence)
            if root.shape[1] == 1:
                root = torch.diag(root[:, 0])
            if t:
                belief = belief @ rows
            if not width:
                m, P = offsets, noise
            elif t == 0:  # one Gaussian for all states
                m, P = mean[None], covariance[None]
            else:
                m, P = _moved(weights, offsets, noise, mean, covariance)
            across = P[:, :, :size]
            moved = m + across @ g
            inner = root.mT @ across[:, :size] @ root
            factor, failed = torch.linalg.cholesky_ex(inner + torch.eye(len(root.mT)).to(inner))
            u = _solved(factor, ((y - moved[:, :size]) @ root)[..., None])[..., 0]
            S = _solved(factor, root.mT @ across.mT)
            score = (m[:, :size] - y) @ g + 0.5 * across[:, :size] @ g @ g
            score = score - 0.5 * u.square().sum(-1) - factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
            joint = belief.log() + score
            nodes[i, t], log_density[i, t] = score, torch.logsumexp(joint, -1)
            belief = torch.softmax(joint, -1)
            if failed.any() or not log_density[i, t].isfinite():
                fault[i] = t
                break
            m, P = moved + (S.mT @ u[..., None])[..., 0], P - S.mT @ S
            share = belief if len(m) > 1 else torch.ones_like(belief[:1])
            mean = share @ m
            apart = m - mean
            covariance = (share[:, None, None] * P).sum(0) + (share[:, None] * apart).mT @ apart
            covariance = (covariance + covariance.mT) / 2
        if length:
            states[i], means[i], covariances[i] = belief, mean, covariance


def _moved(
    weights: Tensor, offsets: Tensor, noise: Tensor, mean: Tensor, covariance: Tensor
) -> tuple[Tensor, Tensor]:
    """Means (K, L D) and covariances one frame later: a new block comes first, and the last is lost."""
    states, size, width = weights.shape
    kept = width - size
    across = weights @ covariance
    top = torch.cat([across @ weights.mT + noise, across[..., :kept]], -1)
    low = torch.cat([across[..., :kept].mT, covariance[:kept, :kept].expand(states, kept, kept)], -1)
    center = torch.cat([weights @ mean + offsets, mean[:kept].expand(states, kept)], -1)
    return center, torch.cat([top, low], -2)


def _solved(factor: Tensor, right: Tensor) -> Tensor:
    """L⁻¹ times a matrix."""
    return torch.linalg.solve_triangular(factor, right, upper=False)
