"""Switching linear dynamical system: sticky states, each with its linear motion of the latents.

``z_t ~ pi[z_{t-1}]`` and ``x_t ~ N(W_{z_t} [x_{t-1}; 1], Q_{z_t})``. All states share the distribution
of x_1, and latents are observed with noise. The posterior is q(z) q(x) q(parameters): a chain of
states and a chain of latents, each exact given the other. The rest is as in ``arhmm``, whose
parameters with one lag are a start for this model.

References
----------
doi:10.1016/j.neuron.2015.11.031 (the behavior), doi:10.48550/arXiv.1603.06277 (the structured
variational autoencoder that this is the prior of), doi:10.1162/089976600300015619 (mean field).
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..expfam import dirichlet, mniw, niw
from ..messages import meanfield
from .blocks import (
    autoregression,
    filtering,
    global_parameters,
    initialization,
    natural_gradient,
    rescaling,
    sticky,
    switching,
)
from .blocks.global_parameters import dimensions, kappa_of, learn, reorder, with_kappa
from .interface import GlobalParameters
from .settings.slds import Settings
from .types import Cotangent, Filtered, GaussianEvidence, Local, Sample, Tangent, add

__all__ = [
    "TAKES_POINTS",
    "Parameters",
    "Settings",
    "Statistics",
    "blank",
    "boundary_messages",
    "dimensions",
    "divergence",
    "filter",
    "from_autoregression",
    "infer",
    "initial",
    "kappa_of",
    "reorder",
    "rescale_latents",
    "sample",
    "tangent",
    "update",
    "update_from_windows",
    "update_hyperparameters",
    "with_kappa",
]

TAKES_POINTS = False
update_hyperparameters = learn
# Observations that the prior of x_1 is worth; it is the distribution of all whitened latents.
START_COUNT = 1.0


class Parameters(NamedTuple):
    """Posterior of the global parameters, and what their prior needs beside the settings."""

    start: niw.Natural
    """Of the distribution of x_1."""
    initial: dirichlet.Natural
    """(K,)"""
    transition: dirichlet.Natural
    """(K, K), rows from, columns to."""
    dynamics: mniw.Natural
    """(K, ...) of W_k (D, D + 1) and Q_k (D, D)."""
    weights: Tensor
    """(K,) beta, shares of the states."""
    kappa: Tensor
    """() pseudo-count of staying."""
    hyperprior: mniw.Natural
    """Prior of every state's dynamics."""
    start_hyperprior: niw.Natural
    """Prior of the distribution of x_1."""


class Statistics(NamedTuple):
    """Expected counts and sums that add to the natural parameters."""

    start: niw.Natural
    initial: dirichlet.Natural
    transition: dirichlet.Natural
    dynamics: mniw.Natural


def initial(
    settings: Settings,
    latents: Iterable[Tensor],
    lengths: Sequence[int] | Tensor | None,
    rng: np.random.Generator,
) -> Parameters:
    """Guess the states from latents taken as points: clusters of motion, each with its regression.

    Parameters
    ----------
    settings : Settings
    latents : iterable of (T, D) float, or (B, T, D)
        One tensor per recording; NaN where missing. Iterated twice.
    lengths : (B,) int, optional
        Frames that count in each recording.
    rng : numpy Generator

    Raises
    ------
    BadInput
        No two successive frames are observed.
    """
    prior, statistics = initialization.guess(settings, 1, latents, lengths, rng)
    start = from_autoregression(prior)
    no_data = niw.Natural(*(torch.zeros_like(part) for part in start.start))
    return update(start, Statistics(no_data, *statistics), settings)


def blank(
    settings: Settings,
    latents: Iterable[Tensor],
    lengths: Sequence[int] | Tensor | None,
    rng: np.random.Generator,
) -> Parameters:
    """Return parameters without data, the dynamics of all latents as their prior; see ``initial``."""
    prior, _ = initialization.guess(settings, 1, latents, lengths, rng)
    return from_autoregression(prior)


def from_autoregression(parameters: GlobalParameters) -> Parameters:
    """Return parameters that take over an AR-HMM; the distribution of x_1 has no data.

    Parameters
    ----------
    parameters : arhmm.Parameters
    """
    assert isinstance(parameters, global_parameters.Parameters)
    size = dimensions(parameters)
    like = parameters.weights
    start = niw.from_standard(
        niw.Standard(
            mean=like.new_zeros(size),
            mean_count=like.new_tensor(START_COUNT),
            scale=torch.eye(size, dtype=like.dtype, device=like.device),
            degrees=like.new_tensor(size + 2.0),
        )
    )
    return Parameters(start, *parameters, start_hyperprior=start)


def infer(
    parameters: Parameters,
    evidence: GaussianEvidence,
    lengths: Tensor | None = None,
    *,
    start: Tensor | None = None,
    boundary: meanfield.BoundaryMessages | None = None,
    max_iterations: int = 20,
    tolerance: float = 1e-4,
    paths: bool = False,
    cache: bool = True,
) -> Local[Statistics]:
    """Return the posterior of latents and states, each optimal given the other.

    Parameters
    ----------
    parameters : Parameters
    evidence : GaussianEvidence
        (..., T, D); messages run in its dtype.
    lengths : (...) int, optional
        Frames that count in each sequence.
    start : (..., T, K), optional
        Probabilities of the states to begin with; by default those of the evidence's means taken
        as points.
    boundary : BoundaryMessages, optional
        Messages from beyond the ends of windows; one leading axis.
    max_iterations : int
        Upper limit of iterations.
    tolerance : float
        Rise of the bound per frame, nats, below which iterations end.
    paths : bool
        Return the most probable path of states too.
    cache : bool
        Keep what ``tangent`` needs, which is half of the memory.
    """
    potentials = switching.potentials(
        parameters.initial, parameters.transition, parameters.start, parameters.dynamics
    )
    flat = switching.flatten(evidence, lengths, start)
    optimum = meanfield.solve(
        potentials,
        flat.evidence,
        lengths=flat.lengths,
        start=flat.start,
        boundary=boundary,
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
    """Return the gradient of a scalar by evidence and global parameters.

    Parameters
    ----------
    parameters : Parameters
        Those of ``infer``.
    local : Local
        Result of ``infer``.
    cotangent : Cotangent
        Gradient of the scalar by ``local``, without the part that runs through the bound, whose
        optimum the marginals are.
    tolerance, iterations, damping
        Of the solver, see ``meanfield.derivative``; 0 iterations hold the states fixed.
    """
    solution = switching.solution_of(local)
    change = switching.tangent(
        solution, cotangent, tolerance=tolerance, iterations=iterations, damping=damping
    )
    return switching.gradient(solution, change, _statistics(solution, change))


def boundary_messages(
    local: Local[Statistics], begin: Tensor, stop: Tensor
) -> meanfield.BoundaryMessages:
    """Return the messages into windows of one sequence from beyond their ends.

    Parameters
    ----------
    local : Local
        Posterior of the whole sequence (T, D).
    begin, stop : (n,) int64
        First frame of each window, and the frame after its last; two frames at least.
    """
    return switching.boundary_messages(switching.solution_of(local), begin, stop)


def filter(
    parameters: Parameters, evidence: GaussianEvidence, lengths: Tensor | None = None
) -> Filtered:
    """Predict the evidence of every frame from that of the frames before, parameters at their means.

    Parameters
    ----------
    parameters : Parameters
    evidence : GaussianEvidence
        (..., T, D)
    lengths : (...) int, optional
        Frames that count in each sequence.
    """
    first = sticky.mean(parameters.initial)
    rows = sticky.counted(parameters.transition, parameters.kappa)
    return filtering.filter(parameters.dynamics, parameters.start, first, rows, evidence, lengths)


def sample(
    parameters: Parameters,
    rng: np.random.Generator,
    *,
    local: Local[Statistics] | None = None,
    T: int,
) -> Sample:
    """Draw a sequence, the parameters at their posterior means.

    Parameters
    ----------
    parameters : Parameters
    rng : numpy Generator
    local : Local, optional
        Posterior of one sequence to continue; otherwise the past is the mean of x_1.
    T : int
        Frames to draw.
    """
    rows = sticky.counted(parameters.transition, parameters.kappa).cpu().numpy()
    lags = global_parameters.lags(parameters)
    if local is None:
        past = niw.to_standard(parameters.start).mean.expand(lags, -1).cpu().numpy()
        first = sticky.mean(parameters.initial).cpu().numpy()
    else:
        past = local.means[-lags:].flip(0).double().cpu().numpy()
        first = local.states[-1].double().cpu().numpy() @ rows
    standard = mniw.to_standard(parameters.dynamics)
    return autoregression.draw(standard, first / first.sum(), rows, past, rng, T)


def divergence(parameters: Parameters, settings: Settings) -> Tensor:
    """Return the divergence of the global parameters from their prior, () nats."""
    prior = _prior(parameters, settings)
    return (
        niw.divergence(parameters.start, prior.start)
        + dirichlet.divergence(parameters.initial, prior.initial)
        + mniw.divergence(parameters.dynamics, prior.dynamics).sum()
        + sticky.divergence(
            parameters.transition,
            parameters.weights,
            alpha=settings.alpha,
            gamma=settings.gamma,
            kappa=parameters.kappa,
        )
    )


def update(
    parameters: Parameters,
    statistics: Statistics,
    settings: Settings,
    *,
    rate: float = 1.0,
    cotangent: Statistics | None = None,
) -> Parameters:
    """Step along the natural gradient; a full step is the conjugate posterior. See ``Prior.update``."""
    current = Statistics(*parameters[:4])
    target = add(_prior(parameters, settings), statistics)
    posterior = natural_gradient.step(current, target, rate, cotangent)
    weights = sticky.update_weights(
        parameters.weights,
        dirichlet.expected_stats(posterior.transition).log_probability,
        alpha=settings.alpha,
        gamma=settings.gamma,
        kappa=parameters.kappa,
    )
    return parameters._replace(**posterior._asdict(), weights=weights)


def update_from_windows(
    parameters: Parameters,
    statistics: Statistics,
    settings: Settings,
    *,
    rate: float,
    cotangent: Statistics | None = None,
) -> Parameters:
    """Step as ``update`` does, but keep how recordings begin: windows begin anywhere."""
    updated = update(parameters, statistics, settings, rate=rate, cotangent=cotangent)
    return updated._replace(start=parameters.start, initial=parameters.initial)


def rescale_latents(parameters: Parameters, shift: Tensor, scale: Tensor) -> Parameters:
    """Write the same model in latents x' = scale (x − shift).

    The prior moves with the posterior: no bound and no label changes.

    Parameters
    ----------
    parameters : Parameters
    shift, scale : (D,) float64
        The scale is positive.
    """
    past = rescaling.regressor_map(shift, scale)
    return parameters._replace(
        start=rescaling.mean_and_noise(parameters.start, shift, scale),
        dynamics=rescaling.regression(parameters.dynamics, past, shift, scale),
        hyperprior=rescaling.regression(parameters.hyperprior, past, shift, scale),
        start_hyperprior=rescaling.mean_and_noise(parameters.start_hyperprior, shift, scale),
    )


def _statistics(solution: switching.Solution, change: meanfield.Derivative | None = None) -> Statistics:
    """Expected statistics of the global parameters, or their derivative."""
    start = switching.start_sums(solution, change)
    return Statistics(start, *switching.counts(solution, change), switching.sums(solution, change))


def _prior(parameters: Parameters, settings: Settings) -> Statistics:
    """Natural parameters of the prior."""
    prior = global_parameters.unseen(
        settings, parameters.weights, parameters.kappa, parameters.hyperprior
    )
    return Statistics(parameters.start_hyperprior, prior.initial, prior.transition, prior.dynamics)


if TYPE_CHECKING:  # mypy checks that the module satisfies the interface
    from . import slds
    from .interface import NetworkPrior, Sticky

    _network_prior: NetworkPrior[Parameters, Statistics, Settings] = slds
    _sticky: Sticky[Parameters] = slds
