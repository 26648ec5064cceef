"""Sticky autoregressive hidden Markov model: MoSeq's model, by variational inference.

``z_t ~ pi[z_{t-1}]`` and ``x_t ~ N(W_{z_t} s_t, Q_{z_t})`` with the regressor ``s_t =
[x_{t-1}, ..., x_{t-L}, 1]``. Rows ``pi_k ~ Dir(alpha beta + kappa e_k)``, first state ``~ Dir(alpha
/ K)``, ``(W_k, Q_k) ~ MNIW``: at first "stay where you are" with the noise of one global
autoregression, then what the states have in common. The posterior of the path is exact given
q(parameters), which is conjugate; beta is a point estimate. States number K at most; those the
data do not need stay empty.

References
----------
doi:10.1016/j.neuron.2015.11.031 (the model), doi:10.1214/10-AOAS395 (stickiness),
doi:10.1561/2200000001, section 5 (variational message passing in conjugate families).
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import BadInput
from ..expfam import dirichlet, mniw
from ..messages import hmm
from . import _autoregression, _clusters, _merging, _population, _sticky
from ._evidence import Filtered, Local, PointEvidence, Sample, add, blend, recordings, total
from ._parameters import (
    Parameters,
    Settings,
    Statistics,
    dimensions,
    lags,
    reorder,
    unseen,
    with_kappa,
)

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
FRAMES_PER_COEFFICIENT = 5


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
    prior = unseen(settings, weights, torch.tensor(kappa, dtype=torch.float64), base)
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
        dynamics=_autoregression.sums(evidence, usable, chain.states, lags(parameters)),
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
    """Predict every frame from those before it, with the parameters at their posterior means.

    Transitions are those counted, see ``_counted``.
    """
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
    rows = _counted(parameters).numpy()
    if local is None:
        past = np.zeros((lags(parameters), dimensions(parameters)))
        first = _sticky.mean(parameters.initial).numpy()
    else:
        past = local.means[-lags(parameters) :].flip(0).double().numpy()
        first = local.states[-1].double().numpy() @ rows
    return _autoregression.draw(standard, first / first.sum(), rows, past, rng, T)


def divergence(parameters: Parameters, settings: Settings) -> Tensor:
    """Return how far the global parameters are from their prior, () nats.

    The shares beta are a point: for them it is their log density below that of even shares.
    """
    prior = unseen(settings, parameters.weights, parameters.kappa, parameters.base)
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
    prior = unseen(settings, parameters.weights, parameters.kappa, parameters.base)
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
    """Propose to join states that are copies of each other, or else to give up scraps of states.

    At most ``share`` of the states in use join. None where there is nothing to propose. The bound
    of the proposal is known after the next ``infer``: keep what is higher.
    """
    rows = _sticky.concentrations(parameters.weights, settings.alpha, parameters.kappa)
    counts = statistics.transition.concentration
    into = _merging.joins(counts, statistics.dynamics, rows, parameters.base, share)
    dropped = torch.zeros_like(into, dtype=torch.bool)
    if torch.equal(into, torch.arange(len(into))):
        dropped = _merging.scraps(statistics.dynamics)
        if not dropped.any():
            return None
    return update(parameters, Statistics(*_merging.gather(*statistics, into, dropped)), settings)


def _potentials(
    parameters: Parameters,
    evidence: PointEvidence,
    lengths: Tensor | None,
    *,
    at_mean: bool = False,
) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
    """Log potentials of the chain, expected or at the mean parameters, and the usable frames."""
    usable = _autoregression.usable(evidence.observed, lags(parameters), lengths)
    if at_mean:
        first = _sticky.mean(parameters.initial).log()
        rows = _counted(parameters).log()
    else:
        first = dirichlet.expected_stats(parameters.initial).log_probability
        rows = dirichlet.expected_stats(parameters.transition).log_probability
    scores = _autoregression.scores(parameters.dynamics, evidence, lags(parameters), at_mean=at_mean)
    scores = torch.where(usable[..., None], scores, 0.0)
    return (first, rows, scores), usable


def _counted(parameters: Parameters) -> Tensor:
    """Mean transition probabilities without ``kappa``.

    Stickiness tells how long bouts are wanted to be: with it every border would be a surprise,
    and samples would hardly change state. The counts tell how long bouts are.
    """
    return _sticky.mean(with_kappa(parameters, 0.0).transition)


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
