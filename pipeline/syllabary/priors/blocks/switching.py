"""Models whose latents are seen with noise: two blocks, joined by a link, at their optimum.

A page of the folder says which blocks it joins: states in a chain or independent, latents in a
chain ("dynamic") or independent. What is the same for all of them is here.
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...expfam import dirichlet, mniw, niw
from ...messages import hmm, meanfield
from ..interface import Cotangent, Filtered, GaussianEvidence, Local, Tangent
from . import autoregression

__all__ = [
    "Cache",
    "filter",
    "infer",
    "potentials",
    "regression",
    "start_sums",
    "sums",
    "tangent",
    "total_states",
]


class Cache(NamedTuple):
    """What the marginals were found from; one leading axis."""

    potentials: meanfield.Potentials
    evidence: meanfield.Evidence
    lengths: Tensor | None
    optimum: meanfield.Optimum
    leading: tuple[int, ...]


def regression(natural: mniw.Natural) -> meanfield.Regression:
    """Return the means that links need, of regressions with a leading axis of states."""
    standard = mniw.to_standard(natural)
    return meanfield.Regression(
        standard.mean, standard.column_covariance, *mniw.expected_precision(standard)
    )


def potentials(
    initial: dirichlet.Natural,
    transition: dirichlet.Natural | None,
    start: niw.Natural | None,
    dynamics: mniw.Natural,
) -> meanfield.Potentials:
    """Return the expected log potentials of both chains under the global parameters."""
    law = None
    if start is not None:
        law = regression(mniw.Natural(*(part[None] for part in niw.as_regression(start))))
    rows = None if transition is None else dirichlet.expected_stats(transition).log_probability
    first = dirichlet.expected_stats(initial).log_probability
    return meanfield.Potentials(first, rows, law, regression(dynamics))


def infer(
    given: meanfield.Potentials,
    evidence: GaussianEvidence,
    lengths: Tensor | None,
    *,
    start: Tensor | None,
    boundary: meanfield.BoundaryMessages | None = None,
    max_iterations: int,
    tolerance: float,
    paths: bool,
    cache: bool,
) -> Local:
    """Return the posterior of sequences; ``statistics`` is left for the page to fill.

    Parameters
    ----------
    given : Potentials
    evidence : GaussianEvidence
        (..., T, D).
    lengths : (...) int, optional
        Frames that count in each sequence.
    start : (..., T, K), optional
        Probabilities of the states to start from.
    boundary : Edges, optional
        Of windows; one leading axis.
    sweeps, tolerance
        Turns at most; rise of the bound per frame, nats, that ends them.
    paths : bool
        Find the most probable path of states too.
    cache : bool
        Keep what ``tangent`` needs.
    """
    leading = tuple(evidence.mean.shape[:-2])
    count = math.prod(leading)
    seen = evidence.precision > 0
    frames = tuple(evidence.mean.shape[-2:])
    flat = meanfield.Evidence(
        torch.where(seen, evidence.mean, 0.0).reshape(count, *frames),
        evidence.precision.reshape(count, *frames),
        None if evidence.states is None else evidence.states.reshape(count, frames[0], -1),
    )
    spans = None if lengths is None else lengths.reshape(count)
    begin = None if start is None else start.reshape(count, frames[0], -1)
    found = meanfield.solve(
        given,
        flat,
        lengths=spans,
        start=begin,
        boundary=boundary,
        max_iterations=max_iterations,
        tolerance=tolerance,
        cache=cache,
    )
    latents, states = found.latents, found.states.states
    assert states is not None

    def shaped(part: Tensor) -> Tensor:
        return part.reshape((*leading, *part.shape[1:]))

    # The factor of a seen coordinate is a density of its mean.
    inside = flat.precision.double()
    if spans is not None:
        inside = torch.where(
            torch.arange(frames[0], device=spans.device)[:, None] < spans[:, None, None], inside, 0.0
        )
    scale = torch.where(inside > 0, 0.5 * torch.log(inside / (2 * math.pi)), 0.0).sum((-2, -1))
    return Local(
        means=shaped(latents.means),
        covariances=shaped(latents.covariances),
        cross=shaped(latents.cross),
        states=shaped(states),
        statistics=None,
        log_normalizer=shaped(found.states.log_normalizer),
        divergence=shaped(found.divergence),
        bound=shaped(found.objective + scale),
        converged=shaped(found.converged),
        path=shaped(_path(given, flat, latents, boundary, spans)) if paths else None,
        iterations=shaped(found.iterations),
        cache=Cache(given, flat, spans, found, leading),
    )


def sums(local: Local, change: meanfield.Derivative | None = None) -> mniw.Natural:
    """Return sums of the regressions over all sequences, or their derivative."""
    given, _, _, found, _ = local.cache
    dynamic = given.start is not None
    states = found.states.states
    moved = None if change is None else (change.latents, change.states)
    return mniw.Natural(
        *meanfield.sums(given.regression, found.latents, states, dynamic=dynamic, change=moved)
    )


def start_sums(local: Local, change: meanfield.Derivative | None = None) -> niw.Natural:
    """Return sums for the law of x_1 over sequences that have a frame, or their derivative."""
    _, evidence, lengths, found, _ = local.cache
    means, covariances = (part[:, :1].double() for part in found.latents[:2])
    one = torch.ones(len(means), dtype=torch.float64)
    if lengths is not None:
        one = (lengths > 0).double()
    if not evidence.mean.shape[1]:
        size = evidence.mean.shape[2]
        return niw.Natural(
            one.sum() * 0, one.new_zeros(size), one.new_zeros((size, size)), one.sum() * 0
        )
    first = means[:, 0] * one[:, None]
    if change is None:
        scatter = (covariances[:, 0] + means[:, 0, :, None] * means[:, 0, None, :]) * one[:, None, None]
        return niw.Natural(one.sum(), first.sum(0), scatter.sum(0), one.sum())
    moved = change.latents.means[:, 0].double() * one[:, None]
    cross = moved[:, :, None] * means[:, 0, None, :]
    scatter = change.latents.covariances[:, 0].double() * one[:, None, None] + cross + cross.mT
    return niw.Natural(one.sum() * 0, moved.sum(0), scatter.sum(0), one.sum() * 0)


def tangent(
    local: Local,
    cotangent: Cotangent,
    *,
    tolerance: float,
    iterations: int,
    damping: float | None,
) -> tuple[Tangent, meanfield.Derivative]:
    """Send a gradient by the marginals back to the evidence; ``statistics`` is left to the page."""
    given, evidence, lengths, found, leading = local.cache
    count = math.prod(leading)

    def flat(part: Tensor | None) -> Tensor | None:
        return None if part is None else part.reshape(count, *part.shape[len(leading) :])

    means, covariances = flat(cotangent.means), flat(cotangent.covariances)
    assert means is not None
    if covariances is None:
        covariances = torch.zeros_like(found.latents.covariances)
    answer = meanfield.derivative(
        given,
        evidence,
        found,
        meanfield.Cotangent(means, covariances, flat(cotangent.states)),
        lengths=lengths,
        tolerance=tolerance,
        iterations=iterations,
        damping=damping,
    )

    def shaped(part: Tensor) -> Tensor:
        return part.reshape((*leading, *part.shape[1:]))

    d_means = answer.latents.means
    spread = answer.latents.covariances.diagonal(dim1=-2, dim2=-1)
    seen = evidence.precision > 0
    by_mean = torch.where(seen, evidence.precision * d_means, 0.0)
    # By R at fixed m, of −½ R (x − m)² against the change of the marginals.
    by_precision = torch.where(seen, (evidence.mean - found.latents.means) * d_means - 0.5 * spread, 0.0)
    return (
        Tangent(
            GaussianEvidence(shaped(by_mean), shaped(by_precision)),
            None,
            shaped(answer.iterations),
            shaped(answer.residual),
            shaped(answer.indefinite),
        ),
        answer,
    )


def filter(
    dynamics: mniw.Natural,
    start: niw.Natural | None,
    first: Tensor,
    rows: Tensor,
    evidence: GaussianEvidence,
    lengths: Tensor | None,
) -> Filtered:
    """Predict what is seen of every frame from what was seen before it, parameters at their means.

    The exact filter of a switching model has K^t terms. Here the latents given the past are one
    Gaussian with the mixture's mean and covariance ("generalized pseudo-Bayes of first order");
    without dynamics there is nothing to approximate.

    Parameters
    ----------
    dynamics : mniw.Natural
        (K, ...)
    start : niw.Natural or None
        Law of x_1; None: no frame depends on another.
    first, rows : (K) and (K, K)
        Probabilities.
    evidence : GaussianEvidence
        (..., T, D)
    lengths : (...) int, optional

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
            law = niw.to_standard(start)
            center = law.mean.expand(count, 1, size)
            spread = (law.scale / (law.degrees - size - 1) * (1 + 1 / law.mean_count)).expand(
                count, 1, size, size
            )
        else:
            moved = weights @ spread[:, None]
            center = (weights @ center[:, None, :, None])[..., 0] + offsets
            spread = moved @ weights.mT + noise
        # With r = √R: (Q + 1/R)⁻¹ = r (1 + r Q r)⁻¹ r, which needs no inverse of R.
        root = precisions[:, t].sqrt()[:, None]
        innovation = root * (means[:, t, None] - center)
        inner = root[..., :, None] * spread * root[..., None, :]
        factor = torch.linalg.cholesky(inner + torch.eye(size, dtype=torch.float64))
        whitened = torch.linalg.solve_triangular(
            factor, torch.cat([innovation[..., None], root[..., None] * spread], -1), upper=False
        )
        surprise, gain = whitened[..., 0], whitened[..., 1:]
        log_det = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        score = -0.5 * surprise.square().sum(-1) - log_det
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


def _path(
    given: meanfield.Potentials,
    evidence: meanfield.Evidence,
    latents: meanfield.Latents,
    boundary: meanfield.BoundaryMessages | None,
    lengths: Tensor | None,
) -> Tensor:
    """Most probable path of states under the latents' posterior, or by what was said of them."""
    assert boundary is None
    nodes = evidence.states
    if nodes is None:
        nodes = meanfield.node_potentials(given.regression, latents, dynamic=given.start is not None)
    if given.transition is not None:
        return hmm.path(given.initial, given.transition, nodes, lengths=lengths)
    found = (nodes + given.initial).argmax(-1)
    if lengths is not None:
        found = torch.where(torch.arange(found.shape[1]) < lengths[:, None], found, -1)
    return found


def total_states(local: Local) -> tuple[dirichlet.Natural, Any]:
    """Return expected numbers of first states and of steps, over all sequences."""
    states = local.cache.optimum.states
    rows = None if states.transitions is None else dirichlet.Natural(states.transitions.sum(0))
    return dirichlet.Natural(states.initial.sum(0)), rows
