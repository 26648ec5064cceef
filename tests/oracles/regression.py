"""Log evidence of conjugate regressions and of steps, from the data or counts themselves."""

import numpy as np
from scipy.special import gammaln, multigammaln


def prior(size, width, *, degrees=None):
    """V⁻¹, M, S and nu of a broad prior of x (D,) from s (p,)."""
    return 0.1 * np.eye(width), np.zeros((size, width)), np.eye(size), degrees or size + 2.0


def log_evidence(s, x, hyperprior):
    """Log p(x | s) with weights and noise integrated out; s (N, p), x (N, D)."""
    precision, mean, scale, degrees = hyperprior
    frames, size = x.shape
    updated = precision + s.T @ s
    weights = np.linalg.solve(updated, precision @ mean.T + s.T @ x).T
    apart, moved = x - s @ weights.T, weights - mean
    posterior = scale + apart.T @ apart + moved @ precision @ moved.T
    after = degrees + frames
    return (
        -0.5 * frames * size * np.log(np.pi)
        + multigammaln(after / 2, size)
        - multigammaln(degrees / 2, size)
        + 0.5 * degrees * np.linalg.slogdet(scale)[1]
        - 0.5 * after * np.linalg.slogdet(posterior)[1]
        + 0.5 * size * (np.linalg.slogdet(precision)[1] - np.linalg.slogdet(updated)[1])
    )


def log_steps(counts, concentrations):
    """Log probability of counted steps (K, K) with the rows integrated out."""
    together = counts + concentrations
    return float(
        (gammaln(together) - gammaln(concentrations)).sum()
        + (gammaln(concentrations.sum(1)) - gammaln(together.sum(1))).sum()
    )
