"""The hyperprior of the states' dynamics, fitted to all states.

Syllables are variations of one body's motion. With a prior that matches the spread of their
regressions, a few bouts distinguish a state from the others. With a vague prior every state pays
for coefficients that hardly differ, and few survive. Mean, spread and noise of the population
are point estimates that raise the bound (empirical Bayes).

References
----------
doi:10.1080/01621459.1983.10477920 (empirical Bayes); the updates are the stationary points of
``sum_k E log p(W_k, Q_k)`` under the states' posteriors.
"""

import math

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from ...expfam import mniw

__all__ = ["evidence", "learn"]

# The posterior of a state with fewer frames is the prior, so it is left out of the population.
MIN_FRAMES = 1.0
MIN_STATES = 2
DEGREES_RANGE = (1.0, 1e4)


def evidence(sums: mniw.Natural, hyperprior: mniw.Natural) -> Tensor:
    """Return the log marginal likelihood of regressions under one prior, summed, nats.

    Parameters
    ----------
    sums : mniw.Natural
        (K, ...)
    hyperprior : mniw.Natural
        Unbatched.
    """
    posterior = mniw.Natural(*(a + b for a, b in zip(sums, hyperprior, strict=True)))
    return (mniw.log_normalizer(posterior) - mniw.log_normalizer(hyperprior)).sum()


def learn(hyperprior: mniw.Natural, dynamics: mniw.Natural) -> mniw.Natural:
    """Return the prior under which the states' dynamics are most probable.

    Parameters
    ----------
    hyperprior : mniw.Natural
        Unbatched, the prior so far.
    dynamics : mniw.Natural
        (K, ...) posteriors under it.

    Returns
    -------
    mniw.Natural
        ``hyperprior`` itself if fewer than two states have frames, or if it is no worse.
    """
    used = dynamics.observations - hyperprior.observations >= MIN_FRAMES
    if int(used.sum()) < MIN_STATES:
        return hyperprior
    states = mniw.Natural(*(part[used] for part in dynamics))
    standard = mniw.to_standard(states)
    count, size, _ = standard.mean.shape
    precision, log_det = mniw.expected_precision(standard)
    mean = torch.linalg.solve(precision.sum(0), (precision @ standard.mean).sum(0))
    apart = standard.mean - mean
    spread = size * standard.column_covariance + apart.mT @ precision @ apart
    variance = spread.diagonal(dim1=-2, dim2=-1).sum(0) / (count * size)
    pooled = torch.linalg.inv(precision.mean(0))
    degrees = _degrees(torch.linalg.slogdet(pooled).logabsdet.cpu(), log_det.mean().cpu(), size)
    fitted = mniw.from_standard(
        mniw.Standard(
            mean=mean,
            column_covariance=torch.diag(variance),
            scale=degrees * (pooled + pooled.mT) / 2,
            degrees=mean.new_tensor(degrees),
        )
    )
    sums = mniw.Natural(*(a - b for a, b in zip(dynamics, hyperprior, strict=True)))
    return fitted if bool(evidence(sums, fitted) > evidence(sums, hyperprior)) else hyperprior


def _degrees(log_scale: Tensor, log_det: Tensor, size: int) -> float:
    """Degrees of freedom that make the states' noise most probable at its mean precision."""
    half_dims = size / 2

    def cost(log_extra: float) -> float:
        degrees = log_scale.new_tensor(size + 1 + math.exp(log_extra))
        density = (
            degrees / 2 * (size * torch.log(degrees) + log_scale + log_det - size)
            - degrees * half_dims * math.log(2)
            - torch.special.multigammaln(degrees / 2, size)
        )
        return -float(density)

    low, high = (math.log(extra) for extra in DEGREES_RANGE)
    optimum = minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return size + 1 + math.exp(float(optimum.x))
