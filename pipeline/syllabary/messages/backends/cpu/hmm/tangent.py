"""Derivative of the marginals of a discrete chain along a change of the evidence."""

import numpy as np

from ...compiled import Floats, kernel
from ..simd.tiles import columns_of, product_of_two
from ..simd.vectors import lanes_of, larger, load, prefetch, quotient, splat, store, total
from .scaled import AHEAD, PAIR_BLOCK, add_pairs

__all__ = ["LOST", "WORKSPACE_ROWS", "tangent"]

# Mass that a frame's pairs may miss, in units of the rounding; what they sum up is some ten.
LOST = 100
# Rows of ``workspace``: two factors and their products, four sums, and a block of pairs.
WORKSPACE_ROWS = 8 + 2 * PAIR_BLOCK


@kernel
def tangent(
    matrix: Floats,
    transposed: Floats,
    filtered: Floats,
    states: Floats,
    direction: Floats,
    floor: float,
    limit: float,
    moved: Floats,
    pairs: Floats,
    ratio: Floats,
    workspace: Floats,
) -> bool:
    """Fill the derivatives of the marginals, and of the sums of pairs but for the factor P(j, k).

    Of the log messages, centered under the marginals: that of the filtered message is f_t = dl_t +
    (averages of f_{t-1} over where the chain came from), the other h_t = dl_t + g_t, with g_t the
    averages of h_{t+1} over where it goes. With w_t the marginal, ``ratio`` is w_t over the
    prediction of frame t, so that the pair of t and t + 1 is a_t(j) P(j, k) ratio_{t+1}(k); it
    changes by f_t(j) + h_{t+1}(k). A prediction below ``floor`` counts as zero.

    The derivative of w_t(k) is w_t(k) (f_t + h_t − dl_t)(k), centered.

    False where pairs do not add up to w_t, but for ``limit``: then a_t has lost what later frames
    bring back. Where they do, they are the true ones: of all a_t(j) P(j, k) r(k) for some a_t and r
    only one has both margins right.

    Parameters
    ----------
    matrix, transposed : (K, padded K)
        P and Pᵀ.
    filtered, states, direction : (T, K)
        a_t, w_t and dl_t.
    moved, pairs, ratio : (T, K), (K, K) float64, (T, K)
        Filled; ``moved`` holds f_t on the way.
    workspace : (WORKSPACE_ROWS, padded K)
    """
    _forward(matrix, filtered, states, direction, floor, moved, ratio, workspace)
    return _backward(transposed, filtered, states, direction, limit, moved, pairs, ratio, workspace)


@kernel
def _forward(
    matrix: Floats,
    filtered: Floats,
    states: Floats,
    direction: Floats,
    floor: float,
    moved: Floats,
    ratio: Floats,
    workspace: Floats,
) -> None:
    """Fill f_t into ``moved``, and the ratios."""
    frames, size = states.shape
    width, lanes, columns = matrix.shape[1], lanes_of(states), columns_of(size, workspace)
    for t in range(frames):
        if t > 0:
            for k in range(0, width, lanes):
                sure = load(filtered, t - 1, k, size - k, 0.0)
                store(workspace, 0, k, lanes, sure)
                store(workspace, 1, k, lanes, sure * load(moved, t - 1, k, size - k, 0.0))
            product_of_two(workspace, 2 * width, workspace, 0, width, 1, size, matrix, 0, width, columns)
        sums = splat(workspace, 0.0)
        for k in range(0, width, lanes):
            change = load(direction, t, k, size - k, 0.0)
            state = load(states, t, k, size - k, 0.0)
            if t > 0:
                predicted = load(workspace, 2, k, lanes, 0.0)
                change = change + quotient(load(workspace, 3, k, lanes, 0.0), predicted, floor)
                store(ratio, t, k, size - k, quotient(state, predicted, floor))
            store(workspace, 0, k, lanes, change)
            sums = sums + state * change
        mean = total(sums)
        for k in range(0, width, lanes):
            store(moved, t, k, size - k, load(workspace, 0, k, lanes, 0.0) - mean)


@kernel
def _backward(
    transposed: Floats,
    filtered: Floats,
    states: Floats,
    direction: Floats,
    limit: float,
    moved: Floats,
    pairs: Floats,
    ratio: Floats,
    workspace: Floats,
) -> bool:
    """Turn f_t in ``moved`` into the derivative of w_t, and fill the sums of pairs."""
    frames, size = states.shape
    width, lanes, columns = transposed.shape[1], lanes_of(states), columns_of(size, workspace)
    pairs[:] = 0
    tiny, block = np.finfo(states.dtype).tiny, (len(workspace) - 8) // 2
    before, after, filled = 8, 8 + block, 0
    for t in range(frames - 1, -1, -1):
        # The newest of the block are w_{t+1} / prediction, and that times h_{t+1}.
        newest, paired = (after + filled) * width, t + 1 < frames
        if paired:
            product_of_two(
                workspace, 2 * width, workspace, newest, width, 1, size, transposed, 0, width, columns
            )
        sums, missing = splat(workspace, 0.0), splat(workspace, 0.0)
        for k in range(0, width, lanes):
            change = load(direction, t, k, size - k, 0.0)
            state = load(states, t, k, size - k, 0.0)
            for array in (filtered, states, direction, moved, ratio):
                prefetch(array, t - AHEAD, k)
            if paired:
                predicted, sure = load(workspace, 2, k, lanes, 0.0), load(filtered, t, k, size - k, 0.0)
                change = change + quotient(load(workspace, 3, k, lanes, 0.0), predicted, tiny)
                ahead = load(moved, t, k, size - k, 0.0)
                store(workspace, before + filled, k, lanes, sure * ahead)
                store(workspace, before + filled + 1, k, lanes, sure)
                missed = state - sure * predicted
                missing = missing + larger(missed, missed * -1.0)
            store(workspace, 0, k, lanes, change)
            sums = sums + state * change
        if paired:
            if not total(missing) <= limit:
                return False
            filled += 2
            if filled == block or t == 0:
                add_pairs(workspace, before, after, 0, filled, 4, pairs)
                filled = 0
        mean, sums = total(sums), splat(workspace, 0.0)
        for k in range(0, width, lanes):
            state = load(states, t, k, size - k, 0.0)
            change = load(workspace, 0, k, lanes, 0.0) - mean
            share = load(ratio, t, k, size - k, 0.0)
            store(workspace, after + filled, k, lanes, share)
            store(workspace, after + filled + 1, k, lanes, share * change)
            change = change + load(moved, t, k, size - k, 0.0) - load(direction, t, k, size - k, 0.0)
            store(workspace, 0, k, lanes, change)
            sums = sums + state * change
        mean = total(sums)
        for k in range(0, width, lanes):
            state = load(states, t, k, size - k, 0.0)
            store(moved, t, k, size - k, state * (load(workspace, 0, k, lanes, 0.0) - mean))
    return True
