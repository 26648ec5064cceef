"""Does a switching autoregression know the movements it names? It asks whether surprises come in bursts.

Where the model is right, the whitened residuals of successive frames are independent; their squared
lengths q are too. Where a state stands for movements that it cannot tell, it is wrong for as long as
the movement lasts, and q stays large, or small, for several frames. This is the autocorrelation of
log q; of its logarithm, because single frames with large residuals would decide otherwise, and not at
lag 1, because a border between states that is a frame off counts there.

Reference: doi:10.1111/j.1467-9892.1983.tb00373.x (autocorrelation of squared residuals as a test).
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from ...expfam import mniw
from ..interface import PointEvidence
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
        What was seen, and in which state the model takes each frame to be.

    Returns
    -------
    float
        Near 0 where the model is right; 0 where too little was seen to tell.
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
    if not any(bool(one.any()) for one in usable):
        return 0.0
    middle = torch.cat([log[known] for log, known in zip(logs, usable, strict=True)]).mean()
    apart = [
        torch.where(known, log - middle, torch.nan) for log, known in zip(logs, usable, strict=True)
    ]
    variance = torch.cat(apart).square().nanmean()
    pairs = torch.cat([one[LAG:] * one[:-LAG] for one in apart]).nanmean()
    found = float(pairs / variance)
    return found if found == found else 0.0
