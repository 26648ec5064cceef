"""Inputs and results of mean field."""

from typing import NamedTuple

from torch import Tensor

from .. import hmm, lds

__all__ = [
    "BoundaryMessages",
    "Cotangent",
    "Derivative",
    "Evidence",
    "Latents",
    "Optimum",
    "Potentials",
    "Regression",
]


class Regression(NamedTuple):
    """K regressions in cross potentials: means under the posterior of weights and noise."""

    mean: Tensor
    """(K, D, p) M, of the weights."""
    column_covariance: Tensor
    """(K, p, p) V, of a row of the weights in units of the noise."""
    precision: Tensor
    """(K, D, D) of Q⁻¹."""
    log_det: Tensor
    """(K) of log |Q⁻¹|, nats."""


class Potentials(NamedTuple):
    """Potentials of both chains under the global parameters."""

    initial: Tensor
    """(K) log potential of the first state; of every state where ``transition`` is None."""
    transition: Tensor | None
    """(K, K) log potentials of the steps, or None: states are independent."""
    start: Regression | None
    """Distribution of x_1, a regression of K = p = 1; None if frames are independent ("static")."""
    regression: Regression


class Evidence(NamedTuple):
    """Potentials of the latents, −½ Σ_d R_d (x_d − m_d)², and optionally of the states."""

    mean: Tensor
    """(B, T, D) m; finite, also for missing entries."""
    precision: Tensor
    """(B, T, D) R ≥ 0; zero is missing."""
    states: Tensor | None = None
    """(B, T, K) log potentials in place of those that the latents give, nats; the states are inferred
    from these alone, and the latents follow."""


class BoundaryMessages(NamedTuple):
    """Messages from beyond the two ends of a window, as constant potentials of its end frames."""

    initial: Tensor
    """(B, K) of the first frame's state, in place of ``Potentials.initial``."""
    final: Tensor
    """(B, K) of the last frame's state."""
    first: tuple[Tensor, Tensor]
    """(B, D, D) precision and (B, D) precision times mean on the first latent, in place of its prior."""
    last: tuple[Tensor, Tensor]
    """The same on the last latent."""


class Latents(NamedTuple):
    """Marginals of the latents, or their derivative."""

    means: Tensor
    """(B, T, D)"""
    covariances: Tensor
    """(B, T, D, D)"""
    cross: Tensor
    """(B, T - 1, D, D) of x_{t+1} (rows) with x_t."""


class Optimum(NamedTuple):
    """Both posteriors, each the best given the other; states were updated last."""

    gaussian: lds.GaussianMarginals
    states: hmm.ChainMarginals
    divergence: Tensor
    """(B) of latents and states from the prior, nats."""
    objective: Tensor
    """(B) mean log evidence −½ Σ R (x − m)² minus the divergence, nats; iterations never lower it."""
    residual: Tensor
    """(B) largest change of a state's probability in the last iteration."""
    iterations: Tensor
    """(B) iterations done."""
    converged: Tensor
    """(B) bool."""

    @property
    def latents(self) -> Latents:
        """Return the marginals of the latents."""
        gaussian = self.gaussian
        assert gaussian.covariances is not None and gaussian.cross is not None
        return Latents(gaussian.means, gaussian.covariances, gaussian.cross)


class Cotangent(NamedTuple):
    """Gradient of some scalar by the marginals."""

    means: Tensor
    """(B, T, D)"""
    covariances: Tensor
    """(B, T, D, D), symmetric."""
    states: Tensor | None = None
    """(B, T, K)"""


class Derivative(NamedTuple):
    """Change of the optimum in the direction of a cotangent, which is the gradient sought."""

    latents: Latents
    """dμ, dS and the cross part."""
    states: Tensor
    """(B, T, K) dw, before cross potentials pass it on."""
    transitions: Tensor | None
    """(K, K) of the pair sums, summed over sequences: cotangent of the log transitions."""
    iterations: Tensor
    """(B) conjugate gradient steps."""
    residual: Tensor
    """(B) relative residual of the equation."""
    indefinite: Tensor
    """(B) bool, whether the point is no optimum (a saddle); the solution stopped there."""
