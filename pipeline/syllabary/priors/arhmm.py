"""Sticky autoregressive hidden Markov model: MoSeq's model, by variational inference.

``z_t ~ pi[z_{t-1}]`` and ``x_t ~ N(W_{z_t} s_t, Q_{z_t})`` with the regressor ``s_t =
[x_{t-1}, ..., x_{t-L}, 1]``. Rows ``pi_k ~ Dir(alpha beta + kappa e_k)``, first state ``~ Dir(alpha
/ K)``, ``(W_k, Q_k) ~ MNIW``. The mean of W_k is the identity at first, with the noise of one
global autoregression; later the hyperprior is fitted to all states. The posterior of the path is
exact given q(parameters), which is conjugate; beta is a point estimate. K is an upper limit:
states that the data do not need stay empty.

References
----------
doi:10.1016/j.neuron.2015.11.031 (the model), doi:10.1214/10-AOAS395 (stickiness),
doi:10.1561/2200000001, section 5 (variational message passing in conjugate families).
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..expfam import dirichlet, mniw
from ..messages import hmm
from .blocks import autoregression, initialization, merging, sticky
from .blocks.global_parameters import (
    Parameters,
    Statistics,
    dimensions,
    divergence,
    kappa_of,
    lags,
    learn,
    reorder,
    update,
    with_kappa,
)
from .settings.arhmm import Settings
from .types import Cotangent, Filtered, Local, PointEvidence, Sample, Tangent

__all__ = [
    "TAKES_POINTS",
    "Parameters",
    "PointEvidence",
    "Settings",
    "Statistics",
    "dimensions",
    "divergence",
    "filter",
    "infer",
    "initial",
    "kappa_of",
    "merge",
    "reorder",
    "sample",
    "tangent",
    "update",
    "update_hyperparameters",
    "with_kappa",
]

TAKES_POINTS = True
update_hyperparameters = learn


class Cache(NamedTuple):
    """Input of ``infer``, from which ``tangent`` infers again."""

    evidence: PointEvidence
    lengths: Tensor | None


def initial(
    settings: Settings,
    latents: Iterable[Tensor],
    lengths: Sequence[int] | Tensor | None,
    rng: np.random.Generator,
) -> Parameters:
    """Guess the states: clusters of motion, each with its regression.

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
        No frame has all its predecessors.
    """
    prior, statistics = initialization.guess(settings, settings.lags, latents, lengths, rng)
    return update(prior, statistics, settings)


def infer(
    parameters: Parameters,
    evidence: PointEvidence,
    lengths: Tensor | None = None,
    *,
    start: Tensor | None = None,
    max_iterations: int = 1,
    tolerance: float = 0.0,
    paths: bool = False,
    cache: bool = True,
) -> Local[Statistics]:
    """Return the exact posterior of the states.

    Parameters
    ----------
    parameters : Parameters
    evidence : PointEvidence
        (..., T, D); a frame with a missing regressor is no evidence of its state.
    lengths : (...) int, optional
        Frames that count in each sequence.
    start : (..., T, K), optional
        Without influence, as are ``max_iterations`` and ``tolerance``: only models whose posterior
        is found by iteration use them.
    max_iterations, tolerance
        See ``start``.
    paths : bool
        Return the most probable path of states too.
    cache : bool
        Keep what ``tangent`` needs.
    """
    potentials, usable = _potentials(parameters, evidence, lengths)
    chain = hmm.marginals(*potentials, lengths=lengths)
    assert chain.states is not None and chain.initial is not None and chain.transitions is not None
    first = chain.initial.reshape(-1, chain.initial.shape[-1]).sum(0)
    steps = chain.transitions.reshape(-1, *chain.transitions.shape[-2:]).sum(0)
    statistics = Statistics(
        initial=dirichlet.Natural(first),
        transition=dirichlet.Natural(steps),
        dynamics=autoregression.sums(evidence, usable, chain.states, lags(parameters)),
    )
    log_normalizer = chain.log_normalizer
    return Local(
        means=evidence.latents,
        covariances=None,
        cross=None,
        states=chain.states,
        statistics=statistics,
        log_normalizer=log_normalizer,
        divergence=-log_normalizer,
        bound=log_normalizer,
        converged=torch.ones_like(log_normalizer, dtype=torch.bool),
        path=hmm.path(*potentials, lengths=lengths) if paths else None,
        iterations=torch.ones_like(log_normalizer, dtype=torch.int64),
        residual=torch.zeros_like(log_normalizer),
        cache=Cache(evidence, lengths) if cache else None,
    )


def tangent(
    parameters: Parameters,
    local: Local[Statistics],
    cotangent: Cotangent,
    *,
    tolerance: float = 1e-2,
    iterations: int = 8,
    damping: float | None = None,
) -> Tangent[PointEvidence, Statistics]:
    """Return the gradient of a scalar by latents and global parameters.

    Parameters
    ----------
    parameters : Parameters
        Those of ``infer``.
    local : Local
        Result of ``infer``.
    cotangent : Cotangent
        Gradient of the scalar by the latents, which are their own means, and by the states.
    tolerance, iterations, damping
        Without influence: one tangent of the chain is the exact answer.
    """
    assert isinstance(local.cache, Cache)
    evidence, lengths = local.cache
    usable = autoregression.usable(evidence.observed, lags(parameters), lengths)
    potentials, _ = _potentials(parameters, evidence, lengths)
    chain = hmm.marginals(*potentials, lengths=lengths, cache=True)
    direction = torch.zeros_like(local.states) if cotangent.states is None else cotangent.states
    change = hmm.tangent(potentials[1], chain, direction, lengths=lengths)
    by_latents = torch.where(evidence.observed[..., None], cotangent.means, 0.0)
    by_latents = by_latents + autoregression.pull(
        parameters.dynamics, evidence, usable, change.states, lags(parameters)
    )
    size = change.states.shape[-1]
    statistics = Statistics(
        initial=dirichlet.Natural(change.states[..., 0, :].double().reshape(-1, size).sum(0)),
        transition=dirichlet.Natural(change.transitions.reshape(-1, size, size).sum(0)),
        dynamics=autoregression.sums(evidence, usable, change.states, lags(parameters)),
    )
    exact = torch.zeros_like(local.log_normalizer)
    return Tangent(
        evidence=PointEvidence(by_latents, evidence.observed),
        statistics=statistics,
        iterations=torch.zeros_like(exact, dtype=torch.int64),
        residual=exact,
        indefinite=torch.zeros_like(exact, dtype=torch.bool),
    )


def filter(parameters: Parameters, evidence: PointEvidence, lengths: Tensor | None = None) -> Filtered:
    """Predict every frame from those before it, with the parameters at their posterior means.

    Transition probabilities leave kappa out, see ``sticky.counted``.

    Parameters
    ----------
    parameters : Parameters
    evidence : PointEvidence
        (..., T, D)
    lengths : (...) int, optional
        Frames that count in each sequence.
    """
    potentials, usable = _potentials(parameters, evidence, lengths, at_mean=True)
    chain = hmm.marginals(*potentials, lengths=lengths, keep="filter")
    # Elsewhere the probabilities of the states sum to one but for rounding.
    return Filtered(torch.where(usable, chain.log_scales, 0.0), usable)


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
        Posterior of one sequence to continue; otherwise the past is the mean pose.
    T : int
        Frames to draw.
    """
    standard = mniw.to_standard(parameters.dynamics)
    rows = sticky.counted(parameters.transition, parameters.kappa).cpu().numpy()
    if local is None:
        past = np.zeros((lags(parameters), dimensions(parameters)))
        first = sticky.mean(parameters.initial).cpu().numpy()
    else:
        past = local.means[-lags(parameters) :].flip(0).double().cpu().numpy()
        first = local.states[-1].double().cpu().numpy() @ rows
    return autoregression.draw(standard, first / first.sum(), rows, past, rng, T)


def merge(
    parameters: Parameters, statistics: Statistics, settings: Settings, share: float = 1.0
) -> Parameters | None:
    """Propose parameters with redundant states merged, or else with nearly unused states dropped.

    The bound of the proposal is known after the next ``infer``; keep the higher one.

    Parameters
    ----------
    parameters : Parameters
    statistics : Statistics
        Of all the data.
    settings : Settings
    share : float
        Upper limit of merges, as a share of the states in use.

    Returns
    -------
    Parameters or None
        None if there is nothing to propose.
    """
    rows = sticky.concentrations(parameters.weights, settings.alpha, parameters.kappa)
    counts = statistics.transition.concentration
    into = merging.proposed_merges(counts, statistics.dynamics, rows, parameters.hyperprior, share)
    dropped = torch.zeros_like(into, dtype=torch.bool)
    if torch.equal(into, torch.arange(len(into), device=into.device)):
        dropped = merging.unused(statistics.dynamics)
        if not dropped.any():
            return None
    return update(parameters, Statistics(*merging.gather(*statistics, into, dropped)), settings)


def _potentials(
    parameters: Parameters,
    evidence: PointEvidence,
    lengths: Tensor | None,
    *,
    at_mean: bool = False,
) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
    """Log potentials of the chain, expected or at the mean parameters, and the usable frames."""
    usable = autoregression.usable(evidence.observed, lags(parameters), lengths)
    if at_mean:
        first = sticky.mean(parameters.initial).log()
        rows = sticky.counted(parameters.transition, parameters.kappa).log()
    else:
        first = dirichlet.expected_stats(parameters.initial).log_probability
        rows = dirichlet.expected_stats(parameters.transition).log_probability
    scores = autoregression.scores(parameters.dynamics, evidence, lags(parameters), at_mean=at_mean)
    scores = scores.masked_fill_(~usable[..., None], 0.0)
    if evidence.states is not None:
        scores = scores + evidence.states.to(scores)
    return (first, rows, scores), usable


if TYPE_CHECKING:  # mypy checks that the module satisfies the interface
    from . import arhmm
    from .interface import Merging, Prior, Sticky

    _prior: Prior[Parameters, Statistics, PointEvidence, Settings] = arhmm
    _sticky: Sticky[Parameters] = arhmm
    _merging: Merging[Parameters, Statistics, Settings] = arhmm
