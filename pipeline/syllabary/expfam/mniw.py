"""Matrix-normal inverse-Wishart distribution of a linear regression.

The regression is x = W s + noise, noise ~ N(0, Q). The distribution is Q ~ IW(S, ν) and, given Q,
W ~ MN(M, Q, V): rows of W covary as Q, columns as V. A regression's data add to the natural
parameters: Σ s sᵀ, Σ x sᵀ, Σ x xᵀ, and their number.

References
----------
doi:10.1109/TSP.2010.2102756 uses the same conjugate pair; its K is our V⁻¹.
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
    "expected_precision",
    "expected_stats",
    "from_standard",
    "log_normalizer",
    "to_standard",
]


class Natural(NamedTuple):
    """Coefficients of the statistics under the measure dW dQ.

    Attributes
    ----------
    precision : (..., p, p)
        V⁻¹; data add Σ s sᵀ.
    precision_mean : (..., D, p)
        M V⁻¹; data add Σ x sᵀ.
    scatter : (..., D, D)
        S + M V⁻¹ Mᵀ; data add Σ x xᵀ.
    observations : (...)
        ν + D + p + 1; data add their number.
    """

    precision: Tensor
    precision_mean: Tensor
    scatter: Tensor
    observations: Tensor


class Statistics(NamedTuple):
    """Sufficient statistics, which the natural parameters multiply.

    Attributes
    ----------
    neg_half_weights_gram : (..., p, p)
        −½ Wᵀ Q⁻¹ W.
    noise_precision_weights : (..., D, p)
        Q⁻¹ W.
    neg_half_noise_precision : (..., D, D)
        −½ Q⁻¹.
    half_log_det : (...)
        ½ log |Q⁻¹|, nats.
    """

    neg_half_weights_gram: Tensor
    noise_precision_weights: Tensor
    neg_half_noise_precision: Tensor
    half_log_det: Tensor


class Standard(NamedTuple):
    """The textbook parameters.

    Attributes
    ----------
    mean : (..., D, p)
        M, mean of the weights.
    column_covariance : (..., p, p)
        V, positive definite.
    scale : (..., D, D)
        S, positive definite; the mean of Q is S / (ν − D − 1).
    degrees : (...)
        ν > D − 1, degrees of freedom.
    """

    mean: Tensor
    column_covariance: Tensor
    scale: Tensor
    degrees: Tensor


@torch.no_grad()
def log_normalizer(natural: Natural) -> Tensor:
    """Log of the integral of exp(natural · statistics), (...) nats."""
    _, _, scale, degrees = to_standard(natural)
    rows, columns = natural.precision_mean.shape[-2:]
    return (
        torch.mvlgamma(degrees / 2, rows)
        + 0.5 * degrees * (rows * math.log(2) - _log_det(scale))
        + 0.5 * rows * (columns * math.log(2 * math.pi) - _log_det(natural.precision))
    )


@torch.no_grad()
def expected_stats(natural: Natural) -> Statistics:
    """Means of the statistics."""
    standard = to_standard(natural)
    mean, rows = standard.mean, standard.mean.shape[-2]
    precision, log_det = expected_precision(standard)
    precision_weights = precision @ mean
    return Statistics(
        neg_half_weights_gram=-0.5 * (mean.mT @ precision_weights + rows * standard.column_covariance),
        noise_precision_weights=precision_weights,
        neg_half_noise_precision=-0.5 * precision,
        half_log_det=0.5 * log_det,
    )


@torch.no_grad()
def expected_precision(standard: Standard) -> tuple[Tensor, Tensor]:
    """Means of Q⁻¹, (..., D, D), and of log |Q⁻¹|, (...) nats."""
    rows = standard.mean.shape[-2]
    factor = torch.linalg.cholesky(standard.scale)
    log_det = -2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    log_det = _digamma(standard.degrees, rows) + rows * math.log(2) + log_det
    return standard.degrees[..., None, None] * torch.cholesky_inverse(factor), log_det


@torch.no_grad()
def from_standard(standard: Standard) -> Natural:
    """Natural parameters, float64, of the textbook ones."""
    mean, column_covariance, scale, degrees = (part.to(torch.float64) for part in standard)
    rows, columns = mean.shape[-2:]
    precision = _inverse(column_covariance)
    precision_mean = mean @ precision
    return Natural(
        precision=precision,
        precision_mean=precision_mean,
        scatter=scale + precision_mean @ mean.mT,
        observations=degrees + rows + columns + 1,
    )


@torch.no_grad()
def to_standard(natural: Natural) -> Standard:
    """Textbook parameters of the natural ones."""
    rows, columns = natural.precision_mean.shape[-2:]
    factor = torch.linalg.cholesky(natural.precision)
    whitened = torch.linalg.solve_triangular(factor, natural.precision_mean.mT, upper=False)
    return Standard(
        mean=torch.linalg.solve_triangular(factor.mT, whitened, upper=True).mT,
        column_covariance=torch.cholesky_inverse(factor),
        scale=natural.scatter - whitened.mT @ whitened,
        degrees=natural.observations - rows - columns - 1,
    )


@torch.no_grad()
def divergence(q: Natural, p: Natural) -> Tensor:
    """Kullback-Leibler divergence of ``q`` from ``p``, (...) nats, ≥ 0 up to rounding.

    The divergence of the weights given Q, averaged over Q, then that of Q: each term is
    small where the distributions agree, so nothing large cancels.
    """
    mean_q, column_covariance_q, scale_q, degrees_q = to_standard(q)
    mean_p, _, scale_p, degrees_p = to_standard(p)
    rows, columns = mean_q.shape[-2:]
    inverse_q = _inverse(scale_q)
    shift = mean_q - mean_p
    weights = (
        0.5 * rows * (_trace(p.precision, column_covariance_q) - columns)
        + 0.5 * rows * (_log_det(q.precision) - _log_det(p.precision))
        + 0.5 * degrees_q * _trace(inverse_q, shift @ p.precision @ shift.mT)
    )
    noise = (
        0.5 * degrees_p * (_log_det(scale_q) - _log_det(scale_p))
        + 0.5 * degrees_q * (_trace(scale_p, inverse_q) - rows)
        + torch.mvlgamma(degrees_p / 2, rows)
        - torch.mvlgamma(degrees_q / 2, rows)
        + 0.5 * (degrees_q - degrees_p) * _digamma(degrees_q, rows)
    )
    return weights + noise


def _digamma(degrees: Tensor, rows: int) -> Tensor:
    """Multivariate digamma of ν / 2: the sum of ψ((ν + 1 − i) / 2) over i = 1..D."""
    steps = torch.arange(rows, dtype=degrees.dtype, device=degrees.device)
    return torch.digamma((degrees[..., None] - steps) / 2).sum(-1)


def _inverse(matrix: Tensor) -> Tensor:
    return torch.cholesky_inverse(torch.linalg.cholesky(matrix))


def _log_det(matrix: Tensor) -> Tensor:
    return 2 * torch.linalg.cholesky(matrix).diagonal(dim1=-2, dim2=-1).log().sum(-1)


def _trace(left: Tensor, right: Tensor) -> Tensor:
    """Trace of the product of two symmetric matrices."""
    return (left * right).sum((-2, -1))
