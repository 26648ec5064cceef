"""Sweeps over a discrete chain whose messages are probabilities, normalised at every frame."""

import math
from typing import Any

import numpy as np

from ._compiled import Floats, kernel

__all__ = ["backward", "forward"]

# Frames whose pair sums are added up together: their messages stay in the L1 cache.
PAIR_BLOCK = 32


@kernel
def forward(
    initial: Floats,
    transition: Floats,
    log_initial: float,
    log_transition: float,
    evidence: Floats,
    messages: Floats,
    log_scales: Floats,
    floor: float,
) -> float:
    """a_1 = π₀ b_1 / c_1, a_{t+1} = (a_t P) b_{t+1} / c_{t+1}; c_1, or 0 if a c_t < ``floor``."""
    frames, size = evidence.shape
    predicted = initial.copy()
    first = 1.0
    for t in range(frames):
        if t > 0:
            _multiply(messages[t - 1], transition, predicted)
        largest = _weigh(evidence[t], predicted, messages[t])
        total = messages[t].sum()
        if not floor <= total < np.inf:
            return 0.0
        if t == 0:
            first = total
        share = 1 / total
        for k in range(size):
            messages[t, k] *= share
        log_scales[t] = math.log(total) + largest + (log_transition if t > 0 else log_initial)
    return first


@kernel
def backward(
    transition: Floats,
    transposed: Floats,
    evidence: Floats,
    messages: Floats,
    pairs: Floats,
    first: float,
    floor: float,
) -> bool:
    """Turn filtered into smoothed marginals in place, last frame first, and sum pairs.

    With w_t = b_t β_t, r_t = P w_{t+1} and n_t = a_t · r_t: the marginal is a_t r_t / n_t, the
    pair's is a_t(j) P(j, k) w_{t+1}(k) / n_t, and β_t is r_t over its largest entry. What
    underflowed in a_t counts as 1 / (c_t a_t · β_t), and c_t a_t · β_t is n_{t-1}: false where
    one of these is less than ``floor``.
    """
    frames, size = evidence.shape
    before = np.zeros((PAIR_BLOCK, size), messages.dtype)
    after = np.zeros((PAIR_BLOCK, size), messages.dtype)
    message = np.ones(size, messages.dtype)
    product = np.empty(size, messages.dtype)
    row = np.empty(size, messages.dtype)
    pairs[:] = 0
    filled = 0
    for t in range(frames - 2, -1, -1):
        weighted = after[filled]
        _weigh(evidence[t + 1], message, weighted)
        _multiply(weighted, transposed, product)
        total, largest = (messages[t] * product).sum(), product.max()
        if not total >= floor or (t == 0 and not first * (total / largest) >= floor):
            return False
        share, peak = 1 / total, 1 / largest
        for k in range(size):
            before[filled, k] = messages[t, k]
            weighted[k] *= share
            messages[t, k] *= product[k] * share
            message[k] = product[k] * peak
        filled += 1
        if filled == PAIR_BLOCK or t == 0:
            _add_pairs(before[:filled], after[:filled], row, pairs)
            filled = 0
    for j in range(size):
        for k in range(size):
            pairs[j, k] *= transition[j, k]
    return True


@kernel
def _add_pairs(before: Floats, after: Floats, row: Floats, pairs: Floats) -> None:
    """Add ``beforeᵀ after`` to the sums."""
    for j in range(pairs.shape[0]):
        _multiply(before[:, j], after, row)
        for k in range(pairs.shape[1]):
            pairs[j, k] += row[k]


@kernel
def _multiply(weights: Floats, matrix: Floats, out: Floats) -> None:
    """Row vector times matrix: rows of the matrix, four at a time, added to ``out``."""
    rows, size = matrix.shape
    for k in range(size):
        out[k] = 0
    j = 0
    while j + 4 <= rows:
        a, b, c, d = weights[j], weights[j + 1], weights[j + 2], weights[j + 3]
        for k in range(size):
            out[k] += (a * matrix[j, k] + b * matrix[j + 1, k]) + (
                c * matrix[j + 2, k] + d * matrix[j + 3, k]
            )
        j += 4
    while j < rows:
        a = weights[j]
        for k in range(size):
            out[k] += a * matrix[j, k]
        j += 1


@kernel
def _weigh(evidence: Floats, message: Floats, out: Floats) -> Any:
    """Message times evidence over its largest entry, whose log is returned."""
    largest = evidence[0]
    for k in range(1, len(evidence)):
        largest = evidence[k] if evidence[k] > largest else largest
    for k in range(len(evidence)):
        out[k] = message[k] * math.exp(evidence[k] - largest)
    return largest
