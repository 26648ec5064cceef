"""Passes over a discrete chain in logs: slow, in float64, and without underflow."""

import math

import numpy as np

from ...compiled import Floats, kernel

__all__ = ["backward", "forward", "tangent"]


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
def tangent(
    initial: Floats,
    transition: Floats,
    evidence: Floats,
    states: Floats,
    direction: Floats,
    ahead: Floats,
    back: Floats,
    pairs: Floats,
) -> None:
    """Fill f and h of ``tangent.tangent``, and the derivative of the sums of pairs.

    The pair of t and t + 1 is w_t(j) times the share of k in P(j, k) b_{t+1}(k) β_{t+1}(k).
    """
    frames, size = evidence.shape
    message, predicted, terms = np.zeros(size), np.empty(size), np.empty(size)
    for t in range(frames):
        for k in range(size):
            predicted[k] = initial[k]
            ahead[t, k] = direction[t, k]
            if t > 0:
                for j in range(size):
                    terms[j] = message[j] + transition[j, k]
                predicted[k], average = _log_average(terms, ahead[t - 1])
                ahead[t, k] += average
        _pass_on(predicted, evidence[t], message, ahead[t], states[t])
    message[:] = 0
    pairs[:] = 0
    for t in range(frames - 1, -1, -1):
        for j in range(size):
            predicted[j] = 0
            back[t, j] = direction[t, j]
            if t + 1 < frames:
                for k in range(size):
                    terms[k] = transition[j, k] + message[k]
                predicted[j], average = _log_average(terms, back[t + 1])
                back[t, j] += average
                if states[t, j] > 0:
                    for k in range(size):
                        share = states[t, j] * math.exp(terms[k] - predicted[j])
                        pairs[j, k] += share * (ahead[t, j] + back[t + 1, k])
        _pass_on(predicted, evidence[t], message, back[t], states[t])


@kernel
def _pass_on(
    predicted: Floats, evidence: Floats, message: Floats, moved: Floats, states: Floats
) -> None:
    """Fill the message that leaves a frame, up to a constant, and center its derivative."""
    mean = (states * moved).sum()
    for k in range(len(predicted)):
        message[k] = predicted[k] + evidence[k]
        moved[k] -= mean
    message -= message.max()


@kernel
def _log_average(logs: Floats, values: Floats) -> tuple[float, float]:
    """Log of the sum of exponentials, and the average of the values that they weigh."""
    largest = logs.max()
    if not -np.inf < largest < np.inf:
        return largest, 0.0
    total, weighted = 0.0, 0.0
    for k in range(len(logs)):
        share = math.exp(logs[k] - largest)
        total += share
        weighted += share * values[k]
    return largest + math.log(total), weighted / total


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
