"""Log likelihood of switching processes entries through a linear decoder: all paths, one by one."""

import itertools

import numpy as np
from scipy.stats import multivariate_normal


def dense_prior(path, weights, offsets, noise, start):
    """Mean and covariance of all latents of a path; before its first frame the animal stood still."""
    T, D = len(path), offsets.shape[1]
    lags = weights.shape[2] // D
    # x = constant + linear @ [start; noise of each frame], a row of blocks per frame.
    linear = np.zeros((T, D, T * D))
    constant = np.zeros((T, D))
    sources = np.zeros((T * D, T * D))
    for t, k in enumerate(path):
        here = slice(t * D, (t + 1) * D)
        linear[t, :, here] = np.eye(D)
        if t == 0 and start is not None:
            constant[0], sources[here, here] = start
            continue
        sources[here, here] = noise[k]
        constant[t] = offsets[k]
        if start is None:
            continue
        for lag in range(1, lags + 1):
            block = weights[k][:, (lag - 1) * D : lag * D]
            before = max(t - lag, 0)
            constant[t] += block @ constant[before]
            linear[t] += block @ linear[before]
    whole = linear.reshape(T * D, T * D)
    return constant.ravel(), whole @ sources @ whole.T


def path_likelihoods(generative, y, observed, decoder, mean, variance):
    """Log p(path) + log p(y | path) for every path; y (T, P) where observed, decoder (P, D)."""
    first, rows, weights, offsets, noise, start = generative
    T, K = len(y), len(first)
    likelihoods = {}
    for path in itertools.product(range(K), repeat=T):
        center, spread = dense_prior(path, weights, offsets, noise, start)
        entries = observed.ravel()
        lift = np.kron(np.eye(T), decoder)[entries]
        expected = (lift @ center) + np.tile(mean, T)[entries]
        covariance = lift @ spread @ lift.T + np.diag(np.tile(variance, T)[entries])
        log_path = np.log(first[path[0]]) + sum(np.log(rows[a, b]) for a, b in itertools.pairwise(path))
        log_y = 0.0
        if entries.any():
            log_y = multivariate_normal.logpdf(y.ravel()[entries], expected, covariance)
        likelihoods[path] = log_path + log_y
    return likelihoods


def log_likelihood(*problem):
    """Log p(y), nats."""
    return np.logaddexp.reduce(list(path_likelihoods(*problem).values()))
