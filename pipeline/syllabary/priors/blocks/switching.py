"""Models whose latents have noise: a block of states and one of latents, at their joint optimum.

A prior decides which blocks it links: states in a chain or independent, latents in a chain
("dynamic") or independent. It flattens its evidence (``flatten``), solves for the optimum
(``meanfield.solve``), and reads its posterior and statistics off the ``Solution``.
"""

import math
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from ...expfam import dirichlet, mniw, niw
from ...messages import hmm, meanfield
from ..types import Cotangent, GaussianEvidence, Local, Tangent, TensorRecord

__all__ = [
    "Flat",
    "Solution",
    "boundary_messages",
    "counts",
    "flatten",
    "gradient",
    "posterior",
    "potentials",
    "regression",
    "solution_of",
    "start_sums",
    "sums",
    "tangent",
]

S = TypeVar("S", bound=TensorRecord)


class Flat(NamedTuple):
    """Evidence with one leading axis of B sequences."""

    evidence: meanfield.Evidence
    """(B, T, D)"""
    lengths: Tensor | None
    """(B,) frames that count."""
    start: Tensor | None
    """(B, T, K) probabilities of the states to begin with."""
    leading: tuple[int, ...]
    """Leading axes of the evidence as it was given."""

    def restore(self, part: Tensor) -> Tensor:
        """Return a tensor (B, ...) with the original leading axes."""
        return part.reshape((*self.leading, *part.shape[1:]))


class Solution(NamedTuple):
    """The optimum, and what it was inferred from."""

    potentials: meanfield.Potentials
    flat: Flat
    optimum: meanfield.Optimum


def solution_of(local: Local[S]) -> Solution:
    """Return the solution that a posterior keeps in its cache."""
    assert isinstance(local.cache, Solution)
    return local.cache


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
    """Return the expected log potentials of both chains under the global parameters.

    Parameters
    ----------
    initial : dirichlet.Natural
        (K,)
    transition : dirichlet.Natural, optional
        (K, K); None if states are independent.
    start : niw.Natural, optional
        Distribution of x_1; None if no frame depends on another.
    dynamics : mniw.Natural
        (K, ...)
    """
    origin = None
    if start is not None:
        origin = regression(mniw.Natural(*(part[None] for part in niw.as_regression(start))))
    rows = None if transition is None else dirichlet.expected_stats(transition).log_probability
    first = dirichlet.expected_stats(initial).log_probability
    return meanfield.Potentials(first, rows, origin, regression(dynamics))


def flatten(evidence: GaussianEvidence, lengths: Tensor | None, start: Tensor | None) -> Flat:
    """Return evidence with one leading axis and zeros where it is missing.

    Parameters
    ----------
    evidence : GaussianEvidence
        (..., T, D)
    lengths : (...) int, optional
        Frames that count in each sequence.
    start : (..., T, K), optional
        Probabilities of the states to begin with.
    """
    leading = tuple(evidence.mean.shape[:-2])
    count = math.prod(leading)
    frames, size = evidence.mean.shape[-2:]
    mean = torch.where(evidence.precision > 0, evidence.mean, 0.0)
    states = evidence.states
    return Flat(
        meanfield.Evidence(
            mean.reshape(count, frames, size),
            evidence.precision.reshape(count, frames, size),
            None if states is None else states.reshape(count, frames, -1),
        ),
        None if lengths is None else lengths.reshape(count),
        None if start is None else start.reshape(count, frames, -1),
        leading,
    )


def posterior(solution: Solution, statistics: S, *, paths: bool) -> Local[S]:
    """Return the posterior of sequences.

    Parameters
    ----------
    solution : Solution
    statistics : Statistics
        Of the global parameters, summed over all sequences.
    paths : bool
        Return the most probable path of states too.
    """
    flat, optimum = solution.flat, solution.optimum
    latents, states = optimum.latents, optimum.states.states
    assert states is not None
    # The factor of an observed coordinate is a density of its mean.
    inside = flat.evidence.precision.double()
    if flat.lengths is not None:
        frame = torch.arange(inside.shape[1], device=flat.lengths.device)
        inside = torch.where(frame[:, None] < flat.lengths[:, None, None], inside, 0.0)
    scale = torch.where(inside > 0, 0.5 * torch.log(inside / (2 * math.pi)), 0.0).sum((-2, -1))
    return Local(
        means=flat.restore(latents.means),
        covariances=flat.restore(latents.covariances),
        cross=flat.restore(latents.cross),
        states=flat.restore(states),
        statistics=statistics,
        log_normalizer=flat.restore(optimum.states.log_normalizer),
        divergence=flat.restore(optimum.divergence),
        bound=flat.restore(optimum.objective + scale),
        converged=flat.restore(optimum.converged),
        path=flat.restore(_path(solution)) if paths else None,
        iterations=flat.restore(optimum.iterations),
        residual=flat.restore(optimum.residual),
        cache=solution,
    )


def _path(solution: Solution) -> Tensor:
    """Most probable path of states (B, T), by the latents' posterior or by evidence of the states."""
    potentials, flat, optimum = solution
    nodes, lengths = flat.evidence.states, flat.lengths
    if nodes is None:
        is_dynamic = potentials.start is not None
        nodes = meanfield.node_potentials(potentials.regression, optimum.latents, dynamic=is_dynamic)
    if potentials.transition is not None:
        return hmm.path(potentials.initial, potentials.transition, nodes, lengths=lengths)
    path = (nodes + potentials.initial).argmax(-1)
    if lengths is not None:
        path = torch.where(torch.arange(path.shape[1], device=path.device) < lengths[:, None], path, -1)
    return path


def counts(
    solution: Solution, change: meanfield.Derivative | None = None
) -> tuple[dirichlet.Natural, dirichlet.Natural]:
    """Return expected counts of first states and of steps over all sequences, or their derivative."""
    if change is not None:
        assert change.transitions is not None
        first = dirichlet.Natural(change.states[:, :1].double().sum((0, 1)))
        return first, dirichlet.Natural(change.transitions)
    states = solution.optimum.states
    assert states.initial is not None and states.transitions is not None
    first = dirichlet.Natural(states.initial.sum(0))
    return first, dirichlet.Natural(states.transitions.sum(0))


def sums(solution: Solution, change: meanfield.Derivative | None = None) -> mniw.Natural:
    """Return sums of the regressions over all sequences, or their derivative."""
    potentials, _, optimum = solution
    states = optimum.states.states
    assert states is not None
    changes = None if change is None else (change.latents, change.states)
    is_dynamic = potentials.start is not None
    return mniw.Natural(
        *meanfield.sums(
            potentials.regression, optimum.latents, states, dynamic=is_dynamic, change=changes
        )
    )


def start_sums(solution: Solution, change: meanfield.Derivative | None = None) -> niw.Natural:
    """Return sums for the distribution of x_1 over sequences with a frame, or their derivative."""
    _, flat, optimum = solution
    means, covariances = (part[:, :1].double() for part in optimum.latents[:2])
    has_frame = means.new_ones(len(means))
    if flat.lengths is not None:
        has_frame = (flat.lengths > 0).double()
    if not flat.evidence.mean.shape[1]:
        size = flat.evidence.mean.shape[2]
        return niw.Natural(
            has_frame.sum() * 0,
            has_frame.new_zeros(size),
            has_frame.new_zeros((size, size)),
            has_frame.sum() * 0,
        )
    first = means[:, 0] * has_frame[:, None]
    if change is None:
        moment = covariances[:, 0] + means[:, 0, :, None] * means[:, 0, None, :]
        scatter = moment * has_frame[:, None, None]
        return niw.Natural(has_frame.sum(), first.sum(0), scatter.sum(0), has_frame.sum())
    moved = change.latents.means[:, 0].double() * has_frame[:, None]
    cross = moved[:, :, None] * means[:, 0, None, :]
    scatter = change.latents.covariances[:, 0].double() * has_frame[:, None, None] + cross + cross.mT
    return niw.Natural(has_frame.sum() * 0, moved.sum(0), scatter.sum(0), has_frame.sum() * 0)


def tangent(
    solution: Solution,
    cotangent: Cotangent,
    *,
    tolerance: float,
    iterations: int,
    damping: float | None,
) -> meanfield.Derivative:
    """Return the change of the optimum in the direction of a gradient by its marginals.

    Parameters
    ----------
    solution : Solution
    cotangent : Cotangent
        (..., T, D) and (..., T, K), with the leading axes of the evidence.
    tolerance, iterations, damping
        Of the solver, see ``meanfield.derivative``.
    """
    potentials, flat, optimum = solution
    axes, count = len(flat.leading), math.prod(flat.leading)

    def flattened(part: Tensor) -> Tensor:
        return part.reshape(count, *part.shape[axes:])

    covariances = torch.zeros_like(optimum.latents.covariances)
    if cotangent.covariances is not None:
        covariances = flattened(cotangent.covariances)
    states = None if cotangent.states is None else flattened(cotangent.states)
    return meanfield.derivative(
        potentials,
        flat.evidence,
        optimum,
        meanfield.Cotangent(flattened(cotangent.means), covariances, states),
        lengths=flat.lengths,
        tolerance=tolerance,
        iterations=iterations,
        damping=damping,
    )


def gradient(
    solution: Solution, change: meanfield.Derivative, statistics: S
) -> Tangent[GaussianEvidence, S]:
    """Return the gradient by the evidence and the global parameters.

    Parameters
    ----------
    solution : Solution
    change : Derivative
        Result of ``tangent``.
    statistics : Statistics
        Derivative of the expected statistics.
    """
    _, flat, optimum = solution
    evidence, d_means = flat.evidence, change.latents.means
    spread = change.latents.covariances.diagonal(dim1=-2, dim2=-1)
    observed = evidence.precision > 0
    by_mean = torch.where(observed, evidence.precision * d_means, 0.0)
    # By R at fixed m, of −½ R (x − m)² against the change of the marginals.
    distance = evidence.mean - optimum.latents.means
    by_precision = torch.where(observed, distance * d_means - 0.5 * spread, 0.0)
    return Tangent(
        GaussianEvidence(flat.restore(by_mean), flat.restore(by_precision)),
        statistics,
        flat.restore(change.iterations),
        flat.restore(change.residual),
        flat.restore(change.indefinite),
    )


def boundary_messages(solution: Solution, begin: Tensor, stop: Tensor) -> meanfield.BoundaryMessages:
    """Return the messages into windows of one sequence from beyond their ends.

    Parameters
    ----------
    solution : Solution
        Of one sequence.
    begin, stop : (n,) int64
        First frame of each window, and the frame after its last.
    """
    return meanfield.boundary_of(
        solution.potentials,
        solution.optimum,
        begin,
        stop,
        fixed_states=solution.flat.evidence.states is not None,
    )
