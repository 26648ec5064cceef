"""Cross potentials: what one chain gives the other, sums over both, and derivatives of all."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from .. import moments
from ..dispatch import zeros
from ..products import Term, add_products
from ..regression import ar_log_likelihood
from .types import BoundaryMessages, Evidence, Latents, Potentials, Regression

__all__ = [
    "Blocks",
    "blocks_of",
    "chain_potentials",
    "chain_tangent",
    "node_potentials",
    "node_tangent",
    "sums",
    "within",
]

# Frames whose second moments are formed at once: they stay in the caches.
BLOCK = 512


def node_potentials(regression: Regression, latents: Latents, *, dynamic: bool = True) -> Tensor:
    """Mean log density of every frame under every state's regression, (B, T, K) nats.

    −½ e'Pe − ½ D s'Vs − ½⟨P, S_t⟩ + ⟨P M_x, S_{t,t−1}⟩ − ½⟨M_x'P M_x + D V_xx, S_{t−1}⟩ + ½ log|P|
    − ½ D log 2π, with e = μ_t − M s at the means. Zero for the first frame of a dynamic model.
    """
    means, covariances, cross = latents
    targets, regressors = _frames(means, dynamic, whole=True)
    scores = ar_log_likelihood(
        targets,
        regressors,
        regression.mean,
        regression.column_covariance,
        regression.precision,
        regression.log_det,
    )
    blocks = blocks_of(regression, means.dtype, dynamic)
    reach = int(dynamic)
    terms = [Term(covariances, -0.5 * _columns(blocks.current), (reach, reach))]
    if dynamic:
        terms.append(Term(cross, _columns(blocks.cross), (1, 0)))
        terms.append(Term(covariances, -0.5 * _columns(blocks.past), (1, 0)))
    add_products(scores, *terms)
    if dynamic:
        scores[:, :1] = 0
    return scores


def chain_potentials(
    potentials: Potentials, evidence: Evidence, weights: Tensor, boundary: BoundaryMessages | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Potentials of the chain of latents under the probabilities of the states.

    Parameters
    ----------
    potentials : Potentials
    evidence : Evidence
    weights : (B, T, K)
        Probabilities of the states, zero in padding.
    boundary : BoundaryMessages or None
        For windows.

    Returns
    -------
    (B, T, D, D), (B, T - 1, D, D) and (B, T, D)
        Precision on the diagonal and below it, and precision times mean.
    """
    mean, precision = evidence[:2]
    size = mean.shape[-1]
    dynamic = potentials.start is not None
    blocks = blocks_of(potentials.regression, mean.dtype, dynamic)
    frames = mean.shape[1]
    diagonal = zeros((len(mean), frames, size, size), mean)
    diagonal.diagonal(dim1=-2, dim2=-1).copy_(precision)
    lower = zeros((len(mean), max(frames - 1, 0), size, size), mean)
    linear = precision * mean
    reach = int(dynamic)
    now, after = (reach, reach), (0, 1)  # of a frame, and of the next, of which this is the past
    of_diagonal = [Term(weights, blocks.current.flatten(1), now)]
    of_linear = [Term(weights, blocks.current_mean, now)]
    if dynamic:
        of_diagonal.append(Term(weights, blocks.past.flatten(1), after))
        of_linear.append(Term(weights, blocks.past_mean, after))
        add_products(lower, Term(weights, -blocks.cross.flatten(1), after))
    add_products(diagonal, *of_diagonal)
    add_products(linear, *of_linear)
    if not dynamic:
        return diagonal, lower, linear
    if boundary is None:
        start = potentials.start
        assert start is not None
        diagonal[:, :1] += start.precision.to(diagonal)
        linear[:, :1] += (start.precision @ start.mean)[..., 0].to(linear)
    else:
        for frame, (current, current_mean) in ((0, boundary.first), (-1, boundary.last)):
            diagonal[:, frame] += current.to(diagonal)
            linear[:, frame] += current_mean.to(linear)
    return diagonal, lower, linear


def sums(
    regression: Regression,
    latents: Latents,
    weights: Tensor,
    *,
    dynamic: bool = True,
    change: tuple[Latents, Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Expected sums of every state's regression, weighted by the states, float64.

    Parameters
    ----------
    regression : Regression
        Only its K, D and p are used.
    latents : Latents
    weights : (B, T, K)
        Zero in padding.
    dynamic : bool
        Whether a frame depends on the frame before.
    change : (Latents, (B, T, K)), optional
        Derivative of latents and of weights: then the derivative of the sums is returned.

    Returns
    -------
    (K, p, p), (K, D, p), (K, D, D) and (K)
        Σ s sᵀ, Σ x sᵀ, Σ x xᵀ, and the number of frames.
    """
    size, width = regression.mean.shape[-2:]
    joint = width + size
    states = weights.shape[-1]
    if change is None:
        gram = _grams(latents, weights, dynamic)
        count = gram[:, -1, -1]  # of the constant with itself
    else:
        total = weights.new_zeros((states, joint * joint), dtype=torch.float64)
        count = weights.new_zeros(states, dtype=torch.float64)
        for current, share, (moved, moved_share) in _in_blocks(latents, weights, change, dynamic):
            total += share.mT @ _moments(current, dynamic, moved)
            total += moved_share.mT @ _moments(current, dynamic)
            count += moved_share.sum(0)
        gram = total.reshape(states, joint, joint)
        gram = (gram + gram.mT) / 2
    return (
        gram[:, size:, size:].clone(),
        gram[:, :size, size:].clone(),
        gram[:, :size, :size].clone(),
        count.clone(),
    )


def _grams(latents: Latents, weights: Tensor, dynamic: bool) -> Tensor:
    """Sums of second moments of [x; s], (K, D + p, D + p)."""
    means, covariances, cross = latents
    joint = torch.cat(_frames(means, dynamic), -1)
    pairs = cross if dynamic else None
    return moments.weighted_moments(joint, weights, covariances=covariances, cross=pairs)


def node_tangent(regression: Regression, latents: Latents, change: Latents, dynamic: bool) -> Tensor:
    """Derivative of ``node_potentials`` along a change of the latents, in residual form."""
    blocks = blocks_of(regression, latents.means.dtype, dynamic)
    targets, regressors = _frames(latents.means, dynamic)
    d_targets = change.means[:, 1:] if dynamic else change.means
    current = change.covariances[:, 1:] if dynamic else change.covariances
    scores = -0.5 * _against(current, blocks.current)
    size = latents.means.shape[-1]
    pull = _pull(regression, targets, regressors)
    if not dynamic:
        return scores - (pull * d_targets[..., None, :]).sum(-1)
    past = change.means[:, :-1]
    mean = regression.mean.to(past)
    spread = regression.column_covariance.to(past)
    residual = d_targets[..., None, :] - torch.einsum("kij,btj->btki", mean[..., :size], past)
    scores -= (pull * residual).sum(-1)
    scores -= size * (
        torch.einsum("btp,kpj->btkj", regressors, spread[..., :size]) * past[..., None, :]
    ).sum(-1)
    scores += _against(change.cross, blocks.cross)
    scores -= 0.5 * _against(change.covariances[:, :-1], blocks.past)
    return torch.nn.functional.pad(scores, (0, 0, 1, 0))


def chain_tangent(
    regression: Regression, latents: Latents, weights: Tensor, dynamic: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Transpose of ``node_tangent``: change of the latents' potentials along a change of the weights.

    Parameters
    ----------
    regression : Regression
    latents : Latents
    weights : (B, T, K)
        The change.
    dynamic : bool

    Returns
    -------
    (B, T, D, D), (B, T - 1, D, D) and (B, T, D)
        dJ on the diagonal and below it, and dh − dJ μ, which is formed from residuals, so that nothing
        large cancels.
    """
    blocks = blocks_of(regression, weights.dtype, dynamic)
    targets, regressors = _frames(latents.means, dynamic)
    share = weights[:, 1:] if dynamic else weights
    size = latents.means.shape[-1]

    def mix(block: Tensor) -> Tensor:
        return (share @ block.flatten(1)).reshape(*share.shape[:-1], *block.shape[1:])

    pull = share[..., None] * _pull(regression, targets, regressors)
    if not dynamic:
        nothing = torch.zeros_like(latents.cross)
        return mix(blocks.current), nothing, -pull.sum(-2)
    diagonal = torch.zeros_like(latents.covariances)
    centered = torch.zeros_like(latents.means)
    diagonal[:, 1:] += mix(blocks.current)
    diagonal[:, :-1] += mix(blocks.past)
    centered[:, 1:] -= pull.sum(-2)
    mean = regression.mean.to(targets)[..., :size]
    spread = (share @ regression.column_covariance.to(targets)[:, :size].flatten(1)).reshape(
        *share.shape[:-1], size, size + 1
    )
    centered[:, :-1] += torch.einsum("kij,btki->btj", mean, pull)
    centered[:, :-1] -= size * (spread @ regressors[..., None])[..., 0]
    return diagonal, -mix(blocks.cross), centered


class Blocks(NamedTuple):
    """Factors of covariances (K, D, D) and latents (K, D) in cross potentials."""

    current: Tensor  # P
    cross: Tensor  # P M_x
    past: Tensor  # M_x' P M_x + D V_xx
    current_mean: Tensor  # P M_1, adds to h_t
    past_mean: Tensor  # -(M_x' P M_1 + D V_x1), adds to h_{t-1}


def blocks_of(regression: Regression, dtype: torch.dtype, dynamic: bool) -> Blocks:
    """Return the means of the regressions' statistics that multiply covariances and latents."""
    mean, spread, precision, _ = (part.double() for part in regression)
    size = mean.shape[-2]
    weighted = precision @ mean
    constant = mean.shape[-1] - 1
    if not dynamic:
        nothing = mean.new_zeros(0)
        parts = (precision, nothing, nothing, weighted[..., 0], nothing)
    else:
        gram = mean.mT @ weighted + size * spread
        parts = (
            precision,
            weighted[..., :size],
            gram[:, :size, :size],
            weighted[..., constant],
            -gram[:, :size, constant],
        )
    return Blocks(*(part.to(dtype).contiguous() for part in parts))


def _frames(means: Tensor, dynamic: bool, *, whole: bool = False) -> tuple[Tensor, Tensor]:
    """Targets and regressors of all regressions, at the means.

    For a dynamic model those of the first frame are left out, or if ``whole`` are placeholders.
    """
    if not dynamic:
        return means, means.new_ones((*means.shape[:-1], 1))
    past = torch.cat([means[:, :1], means[:, :-1]], 1) if whole else means[:, :-1]
    targets = means if whole else means[:, 1:]
    return targets, torch.cat([past, past.new_ones((*past.shape[:-1], 1))], -1)


def _against(matrices: Tensor, blocks: Tensor) -> Tensor:
    """Inner products of (B, T, D, D) with (K, D, D), as one matrix product: (B, T, K)."""
    return matrices.flatten(-2) @ blocks.flatten(-2).T


def _columns(blocks: Tensor) -> Tensor:
    """A column for each of (K, D, D): (D², K)."""
    return blocks.flatten(1).mT


def _pull(regression: Regression, targets: Tensor, regressors: Tensor) -> Tensor:
    """P e of every frame and state, (B, T, K, D)."""
    mean, precision = regression.mean.to(targets), regression.precision.to(targets)
    residual = targets[..., None, :] - torch.einsum("kip,btp->btki", mean, regressors)
    return torch.einsum("kij,btkj->btki", precision, residual)


def _in_blocks(
    latents: Latents, weights: Tensor, change: tuple[Latents, Tensor], dynamic: bool
) -> Iterator[tuple[Latents, Tensor, tuple[Latents, Tensor]]]:
    """Yield blocks of frames with their weights, and their change."""
    frames = weights.shape[1]
    reach = int(dynamic)
    for i in range(len(weights)):
        for begin in range(reach, frames, BLOCK):
            stop = min(begin + BLOCK, frames)

            def cut(part: Latents, i: int = i, begin: int = begin, stop: int = stop) -> Latents:
                pairs = slice(begin - 1, stop - 1) if reach else slice(0, 0)
                current = slice(begin - reach, stop)
                return Latents(
                    part.means[i, current].double(),
                    part.covariances[i, current].double(),
                    part.cross[i, pairs].double(),
                )

            rows = slice(begin, stop)
            moved = cut(change[0]), change[1][i, rows].double()
            yield cut(latents), weights[i, rows].double(), moved


def _moments(latents: Latents, dynamic: bool, change: Latents | None = None) -> Tensor:
    """Second moments of [x; s] of each frame, or their derivative, (n, (D + p)²)."""
    means, covariances, cross = latents
    size = means.shape[-1]
    joint = torch.cat(_frames(means[None], dynamic), -1)[0]
    if change is None:
        moments = joint[:, :, None] * joint[:, None, :]
    else:
        # The constant stays as it is.
        moved = torch.cat(_frames(change.means[None], dynamic), -1)[0]
        moved[:, -1] = 0
        moments = moved[:, :, None] * joint[:, None, :] + joint[:, :, None] * moved[:, None, :]
        _, covariances, cross = change
    now, past = slice(0, size), slice(size, 2 * size)
    moments[:, now, now] += covariances[int(dynamic) :]
    if dynamic:
        moments[:, past, past] += covariances[:-1]
        moments[:, now, past] += cross
        moments[:, past, now] += cross.mT
    return moments.flatten(1)


def within(part: Tensor, lengths: Tensor | None) -> Tensor:
    """Return an array with zeros in padding, or the array itself where there is no padding.

    Parameters
    ----------
    part : (B, T, ...)
    lengths : (B) int, or None
    """
    if lengths is None:
        return part
    inside = torch.arange(part.shape[1], device=part.device) < lengths.to(part.device)[:, None]
    return torch.where(inside.reshape(*inside.shape, *[1] * (part.ndim - 2)), part, 0.0)
