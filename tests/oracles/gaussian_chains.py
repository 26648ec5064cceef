"""Gaussian chains small enough to write out as one dense Gaussian."""

from typing import NamedTuple

import numpy as np


class Dense(NamedTuple):
    means: np.ndarray
    covariances: np.ndarray
    cross: np.ndarray
    log_normalizer: float
    entropy: float
    joint: np.ndarray


def random_chain(rng, T, D, *, missing=0.3):
    """Potentials of a chain, a share of its frames unseen: (T, D, D), (T - 1, D, D), (T, D)."""
    precision = np.zeros((T, D, D))
    lower = np.zeros((max(T - 1, 0), D, D))
    first = rng.standard_normal((D, D))
    precision[0] += first @ first.T + 0.1 * np.eye(D)
    for t in range(T - 1):
        weights = 0.9 * np.linalg.qr(rng.standard_normal((D, D)))[0]
        noise = rng.standard_normal((D, D))
        inner = noise @ noise.T + 0.1 * np.eye(D)
        precision[t + 1] += inner
        precision[t] += weights.T @ inner @ weights
        lower[t] = -inner @ weights
    seen = rng.random((T, 1)) > missing
    evidence = np.where(seen, rng.uniform(0, 5, (T, D)), 0.0)
    precision += evidence[:, :, None] * np.eye(D)
    return precision, lower, rng.standard_normal((T, D)) * (1 + evidence)


def assemble(precision, lower):
    """The whole precision, (T D, T D)."""
    T, D = precision.shape[:2]
    whole = np.zeros((T, D, T, D))
    for t in range(T):
        whole[t, :, t] = precision[t]
    for t in range(T - 1):
        whole[t + 1, :, t] = lower[t]
        whole[t, :, t + 1] = lower[t].T
    return whole.reshape(T * D, T * D)


def dense(precision, lower, precision_mean):
    """Invert the whole precision and cut the blocks out."""
    T, D = precision_mean.shape
    whole = assemble(precision, lower)
    joint = np.linalg.inv(whole)
    h = precision_mean.ravel()
    mean = np.linalg.solve(whole, h)
    blocks = joint.reshape(T, D, T, D)
    _, log_det = np.linalg.slogdet(whole)
    return Dense(
        mean.reshape(T, D),
        np.stack([blocks[t, :, t] for t in range(T)]),
        np.stack([blocks[t + 1, :, t] for t in range(T - 1)]) if T > 1 else np.zeros((0, D, D)),
        0.5 * (h @ mean - log_det + T * D * np.log(2 * np.pi)),
        0.5 * (T * D * (1 + np.log(2 * np.pi)) - log_det),
        joint,
    )
