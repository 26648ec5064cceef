"""Discrete chains small enough to write out every path."""

from itertools import product
from typing import NamedTuple

import numpy as np


class Enumerated(NamedTuple):
    paths: np.ndarray
    probabilities: np.ndarray
    states: np.ndarray
    transitions: np.ndarray
    initial: np.ndarray
    log_normalizer: float
    best: np.ndarray


def random_chain(rng, T, K, *, impossible=0.0, scale=1.0):
    """Potentials of one chain; a share of them is ``-inf``. The transitions are sub-normalised."""
    parts = []
    for shape in ((K,), (K, K), (T, K)):
        part = scale * rng.standard_normal(shape)
        part[rng.random(shape) < impossible] = -np.inf
        parts.append(part)
    parts[1] -= np.logaddexp.reduce(np.maximum(parts[1], -1e6), axis=1, keepdims=True) + 0.3
    return tuple(parts)


def enumerate_paths(initial, transition, evidence):
    """Sum over all K**T paths; ``best`` is, of equals, the one whose last states are lowest."""
    T, K = evidence.shape
    paths = np.array(list(product(range(K), repeat=T)))
    # In this order the first of equally good paths has the lowest last state, then last but one.
    paths = paths[np.lexsort(paths.T)]
    scores = initial[paths[:, 0]].astype(float)
    for t in range(T):
        scores = scores + evidence[t, paths[:, t]]
        if t > 0:
            scores = scores + transition[paths[:, t - 1], paths[:, t]]
    log_normalizer = -np.inf
    if scores.max() > -np.inf:
        log_normalizer = scores.max() + np.log(np.exp(scores - scores.max()).sum())
    with np.errstate(invalid="ignore"):
        probabilities = np.exp(scores - log_normalizer)
    states, transitions = np.zeros((T, K)), np.zeros((K, K))
    for t in range(T):
        np.add.at(states[t], paths[:, t], probabilities)
        if t > 0:
            np.add.at(transitions, (paths[:, t - 1], paths[:, t]), probabilities)
    return Enumerated(
        paths, probabilities, states, transitions, states[0], log_normalizer, paths[scores.argmax()]
    )


def enumerate_filter(initial, transition, evidence):
    """Filtered states (T, K) and log scales (T): every prefix is a chain of its own."""
    prefixes = [enumerate_paths(initial, transition, evidence[: t + 1]) for t in range(len(evidence))]
    return (
        np.array([prefix.states[-1] for prefix in prefixes]),
        np.diff([0.0, *(prefix.log_normalizer for prefix in prefixes)]),
    )
