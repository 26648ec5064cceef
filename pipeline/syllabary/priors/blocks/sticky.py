"""Transitions of a sticky hierarchical Dirichlet process, truncated at K states.

``pi_k ~ Dir(alpha beta + kappa e_k)``, ``beta ~ Dir(gamma / K)``; beta is a point estimate.

References
----------
doi:10.1214/10-AOAS395 (the sticky HDP-HMM), here with variational rows.
"""

import torch

from ...expfam import dirichlet

__all__ = ["concentrations", "counted", "divergence", "log_prior", "mean", "update_weights"]


def concentrations(weights: torch.Tensor, alpha: float, kappa: torch.Tensor) -> torch.Tensor:
    """Return the Dirichlet concentrations of all rows, (K, K).

    Parameters
    ----------
    weights : (K,) float64
        beta.
    alpha : float
    kappa : () float64
        Pseudo-count of staying.
    """
    states = weights.shape[-1]
    return (alpha * weights).expand(states, states) + kappa * _unit(weights)


def _unit(weights: torch.Tensor) -> torch.Tensor:
    """Identity (K, K) beside weights (K,)."""
    return torch.eye(weights.shape[-1], dtype=weights.dtype, device=weights.device)


def mean(rows: dirichlet.Natural) -> torch.Tensor:
    """Return the mean probabilities."""
    return rows.concentration / rows.concentration.sum(-1, keepdim=True)


def counted(rows: dirichlet.Natural, kappa: torch.Tensor) -> torch.Tensor:
    """Return mean transition probabilities without ``kappa``, (K, K).

    Stickiness sets the target duration of bouts. With it every boundary would be a surprise, and
    samples would hardly change state. The counts alone hold the durations of the data.

    Parameters
    ----------
    rows : dirichlet.Natural
        (K, K)
    kappa : () float64
        Pseudo-count of staying.
    """
    return mean(dirichlet.Natural(rows.concentration - kappa * _unit(rows.concentration[0])))


def divergence(
    rows: dirichlet.Natural,
    weights: torch.Tensor,
    *,
    alpha: float,
    gamma: float,
    kappa: torch.Tensor,
) -> torch.Tensor:
    """Return the divergence of the rows from their prior, and of beta from even shares, nats.

    The shares beta are a point estimate. Theirs is the log density of even shares minus their own.

    Parameters
    ----------
    rows : dirichlet.Natural
        (K, K)
    weights : (K,) float64
        beta.
    alpha, gamma : float
        Concentrations of the rows and of beta.
    kappa : () float64
        Pseudo-count of staying.
    """
    prior = dirichlet.Natural(concentrations(weights, alpha, kappa))
    even = torch.full_like(weights, 1 / len(weights))
    return dirichlet.divergence(rows, prior).sum() + log_prior(even, gamma) - log_prior(weights, gamma)


def log_prior(weights: torch.Tensor, gamma: float) -> torch.Tensor:
    """Return log Dir(beta; gamma / K), nats.

    Parameters
    ----------
    weights : (K,) float64
        beta.
    gamma : float
    """
    states = weights.shape[-1]
    share = weights.new_tensor(gamma / states)
    constant = torch.lgamma(share * states) - states * torch.lgamma(share)
    return constant + (share - 1) * weights.log().sum()


def update_weights(
    weights: torch.Tensor,
    expected_log: torch.Tensor,
    *,
    alpha: float,
    gamma: float,
    kappa: torch.Tensor,
    steps: int = 10,
) -> torch.Tensor:
    """Raise the bound over beta, the rows' posteriors held fixed.

    Newton steps along the simplex (the Hessian is diagonal), halved until the bound rises.

    Parameters
    ----------
    weights : (K,) float64
        beta, positive, summing to one.
    expected_log : (K, K) float64
        E log pi under the rows' posteriors.
    alpha, gamma : float
        Concentrations of the rows and of beta.
    kappa : () float64
        Pseudo-count of staying.
    steps : int
        Newton steps at most.

    Returns
    -------
    (K,) float64
        A beta whose bound is no lower.
    """
    states = len(weights)
    stay = kappa * _unit(weights)
    pull = gamma / states - 1

    def bound(beta: torch.Tensor) -> torch.Tensor:
        rows = alpha * beta + stay
        return (rows * expected_log - torch.lgamma(rows)).sum() + pull * beta.log().sum()

    current = bound(weights)
    for _ in range(steps):
        rows = alpha * weights + stay
        slope = alpha * (expected_log - torch.digamma(rows)).sum(0) + pull / weights
        curvature = alpha**2 * torch.polygamma(1, rows).sum(0) + pull / weights**2
        # gamma < K makes the prior convex; a positive curvature still gives an ascent direction.
        curvature = curvature.clamp(min=1e-6 * float(curvature.abs().max()))
        multiplier = (slope / curvature).sum() / (1 / curvature).sum()
        step = (slope - multiplier) / curvature
        shrinking = step < 0
        size = 1.0
        if shrinking.any():
            size = min(1.0, 0.99 * float((-weights[shrinking] / step[shrinking]).min()))
        improved = False
        for _ in range(20):
            trial = weights + size * step
            trial = trial / trial.sum()
            value = bound(trial)
            if value > current:
                improved = True
                break
            size /= 2
        if not improved:
            break
        gain = value - current
        weights, current = trial, value
        if gain < 1e-10 * current.abs():
            break
    return weights
