"""A switching process of one latent and two lags, in scalars and 2 × 2 matrices; any by SciPy."""

import itertools

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal


def filtered(first, rows, weights, offsets, noise, start, y, precision):
    """Log evidence of the states (T, K), up to nothing, and log density (T,); 0 where y is missing.

    The mixture over the states is one Gaussian of (x_t, x_{t-1}) after every frame.
    """
    T, K = len(y), len(first)
    nodes, density = np.zeros((T, K)), np.zeros(T)
    states, m, P = first, None, None
    for t in range(T):
        if t:
            states = states @ rows
        means, covariances = [], []
        for k in range(K):
            if t == 0:
                a, S = np.full(2, start[0]), np.full((2, 2), start[1])
            else:
                F = np.array([weights[k], [1.0, 0.0]])
                a = F @ m + np.array([offsets[k], 0.0])
                S = F @ P @ F.T + np.diag([noise[k], 0.0])
            if precision[t] > 0:
                spread = S[0, 0] + 1 / precision[t]
                nodes[t, k] = -0.5 * (np.log(2 * np.pi * spread) + (y[t] - a[0]) ** 2 / spread)
                gain = S[:, 0] / spread
                a, S = a + gain * (y[t] - a[0]), S - np.outer(gain, S[0])
            means.append(a)
            covariances.append(S)
        joint = states * np.exp(nodes[t])
        density[t] = np.log(joint.sum())
        states = joint / joint.sum()
        m = sum(p * a for p, a in zip(states, means, strict=True))
        P = sum(
            p * (S + np.outer(a - m, a - m)) for p, a, S in zip(states, means, covariances, strict=True)
        )
    return nodes, density


def pseudo_bayes(first, rows, weights, offsets, noise, start, root, y):
    """The filter whose past is one Gaussian, all frames of which are seen through Cᵀ x with noise 1.

    Returns nodes (T, K) and log densities (T,) of exp(−½ |Cᵀ (x − y)|²), and the last frame's
    probabilities, mean and covariance. Without a start no frame depends on another.
    """
    (T, D), K = y.shape, len(first)
    width = weights.shape[2] if start else D
    shift = np.eye(width, k=-D)
    nodes, density, states = np.zeros((T, K)), np.zeros(T), first
    m, P = np.zeros(width), np.zeros((width, width))
    for t in range(T):
        states = states @ rows if t else first
        H = np.zeros((root.shape[2], width))
        H[:, :D] = root[t].T
        means, covariances = [], []
        for k in range(K):
            if start and t == 0:
                a, S = (np.tile(part, width // D) for part in start)
                S = np.tile(S, (width // D, 1))
            else:
                F = shift.copy()
                F[:D] = weights[k] if start else 0
                drift, Q = np.zeros(width), np.zeros((width, width))
                drift[:D], Q[:D, :D] = offsets[k], noise[k]
                a, S = F @ m + drift, F @ P @ F.T + Q
            spread = H @ S @ H.T + np.eye(len(H))
            log_likelihood = multivariate_normal.logpdf(root[t].T @ y[t], H @ a, spread)
            nodes[t, k] = log_likelihood + 0.5 * len(H) * np.log(2 * np.pi)
            gain = S @ H.T @ np.linalg.inv(spread)
            means.append(a + gain @ (root[t].T @ y[t] - H @ a))
            covariances.append(S - gain @ H @ S)
        joint = np.log(states) + nodes[t]
        density[t] = logsumexp(joint)
        states = np.exp(joint - density[t])
        m = states @ np.array(means)
        P = sum(
            p * (S + np.outer(a - m, a - m)) for p, a, S in zip(states, means, covariances, strict=True)
        )
    return nodes, density, states, m, P


def posterior_of_paths(first, rows, nodes):
    """Probabilities (T, K) and the best path of a chain with these log potentials, path by path."""
    T, K = nodes.shape
    paths = np.array(list(itertools.product(range(K), repeat=T)))
    weights = first[paths[:, 0]] + rows[paths[:, :-1], paths[:, 1:]].sum(1)
    weights = weights + nodes[np.arange(T), paths].sum(1)
    best = paths[weights.argmax()]
    weights = np.exp(weights - weights.max())
    states = np.array([[weights[paths[:, t] == k].sum() for k in range(K)] for t in range(T)])
    return states / weights.sum(), best


def smoothed(shares, weights, offsets, noise, start, y, precision):
    """Mean (T, D) and SD of the latents given shares of states (T, K), by one dense Gaussian.

    Before its first frame the animal stood still.
    """
    T, D = y.shape
    lags = weights.shape[2] // D
    J, h = np.zeros((T * D, T * D)), np.zeros(T * D)
    for t in range(T):
        here = np.zeros((D, T * D))
        here[:, t * D : (t + 1) * D] = np.eye(D)
        J += here.T @ np.diag(precision[t]) @ here
        h += here.T @ (precision[t] * np.where(precision[t] > 0, y[t], 0))
        if t == 0:
            inverse = np.linalg.inv(start[1])
            J += here.T @ inverse @ here
            h += here.T @ inverse @ start[0]
            continue
        for k, share in enumerate(shares[t]):
            residual = here.copy()
            for lag in range(lags):
                before = max(t - lag - 1, 0)
                residual[:, before * D : (before + 1) * D] -= weights[k][:, lag * D : (lag + 1) * D]
            inverse = np.linalg.inv(noise[k])
            J += share * residual.T @ inverse @ residual
            h += share * residual.T @ inverse @ offsets[k]
    covariance = np.linalg.inv(J)
    return (covariance @ h).reshape(T, D), np.sqrt(np.diag(covariance)).reshape(T, D)
