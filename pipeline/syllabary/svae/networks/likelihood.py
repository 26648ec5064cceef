"""Samples of the latents, and the likelihood of pixels given latents.

The likelihood is a sum over frames, so its expectation depends on the marginals of single frames.
Latents are drawn for each frame independently, and autograd differentiates through the Cholesky factors
(doi:10.48550/arXiv.1312.6114). Missing pixels enter no sum, whatever their value.
"""

import math

import torch

from ...errors import ShapeError

__all__ = ["expected_log_density", "inliers", "log_likelihood", "sample_marginals", "scored_pixels"]

# Range of heights of a crop, mm; outliers are uniform over it.
RANGE_MM = 255.0
# Log odds above which softplus is the identity to float64 precision.
MAX_LOG_ODDS = 40.0


def sample_marginals(
    means: torch.Tensor, covariances: torch.Tensor, normals: torch.Tensor
) -> torch.Tensor:
    """Draw the latents of each frame from its marginal, independently of other frames.

    Parameters
    ----------
    means : (N, D) float64
    covariances : (N, D, D) float64
        Symmetric and positive definite; only the lower triangle is read.
    normals : (N, D) float64
        Standard normal draws.

    Returns
    -------
    (N, D) float64
        ``mean + L normal`` with ``L Lᵀ`` the covariance; differentiable in means and covariances.

    Raises
    ------
    torch.linalg.LinAlgError
        A covariance is not positive definite, which is an error of inference.
    """
    factors = torch.linalg.cholesky(covariances)
    return means + (factors @ normals[..., None])[..., 0]


def log_likelihood(
    heights: torch.Tensor,
    observed: torch.Tensor,
    expected: torch.Tensor,
    log_variance: torch.Tensor,
    used: torch.Tensor,
    outliers: float = 0.0,
) -> torch.Tensor:
    """Return the log density of the measured pixels of each frame, independent given the latents.

    The density of a pixel is ``(1 − outliers) N(height; expected, variance) + outliers / 255 mm``. The
    second term is for other objects, whose heights are uniform.

    Parameters
    ----------
    heights : (N, H, W) floating
        mm; anything where not observed.
    observed : (N, H, W) bool
    expected : (N, H, W) floating
        Output of the decoder, mm.
    log_variance : (H, W) floating
        Log of the noise variance of each pixel, mm².
    used : (H, W) bool
        Pixels that are modeled; the others are not scored.
    outliers : float
        Share of pixels that show other objects, less than 1; 0 = all are Gaussian.

    Returns
    -------
    (N,) float64
        Nats, density per mm in each pixel; 0 for a frame without a scored pixel.
        Differentiable in ``expected`` and ``log_variance``.

    Raises
    ------
    ShapeError
        Heights, observed and expected differ in shape.
    """
    if not heights.shape == observed.shape == expected.shape:
        raise ShapeError(
            f"heights {tuple(heights.shape)}, observed {tuple(observed.shape)} and expected "
            f"{tuple(expected.shape)} must be of one shape (N, H, W)."
        )
    scored = observed & used
    deviation = torch.where(scored, heights - expected, 0)
    # Terms keep their dtype; only sums over thousands of pixels need float64.
    if outliers:
        odds = _log_odds(deviation, log_variance, outliers)
        log_ratio = torch.where(scored, torch.nn.functional.softplus(odds, threshold=MAX_LOG_ODDS), 0)
        count = scored.sum((-2, -1), dtype=torch.float64)
        return log_ratio.sum((-2, -1), dtype=torch.float64) + math.log(outliers / RANGE_MM) * count
    square = (deviation.square() * torch.exp(-log_variance)).sum((-2, -1), dtype=torch.float64)
    constants = (log_variance.double() + math.log(2 * math.pi)).flatten()
    return -0.5 * (square + scored.flatten(1).double() @ constants)


def inliers(deviation: torch.Tensor, log_variance: torch.Tensor, outliers: float) -> torch.Tensor:
    """Return the probability that pixels show the animal or the floor.

    Parameters
    ----------
    deviation : (..., H, W) floating
        Heights minus expected heights, mm.
    log_variance : (H, W) floating
        Log of the noise variance of each pixel, mm².
    outliers : float
        Share of pixels that show other objects.

    Returns
    -------
    (..., H, W) floating
    """
    if not outliers:
        return torch.ones_like(deviation)
    return torch.sigmoid(_log_odds(deviation, log_variance, outliers))


def _log_odds(deviation: torch.Tensor, log_variance: torch.Tensor, outliers: float) -> torch.Tensor:
    """Log odds of the animal or floor against other objects, nats."""
    constant = math.log1p(-outliers) - math.log(outliers / RANGE_MM) - 0.5 * math.log(2 * math.pi)
    half_precision = 0.5 * torch.exp(-log_variance)
    return torch.addcmul(constant - 0.5 * log_variance, deviation.square(), half_precision, value=-1)


def expected_log_density(
    values: torch.Tensor, precision: torch.Tensor, means: torch.Tensor, covariances: torch.Tensor
) -> float:
    """Return the expected log density of measurements of the last latents, nats, summed over frames.

    Parameters
    ----------
    values, precision : (T, M) float64
        Measurements and their precisions; precision 0 is missing.
    means, covariances : (T, D), (T, D, D) float64
        Posterior of all latents; the last M are measured.
    """
    size = values.shape[-1]
    if not size:
        return 0.0
    measured = precision > 0
    spread = covariances.diagonal(dim1=-2, dim2=-1)[:, -size:]
    square = precision * ((values - means[:, -size:]).square() + spread)
    constant = torch.where(measured, torch.log(torch.where(measured, precision, 1) / (2 * math.pi)), 0)
    return float(0.5 * (constant - torch.where(measured, square, 0)).sum())


def scored_pixels(observed: torch.Tensor, used: torch.Tensor) -> torch.Tensor:
    """Count the scored pixels of each frame.

    Parameters
    ----------
    observed : (N, H, W) bool
    used : (H, W) bool
        Pixels that are modeled.

    Returns
    -------
    (N,) int64
    """
    return (observed & used).sum((-2, -1))
