"""Sticky autoregressive hidden Markov model: MoSeq's model, by variational inference.

``z_t ~ pi[z_{t-1}]`` and ``x_t ~ N(W_{z_t} s_t, Q_{z_t})`` with the regressor ``s_t =
[x_{t-1}, ..., x_{t-L}, 1]``. Rows ``pi_k ~ Dir(alpha beta + kappa e_k)``, first state ``~ Dir(alpha
/ K)``, ``(W_k, Q_k) ~ MNIW`` around "stay where you are" with the noise of one global
autoregression. The posterior of the path is exact given q(parameters), which is conjugate; beta
is a point estimate. States number K at most; those the data do not need stay empty.

References
----------
doi:10.1016/j.neuron.2015.11.031 (the model), doi:10.1214/10-AOAS395 (stickiness),
doi:10.1561/2200000001, section 5 (variational message passing in conjugate families).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pydantic
import torch
from torch import Tensor

from .. import settings as base_settings
from ..errors import BadInput
from ..expfam import dirichlet, mniw
from ..messages import hmm
from ..settings import Field
from . import _autoregression, _clusters, _merging, _population, _sticky
from ._evidence import Filtered, Local, PointEvidence, Sample, add, blend, recordings, total

__all__ = [
    "Parameters",
    "PointEvidence",
    "Settings",
    "Statistics",
    "adapt",
    "dimensions",
    "divergence",
    "filter",
    "infer",
    "initial",
    "merge",
    "reorder",
    "sample",
    "update",
    "with_kappa",
]

CLUSTERED_FRAMES = 200_000
# Regressions of fewer frames fit these alone, and no other frame ever joins them.
FRAMES_PER_COEFFICIENT = 10


class Settings(base_settings.Settings):
    """Strengths of the prior; latents are whitened, so that none depends on their units."""

    states: int = Field(50, ge=1, le=1000, description="most states K there can be")
    lags: int = Field(3, ge=1, le=20, description="past frames that predict a frame, L")
    alpha: float = Field(5.7, gt=0, description="concentration of transitions from a state")
    gamma: float = Field(
        1000.0, gt=0, description="concentration of the states' shares, at least their number"
    )
    kappa: float | None = Field(
        None,
        ge=0,
        description="pseudo-count of staying in a state; solved from the target duration if not given",
    )
    extra_degrees: float = Field(
        2.0, gt=1, description="degrees of freedom of a state's noise above the latent dimensions"
    )
    coefficient_variance: float = Field(
        10.0, gt=0, description="prior variance of the coefficients, in units of the noise"
    )
    noise_floor: float = Field(
        1e-4, gt=0, description="least noise variance expected before any data, latents having 1"
    )

    start_window: int = Field(
        9, ge=1, description="frames over which motion is averaged to guess the states, odd"
    )

    @pydantic.model_validator(mode="after")
    def _sound(self) -> "Settings":
        if self.gamma < self.states:
            raise ValueError(f"gamma {self.gamma:g} is below the number of states, {self.states}")
        if self.start_window % 2 == 0:
            raise ValueError(f"start_window {self.start_window} is even")
        return self


class Parameters(NamedTuple):
    """Posterior of the global parameters, and what their prior needs beside the settings."""

    initial: dirichlet.Natural
    """(K,)"""
    transition: dirichlet.Natural
    """(K, K), rows from, columns to."""
    dynamics: mniw.Natural
    """(K, ...) of W_k (D, L D + 1) and Q_k (D, D)."""
    weights: Tensor
    """(K,) beta, shares of the states."""
    kappa: Tensor
    """() pseudo-count of staying."""
    base: mniw.Natural
    """Prior of every state's dynamics."""


class Statistics(NamedTuple):
    """Expected counts and sums that add to the natural parameters."""

    initial: dirichlet.Natural
    """(K,) counts."""
    transition: dirichlet.Natural
    """(K, K) counts."""
    dynamics: mniw.Natural
    """(K, ...) sums of s sᵀ, x sᵀ, x xᵀ, and frames."""


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
        A recording each; NaN where missing. Iterated twice.
    lengths : (B,) int, optional
        Frames that count in each.
    rng : numpy Generator

    Raises
    ------
    BadInput
        No frame has all its predecessors.
    """
    series = recordings(latents, lengths)
    usable = [_autoregression.usable(e.observed, settings.lags) for e in series]
    frames = sum(int(mask.sum()) for mask in usable)
    if frames == 0:
        raise BadInput(
            f"no frame of the training recordings has {settings.lags} observed frames before it; "
            "there is nothing to learn dynamics from."
        )
    pooled = total(
        _autoregression.sums(e, mask, mask[:, None], settings.lags)
        for e, mask in zip(series, usable, strict=True)
    )
    base = _autoregression.base(
        mniw.Natural(*(part[0] for part in pooled)),
        coefficient_variance=settings.coefficient_variance,
        extra_degrees=settings.extra_degrees,
        noise_floor=settings.noise_floor,
    )
    states = settings.states
    weights = torch.full((states,), 1 / states, dtype=torch.float64)
    kappa = float(frames) if settings.kappa is None else settings.kappa
    prior = _prior(settings, weights, torch.tensor(kappa, dtype=torch.float64), base)
    points, mean, scale = _clusters.points(series, usable, CLUSTERED_FRAMES, rng, settings.start_window)
    enough = frames // (FRAMES_PER_COEFFICIENT * base.precision.shape[-1])
    centers = _clusters.centers(points, min(states, max(2, enough)), rng)

    def label(one: PointEvidence) -> Tensor:
        motion = _clusters.motion(one, settings.start_window)
        return _clusters.assign((motion - mean) / scale, centers)

    statistics = total(
        _labelled(e, mask, label(e), settings) for e, mask in zip(series, usable, strict=True)
    )
    return update(prior, statistics, settings)


def infer(
    parameters: Parameters,
    evidence: PointEvidence,
    lengths: Tensor | None = None,
    *,
    inputs: None = None,
    start: Local | None = None,
    sweeps: int = 1,
    tolerance: float = 0.0,
    paths: bool = False,
) -> Local:
    """Return the posterior of the states; exact, so ``start`` and ``sweeps`` change nothing.

    Parameters
    ----------
    parameters : Parameters
    evidence : PointEvidence
        (..., T, D); a frame with a missing regressor says nothing about its state.
    lengths : (...) int, optional
        Frames that count in each sequence.
    inputs : None
        The model takes none.
    start, sweeps, tolerance
        For models whose posterior is found by iteration.
    paths : bool
        Find the most probable path of states too.
    """
    potentials, usable = _potentials(parameters, evidence, lengths)
    chain = hmm.marginals(*potentials, lengths=lengths)
    assert chain.states is not None and chain.initial is not None and chain.transitions is not None
    first = chain.initial.reshape(-1, chain.initial.shape[-1]).sum(0)
    steps = chain.transitions.reshape(-1, *chain.transitions.shape[-2:]).sum(0)
    statistics = Statistics(
        initial=dirichlet.Natural(first),
        transition=dirichlet.Natural(steps),
        dynamics=_autoregression.sums(evidence, usable, chain.states, _lags(parameters)),
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
        converged=torch.ones_like(log_normalizer, dtype=torch.bool),
        path=hmm.path(*potentials, lengths=lengths) if paths else None,
    )


def filter(
    parameters: Parameters,
    evidence: PointEvidence,
    lengths: Tensor | None = None,
    *,
    inputs: None = None,
) -> Filtered:
    """Predict every frame from those before it, with the parameters at their posterior means."""
    potentials, usable = _potentials(parameters, evidence, lengths, at_mean=True)
    chain = hmm.marginals(*potentials, lengths=lengths, keep="filter")
    # Elsewhere the probabilities of the states sum to one but for rounding.
    return Filtered(torch.where(usable, chain.log_scales, 0.0), usable)


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
        Posterior of one sequence to go on from; otherwise the past is the mean pose.
    T : int
        Frames to draw.
    """
    standard = mniw.to_standard(parameters.dynamics)
    rows = _sticky.mean(parameters.transition).numpy()
    if local is None:
        past = np.zeros((_lags(parameters), dimensions(parameters)))
        first = _sticky.mean(parameters.initial).numpy()
    else:
        past = local.means[-_lags(parameters) :].flip(0).double().numpy()
        first = local.states[-1].double().numpy() @ rows
    return _autoregression.draw(standard, first / first.sum(), rows, past, rng, T)


def divergence(parameters: Parameters, settings: Settings) -> Tensor:
    """Return how far the global parameters are from their prior, () nats.

    The shares beta are a point: for them it is their log density below that of even shares.
    """
    prior = _prior(settings, parameters.weights, parameters.kappa, parameters.base)
    even = torch.full_like(parameters.weights, 1 / len(parameters.weights))
    return (
        dirichlet.divergence(parameters.initial, prior.initial)
        + dirichlet.divergence(parameters.transition, prior.transition).sum()
        + mniw.divergence(parameters.dynamics, prior.dynamics).sum()
        + _sticky.log_prior(even, settings.gamma)
        - _sticky.log_prior(parameters.weights, settings.gamma)
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
        Gradient of the rest of the objective by the expected statistics.
    """
    prior = _prior(settings, parameters.weights, parameters.kappa, parameters.base)
    target = add(Statistics(prior.initial, prior.transition, prior.dynamics), statistics)
    if cotangent is not None:
        target = add(target, cotangent)
    current = Statistics(parameters.initial, parameters.transition, parameters.dynamics)
    found = blend(current, target, rate)
    weights = _sticky.update_weights(
        parameters.weights,
        dirichlet.expected_stats(found.transition).log_probability,
        alpha=settings.alpha,
        gamma=settings.gamma,
        kappa=parameters.kappa,
    )
    return Parameters(*found, weights=weights, kappa=parameters.kappa, base=parameters.base)


def adapt(parameters: Parameters) -> Parameters:
    """Learn what the states' dynamics have in common: the prior that makes them most probable.

    Never lowers the bound; the sums of every state stay as they are.
    """
    base = _population.learn(parameters.base, parameters.dynamics)
    shifted = (
        own + new - old for own, new, old in zip(parameters.dynamics, base, parameters.base, strict=True)
    )
    return parameters._replace(dynamics=mniw.Natural(*shifted), base=base)


def merge(
    parameters: Parameters, statistics: Statistics, settings: Settings, share: float = 1.0
) -> Parameters | None:
    """Propose to join states that are copies of each other; None where no join would pay.

    At most ``share`` of the states in use go. The bound of the proposal is known after the next
    ``infer``: keep what is higher.
    """
    rows = _sticky.concentrations(parameters.weights, settings.alpha, parameters.kappa)
    counts = statistics.transition.concentration
    into = _merging.joins(counts, statistics.dynamics, rows, parameters.base, share)
    if torch.equal(into, torch.arange(len(into))):
        return None
    return update(parameters, Statistics(*_merging.gather(*statistics, into)), settings)


def with_kappa(parameters: Parameters, kappa: float) -> Parameters:
    """Return the same posterior counts under another stickiness."""
    change = kappa - parameters.kappa
    states = len(parameters.weights)
    rows = parameters.transition.concentration + change * torch.eye(states, dtype=torch.float64)
    return parameters._replace(
        transition=dirichlet.Natural(rows), kappa=torch.tensor(kappa, dtype=torch.float64)
    )


def dimensions(parameters: Parameters) -> int:
    """Return the dimensions D of the latents."""
    return parameters.base.scatter.shape[-1]


def reorder(parameters: Parameters, order: Tensor) -> Parameters:
    """Renumber the states: the new state i is the old ``order[i]``."""
    return parameters._replace(
        initial=dirichlet.Natural(parameters.initial.concentration[order]),
        transition=dirichlet.Natural(parameters.transition.concentration[order][:, order]),
        dynamics=mniw.Natural(*(part[order] for part in parameters.dynamics)),
        weights=parameters.weights[order],
    )


def _potentials(
    parameters: Parameters,
    evidence: PointEvidence,
    lengths: Tensor | None,
    *,
    at_mean: bool = False,
) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
    """Log potentials of the chain, expected or at the mean parameters, and the usable frames."""
    lags = _lags(parameters)
    usable = _autoregression.usable(evidence.observed, lags, lengths)
    if at_mean:
        first = _sticky.mean(parameters.initial).log()
        rows = _sticky.mean(parameters.transition).log()
    else:
        first = dirichlet.expected_stats(parameters.initial).log_probability
        rows = dirichlet.expected_stats(parameters.transition).log_probability
    scores = _autoregression.scores(parameters.dynamics, evidence, lags, at_mean=at_mean)
    scores = torch.where(usable[..., None], scores, 0.0)
    return (first, rows, scores), usable


def _lags(parameters: Parameters) -> int:
    size, width = parameters.base.precision_mean.shape[-2:]
    return (width - 1) // size


def _prior(settings: Settings, weights: Tensor, kappa: Tensor, base: mniw.Natural) -> Parameters:
    """Parameters that have seen nothing."""
    states = len(weights)
    return Parameters(
        initial=dirichlet.Natural(torch.full_like(weights, settings.alpha / states)),
        transition=dirichlet.Natural(_sticky.concentrations(weights, settings.alpha, kappa)),
        dynamics=mniw.Natural(*(part.expand(states, *part.shape).clone() for part in base)),
        weights=weights,
        kappa=kappa,
        base=base,
    )


def _labelled(evidence: PointEvidence, usable: Tensor, labels: Tensor, settings: Settings) -> Statistics:
    """Statistics of one recording as if its frames were surely of these states."""
    states = settings.states
    certain = torch.nn.functional.one_hot(labels, states).double()
    pairs = (labels[:-1] * states + labels[1:])[usable[1:] & usable[:-1]]
    counts = torch.bincount(pairs, minlength=states**2).double()
    return Statistics(
        initial=dirichlet.Natural(torch.zeros(states, dtype=torch.float64)),
        transition=dirichlet.Natural(counts.reshape(states, states)),
        dynamics=_autoregression.sums(evidence, usable, certain, settings.lags),
    )
