"""Gaussian distribution of a vector, in natural form.

Chains work with ``(precision, precision_mean)``, J and h of the textbooks; here the
coefficient of x xᵀ is taken literally, −J/2.
"""

import math
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
    """Coefficients of the statistics.

    Attributes
    ----------
    precision_mean : (..., D)
        Σ⁻¹ μ.
    neg_half_precision : (..., D, D)
        −½ Σ⁻¹, symmetric.
    """

    precision_mean: Tensor
    neg_half_precision: Tensor


class Statistics(NamedTuple):
    """Sufficient statistics, which the natural parameters multiply.

    Attributes
    ----------
    mean : (..., D)
        x.
    second_moment : (..., D, D)
        x xᵀ.
    """

    mean: Tensor
    second_moment: Tensor


class Standard(NamedTuple):
    """The textbook parameters.

    Attributes
    ----------
    mean : (..., D)
        μ.
    covariance : (..., D, D)
        Σ, positive definite.
    """

    mean: Tensor
    covariance: Tensor


@torch.no_grad()
def log_normalizer(natural: Natural) -> Tensor:
    """Log of the integral of exp(natural · statistics), (...) nats."""
    factor = torch.linalg.cholesky(-2 * natural.neg_half_precision)
    whitened = torch.linalg.solve_triangular(factor, natural.precision_mean[..., None], upper=False)
    dimensions = natural.precision_mean.shape[-1]
    return (
        0.5 * whitened.square().sum((-2, -1))
        - 0.5 * _log_det(factor)
        + 0.5 * dimensions * math.log(2 * math.pi)
    )


@torch.no_grad()
def expected_stats(natural: Natural) -> Statistics:
    """Mean and second moment."""
    mean, covariance = to_standard(natural)
    return Statistics(mean=mean, second_moment=covariance + mean[..., :, None] * mean[..., None, :])


@torch.no_grad()
def from_standard(standard: Standard) -> Natural:
    """Natural parameters, float64, of mean and covariance."""
    precision = torch.cholesky_inverse(torch.linalg.cholesky(standard.covariance.to(torch.float64)))
    mean = standard.mean.to(torch.float64)
    return Natural(
        precision_mean=(precision @ mean[..., None])[..., 0], neg_half_precision=-0.5 * precision
    )


@torch.no_grad()
def to_standard(natural: Natural) -> Standard:
    """Mean and covariance of the natural parameters."""
    covariance = torch.cholesky_inverse(torch.linalg.cholesky(-2 * natural.neg_half_precision))
    return Standard(mean=(covariance @ natural.precision_mean[..., None])[..., 0], covariance=covariance)


@torch.no_grad()
def divergence(q: Natural, p: Natural) -> Tensor:
    """Kullback-Leibler divergence of ``q`` from ``p``, (...) nats, ≥ 0 up to rounding."""
    precision_q, precision_p = -2 * q.neg_half_precision, -2 * p.neg_half_precision
    mean_q, covariance_q = to_standard(q)
    shift = (mean_q - to_standard(p).mean)[..., None]
    log_ratio = _log_det(torch.linalg.cholesky(precision_q)) - _log_det(
        torch.linalg.cholesky(precision_p)
    )
    trace = (precision_p * covariance_q).sum((-2, -1))
    return 0.5 * (trace - mean_q.shape[-1] + log_ratio + (shift * (precision_p @ shift)).sum((-2, -1)))


def _log_det(factor: Tensor) -> Tensor:
    """Log determinant of L Lᵀ."""
    return 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
