"""Gaussian mixture: kinds of posture, and nothing about time.

``z_t ~ pi`` and ``x_t ~ N(mu_{z_t}, Q_{z_t})``, every frame for itself; pi ~ Dir(alpha / K). What it
is for: to tell what time adds.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .. import settings as base_settings
from ..expfam import dirichlet, mniw
from ..settings import Field
from .blocks import (
    autoregression,
    global_parameters,
    initialization,
    natural_gradient,
    sticky,
    switching,
)
from .blocks.global_parameters import dimensions
from .interface import Cotangent, Filtered, GaussianEvidence, Local, Sample, Tangent, add

__all__ = [
    "Evidence",
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

Evidence = GaussianEvidence


class Settings(base_settings.Settings):
    """Strengths of the prior; latents are whitened, so that none depends on their units."""

    states: int = Field(50, ge=1, le=1000, description="most kinds K there can be")
    alpha: float = Field(5.7, gt=0, description="concentration of their shares, over all kinds")
    extra_degrees: float = Field(
        2.0, gt=1, description="degrees of freedom of a kind's noise above the latent dimensions"
    )
    coefficient_variance: float = Field(
        10.0, gt=0, description="prior variance of the means, in units of the noise"
    )
    noise_floor: float = Field(
        1e-4, gt=0, description="least noise variance expected before any data, latents having 1"
    )


class Parameters(NamedTuple):
    """Posterior of the global parameters, and what their prior needs beside the settings."""

    shares: dirichlet.Natural
    """(K,)"""
    dynamics: mniw.Natural
    """(K, ...) of the means (D, 1) and Q_k (D, D)."""
    hyperprior: mniw.Natural
    """Prior of every kind's mean and noise."""


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
    """Guess the kinds: clusters of latents taken as points; see ``slds.initial``."""
    known = global_parameters.Settings(
        states=settings.states,
        gamma=float(max(settings.states, 1000)),
        extra_degrees=settings.extra_degrees,
        coefficient_variance=settings.coefficient_variance,
        noise_floor=settings.noise_floor,
    )
    prior, statistics = initialization.guess(known, 0, latents, lengths, rng)
    blank = Parameters(_shares(settings), prior.dynamics, prior.hyperprior)
    counts = dirichlet.Natural(statistics.dynamics.observations)
    return update(blank, Statistics(counts, statistics.dynamics), settings)


def infer(
    parameters: Parameters,
    evidence: GaussianEvidence,
    lengths: Tensor | None = None,
    *,
    inputs: None = None,
    start: Tensor | None = None,
    max_iterations: int = 20,
    tolerance: float = 1e-4,
    paths: bool = False,
    cache: bool = True,
) -> Local:
    """Return the posterior of latents and kinds, each the best given the other; see ``slds.infer``."""
    given = switching.potentials(parameters.shares, None, None, parameters.dynamics)
    local = switching.infer(
        given,
        evidence,
        lengths,
        start=start,
        max_iterations=max_iterations,
        tolerance=tolerance,
        paths=paths,
        cache=cache,
    )
    sums = switching.sums(local)
    return local._replace(statistics=Statistics(dirichlet.Natural(sums.observations), sums))


def tangent(
    parameters: Parameters,
    local: Local,
    cotangent: Cotangent,
    *,
    tolerance: float = 1e-2,
    iterations: int = 8,
    damping: float | None = None,
) -> Tangent:
    """Gradient by evidence and global parameters of a scalar; see ``slds.tangent``."""
    found, change = switching.tangent(
        local, cotangent, tolerance=tolerance, iterations=iterations, damping=damping
    )
    sums = switching.sums(local, change)
    return found._replace(statistics=Statistics(dirichlet.Natural(sums.observations), sums))


def filter(
    parameters: Parameters,
    evidence: GaussianEvidence,
    lengths: Tensor | None = None,
    *,
    inputs: None = None,
) -> Filtered:
    """Return how probable every frame is, the parameters at their means; the past tells nothing."""
    shares = sticky.mean(parameters.shares)
    rows = shares.expand(len(shares), -1)
    return switching.filter(parameters.dynamics, None, shares, rows, evidence, lengths)


def sample(
    parameters: Parameters,
    rng: np.random.Generator,
    *,
    local: Local | None = None,
    T: int,
) -> Sample:
    """Draw T frames, the parameters at their means; what was before tells nothing."""
    shares = sticky.mean(parameters.shares).numpy()
    past = np.zeros((0, dimensions(parameters)))
    rows = np.broadcast_to(shares, (len(shares), len(shares)))
    return autoregression.draw(mniw.to_standard(parameters.dynamics), shares, rows, past, rng, T)


def divergence(parameters: Parameters, settings: Settings) -> Tensor:
    """Return how far the global parameters are from their prior, () nats."""
    prior = mniw.Natural(*(part[None] for part in parameters.hyperprior))
    return (
        dirichlet.divergence(parameters.shares, _shares(settings))
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
    prior = Statistics(_shares(settings), parameters.hyperprior)
    current = Statistics(*parameters[:2])
    found = natural_gradient.step(current, add(prior, statistics), rate, cotangent)
    return parameters._replace(**found._asdict())


def update_hyperparameters(parameters: Parameters) -> Parameters:
    """Learn what the kinds have in common: the prior that makes them most probable."""
    return global_parameters.learn(parameters)


def reorder(parameters: Parameters, order: Tensor) -> Parameters:
    """Renumber the kinds: the new kind i is the old ``order[i]``."""
    return parameters._replace(
        shares=dirichlet.Natural(parameters.shares.concentration[order]),
        dynamics=mniw.Natural(*(part[order] for part in parameters.dynamics)),
    )


def _shares(settings: Settings) -> dirichlet.Natural:
    """Prior of the shares."""
    even = torch.full((settings.states,), settings.alpha / settings.states, dtype=torch.float64)
    return dirichlet.Natural(even)
