"""Expected log density of frames under the regression of every state."""

import math

import torch
from torch import Tensor

from ..errors import ShapeError
from .dispatch import Array, as_tensor, backend_for, zeros

__all__ = ["ar_log_likelihood"]


@torch.no_grad()
def ar_log_likelihood(
    latents: Array,
    regressors: Array,
    weights_mean: Array,
    weights_cov: Array | None,
    precision: Array,
    log_det: Array,
    *,
    backend: str = "auto",
) -> Tensor:
    """Expected log density of each frame under each state's regression, nats.

    −½ e'Pe − ½ D s'Vs + ½ log|P| − ½ D log 2π with e = x − M s: the mean of log N(x; W s, Q)
    over the law of W and Q, in residual form, which keeps float32 accurate where the raw
    moments of latents far from zero would cancel.

    Parameters
    ----------
    latents : (..., T, D) float32 or float64
    regressors : (..., T, p)
    weights_mean : (K, D, p)
        M.
    weights_cov : (K, p, p), or None for weights that are certain
        V, covariance of a row of W in units of the noise.
    precision : (K, D, D)
        P, the mean of Q⁻¹: ν S⁻¹.
    log_det : (K)
        Mean of log |Q⁻¹|, nats.
    backend : str
        As for ``hmm.marginals``.

    Returns
    -------
    (..., T, K), dtype of the latents

    Raises
    ------
    ShapeError
        The arrays disagree about T, D, p or K.
    """
    latents = as_tensor(latents)
    regressors, device = as_tensor(regressors).to(latents), latents.device
    weights_mean, precision, log_det = (
        as_tensor(part).to(device, torch.float64) for part in (weights_mean, precision, log_det)
    )
    size, dimensions, width = weights_mean.shape
    for name, shape, wanted in (
        ("latents", latents.shape[-1:], (dimensions,)),
        ("regressors", regressors.shape, (*latents.shape[:-1], width)),
        ("weights_cov", None if weights_cov is None else weights_cov.shape, (size, width, width)),
        ("precision", precision.shape, (size, dimensions, dimensions)),
        ("log_det", log_det.shape, (size,)),
    ):
        if shape is not None and tuple(shape) != wanted:
            raise ShapeError(
                f"{name} has shape (..., {', '.join(map(str, shape))}) where weights_mean "
                f"{tuple(weights_mean.shape)} and the latents want (..., {', '.join(map(str, wanted))})."
            )
    factor = torch.linalg.cholesky(precision).mT
    parts = [torch.cat([factor, -factor @ weights_mean], -1)]
    if weights_cov is not None:
        spread = torch.linalg.cholesky(as_tensor(weights_cov).to(device, torch.float64)).mT * math.sqrt(
            dimensions
        )
        parts.append(torch.cat([spread.new_zeros((size, width, dimensions)), spread], -1))
    # Rows that square and add up to one state's score, with the state as the fastest axis.
    whitener = torch.cat(parts, 1).permute(2, 1, 0).to(latents.dtype).contiguous()
    constant = 0.5 * (log_det - dimensions * math.log(2 * math.pi))
    joint = torch.cat([latents, regressors], -1).reshape(-1, width + dimensions).contiguous()
    scores = zeros((len(joint), size), joint, padded=False)
    backend_for(backend, latents).ar_log_likelihood(joint, whitener, constant, scores)
    return scores.reshape(*latents.shape[:-1], size)
