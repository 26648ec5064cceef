"""What training asks of a decoder: samples of the latents, and the likelihood of pixels.

The likelihood is a sum over frames, so its expectation depends on the marginals of the frames
alone: latents are drawn for each frame on its own, and ordinary autograd takes the gradient
through the Cholesky factors (doi:10.48550/arXiv.1312.6114). Missing pixels are absent: they
enter no sum, whatever they hold.
"""

import math

import torch

from ...errors import ShapeError

__all__ = ["expected_log_density", "inliers", "log_likelihood", "sample_marginals", "scored_pixels"]

# What a crop can hold, mm: outliers are uniform over it.
RANGE_MM = 255.0
# Log odds beyond which the logarithm of one plus their exponential is they themselves, in float64 too.
CERTAIN = 40.0


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
        A covariance is not positive definite; that is a fault of inference and not mended here.
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
    """Log density of the measured pixels of each frame, independent given what is expected.

    Each is ``(1 − outliers) N(height; expected, variance) + outliers / 255 mm``: of the animal and the
    floor, or of something else, which may have any height and says nothing of the animal.

    Parameters
    ----------
    heights : (N, H, W) floating
        mm; anything where not observed.
    observed : (N, H, W) bool
    expected : (N, H, W) floating
        What the decoder makes of the latents, mm.
    log_variance : (H, W) floating
        Log of the noise variance of each pixel, mm².
    used : (H, W) bool
        Pixels that are modeled; the others are not scored.
    outliers : float
        Share of pixels that are something else's, less than 1; with 0 they are Gaussian.

    Returns
    -------
    (N,) float64
        Nats, density per mm in each pixel; 0 for a frame without a scored pixel.
        Differentiable in ``expected`` and ``log_variance``.

    Raises
    ------
    ShapeError
        Frames and expectations are of different shapes.
    """
    if not heights.shape == observed.shape == expected.shape:
        raise ShapeError(
            f"heights {tuple(heights.shape)}, observed {tuple(observed.shape)} and expected "
            f"{tuple(expected.shape)} must be of one shape (N, H, W)."
        )
    scored = observed & used
    deviation = torch.where(scored, heights - expected, 0)
    # Terms keep the dtype they come in; only their sums, of thousands of pixels, need more.
    if outliers:
        odds = _log_odds(deviation, log_variance, outliers)
        sure = torch.where(scored, torch.nn.functional.softplus(odds, threshold=CERTAIN), 0)
        count = scored.sum((-2, -1), dtype=torch.float64)
        return sure.sum((-2, -1), dtype=torch.float64) + math.log(outliers / RANGE_MM) * count
    misfit = (deviation.square() * torch.exp(-log_variance)).sum((-2, -1), dtype=torch.float64)
    constants = (log_variance.double() + math.log(2 * math.pi)).flatten()
    return -0.5 * (misfit + scored.flatten(1).double() @ constants)


def inliers(deviation: torch.Tensor, log_variance: torch.Tensor, outliers: float) -> torch.Tensor:
    """Return the probability that pixels are the animal's or the floor's, of the deviation's shape.

    Parameters
    ----------
    deviation : (..., H, W) floating
        Heights minus what is expected of them, mm.
    log_variance, outliers
        As for ``log_likelihood``.
    """
    if not outliers:
        return torch.ones_like(deviation)
    return torch.sigmoid(_log_odds(deviation, log_variance, outliers))


def _log_odds(deviation: torch.Tensor, log_variance: torch.Tensor, outliers: float) -> torch.Tensor:
    """Log density as the animal's less that as something else's, nats."""
    constant = math.log1p(-outliers) - math.log(outliers / RANGE_MM) - 0.5 * math.log(2 * math.pi)
    half_precision = 0.5 * torch.exp(-log_variance)
    return torch.addcmul(constant - 0.5 * log_variance, deviation.square(), half_precision, value=-1)


def expected_log_density(
    values: torch.Tensor, precision: torch.Tensor, means: torch.Tensor, covariances: torch.Tensor
) -> float:
    """Return the mean log density of measurements of the last latents, nats, summed over frames.

    Parameters
    ----------
    values, precision : (T, M) float64
        Measurements with their Gaussian noise; precision 0 is missing.
    means, covariances : (T, D), (T, D, D) float64
        Of all latents, of which the last M are measured.
    """
    size = values.shape[-1]
    if not size:
        return 0.0
    known = precision > 0
    spread = covariances.diagonal(dim1=-2, dim2=-1)[:, -size:]
    misfit = precision * ((values - means[:, -size:]).square() + spread)
    constant = torch.where(known, torch.log(torch.where(known, precision, 1) / (2 * math.pi)), 0)
    return float(0.5 * (constant - torch.where(known, misfit, 0)).sum())


def scored_pixels(observed: torch.Tensor, used: torch.Tensor) -> torch.Tensor:
    """Count the pixels (N,) int64 of each frame that are observed (N, H, W) and used (H, W)."""
    return (observed & used).sum((-2, -1))
