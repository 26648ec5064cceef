"""Hidden Markov model of postures: sticky states, each a place in the space of latents.

``slds`` without the pull of the frame before: ``x_t ~ N(mu_{z_t}, Q_{z_t})``. What it is for: to
tell what dynamics add to dwelling in postures.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from torch import Tensor

from ..expfam import dirichlet, mniw
from .blocks import autoregression, global_parameters, initialization, sticky, switching
from .blocks.global_parameters import (
    Parameters,
    Statistics,
    dimensions,
    divergence,
    learn,
    reorder,
    update,
    with_kappa,
)
from .interface import Cotangent, Filtered, GaussianEvidence, Local, Sample, Tangent

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
    "with_kappa",
]

Evidence = GaussianEvidence
update_hyperparameters = learn


class Settings(global_parameters.Settings):
    """Strengths of the prior; latents are whitened, so that none depends on their units."""


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
    inputs: None = None,
    start: Tensor | None = None,
    max_iterations: int = 20,
    tolerance: float = 1e-4,
    paths: bool = False,
    cache: bool = True,
) -> Local:
    """Return the posterior of latents and states, each the best given the other; see ``slds.infer``."""
    given = switching.potentials(parameters.initial, parameters.transition, None, parameters.dynamics)
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
    first, steps = switching.total_states(local)
    statistics = Statistics(first, steps, switching.sums(local))
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
    """Gradient by evidence and global parameters of a scalar; see ``slds.tangent``."""
    found, change = switching.tangent(
        local, cotangent, tolerance=tolerance, iterations=iterations, damping=damping
    )
    assert change.transitions is not None
    first = dirichlet.Natural(change.states[:, :1].double().sum((0, 1)))
    steps = dirichlet.Natural(change.transitions)
    return found._replace(statistics=Statistics(first, steps, switching.sums(local, change)))


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
    return switching.filter(parameters.dynamics, None, first, rows, evidence, lengths)


def sample(
    parameters: Parameters,
    rng: np.random.Generator,
    *,
    local: Local | None = None,
    T: int,
) -> Sample:
    """Draw a sequence of T frames, the parameters at their means; goes on from ``local``."""
    rows = sticky.counted(parameters.transition, parameters.kappa).numpy()
    if local is None:
        first = sticky.mean(parameters.initial).numpy()
    else:
        first = local.states[-1].double().numpy() @ rows
    past = np.zeros((0, dimensions(parameters)))
    standard = mniw.to_standard(parameters.dynamics)
    return autoregression.draw(standard, first / first.sum(), rows, past, rng, T)
