"""How well every state foretells a frame: eight states side by side, one in each lane of a vector.

A group of eight states has D rows of every vector of D entries, and so on; its rows lie one after the
other. ``inner`` and ``centers`` are covariance and mean of x_t under every state, given the past.
"""

import math

from ...compiled import Floats, kernel
from ..lds.columns import at, less, multiply_into, put, reciprocal_root, within
from ..simd.small_products import product, product_by_one

__all__ = ["predict", "score"]

# Pivots are multiplied, and logs are taken when a product leaves this range.
SMALLEST, LARGEST = 0.5, 1e150


@kernel
def predict(
    g: int,
    size: int,
    past: Floats,
    vectors: tuple[Floats, Floats, Floats],
    moved: Floats,
    inner: Floats,
    centers: Floats,
) -> None:
    """Moments of x_t under the states of a group: W P, W P Wᵀ + Q and W m + b.

    Parameters
    ----------
    g, size : int
        Group, and D.
    past : (L D, L D + 1)
        P, and m as the last column.
    vectors : weights, offsets, noise
    moved : (groups D (L D + 1), lanes)
    inner, centers : (groups D², lanes) and (groups D, lanes)
        Filled for this group.
    """
    weights, offsets, noise = vectors
    width, square, step = len(past), size * size, len(past) + 1
    begin, first = g * size * width, g * size * step
    product_by_one(size, width, step, moved, first, step, 1, weights, begin, width, 1, past, 0, step, 1)
    for i in range(0, size, 2):
        rows = min(2, size - i)
        product(
            rows, width, i + rows, inner, g * square + i * size, size, 1,
            moved, first + i * step, step, 1, weights, begin, 1, width,
        )  # fmt: skip
    for i in range(size):
        put(centers, g * size + i, at(moved, first + i * step + width) + at(offsets, g * size + i))
        for j in range(i + 1):
            entry = g * square + i * size + j
            value = at(inner, entry) + at(noise, entry)
            put(inner, entry, value)
            put(inner, g * square + j * size + i, value)


@kernel
def score(
    g: int,
    size: int,
    frame: tuple[Floats, Floats, Floats],
    pulled: bool,
    moments: tuple[Floats, Floats],
    workspace: tuple[Floats, Floats, Floats],
    factor: Floats,
    surprise: Floats,
    scores: Floats,
) -> None:
    """Log evidence of a group's states: −½ |u|² − log |L|, L Lᵀ = I + Cᵀ P C, u = L⁻¹ Cᵀ (y − m).

    A linear potential gᵀ (x − y) first moves m to m + P g, which adds gᵀ (m − y) + ½ gᵀ P g.

    Parameters
    ----------
    g, size : int
        Group, and D.
    frame : root (D, r), center (D,), linear (D,)
        C, y and g. One column stands for a diagonal matrix.
    pulled : bool
        Whether g has an entry that is not zero.
    moments : inner, centers
        P and m.
    workspace : (D max(D, r), lanes), (D, lanes) and (2, lanes)
    factor, surprise : (groups D², lanes) and (groups D, lanes)
        Receive L, with the reciprocals of its diagonal, and u.
    scores : (groups, lanes)
        Receives the log evidence.
    """
    root, center, linear = frame
    inner, centers = moments
    scratch, apart, pivots = workspace
    square, line, rank = g * size * size, g * size, root.shape[1]
    diagonal = rank == 1
    count = size if diagonal else rank
    total = at(centers, line) * 0.0
    for i in range(size):
        value = at(centers, line + i)
        if pulled:
            moved = value * 0.0
            for j in range(size):
                moved = moved + at(inner, square + i * size + j) * linear[j]
            total = total + (value + (moved * 0.5 + -center[i])) * linear[i]
            value = value + moved
        put(apart, i, value * -1.0 + center[i])
    if diagonal:
        for i in range(size):
            put(surprise, line + i, at(apart, i) * root[i, 0])
            for j in range(i + 1):
                entry = square + i * size + j
                put(factor, entry, at(inner, entry) * (root[i, 0] * root[j, 0]))
    else:
        product_by_one(size, size, rank, scratch, 0, rank, 1, inner, square, size, 1, root, 0, rank, 1)
        product_by_one(rank, size, rank, factor, square, size, 1, scratch, 0, 1, rank, root, 0, rank, 1)
        product_by_one(1, size, rank, surprise, line, rank, 1, apart, 0, 0, 1, root, 0, rank, 1)
    _solve(count, size, factor, square, surprise, line, pivots)
    for i in range(count):
        entry = at(surprise, line + i)
        total = total + entry * entry * -0.5
    put(scores, g, total)
    for lane in range(pivots.shape[1]):
        scores[g, lane] -= 0.5 * (pivots[1, lane] + math.log(pivots[0, lane]))


@kernel
def _solve(
    count: int, step: int, factor: Floats, begin: int, vector: Floats, line: int, pivots: Floats
) -> None:
    """Factor I + a lower half, and solve for one vector; ``pivots`` receives Π and Σ log of pivots."""
    for lane in range(pivots.shape[1]):
        pivots[0, lane], pivots[1, lane] = 1.0, 0.0
    for j in range(count):
        pivot = at(factor, begin + j * step + j) + 1.0
        multiply_into(pivots, pivot)
        if not within(pivots, pivot, SMALLEST, LARGEST):
            for lane in range(pivots.shape[1]):
                pivots[1, lane] += math.log(pivots[0, lane])
                pivots[0, lane] = 1.0
        share = reciprocal_root(pivot)
        put(factor, begin + j * step + j, share)
        value = at(vector, line + j) * share
        put(vector, line + j, value)
        for i in range(j + 1, count):
            entry = at(factor, begin + i * step + j) * share
            put(factor, begin + i * step + j, entry)
            put(vector, line + i, less(at(vector, line + i), entry, value))
            for k in range(j + 1, i + 1):
                place = begin + i * step + k
                put(factor, place, less(at(factor, place), entry, at(factor, begin + k * step + j)))
