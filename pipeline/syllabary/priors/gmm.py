"""Gaussian mixture: components of posture, without time.

``z_t ~ pi`` and ``x_t ~ N(mu_{z_t}, Q_{z_t})``, every frame independent; pi ~ Dir(alpha / K).
Comparison with the other models shows what time adds.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..expfam import dirichlet, mniw
from ..messages import meanfield
from .blocks import (
    autoregression,
    filtering,
    global_parameters,
    initialization,
    natural_gradient,
    sticky,
    switching,
)
from .blocks.global_parameters import dimensions
from .settings.gmm import Settings
from .types import Cotangent, Filtered, GaussianEvidence, Local, Sample, Tangent, add

__all__ = [
    "TAKES_POINTS",
    "Parameters",
    "Settings",
    "Statistics",
    "dimensions",
    "divergence",
    "filter",
    "infer",
    "initial",
    "reorder",
    "sample",
    "tangent",
    "update",
    "update_hyperparameters",
]

TAKES_POINTS = False


class Parameters(NamedTuple):
    """Posterior of the global parameters, and what their prior needs beside the settings."""

    shares: dirichlet.Natural
    """(K,)"""
    dynamics: mniw.Natural
    """(K, ...) of the means (D, 1) and Q_k (D, D)."""
    hyperprior: mniw.Natural
    """Prior of every component's mean and noise."""


class Statistics(NamedTuple):
    """Expected counts and sums that add to the natural parameters."""

    shares: dirichlet.Natural
    dynamics: mniw.Natural


def initial(
    settings: Settings,
    latents: Iterable[Tensor],
    lengths: Sequence[int] | Tensor | None,
    rng: np.random.Generator,
) -> Parameters:
    """Guess the components: clusters of latents taken as points; see ``slds.initial``."""
    sticky_settings = global_parameters.Settings(
        states=settings.states,
        gamma=float(max(settings.states, 1000)),
        extra_degrees=settings.extra_degrees,
        coefficient_variance=settings.coefficient_variance,
        noise_floor=settings.noise_floor,
    )
    prior, statistics = initialization.guess(sticky_settings, 0, latents, lengths, rng)
    start = Parameters(_shares(settings, prior.weights), prior.dynamics, prior.hyperprior)
    counts = dirichlet.Natural(statistics.dynamics.observations)
    return update(start, Statistics(counts, statistics.dynamics), settings)


def infer(
    parameters: Parameters,
    evidence: GaussianEvidence,
    lengths: Tensor | None = None,
    *,
    start: Tensor | None = None,
    max_iterations: int = 20,
    tolerance: float = 1e-4,
    paths: bool = False,
    cache: bool = True,
) -> Local[Statistics]:
    """Return the posterior of latents and components, each optimal given the other.

    Parameters
    ----------
    parameters : Parameters
    evidence : GaussianEvidence
        (..., T, D); messages run in its dtype.
    lengths : (...) int, optional
        Frames that count in each sequence.
    start : (..., T, K), optional
        Probabilities of the components to begin with.
    max_iterations, tolerance, paths, cache
        See ``slds.infer``.
    """
    potentials = switching.potentials(parameters.shares, None, None, parameters.dynamics)
    flat = switching.flatten(evidence, lengths, start)
    optimum = meanfield.solve(
        potentials,
        flat.evidence,
        lengths=flat.lengths,
        start=flat.start,
        max_iterations=max_iterations,
        tolerance=tolerance,
        cache=cache,
    )
    solution = switching.Solution(potentials, flat, optimum)
    return switching.posterior(solution, _statistics(solution), paths=paths)


def tangent(
    parameters: Parameters,
    local: Local[Statistics],
    cotangent: Cotangent,
    *,
    tolerance: float = 1e-2,
    iterations: int = 8,
    damping: float | None = None,
) -> Tangent[GaussianEvidence, Statistics]:
    """Return the gradient of a scalar by evidence and global parameters; see ``slds.tangent``."""
    solution = switching.solution_of(local)
    change = switching.tangent(
        solution, cotangent, tolerance=tolerance, iterations=iterations, damping=damping
    )
    return switching.gradient(solution, change, _statistics(solution, change))


def filter(
    parameters: Parameters, evidence: GaussianEvidence, lengths: Tensor | None = None
) -> Filtered:
    """Return the log density of every frame, the parameters at their means; frames are independent.

    Parameters
    ----------
    parameters : Parameters
    evidence : GaussianEvidence
        (..., T, D)
    lengths : (...) int, optional
        Frames that count in each sequence.
    """
    shares = sticky.mean(parameters.shares)
    rows = shares.expand(len(shares), -1)
    return filtering.filter(parameters.dynamics, None, shares, rows, evidence, lengths)


def sample(
    parameters: Parameters,
    rng: np.random.Generator,
    *,
    local: Local[Statistics] | None = None,
    T: int,
) -> Sample:
    """Draw T frames, the parameters at their means; frames are independent of the past."""
    shares = sticky.mean(parameters.shares).cpu().numpy()
    past = np.zeros((0, dimensions(parameters)))
    rows = np.broadcast_to(shares, (len(shares), len(shares)))
    return autoregression.draw(mniw.to_standard(parameters.dynamics), shares, rows, past, rng, T)


def divergence(parameters: Parameters, settings: Settings) -> Tensor:
    """Return the divergence of the global parameters from their prior, () nats."""
    prior = mniw.Natural(*(part[None] for part in parameters.hyperprior))
    return (
        dirichlet.divergence(parameters.shares, _shares(settings, parameters.shares.concentration))
        + mniw.divergence(parameters.dynamics, prior).sum()
    )


def update(
    parameters: Parameters,
    statistics: Statistics,
    settings: Settings,
    *,
    rate: float = 1.0,
    cotangent: Statistics | None = None,
) -> Parameters:
    """Step along the natural gradient; a full step is the conjugate posterior. See ``slds.update``."""
    prior = Statistics(_shares(settings, parameters.shares.concentration), parameters.hyperprior)
    current = Statistics(*parameters[:2])
    posterior = natural_gradient.step(current, add(prior, statistics), rate, cotangent)
    return parameters._replace(shares=posterior.shares, dynamics=posterior.dynamics)


def update_hyperparameters(parameters: Parameters) -> Parameters:
    """Fit the hyperprior to the components: the one that makes them most probable."""
    return global_parameters.learn(parameters)


def reorder(parameters: Parameters, order: Tensor) -> Parameters:
    """Renumber the components.

    Parameters
    ----------
    parameters : Parameters
    order : (K,) int64
        The new component i is the old ``order[i]``.
    """
    return parameters._replace(
        shares=dirichlet.Natural(parameters.shares.concentration[order]),
        dynamics=mniw.Natural(*(part[order] for part in parameters.dynamics)),
    )


def _statistics(solution: switching.Solution, change: meanfield.Derivative | None = None) -> Statistics:
    """Expected statistics of the global parameters, or their derivative."""
    sums = switching.sums(solution, change)
    return Statistics(dirichlet.Natural(sums.observations), sums)


def _shares(settings: Settings, like: Tensor) -> dirichlet.Natural:
    """Prior of the shares (K,), on the device of other ones."""
    return dirichlet.Natural(torch.full_like(like, settings.alpha / settings.states))


if TYPE_CHECKING:  # mypy checks that the module satisfies the interface
    from . import gmm
    from .interface import Prior

    _prior: Prior[Parameters, Statistics, GaussianEvidence, Settings] = gmm
