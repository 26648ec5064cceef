"""Hidden Markov model of postures: sticky states, each a region in the space of latents.

``slds`` without dependence on the frame before: ``x_t ~ N(mu_{z_t}, Q_{z_t})``. Comparison with it
shows what dynamics add.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from ..expfam import mniw
from ..messages import meanfield
from .blocks import autoregression, filtering, initialization, sticky, switching
from .blocks.global_parameters import (
    Parameters,
    Statistics,
    dimensions,
    divergence,
    kappa_of,
    learn,
    reorder,
    update,
    with_kappa,
)
from .settings.hmm import Settings
from .types import Cotangent, Filtered, GaussianEvidence, Local, Sample, Tangent

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
    "kappa_of",
    "reorder",
    "sample",
    "tangent",
    "update",
    "update_hyperparameters",
    "with_kappa",
]

TAKES_POINTS = False
update_hyperparameters = learn


def initial(
    settings: Settings,
    latents: Iterable[Tensor],
    lengths: Sequence[int] | Tensor | None,
    rng: np.random.Generator,
) -> Parameters:
    """Guess the states: clusters of latents taken as points; see ``slds.initial``."""
    prior, statistics = initialization.guess(settings, 0, latents, lengths, rng)
    return update(prior, statistics, settings)


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
    """Return the posterior of latents and states, each optimal given the other.

    Parameters
    ----------
    parameters : Parameters
    evidence : GaussianEvidence
        (..., T, D); messages run in its dtype.
    lengths : (...) int, optional
        Frames that count in each sequence.
    start : (..., T, K), optional
        Probabilities of the states to begin with.
    max_iterations, tolerance, paths, cache
        See ``slds.infer``.
    """
    potentials = switching.potentials(
        parameters.initial, parameters.transition, None, parameters.dynamics
    )
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
    """Predict the evidence of every frame from that of the frames before; see ``slds.filter``.

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
    return filtering.filter(parameters.dynamics, None, first, rows, evidence, lengths)


def sample(
    parameters: Parameters,
    rng: np.random.Generator,
    *,
    local: Local[Statistics] | None = None,
    T: int,
) -> Sample:
    """Draw a sequence of T frames, the parameters at their means; see ``slds.sample``."""
    rows = sticky.counted(parameters.transition, parameters.kappa).cpu().numpy()
    if local is None:
        first = sticky.mean(parameters.initial).cpu().numpy()
    else:
        first = local.states[-1].double().cpu().numpy() @ rows
    past = np.zeros((0, dimensions(parameters)))
    standard = mniw.to_standard(parameters.dynamics)
    return autoregression.draw(standard, first / first.sum(), rows, past, rng, T)


def _statistics(solution: switching.Solution, change: meanfield.Derivative | None = None) -> Statistics:
    """Expected statistics of the global parameters, or their derivative."""
    return Statistics(*switching.counts(solution, change), switching.sums(solution, change))


if TYPE_CHECKING:  # mypy checks that the module satisfies the interface
    from . import hmm
    from .interface import Prior, Sticky

    _prior: Prior[Parameters, Statistics, GaussianEvidence, Settings] = hmm
    _sticky: Sticky[Parameters] = hmm
