"""Settings and parameters that the sticky models share, and functions of them."""

from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from ...expfam import dirichlet, mniw
from ..interface import GlobalParameters, StickyParameters
from ..settings.sticky import Settings
from ..types import add
from . import natural_gradient, population, sticky

__all__ = [
    "Parameters",
    "Settings",
    "Statistics",
    "dimensions",
    "divergence",
    "kappa_of",
    "lags",
    "learn",
    "reorder",
    "unseen",
    "update",
    "with_kappa",
]

AnyParameters = TypeVar("AnyParameters", bound=GlobalParameters)
AnySticky = TypeVar("AnySticky", bound=StickyParameters)


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
    hyperprior: mniw.Natural
    """Prior of every state's dynamics."""


class Statistics(NamedTuple):
    """Expected counts and sums that add to the natural parameters."""

    initial: dirichlet.Natural
    """(K,) counts."""
    transition: dirichlet.Natural
    """(K, K) counts."""
    dynamics: mniw.Natural
    """(K, ...) sums of s sᵀ, x sᵀ, x xᵀ, and frames."""


def unseen(settings: Settings, weights: Tensor, kappa: Tensor, hyperprior: mniw.Natural) -> Parameters:
    """Return parameters without data: those of the prior.

    Parameters
    ----------
    settings : Settings
    weights : (K,) float64
        beta, shares of the states.
    kappa : () float64
        Pseudo-count of staying.
    hyperprior : mniw.Natural
        Prior of every state's dynamics.
    """
    states = len(weights)
    return Parameters(
        initial=dirichlet.Natural(torch.full_like(weights, settings.alpha / states)),
        transition=dirichlet.Natural(sticky.concentrations(weights, settings.alpha, kappa)),
        dynamics=mniw.Natural(*(part.expand(states, *part.shape).clone() for part in hyperprior)),
        weights=weights,
        kappa=kappa,
        hyperprior=hyperprior,
    )


def with_kappa(parameters: AnySticky, kappa: float) -> AnySticky:
    """Return the same posterior counts under another stickiness.

    Parameters
    ----------
    parameters : Parameters
    kappa : float
        Pseudo-count of staying.
    """
    change = kappa - parameters.kappa
    states = len(parameters.weights)
    before = parameters.transition.concentration
    rows = before + change * torch.eye(states, dtype=before.dtype, device=before.device)
    return parameters._replace(transition=dirichlet.Natural(rows), kappa=before.new_tensor(kappa))


def kappa_of(parameters: StickyParameters) -> float:
    """Return the pseudo-count of staying."""
    return float(parameters.kappa)


def dimensions(parameters: GlobalParameters) -> int:
    """Return the dimensions D of the latents."""
    return int(parameters.hyperprior.scatter.shape[-1])


def reorder(parameters: AnySticky, order: Tensor) -> AnySticky:
    """Renumber the states.

    Parameters
    ----------
    parameters : Parameters
    order : (K,) int64
        The new state i is the old ``order[i]``.
    """
    return parameters._replace(
        initial=dirichlet.Natural(parameters.initial.concentration[order]),
        transition=dirichlet.Natural(parameters.transition.concentration[order][:, order]),
        dynamics=mniw.Natural(*(part[order] for part in parameters.dynamics)),
        weights=parameters.weights[order],
    )


def learn(parameters: AnyParameters) -> AnyParameters:
    """Fit the hyperprior to the states' dynamics: the one that makes them most probable.

    The bound does not fall; the sums of every state stay as they are.
    """
    dynamics, previous = parameters.dynamics, parameters.hyperprior
    hyperprior = population.learn(previous, dynamics)
    shifted = (now + new - old for now, new, old in zip(dynamics, hyperprior, previous, strict=True))
    return parameters._replace(dynamics=mniw.Natural(*shifted), hyperprior=hyperprior)


def lags(parameters: GlobalParameters) -> int:
    """Return the number of past frames L that predict a frame."""
    size, width = parameters.hyperprior.precision_mean.shape[-2:]
    return int((width - 1) // size)


def divergence(parameters: Parameters, settings: Settings) -> Tensor:
    """Return the divergence of the global parameters from their prior, () nats."""
    prior = unseen(settings, parameters.weights, parameters.kappa, parameters.hyperprior)
    return (
        dirichlet.divergence(parameters.initial, prior.initial)
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
        Gradient of the rest of the objective by the expected statistics.
    """
    prior = unseen(settings, parameters.weights, parameters.kappa, parameters.hyperprior)
    target = add(Statistics(*prior[:3]), statistics)
    posterior = natural_gradient.step(Statistics(*parameters[:3]), target, rate, cotangent)
    weights = sticky.update_weights(
        parameters.weights,
        dirichlet.expected_stats(posterior.transition).log_probability,
        alpha=settings.alpha,
        gamma=settings.gamma,
        kappa=parameters.kappa,
    )
    return Parameters(
        *posterior, weights=weights, kappa=parameters.kappa, hyperprior=parameters.hyperprior
    )
