"""Paths through a discrete chain: the best one, and drawn ones."""

import math

import numpy as np

from ._compiled import Floats, kernel

__all__ = ["best", "draw", "log_draw", "trace"]


@kernel
def best(initial: Floats, transition: Floats, evidence: Floats, scores: Floats) -> int:
    """Score of the best path into every state, over the best of all; the frame of a fault or −1."""
    frames, size = evidence.shape
    best = initial.copy()
    for t in range(frames):
        if t > 0:
            for k in range(size):
                best[k] = -np.inf
            for j in range(size):
                score = scores[t - 1, j]
                for k in range(size):
                    reached = score + transition[j, k]
                    best[k] = reached if reached > best[k] else best[k]
        highest, sane = -np.inf, True
        for k in range(size):
            score = best[k] + evidence[t, k]
            scores[t, k] = score
            highest = score if score > highest else highest
            sane &= score == score
        if not (sane and -np.inf < highest < np.inf):
            return t
        for k in range(size):
            scores[t, k] -= highest
    return -1


@kernel
def trace(transition: Floats, scores: Floats, path: Floats) -> None:
    """Walk the best path back: the comparisons along it are made a second time, not stored."""
    frames, size = scores.shape
    path[frames - 1] = scores[frames - 1].argmax()
    for t in range(frames - 2, -1, -1):
        into = path[t + 1]
        best, state = -np.inf, 0
        for j in range(size):
            score = scores[t, j] + transition[j, into]
            if score > best:
                best, state = score, j
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
