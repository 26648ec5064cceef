"""Regression of a frame on its past: regressors, sums, and the prior from one regression."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...expfam import mniw
from ...messages import moments
from ...messages.regression import ar_log_likelihood
from ..types import PointEvidence, Sample

__all__ = ["draw", "features", "hyperprior", "noise", "pull", "scores", "sums", "usable"]


def usable(observed: Tensor, lags: int, lengths: Tensor | None = None) -> Tensor:
    """Return the frames that are evidence: they and all their ``lags`` predecessors are observed.

    Parameters
    ----------
    observed : (..., T) bool
    lags : int
    lengths : (...) int, optional
        Frames that count in each sequence; all T by default.

    Returns
    -------
    (..., T) bool
        Never the first ``lags`` frames.
    """
    frames = observed.shape[-1]
    frames_used = observed.clone()
    frames_used[..., :lags] = False
    for lag in range(1, min(lags, frames - 1) + 1):
        frames_used[..., lag:] &= observed[..., : frames - lag]
    if lengths is not None:
        frames_used &= torch.arange(frames, device=observed.device) < lengths[..., None]
    return frames_used


def features(evidence: PointEvidence, lags: int) -> tuple[Tensor, Tensor]:
    """Return the regressor of every frame, and the frame; zeros where not observed.

    Parameters
    ----------
    evidence : PointEvidence
        (..., T, D)
    lags : int

    Returns
    -------
    regressor : (..., T, lags * D + 1)
        ``[x_{t-1}, ..., x_{t-lags}, 1]``; zeros before the first frame.
    latents : (..., T, D)
    """
    # NaN of frames that are not observed must not reach any product.
    latents = torch.where(evidence.observed[..., None], evidence.latents, evidence.latents.new_zeros(()))
    frames = latents.shape[-2]
    columns = []
    for lag in range(1, lags + 1):
        shifted = torch.zeros_like(latents)
        if lag < frames:
            shifted[..., lag:, :] = latents[..., : frames - lag, :]
        columns.append(shifted)
    columns.append(latents.new_ones((*latents.shape[:-1], 1)))
    return torch.cat(columns, -1), latents


def sums(evidence: PointEvidence, usable: Tensor, states: Tensor, lags: int) -> mniw.Natural:
    """Return sums over usable frames, weighted by the states' probabilities, in float64.

    Parameters
    ----------
    evidence : PointEvidence
        (..., T, D)
    usable : (..., T) bool
    states : (..., T, K)
        Probabilities.
    lags : int
    """
    size = evidence.latents.shape[-1]
    regressor, latents = features(evidence, lags)
    joint = torch.where(usable[..., None], torch.cat([latents, regressor], -1), 0.0)
    shape = 1, -1, joint.shape[-1]
    gram = moments.weighted_moments(joint.reshape(shape), states.reshape(1, -1, states.shape[-1]))
    return mniw.Natural(
        precision=gram[:, size:, size:].clone(),
        precision_mean=gram[:, :size, size:].clone(),
        scatter=gram[:, :size, :size].clone(),
        observations=gram[:, -1, -1].clone(),  # the last number of a joint that counts is 1
    )


def hyperprior(
    pooled: mniw.Natural, *, coefficient_variance: float, extra_degrees: float, noise_floor: float
) -> mniw.Natural:
    """Return the prior of every state's dynamics: identity, with the noise of one regression.

    Parameters
    ----------
    pooled : mniw.Natural
        Sums over all frames, unbatched, with at least one frame.
    coefficient_variance : float
        Of the weights, in units of the noise.
    extra_degrees : float
        Degrees of freedom of the noise above D, more than 1.
    noise_floor : float
        Added to the variance of the noise.
    """
    size, width = pooled.precision_mean.shape
    mean = torch.eye(size, width, dtype=torch.float64)
    if width == 1:  # there is no past
        mean = torch.zeros_like(mean)
    degrees = torch.tensor(size + extra_degrees, dtype=torch.float64)
    column_covariance = coefficient_variance * torch.eye(width, dtype=torch.float64)
    unit = torch.eye(size, dtype=torch.float64)

    def around(variance: Tensor) -> mniw.Natural:
        scale = variance * (extra_degrees - 1)
        return mniw.from_standard(mniw.Standard(mean, column_covariance, scale, degrees))

    vague = around(noise_floor * unit)
    fitted = mniw.to_standard(mniw.Natural(*(a + b for a, b in zip(vague, pooled, strict=True))))
    residual = fitted.scale / pooled.observations
    return around((residual + residual.mT) / 2 + noise_floor * unit)


def noise(standard: mniw.Standard) -> Tensor:
    """Return the mean of Q, (..., D, D)."""
    size = standard.scale.shape[-1]
    return standard.scale / (standard.degrees - size - 1)[..., None, None]


def scores(
    dynamics: mniw.Natural, evidence: PointEvidence, lags: int, *, at_mean: bool = False
) -> Tensor:
    """Return the log density of every frame under every state, nats, whether usable or not.

    Parameters
    ----------
    dynamics : mniw.Natural
        (K, ...)
    evidence : PointEvidence
        (..., T, D)
    lags : int
    at_mean : bool
        Take the density at the means of W and Q, otherwise its mean over their distribution.

    Returns
    -------
    (..., T, K), dtype of the latents
    """
    standard = mniw.to_standard(dynamics)
    if at_mean:
        factor = torch.linalg.cholesky(noise(standard))
        precision = torch.cholesky_inverse(factor)
        log_det = -2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    else:
        precision, log_det = mniw.expected_precision(standard)
    regressor, latents = features(evidence, lags)
    spread = None if at_mean else standard.column_covariance
    return ar_log_likelihood(latents, regressor, standard.mean, spread, precision, log_det)


def pull(
    dynamics: mniw.Natural, evidence: PointEvidence, usable: Tensor, states: Tensor, lags: int
) -> Tensor:
    """Return the gradient of the scores by the latents, summed with the states' weights.

    Parameters
    ----------
    dynamics : mniw.Natural
        (K, ...)
    evidence : PointEvidence
        (..., T, D)
    usable : (..., T) bool
    states : (..., T, K)
        Weights.
    lags : int

    Returns
    -------
    (..., T, D)
    """
    standard = mniw.to_standard(dynamics)
    precision, _ = mniw.expected_precision(standard)
    regressor, latents = features(evidence, lags)
    size = latents.shape[-1]
    share = torch.where(usable[..., None], states, 0.0).to(latents.dtype)
    mean, spread = standard.mean.to(latents), standard.column_covariance.to(latents)
    residual = latents[..., None, :] - torch.einsum("kdp,...p->...kd", mean, regressor)
    force = torch.einsum("kde,...ke->...kd", precision.to(latents), residual) * share[..., None]
    back = torch.einsum("kdp,...kd->...p", mean, force)
    back = back - size * torch.einsum("...k,kpq,...q->...p", share, spread, regressor)
    gradient = -force.sum(-2)
    for lag in range(1, lags + 1):
        part = back[..., lag:, (lag - 1) * size : lag * size]
        gradient[..., : gradient.shape[-2] - lag, :] += part
    return torch.where(evidence.observed[..., None], gradient, 0.0)


def draw(
    standard: mniw.Standard,
    first: npt.NDArray[np.float64],
    rows: npt.NDArray[np.float64],
    past: npt.NDArray[np.float64],
    rng: np.random.Generator,
    frames: int,
) -> Sample:
    """Draw states and latents, the parameters at their means.

    Parameters
    ----------
    standard : mniw.Standard
        (K, ...) dynamics.
    first, rows : (K,) and (K, K)
        Probabilities of the first state and of the steps.
    past : (L, D)
        Latents before the first frame, the latest first.
    rng : numpy Generator
    frames : int
    """
    mean = standard.mean.cpu().numpy()
    spread = torch.linalg.cholesky(noise(standard)).cpu().numpy()
    count, size = mean.shape[:2]
    states = np.empty(frames, np.int64)
    latents = np.empty((frames, size))
    for t in range(frames):
        states[t] = rng.choice(count, p=rows[states[t - 1]] if t else first)
        expected = mean[states[t]] @ np.append(past.ravel(), 1.0)
        latents[t] = expected + spread[states[t]] @ rng.standard_normal(size)
        past = np.concatenate([latents[t : t + 1], past])[: len(past)]
    return Sample(torch.from_numpy(states), torch.from_numpy(latents))
