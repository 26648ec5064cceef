"""Gaussian chains small enough to write out as one dense Gaussian."""

from typing import NamedTuple

import mpmath
import numpy as np


class Dense(NamedTuple):
    means: np.ndarray
    covariances: np.ndarray
    cross: np.ndarray
    log_normalizer: float
    entropy: float
    joint: np.ndarray


def random_chain(rng, T, D, *, missing=0.3):
    """J (T, D, D), below it (T - 1, D, D) and h (T, D) of a chain that misses some frames."""
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
    observed = rng.random((T, 1)) > missing
    evidence = np.where(observed, rng.uniform(0, 5, (T, D)), 0.0)
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


def dense_tangent(precision, lower, precision_mean, d_precision, d_lower, d_precision_mean):
    """Derivatives of means, covariances and cross: dμ = S (dh − dJ μ), dS = −S dJ S."""
    T, D = precision_mean.shape
    joint = np.linalg.inv(assemble(precision, lower))
    whole = assemble(d_precision, d_lower)
    mean = joint @ precision_mean.ravel()
    d_mean = joint @ (d_precision_mean.ravel() - whole @ mean)
    blocks = -(joint @ whole @ joint).reshape(T, D, T, D)
    return (
        d_mean.reshape(T, D),
        np.stack([blocks[t, :, t] for t in range(T)]),
        np.stack([blocks[t + 1, :, t] for t in range(T - 1)]) if T > 1 else np.zeros((0, D, D)),
    )


def dense_exactly(precision, lower, precision_mean, digits=60):
    """``dense`` in long decimals, for precisions that float64 cannot invert."""
    T, D = precision_mean.shape
    with mpmath.workdps(digits):
        whole = mpmath.matrix(assemble(precision, lower).tolist())
        h = mpmath.matrix(precision_mean.ravel().tolist())
        inverse = whole**-1
        mean = inverse * h
        log_det = mpmath.log(mpmath.det(whole))
        log_normalizer = float(((h.T * mean)[0] - log_det + T * D * mpmath.log(2 * mpmath.pi)) / 2)
        entropy = float((T * D * (1 + mpmath.log(2 * mpmath.pi)) - log_det) / 2)
        joint = np.array(inverse.tolist(), float)
        means = np.array(mean.tolist(), float).reshape(T, D)
    blocks = joint.reshape(T, D, T, D)
    return Dense(
        means,
        np.stack([blocks[t, :, t] for t in range(T)]),
        np.stack([blocks[t + 1, :, t] for t in range(T - 1)]),
        log_normalizer,
        entropy,
        joint,
    )


def dynamics_chain(weights, noise_precision, evidence_precision, observed):
    """Potentials of x_{t+1} = A_t x_t + noise, x_1 ~ N(0, I), and independent readings of the latents.

    ``weights`` and ``noise_precision`` (T - 1, D, D), ``evidence_precision`` and ``observed`` (T, D).
    """
    size = observed.shape[1]
    precision = evidence_precision[:, :, None] * np.eye(size)
    precision[0] += np.eye(size)
    lower = -noise_precision @ weights
    precision[1:] += noise_precision
    precision[:-1] -= weights.swapaxes(-1, -2) @ lower
    return precision, lower, evidence_precision * observed


def switching_chain(rng, T, D, *, states=5, noise=1e-2, evidence=(100.0, 1000.0), missing=0.05):
    """Potentials as inference of a switching system makes them: dynamics near the identity, switched.

    Latents have a variance of about 1 and the noise of a step the variance ``noise``.
    """
    rotations = rng.standard_normal((states, D, D))
    slow = 1 - noise / 2
    choices = slow * (np.eye(D) + 0.05 * (rotations - rotations.swapaxes(-1, -2)) / np.sqrt(2 * D))
    choices = choices / np.maximum(np.linalg.norm(choices, 2, axis=(1, 2)) / slow, 1)[:, None, None]
    spread = np.sqrt(noise * rng.uniform(0.5, 2, (states, D)))
    which = np.repeat(rng.integers(states, size=T // 10 + 1), 10)[: T - 1]
    latents = np.empty((T, D))
    latents[0] = rng.standard_normal(D)
    kicks = spread[which] * rng.standard_normal((T - 1, D))
    for t in range(T - 1):
        latents[t + 1] = choices[which[t]] @ latents[t] + kicks[t]
    trust = rng.uniform(*evidence, (T, D))
    observed = latents + rng.standard_normal((T, D)) / np.sqrt(trust)
    trust[rng.random(T) < missing] = 0
    steps = (spread**-2)[:, :, None] * np.eye(D)
    return dynamics_chain(choices[which], steps[which], trust, observed)
