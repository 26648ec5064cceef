"""Settings and parameters of the sticky AR-HMM, and what can be done to them without data."""

from typing import NamedTuple

import pydantic
import torch
from torch import Tensor

from .. import settings as base_settings
from ..expfam import dirichlet, mniw
from ..settings import Field
from . import _sticky

__all__ = [
    "Parameters",
    "Settings",
    "Statistics",
    "dimensions",
    "lags",
    "reorder",
    "unseen",
    "with_kappa",
]


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


def unseen(settings: Settings, weights: Tensor, kappa: Tensor, base: mniw.Natural) -> Parameters:
    """Return parameters that have seen no data."""
    states = len(weights)
    return Parameters(
        initial=dirichlet.Natural(torch.full_like(weights, settings.alpha / states)),
        transition=dirichlet.Natural(_sticky.concentrations(weights, settings.alpha, kappa)),
        dynamics=mniw.Natural(*(part.expand(states, *part.shape).clone() for part in base)),
        weights=weights,
        kappa=kappa,
        base=base,
    )


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


def lags(parameters: Parameters) -> int:
    """Return the past frames L that predict a frame."""
    size, width = parameters.base.precision_mean.shape[-2:]
    return (width - 1) // size
