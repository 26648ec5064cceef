"""Paths through a discrete chain: the best one, and drawn ones."""

import math

import numpy as np

from ...compiled import Floats, kernel
from ..simd.tiles import columns_of, reach_of_one
from ..simd.vectors import highest, lanes_of, larger, load, prefetch, splat, store, total, unknown

__all__ = ["best", "draw", "log_draw", "trace"]

# Frames that are prefetched on the way back, whose order processors do not predict.
AHEAD = 8


@kernel
def best(initial: Floats, matrix: Floats, evidence: Floats, scores: Floats, workspace: Floats) -> int:
    """Score of the best path into every state, over the best of all; the frame of a fault or −1.

    ``matrix`` (K, padded K) holds log transitions; ``workspace`` (1, padded K) is overwritten.
    """
    frames, size = evidence.shape
    width, lanes, columns = matrix.shape[1], lanes_of(evidence), columns_of(size, workspace)
    for k in range(size):
        workspace[0, k] = initial[k]
    for t in range(frames):
        if t > 0:
            # Down the matrix and up again: what the nearest cache still holds of it comes first.
            step = 1 if t % 2 == 1 else -1
            begin = 0 if step > 0 else size - 1
            reach_of_one(
                workspace, 0, scores, (t - 1) * size + begin, 0, step, size,
                matrix, begin * width, step * width, columns,
            )  # fmt: skip
        top, strange = splat(workspace, -np.inf), splat(workspace, 0.0)
        for k in range(0, width, lanes):
            score = load(workspace, 0, k, lanes, 0.0) + load(evidence, t, k, size - k, -np.inf)
            store(workspace, 0, k, lanes, score)
            top = larger(score, top)
            strange = strange + unknown(score)
        highest_score = highest(top)
        if total(strange) > 0 or not -np.inf < highest_score < np.inf:
            return t
        for k in range(0, width, lanes):
            store(scores, t, k, size - k, load(workspace, 0, k, lanes, 0.0) - highest_score)
    return -1


@kernel
def trace(transposed: Floats, scores: Floats, path: Floats) -> None:
    """Walk the best path back: the comparisons along it are made a second time, not stored.

    ``transposed`` (K, padded K) holds log transitions into each state.
    """
    frames, size = scores.shape
    width, lanes = transposed.shape[1], lanes_of(scores)
    path[frames - 1] = scores[frames - 1].argmax()
    for t in range(frames - 2, -1, -1):
        into = path[t + 1]
        top = splat(scores, -np.inf)
        for k in range(0, width, lanes):
            score = load(scores, t, k, size - k, -np.inf) + load(transposed, into, k, lanes, 0.0)
            top = larger(top, score)
            prefetch(scores, t - AHEAD, k)
        best, state = highest(top), 0
        while scores[t, state] + transposed[into, state] != best:
            state += 1
        path[t] = state


@kernel
def draw(transposed: Floats, messages: Floats, uniform: Floats, path: Floats) -> None:
    """Draw states from the last to the first: P(z_t = j) ∝ a_t(j) P(j, z_{t+1})."""
    frames, size = messages.shape
    weights = np.empty(size)
    for t in range(frames - 1, -1, -1):
        for k in range(size):
            weights[k] = messages[t, k]
            if t < frames - 1:
                weights[k] *= transposed[path[t + 1], k]
        path[t] = _pick(weights, uniform[t])


@kernel
def log_draw(transition: Floats, messages: Floats, uniform: Floats, path: Floats) -> None:
    """Draw states from the last to the first, from filtered logs."""
    frames, size = messages.shape
    weights = np.empty(size)
    for t in range(frames - 1, -1, -1):
        for k in range(size):
            weights[k] = messages[t, k]
            if t < frames - 1:
                weights[k] += transition[k, path[t + 1]]
        largest = weights.max()
        for k in range(size):
            weights[k] = math.exp(weights[k] - largest)
        path[t] = _pick(weights, uniform[t])


@kernel
def _pick(weights: Floats, uniform: float) -> int:
    """First state at which the running sum passes ``uniform`` of the total."""
    left = uniform * weights.sum()
    last = 0
    for k in range(len(weights)):
        if weights[k] > 0:
            last = k
            left -= weights[k]
            if left < 0:
                break
    return last
