"""One-step predictions of a switching model whose latents have noise."""

import math

import torch
from torch import Tensor

from ...expfam import mniw, niw
from ...messages import switching
from ..types import Filtered, GaussianEvidence
from . import autoregression

__all__ = ["filter"]


def filter(
    dynamics: mniw.Natural,
    start: niw.Natural | None,
    first: Tensor,
    rows: Tensor,
    evidence: GaussianEvidence,
    lengths: Tensor | None,
) -> Filtered:
    """Predict the evidence of every frame from that of the frames before, parameters at their means.

    The exact filter of a switching model has K^t terms. Here the latents given the past are one
    Gaussian with the mixture's mean and covariance ("generalized pseudo-Bayes of first order").
    Without dynamics the filter is exact.

    Parameters
    ----------
    dynamics : mniw.Natural
        (K, ...)
    start : niw.Natural or None
        Distribution of x_1; None if no frame depends on another.
    first, rows : (K,) and (K, K)
        Probabilities of the first state and of the steps.
    evidence : GaussianEvidence
        (..., T, D)
    lengths : (...) int, optional
        Frames that count in each sequence.

    References
    ----------
    doi:10.1109/TAC.1970.1099359 (first-order generalized pseudo-Bayes).
    """
    precision = evidence.precision.double()
    usable = (precision > 0).any(-1)
    if lengths is not None:
        usable = usable & (torch.arange(precision.shape[-2]) < lengths[..., None])
    observed = usable[..., None] & (precision > 0)
    precision = torch.where(observed, precision, 0.0)
    standard = mniw.to_standard(dynamics)
    model = switching.SwitchingModel(
        first,
        rows,
        standard.mean[..., :-1],
        standard.mean[..., -1],
        autoregression.noise(standard),
        None if start is None else _predicted(start),
    )
    log_density = switching.filter(
        model, precision.sqrt(), torch.where(observed, evidence.mean.double(), 0.0), lengths=lengths
    ).log_density
    log_scale = torch.where(observed, torch.log(precision / (2 * math.pi)), 0.0).sum(-1) / 2
    return Filtered(torch.where(usable, log_density + log_scale, 0.0), usable)


def _predicted(start: niw.Natural) -> switching.Start:
    """Mean and covariance of a first frame whose parameters are not certain."""
    origin = niw.to_standard(start)
    scale = origin.scale / (origin.degrees - origin.mean.shape[-1] - 1)
    return switching.Start(origin.mean, scale * (1 + 1 / origin.mean_count))
