"""Normal inverse-Wishart distribution of a mean μ and a noise covariance Q.

It is the distribution of a regression on the constant 1 (see ``mniw``), without the axis of that
one regressor.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from . import mniw

__all__ = [
    "Natural",
    "Standard",
    "Statistics",
    "as_regression",
    "divergence",
    "expected_stats",
    "from_standard",
    "log_normalizer",
    "to_standard",
]


class Natural(NamedTuple):
    """Coefficients of the statistics under the measure dμ dQ.

    Attributes
    ----------
    precision : (...)
        κ; data add their number.
    precision_mean : (..., D)
        κ m; data add Σ x.
    scatter : (..., D, D)
        S + κ m mᵀ; data add Σ x xᵀ.
    observations : (...)
        ν + D + 2; data add their number.
    """

    precision: Tensor
    precision_mean: Tensor
    scatter: Tensor
    observations: Tensor


class Statistics(NamedTuple):
    """Sufficient statistics, which the natural parameters multiply.

    Attributes
    ----------
    neg_half_mean_gram : (...)
        −½ μᵀ Q⁻¹ μ.
    noise_precision_mean : (..., D)
        Q⁻¹ μ.
    neg_half_noise_precision : (..., D, D)
        −½ Q⁻¹.
    half_log_det : (...)
        ½ log |Q⁻¹|, nats.
    """

    neg_half_mean_gram: Tensor
    noise_precision_mean: Tensor
    neg_half_noise_precision: Tensor
    half_log_det: Tensor


class Standard(NamedTuple):
    """The textbook parameters: Q ~ IW(S, ν), and given Q, μ ~ N(m, Q / κ).

    Attributes
    ----------
    mean : (..., D)
        m.
    mean_count : (...)
        κ, the number of observations that the mean is worth.
    scale : (..., D, D)
        S, positive definite; the mean of Q is S / (ν − D − 1).
    degrees : (...)
        ν > D − 1, degrees of freedom.
    """

    mean: Tensor
    mean_count: Tensor
    scale: Tensor
    degrees: Tensor


def log_normalizer(natural: Natural) -> Tensor:
    """Log of the integral of exp(natural · statistics), (...) nats."""
    return mniw.log_normalizer(as_regression(natural))


def expected_stats(natural: Natural) -> Statistics:
    """Means of the statistics."""
    gram, linear, precision, half_log_det = mniw.expected_stats(as_regression(natural))
    return Statistics(
        neg_half_mean_gram=gram[..., 0, 0],
        noise_precision_mean=linear[..., 0],
        neg_half_noise_precision=precision,
        half_log_det=half_log_det,
    )


@torch.no_grad()
def from_standard(standard: Standard) -> Natural:
    """Natural parameters, float64, of the textbook ones."""
    mean, mean_count, scale, degrees = (part.to(torch.float64) for part in standard)
    precision_mean = mean_count[..., None] * mean
    return Natural(
        precision=mean_count,
        precision_mean=precision_mean,
        scatter=scale + precision_mean[..., :, None] * mean[..., None, :],
        observations=degrees + mean.shape[-1] + 2,
    )


def to_standard(natural: Natural) -> Standard:
    """Textbook parameters of the natural ones."""
    mean, _, scale, degrees = mniw.to_standard(as_regression(natural))
    return Standard(mean=mean[..., 0], mean_count=natural.precision, scale=scale, degrees=degrees)


def divergence(q: Natural, p: Natural) -> Tensor:
    """Kullback-Leibler divergence of ``q`` from ``p``, (...) nats, ≥ 0 up to rounding."""
    return mniw.divergence(as_regression(q), as_regression(p))


def as_regression(natural: Natural) -> mniw.Natural:
    """Return the same distribution with its one regressor as an axis of length 1."""
    return mniw.Natural(
        precision=natural.precision[..., None, None],
        precision_mean=natural.precision_mean[..., None],
        scatter=natural.scatter,
        observations=natural.observations,
    )
