"""Switching linear dynamical system: sticky states, each with its linear motion of the latents.

``z_t ~ pi[z_{t-1}]`` and ``x_t ~ N(W_{z_t} [x_{t-1}; 1], Q_{z_t})``, x_1 from a law that all states
share; the latents themselves are seen with noise. The posterior is q(z) q(x) q(parameters): a
chain of states and a chain of latents, each exact given the other. Everything that is not about
noise in the latents is as in ``arhmm``, whose parameters with one lag are a start for this model.

References
----------
doi:10.1016/j.neuron.2015.11.031 (the behavior), doi:10.48550/arXiv.1603.06277 (the structured
variational autoencoder that this is the prior of), doi:10.1162/089976600300015619 (mean field).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..expfam import dirichlet, mniw, niw
from ..messages import meanfield
from .blocks import (
    autoregression,
    global_parameters,
    initialization,
    natural_gradient,
    sticky,
    switching,
)
from .blocks.global_parameters import dimensions, learn, reorder, with_kappa
from .interface import Cotangent, Filtered, GaussianEvidence, Local, Sample, Tangent, add

__all__ = [
    "Evidence",
    "Parameters",
    "Settings",
    "Statistics",
    "dimensions",
    "divergence",
    "filter",
    "from_autoregression",
    "infer",
    "initial",
    "reorder",
    "rescale_latents",
    "sample",
    "tangent",
    "update",
    "update_hyperparameters",
    "with_kappa",
]

Evidence = GaussianEvidence
update_hyperparameters = learn
# The law of x_1 before any data: that of all whitened latents, worth so many observations.
START_COUNT = 1.0


class Settings(global_parameters.Settings):
    """Strengths of the prior; latents are whitened, so that none depends on their units."""


class Parameters(NamedTuple):
    """Posterior of the global parameters, and what their prior needs beside the settings."""

    start: niw.Natural
    """Of the law of x_1."""
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
    """Prior of the law of x_1."""


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
        A recording each; NaN where missing. Iterated twice.
    lengths : (B) int, optional
        Frames that count in each.
    rng : numpy Generator

    Raises
    ------
    BadInput
        No two frames in a row are observed.
    """
    prior, statistics = initialization.guess(settings, 1, latents, lengths, rng)
    blank = from_autoregression(prior)
    nothing = niw.Natural(*(torch.zeros_like(part) for part in blank.start))
    return update(blank, Statistics(nothing, *statistics), settings)


def from_autoregression(parameters: global_parameters.Parameters) -> Parameters:
    """Take over what an AR-HMM of one lag has learned; the law of x_1 has seen nothing."""
    size = dimensions(parameters)
    unit = torch.eye(size, dtype=torch.float64)
    law = niw.from_standard(
        niw.Standard(
            mean=torch.zeros(size, dtype=torch.float64),
            mean_count=torch.tensor(START_COUNT, dtype=torch.float64),
            scale=unit,
            degrees=torch.tensor(size + 2.0, dtype=torch.float64),
        )
    )
    return Parameters(law, *parameters, start_hyperprior=law)


def infer(
    parameters: Parameters,
    evidence: GaussianEvidence,
    lengths: Tensor | None = None,
    *,
    inputs: None = None,
    start: Tensor | None = None,
    boundary: meanfield.BoundaryMessages | None = None,
    max_iterations: int = 20,
    tolerance: float = 1e-4,
    paths: bool = False,
    cache: bool = True,
) -> Local:
    """Return the posterior of latents and states, each the best given the other.

    Parameters
    ----------
    parameters : Parameters
    evidence : GaussianEvidence
        (..., T, D); messages run in its dtype.
    lengths : (...) int, optional
        Frames that count in each sequence.
    inputs : None
        The model takes none.
    start : (..., T, K), optional
        Probabilities of the states to begin with; else what the evidence's means say as points.
    boundary : Edges, optional
        What lies beyond windows; one leading axis.
    max_iterations : int
        Turns at most.
    tolerance : float
        Rise of the bound per frame, nats, that ends the turns.
    paths : bool
        Find the most probable path of states too.
    cache : bool
        Keep what ``tangent`` needs; half of the memory.
    """
    local = switching.infer(
        _potentials(parameters),
        evidence,
        lengths,
        start=start,
        boundary=boundary,
        max_iterations=max_iterations,
        tolerance=tolerance,
        paths=paths,
        cache=cache,
    )
    first, steps = switching.total_states(local)
    statistics = Statistics(switching.start_sums(local), first, steps, switching.sums(local))
    return local._replace(statistics=statistics)


def tangent(
    parameters: Parameters,
    local: Local,
    cotangent: Cotangent,
    *,
    tolerance: float = 1e-2,
    iterations: int = 8,
    damping: float | None = None,
) -> Tangent:
    """Gradient by evidence and global parameters of a scalar whose gradient by ``local`` is given.

    Parameters
    ----------
    parameters : Parameters
        Those of ``infer``.
    local : Local
        What ``infer`` found.
    cotangent : Cotangent
        What runs through the bound itself left out: the marginals are its optimum.
    tolerance, iterations, damping
        Of the solver, see ``meanfield.derivative``; 0 iterations hold the states fixed.
    """
    found, change = switching.tangent(
        local, cotangent, tolerance=tolerance, iterations=iterations, damping=damping
    )
    assert change.transitions is not None
    statistics = Statistics(
        start=switching.start_sums(local, change),
        initial=dirichlet.Natural(change.states[:, :1].double().sum((0, 1))),
        transition=dirichlet.Natural(change.transitions),
        dynamics=switching.sums(local, change),
    )
    return found._replace(statistics=statistics)


def filter(
    parameters: Parameters,
    evidence: GaussianEvidence,
    lengths: Tensor | None = None,
    *,
    inputs: None = None,
) -> Filtered:
    """Predict what is seen of every frame from what was seen before, parameters at their means."""
    first = sticky.mean(parameters.initial)
    rows = sticky.counted(parameters.transition, parameters.kappa)
    return switching.filter(parameters.dynamics, parameters.start, first, rows, evidence, lengths)


def sample(
    parameters: Parameters,
    rng: np.random.Generator,
    *,
    local: Local | None = None,
    T: int,
) -> Sample:
    """Draw a sequence, the parameters at their posterior means.

    Parameters
    ----------
    parameters : Parameters
    rng : numpy Generator
    local : Local, optional
        Posterior of one sequence to go on from; otherwise the past is the mean of x_1.
    T : int
        Frames to draw.
    """
    rows = sticky.counted(parameters.transition, parameters.kappa).numpy()
    if local is None:
        past = niw.to_standard(parameters.start).mean[None].numpy()
        first = sticky.mean(parameters.initial).numpy()
    else:
        past = local.means[-1:].double().numpy()
        first = local.states[-1].double().numpy() @ rows
    standard = mniw.to_standard(parameters.dynamics)
    return autoregression.draw(standard, first / first.sum(), rows, past, rng, T)


def divergence(parameters: Parameters, settings: Settings) -> Tensor:
    """Return how far the global parameters are from their prior, () nats."""
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
    """Step along the natural gradient; a full step is the conjugate posterior.

    Parameters
    ----------
    parameters : Parameters
    statistics : Statistics
        Of all the data, or of a part scaled up to all.
    settings : Settings
    rate : float
        0 stays, 1 is the whole step.
    cotangent : Statistics, optional
        Gradient of the rest of the objective by the expected statistics, from ``tangent``.
    """
    current = Statistics(*parameters[:4])
    target = add(_prior(parameters, settings), statistics)
    found = natural_gradient.step(current, target, rate, cotangent)
    weights = sticky.update_weights(
        parameters.weights,
        dirichlet.expected_stats(found.transition).log_probability,
        alpha=settings.alpha,
        gamma=settings.gamma,
        kappa=parameters.kappa,
    )
    return parameters._replace(**found._asdict(), weights=weights)


def rescale_latents(parameters: Parameters, shift: Tensor, scale: Tensor) -> Parameters:
    """Write the same model in latents x' = scale (x − shift).

    The prior moves with the posterior: no bound and no label changes.

    Parameters
    ----------
    parameters : Parameters
    shift, scale : (D,) float64
        The scale is positive.
    """
    size = len(shift)
    affine = torch.eye(size + 1, dtype=torch.float64)
    affine[:size, :size] = torch.diag(scale)
    affine[:size, size] = -scale * shift
    constant = torch.ones((1, 1), dtype=torch.float64)

    def moved(natural: mniw.Natural, past: Tensor) -> mniw.Natural:
        """Sums of [s; x] under x' = scale x − scale shift, s' = past s; 1 is the last of s."""
        width = len(past)
        both = torch.zeros((width + size, width + size), dtype=torch.float64)
        both[:width, :width] = past
        both[width:, width - 1] = -scale * shift
        both[width:, width:] = torch.diag(scale)
        top = torch.cat([natural.precision, natural.precision_mean.mT], -1)
        low = torch.cat([natural.precision_mean, natural.scatter], -1)
        gram = both @ torch.cat([top, low], -2) @ both.T
        gram = (gram + gram.mT) / 2
        return mniw.Natural(
            gram[..., :width, :width],
            gram[..., width:, :width],
            gram[..., width:, width:],
            natural.observations,
        )

    def moved_start(natural: niw.Natural) -> niw.Natural:
        precision, mean, scatter, observations = moved(niw.as_regression(natural), constant)
        return niw.Natural(precision[0, 0], mean[..., 0], scatter, observations)

    return parameters._replace(
        start=moved_start(parameters.start),
        dynamics=moved(parameters.dynamics, affine),
        hyperprior=moved(parameters.hyperprior, affine),
        start_hyperprior=moved_start(parameters.start_hyperprior),
    )


def _potentials(parameters: Parameters) -> meanfield.Potentials:
    return switching.potentials(
        parameters.initial, parameters.transition, parameters.start, parameters.dynamics
    )


def _prior(parameters: Parameters, settings: Settings) -> Statistics:
    """Natural parameters of the prior."""
    prior = global_parameters.unseen(
        settings, parameters.weights, parameters.kappa, parameters.hyperprior
    )
    return Statistics(parameters.start_hyperprior, prior.initial, prior.transition, prior.dynamics)
