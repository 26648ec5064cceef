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
    """Potentials of one chain; a share of them is ``-inf``. The transitions are sub-normalized."""
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


def enumerate_tangent(initial, transition, evidence, direction):
    """Derivatives of states (T, K) and transitions (K, K): covariances of counts with Σ direction."""
    paths, probabilities, states, transitions, *_ = enumerate_paths(initial, transition, evidence)
    change = direction[np.arange(len(evidence)), paths].sum(1)
    weights = probabilities * (change - probabilities @ change)
    d_states, d_transitions = np.zeros_like(states), np.zeros_like(transitions)
    for t in range(len(evidence)):
        np.add.at(d_states[t], paths[:, t], weights)
        if t > 0:
            np.add.at(d_transitions, (paths[:, t - 1], paths[:, t]), weights)
    return d_states, d_transitions


def enumerate_entropy(initial, transition, evidence):
    """−Σ p log p over all paths, nats."""
    shares = enumerate_paths(initial, transition, evidence).probabilities
    shares = shares[shares > 0]
    return -(shares * np.log(shares)).sum()


def sticky_chain(rng, T, K, *, stay=0.95, separation=6.0):
    """Potentials of a long recording, drawn from its own model: normal frames, K places.

    ``separation`` is the spread of the places in units of the noise, over 4 dimensions.
    """
    rows = rng.dirichlet(np.full(K, 0.5), K) + 1e-6
    rows = (1 - stay) * rows / rows.sum(1, keepdims=True) + stay * np.eye(K)
    sums, places = rows.cumsum(1), separation * rng.standard_normal((K, 4))
    states, uniform = np.zeros(T, np.int64), rng.random(T)
    for t in range(1, T):
        states[t] = min(np.searchsorted(sums[states[t - 1]], uniform[t]), K - 1)
    observations = places[states] + rng.standard_normal((T, 4))
    # −½ |observation − place|², expanded: what cancels is what all states share.
    evidence = (
        observations @ places.T - 0.5 * (places**2).sum(1) - 0.5 * (observations**2).sum(1)[:, None]
    )
    return np.full(K, -np.log(K)), np.log(rows), evidence - 2 * np.log(2 * np.pi)
