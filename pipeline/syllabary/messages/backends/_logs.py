"""Sweeps over a discrete chain in logs: slow, float64, and nothing underflows."""

import math

import numpy as np

from ._compiled import Floats, kernel

__all__ = ["backward", "forward"]


@kernel
def forward(
    initial: Floats, transition: Floats, evidence: Floats, messages: Floats, log_scales: Floats
) -> int:
    """Filter in logs; return the frame at which no state is possible, or −1."""
    frames, size = evidence.shape
    terms = np.empty(size)
    for t in range(frames):
        for k in range(size):
            predicted = initial[k]
            if t > 0:
                for j in range(size):
                    terms[j] = messages[t - 1, j] + transition[j, k]
                predicted = _log_sum(terms)
            messages[t, k] = predicted + evidence[t, k]
        total = _log_sum(messages[t])
        if not -np.inf < total < np.inf:
            return t
        for k in range(size):
            messages[t, k] -= total
        log_scales[t] = total
    return -1


@kernel
def backward(transition: Floats, evidence: Floats, messages: Floats, pairs: Floats) -> None:
    """Turn filtered logs into smoothed marginals in place, last frame first, and sum pairs."""
    frames, size = evidence.shape
    weighted, terms, product = np.zeros(size), np.empty(size), np.empty(size)
    pairs[:] = 0
    for k in range(size):
        weighted[k] = evidence[frames - 1, k]
    for t in range(frames - 2, -1, -1):
        for j in range(size):
            for k in range(size):
                terms[k] = transition[j, k] + weighted[k]
            product[j] = _log_sum(terms)
        for j in range(size):
            terms[j] = messages[t, j] + product[j]
        total = _log_sum(terms)
        for j in range(size):
            for k in range(size):
                pairs[j, k] += math.exp(messages[t, j] - total + transition[j, k] + weighted[k])
        for k in range(size):
            messages[t + 1, k] = math.exp(messages[t + 1, k])
            messages[t, k] += product[k] - total
            weighted[k] = evidence[t, k] + product[k] - total
    for k in range(size):
        messages[0, k] = math.exp(messages[0, k])


@kernel
def _log_sum(values: Floats) -> float:
    """Log of the sum of exponentials."""
    largest = values.max()
    if not -np.inf < largest < np.inf:
        return largest
    total = 0.0
    for value in values:
        total += math.exp(value - largest)
    return largest + math.log(total)
