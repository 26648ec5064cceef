"""A test of a switching autoregression: the autocorrelation of its residuals.

If the model is right, the whitened residuals of successive frames are independent, and so are their
squared lengths q. If a state pools different movements, it is wrong for as long as a movement
lasts, and q stays large, or small, for several frames. The test is the autocorrelation of log q.
The logarithm keeps single frames with large residuals from dominating. Lag 1 would also count
boundaries between states that are one frame off, so the lag is 2.

References
----------
doi:10.1111/j.1467-9892.1983.tb00373.x (autocorrelation of squared residuals as a test).
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from ...expfam import mniw
from ..types import PointEvidence
from . import autoregression

__all__ = ["residual_autocorrelation"]

LAG = 2
SMALLEST = 1e-9


def residual_autocorrelation(
    dynamics: mniw.Natural, lags: int, sequences: Iterable[tuple[PointEvidence, Tensor]]
) -> float:
    """Return the autocorrelation, -1 to 1, of the log squared length of whitened residuals.

    Parameters
    ----------
    dynamics : mniw.Natural
        Of K states, each a regression on ``lags`` frames.
    lags : int
    sequences : iterable of (PointEvidence (T, D), path (T,) int64)
        Latents, and the most probable state of each frame.

    Returns
    -------
    float
        Near 0 if the model is right; 0 without usable frames.
    """
    standard = mniw.to_standard(dynamics)
    scale = torch.linalg.cholesky(autoregression.noise(standard))
    logs, usable = [], []
    for evidence, path in sequences:
        regressor, latents = autoregression.features(evidence, lags)
        residual = latents.double() - torch.einsum("tdp,tp->td", standard.mean[path], regressor.double())
        white = torch.linalg.solve_triangular(scale[path], residual[..., None], upper=False)
        logs.append(white.square().sum((-2, -1)).clamp(min=SMALLEST).log())
        usable.append(autoregression.usable(evidence.observed, lags))
    if not any(bool(mask.any()) for mask in usable):
        return 0.0
    middle = torch.cat([log[mask] for log, mask in zip(logs, usable, strict=True)]).mean()
    apart = [torch.where(mask, log - middle, torch.nan) for log, mask in zip(logs, usable, strict=True)]
    variance = torch.cat(apart).square().nanmean()
    pairs = torch.cat([part[LAG:] * part[:-LAG] for part in apart]).nanmean()
    autocorrelation = float(pairs / variance)
    return 0.0 if math.isnan(autocorrelation) else autocorrelation
