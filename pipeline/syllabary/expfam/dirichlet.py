"""Dirichlet distribution of a probability vector: initial states, rows of a transition matrix."""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = [
    "Natural",
    "Standard",
    "Statistics",
    "divergence",
    "expected_stats",
    "from_standard",
    "log_normalizer",
    "to_standard",
]


class Natural(NamedTuple):
    """Coefficients of the statistics under the measure dπ / (π_1 ... π_K).

    Under this measure the coefficient is the concentration itself; under dπ it would be one
    less, and a concentration of 1e-17, which sparse weights do reach, would round to zero.

    Attributes
    ----------
    concentration : (..., K)
        positive; counts add to it.
    """

    concentration: Tensor


class Statistics(NamedTuple):
    """Sufficient statistics, which the natural parameters multiply.

    Attributes
    ----------
    log_probability : (..., K)
        log π, nats.
    """

    log_probability: Tensor


class Standard(NamedTuple):
    """The textbook parameters.

    Attributes
    ----------
    concentration : (..., K)
        positive.
    """

    concentration: Tensor


@torch.no_grad()
def log_normalizer(natural: Natural) -> Tensor:
    """Log of the integral of exp(natural · statistics), (...) nats."""
    a = natural.concentration
    return torch.lgamma(a).sum(-1) - torch.lgamma(a.sum(-1))


@torch.no_grad()
def expected_stats(natural: Natural) -> Statistics:
    """Mean of log π, (..., K); its exponential is sub-normalized."""
    a = natural.concentration
    return Statistics(log_probability=torch.digamma(a) - torch.digamma(a.sum(-1, keepdim=True)))


def from_standard(standard: Standard) -> Natural:
    """Natural parameters, float64, of the textbook ones."""
    return Natural(concentration=standard.concentration.to(torch.float64))


def to_standard(natural: Natural) -> Standard:
    """Textbook parameters of the natural ones."""
    return Standard(concentration=natural.concentration)


@torch.no_grad()
def divergence(q: Natural, p: Natural) -> Tensor:
    """Kullback-Leibler divergence of ``q`` from ``p``, (...) nats, ≥ 0 up to rounding."""
    a, b = q.concentration, p.concentration
    mean = expected_stats(q).log_probability
    return log_normalizer(p) - log_normalizer(q) + ((a - b) * mean).sum(-1)
