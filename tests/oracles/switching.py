"""Switching systems small enough to write out: loops, one dense Gaussian, all paths.

Everything is in raw moments, which the judged code never forms.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .chains import enumerate_paths, enumerate_tangent
from .gaussian_chains import dense, dense_tangent


class Regression(NamedTuple):
    """M (K, D, p), V (K, p, p), P (K, D, D) and the mean of log |Q⁻¹| (K)."""

    mean: np.ndarray
    spread: np.ndarray
    precision: np.ndarray
    log_det: np.ndarray


class Problem(NamedTuple):
    """One sequence; ``start`` is None where frames do not depend on each other ("static")."""

    initial: np.ndarray
    transition: np.ndarray | None
    start: Regression | None
    regression: Regression
    observed: np.ndarray
    trust: np.ndarray


def positive(rng, *shape, min_eigenvalue=0.1):
    factor = rng.standard_normal((*shape, shape[-1]))
    return factor @ factor.swapaxes(-1, -2) / shape[-1] + min_eigenvalue * np.eye(shape[-1])


def random_regression(rng, K, D, p, *, sure=False):
    """Regressions near the identity; ``sure`` ones are known but for rounding."""
    mean = 0.3 * rng.standard_normal((K, D, p))
    if p > 1:
        mean[:, :, :D] += 0.7 * np.eye(D)
    spread = (1e-16 if sure else 0.1) * positive(rng, K, p)
    precision = rng.uniform(1, 20, (K, 1, 1)) * positive(rng, K, D)
    log_det = np.linalg.slogdet(precision)[1] - (0 if sure else rng.uniform(0.05, 0.5, K))
    return Regression(mean, spread, precision, log_det)


def random_globals(rng, K, D, *, dynamic=True, chain=True, sure=False):
    """Initial, transition, start and regression; probabilities are sub-normalized."""
    first = np.log(rng.dirichlet(np.ones(K))) - 0.1
    rows = np.log(0.8 * np.eye(K) + 0.2 * rng.dirichlet(np.ones(K), K)) - 0.05 if chain else None
    start = random_regression(rng, 1, D, 1, sure=sure) if dynamic else None
    return first, rows, start, random_regression(rng, K, D, D + 1 if dynamic else 1, sure=sure)


def random_evidence(rng, T, D, *, missing=0.2):
    trust = rng.uniform(0.5, 10, (T, D)) * (rng.random((T, D)) > missing)
    trust[rng.random(T) < missing / 2] = 0
    return 1.5 * rng.standard_normal((T, D)), trust


def log_density(regression, k, ss, xs, xx):
    """Mean of log N(x; W s, Q) over W, Q and the moments E ss', E xs', E xx'."""
    mean, spread, precision, log_det = (part[k] for part in regression)
    size = len(precision)
    square = np.trace(precision @ xx) - 2 * np.trace(mean.T @ precision @ xs)
    square += np.trace((mean.T @ precision @ mean + size * spread) @ ss)
    return -0.5 * square + 0.5 * log_det - 0.5 * size * np.log(2 * np.pi)


def bordered(moments, first, t):
    """E ss', E xs', E xx' of frame t with s = [x_{t-1}; 1], from first and second raw moments."""
    node, cross = moments
    width = first.shape[1] + 1
    ss = np.ones((width, width))
    ss[:-1, :-1], ss[:-1, -1], ss[-1, :-1] = node[t - 1], first[t - 1], first[t - 1]
    return ss, np.hstack([cross[t - 1], first[t][:, None]]), node[t]


def node_potentials(regression, first, node, cross, *, dynamic=True):
    """(T, K) of raw moments E x (T, D), E xx' (T, D, D) and E x_{t+1} x_t' (T - 1, D, D)."""
    T, K = len(first), len(regression.log_det)
    potentials = np.zeros((T, K))
    for t in range(int(dynamic), T):
        for k in range(K):
            moments = (
                bordered((node, cross), first, t)
                if dynamic
                else (np.ones((1, 1)), first[t][:, None], node[t])
            )
            potentials[t, k] = log_density(regression, k, *moments)
    return potentials


def raw(means, covariances, cross):
    """Raw moments of centered ones."""
    return (
        means,
        np.array([s + np.outer(m, m) for m, s in zip(means, covariances, strict=True)]),
        np.array([s + np.outer(means[t + 1], means[t]) for t, s in enumerate(cross)]).reshape(
            cross.shape
        ),
    )


def latent_chain(problem, weights):
    """J (T, D, D), below it (T - 1, D, D) and h (T, D) of q(x) under states of these probabilities."""
    regression, start = problem.regression, problem.start
    T, D = problem.observed.shape
    precision, lower, linear = np.zeros((T, D, D)), np.zeros((max(T - 1, 0), D, D)), np.zeros((T, D))
    for t in range(T):
        precision[t] += np.diag(problem.trust[t])
        linear[t] += problem.trust[t] * problem.observed[t]
        if t == 0 and start is not None:
            precision[t] += start.precision[0]
            linear[t] += start.precision[0] @ start.mean[0, :, 0]
            continue
        for k in range(weights.shape[1]):
            mean, spread, node, _ = (part[k] for part in regression)
            precision[t] += weights[t, k] * node
            linear[t] += weights[t, k] * node @ mean[:, -1]
            if start is not None:
                gram = mean.T @ node @ mean + D * spread
                precision[t - 1] += weights[t, k] * gram[:D, :D]
                lower[t - 1] -= weights[t, k] * node @ mean[:, :D]
                linear[t - 1] -= weights[t, k] * gram[:D, D]
    return precision, lower, linear


def state_chain(problem, nodes):
    """Potentials as ``enumerate_paths`` takes them; independent states are a chain without memory."""
    rows = problem.transition
    if rows is None:
        rows = np.broadcast_to(problem.initial, (nodes.shape[1],) * 2)
    return problem.initial, rows, nodes


class Turn(NamedTuple):
    gaussian: object
    states: object
    nodes: np.ndarray
    objective: float
    divergence: float


def turn(problem, weights):
    """Latents given the states' probabilities, states given them, and their bound term by term."""
    dynamic = problem.start is not None
    gaussian = dense(*latent_chain(problem, weights))
    first, node, cross = raw(*gaussian[:3])
    nodes = node_potentials(problem.regression, first, node, cross, dynamic=dynamic)
    initial, rows, _ = state_chain(problem, nodes)
    states = enumerate_paths(initial, rows, nodes)
    expected = 0.0
    for path, share in zip(states.paths, states.probabilities, strict=True):
        score = initial[path[0]] + nodes[np.arange(len(path)), path].sum()
        score += sum(rows[j, k] for j, k in pairwise(path))
        expected += share * (score - np.log(share)) if share > 0 else 0.0
    if dynamic:
        expected += log_density(problem.start, 0, np.ones((1, 1)), first[0][:, None], node[0])
    observed = 0.0
    for t, trust in enumerate(problem.trust):
        m = problem.observed[t]
        observed -= 0.5 * (trust * (np.diag(node[t]) - 2 * m * first[t] + m**2)).sum()
    expected += gaussian.entropy
    return Turn(gaussian, states, nodes, expected + observed, -expected)


def log_evidence(problem):
    """Log of the integral of the evidence's factors under one state that is known exactly.

    The latents' joint mean and covariance are rolled forward; what is seen is one Gaussian vector.
    """
    (mean, _, precision, _), start = problem.regression, problem.start
    T, D = problem.observed.shape
    noise = np.linalg.inv(precision[0])
    center, spread = np.zeros((T, D)), np.zeros((T, D, T, D))
    for t in range(T):
        if t == 0 and start is not None:
            center[0], spread[0, :, 0] = start.mean[0, :, 0], np.linalg.inv(start.precision[0])
        elif start is None:
            center[t], spread[t, :, t] = mean[0, :, 0], noise
        else:
            weights = mean[0, :, :D]
            center[t] = weights @ center[t - 1] + mean[0, :, D]
            for s in range(t):
                spread[t, :, s] = weights @ spread[t - 1, :, s]
                spread[s, :, t] = spread[t, :, s].T
            spread[t, :, t] = weights @ spread[t - 1, :, t - 1] @ weights.T + noise
    there = problem.trust.ravel() > 0
    joint = spread.reshape(T * D, T * D)[np.ix_(there, there)] + np.diag(
        1 / problem.trust.ravel()[there]
    )
    apart = (problem.observed - center).ravel()[there]
    log_scale = 0.5 * np.log(problem.trust.ravel()[there] / (2 * np.pi)).sum()
    quadratic = apart @ np.linalg.solve(joint, apart)
    return -0.5 * (quadratic + np.linalg.slogdet(2 * np.pi * joint)[1]) - log_scale


class Sent(NamedTuple):
    means: np.ndarray
    covariances: np.ndarray
    cross: np.ndarray
    states: np.ndarray
    transitions: np.ndarray
    solution: np.ndarray
    system: np.ndarray
    states_tangent: np.ndarray


def derivative(problem, weights, nodes, by_means, by_covariances, by_states, *, terms=None):
    """Solve (I − B F_z) a = g_w + M F_x g_x as one dense system, its columns made one by one.

    ``weights`` are those that the latents follow from, ``nodes`` what the states follow from.
    With ``terms``, so many of the Neumann series are summed in place of the solution.
    """
    T, K = nodes.shape
    dynamic = problem.start is not None
    chain = latent_chain(problem, weights)
    gaussian = dense(*chain)
    initial, rows, _ = state_chain(problem, nodes)
    nothing = latent_chain(problem, np.zeros((T, K)))
    constant = node_potentials(
        problem.regression, *(np.zeros_like(part) for part in raw(*gaussian[:3])), dynamic=dynamic
    )

    def of_latents(d_precision, d_lower, d_linear):
        return dense_tangent(*chain, d_precision, d_lower, d_linear)

    def to_nodes(d_means, d_covariances, d_cross):
        means = gaussian.means
        node = np.array(
            [
                d_covariances[t] + np.outer(d_means[t], means[t]) + np.outer(means[t], d_means[t])
                for t in range(T)
            ]
        )
        cross = np.array(
            [
                d_cross[t] + np.outer(d_means[t + 1], means[t]) + np.outer(means[t + 1], d_means[t])
                for t in range(T - 1)
            ]
        ).reshape(d_cross.shape)
        return node_potentials(problem.regression, d_means, node, cross, dynamic=dynamic) - constant

    def to_chain(shares):
        moved = latent_chain(problem, shares)
        return tuple(a - b for a, b in zip(moved, nothing, strict=True))

    def primal():
        d_precision = -(by_covariances + by_covariances.swapaxes(-1, -2))
        d_linear = by_means + np.einsum("tij,tj->ti", d_precision, gaussian.means)
        return d_precision, np.zeros((max(T - 1, 0), *d_precision.shape[1:])), d_linear

    size = T * K
    units = np.eye(size).reshape(size, T, K)
    of_states = np.stack([enumerate_tangent(initial, rows, nodes, unit)[0].ravel() for unit in units], 1)
    linked = np.stack([to_nodes(*of_latents(*to_chain(unit))).ravel() for unit in units], 1)
    direct = primal()
    right = by_states + to_nodes(*of_latents(*direct))
    system = np.eye(size) - linked @ of_states
    if terms is None:
        solution = np.linalg.solve(system, right.ravel()).reshape(T, K)
    else:
        powers = [np.linalg.matrix_power(np.eye(size) - system, n) for n in range(terms)]
        solution = (sum(powers, np.zeros_like(system)) @ right.ravel()).reshape(T, K)
    d_states, d_transitions = enumerate_tangent(initial, rows, nodes, solution)
    back = to_chain(d_states)
    moved = of_latents(*(a + b for a, b in zip(direct, back, strict=True)))
    return Sent(*moved, d_states, d_transitions, solution, system, of_states)
