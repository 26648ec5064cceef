"""Sweeps over a Gaussian chain, a stretch of it in every lane.

A frame is done when the message of its neighbour is known: P⁻¹ and m of the frame before it or, on
the way back, S and μ of the frame behind it. A stretch at the end of its sequence has no neighbour;
its pair is read as zeros, which leaves the frame as it is. Matrices in columns (``_columns``) have a
row for every entry: (i, j) is row i D + j.

``places`` (4, lanes) tells of every lane its first frame, the pair that leads into that, its number of
frames, and whether its message is known. Lanes that are done, or were never begun, read zeros and
write nothing.
"""

import math
from typing import Any

import numpy as np

from ._columns import (
    add_to,
    at,
    broadcast,
    gather,
    less,
    more,
    multiply_into,
    over,
    put,
    root,
    scatter,
)
from ._compiled import Floats, kernel

__all__ = ["filter_forward", "smooth_backward"]

# Pivots are multiplied, and a log is taken when their product leaves this range; of float32 so many
# can be multiplied before one has to look.
SMALL, TOGETHER = 1e-100, 4


@kernel
def filter_forward(
    size: int,
    chain: tuple[Floats, Floats, Floats],
    places: Floats,
    work: tuple[Floats, ...],
    found: tuple[Floats, Floats, Floats],
    totals: Floats,
    fault: Floats,
    write: bool,
) -> None:
    """Sum frames out from the first to the last.

    W_t = J_{t+1,t} P_t⁻¹;  P_{t+1} = J_{t+1,t+1} − W_t J_{t+1,t}ᵀ;  P m = h − J_{t+1,t} m_t.

    Parameters
    ----------
    size : int
        D
    chain : precision, lower, precision_mean
        Flat.
    places : (4, lanes) int64
    work : arrays in columns
        The first two hold the message, P⁻¹ and m, before and after.
    found : covariances, means, gain
        Flat; receive P⁻¹, m and W if ``write``.
    totals : (lanes, 2) float64
        Receives Σ h·m and Σ log |P|.
    fault : (lanes,) int64
        Receives the step whose P is not positive definite, or −1.
    """
    precision, lower, linear = chain
    (inverse, matrix, gain, link, factor, reciprocal), (mean, vector, pull, pivots, idle) = work
    covariances, means, gains = found
    lanes, square = places.shape[1], size * size
    frame, line, pair = np.empty((3, lanes), np.int64)
    product, total, log_det = np.ones(lanes), np.zeros(lanes), np.zeros(lanes)
    fault[:] = -1
    together = TOGETHER if mean.dtype.type(0.1) != 0.1 else 1
    for step in range(places[2].max()):
        for lane in range(lanes):
            on = step < places[2, lane]
            frame[lane] = (places[0, lane] + step) * square if on else -1
            line[lane] = (places[0, lane] + step) * size if on else -1
            pair[lane] = (places[1, lane] + step) * square if on and step + places[3, lane] else -1
            idle[0, lane] = 0 if on else 1
        gather(precision, frame, square, square, matrix)
        gather(linear, line, size, size, vector)
        gather(lower, pair, square, square, link)
        for i in range(size):  # a lane that is done has a chain of ones to work on
            put(matrix, i * size + i, at(matrix, i * size + i) + at(idle, 0))
        _multiply(size, link, inverse, gain)
        for i in range(size):
            for j in range(0, i + 1, 4):
                sums = _four(gain, i * size, 1, link, j * size, 1, size, size)
                for c, known in enumerate(sums):
                    if j + c <= i:
                        put(matrix, i * size + j + c, at(matrix, i * size + j + c) - known)
        _times(size, link, size, 1, mean, pull)
        for i in range(size):
            put(vector, i, at(vector, i) - at(pull, i))
        _invert(size, matrix, factor, reciprocal, pivots, inverse)
        _times(size, inverse, size, 1, vector, mean)
        inner = at(vector, 0) * at(mean, 0)
        for i in range(1, size):
            inner = more(inner, at(vector, i), at(mean, i))
        add_to(total, inner)
        for i in range(size):
            multiply_into(product, at(pivots, i))
            if i % together == together - 1 or i + 1 == size:
                _settle(step, product, total, log_det, fault)
        if write:
            scatter(gain, square, gains, pair, square)
            scatter(inverse, square, covariances, frame, square)
            scatter(mean, size, means, line, size)
    for lane in range(lanes):
        totals[lane, 0] = total[lane]
        totals[lane, 1] = log_det[lane] + math.log(product[lane])


@kernel
def _settle(step: int, product: Floats, total: Floats, log_det: Floats, fault: Floats) -> None:
    """Take logs of products of pivots that grow out of range; find what is not a product of such."""
    strange = 0
    for lane in range(len(product)):
        inside = SMALL < product[lane] < 1 / SMALL and abs(total[lane]) < np.inf
        strange += 0 if inside else 1
    if not strange:
        return
    for lane in range(len(product)):
        if 0 < product[lane] < np.inf and abs(total[lane]) < np.inf:
            if not SMALL < product[lane] < 1 / SMALL:
                log_det[lane] += math.log(product[lane])
                product[lane] = 1
        else:
            if fault[lane] < 0:
                fault[lane] = step
            product[lane], total[lane] = 1, 0


@kernel
def smooth_backward(
    size: int,
    places: Floats,
    work: tuple[Floats, ...],
    found: tuple[Floats, Floats, Floats],
    write: bool,
) -> None:
    """Turn what the forward sweep left into marginals, in place, last frame first.

    μ_t = m_t − W_tᵀ μ_{t+1};  S_{t+1,t} = −S_{t+1} W_t;  S_t = P_t⁻¹ + W_tᵀ S_{t+1} W_t, a sum of
    positive terms.

    Parameters
    ----------
    size, places
        As for ``filter_forward``; the pair leads out of the first frame.
    work : arrays in columns
        The first two hold the message, S and μ, before and after.
    found : covariances, means, gain
        Flat; receive S, μ and S_{t+1,t} if ``write``.
    """
    (after, matrix, gain, product, _, _), (mean, vector, pull, _, _) = work
    covariances, means, gains = found
    lanes, square = places.shape[1], size * size
    frame, line, pair = np.empty((3, lanes), np.int64)
    for step in range(places[2].max()):
        for lane in range(lanes):
            left = places[2, lane] - 1 - step
            frame[lane] = (places[0, lane] + left) * square if left >= 0 else -1
            line[lane] = (places[0, lane] + left) * size if left >= 0 else -1
            pair[lane] = (places[1, lane] + left) * square if left >= 0 and step + places[3, lane] else -1
        gather(covariances, frame, square, -square, matrix)
        gather(means, line, size, -size, vector)
        gather(gains, pair, square, -square, gain)
        _multiply(size, after, gain, product)
        _times(size, gain, 1, size, mean, pull)
        for i in range(size):
            put(mean, i, at(vector, i) - at(pull, i))
            for j in range(0, i + 1, 4):
                sums = _four(gain, i, size, product, j, size, 1, size)
                for c, added in enumerate(sums):
                    if j + c <= i:
                        spread = at(matrix, i * size + j + c) + added
                        put(after, i * size + j + c, spread)
                        put(after, (j + c) * size + i, spread)
        if write:
            for k in range(square):
                put(product, k, at(product, k) * product.dtype.type(-1))
            scatter(product, square, gains, pair, -square)
            scatter(after, square, covariances, frame, -square)
            scatter(mean, size, means, line, -size)


@kernel
def _multiply(size: int, left: Floats, right: Floats, out: Floats) -> None:
    """Matrix product."""
    for i in range(size):
        for j in range(0, size, 4):
            j = _block(j, size)
            sums = _four(left, i * size, 1, right, j, size, 1, size)
            for c, found in enumerate(sums):
                put(out, i * size + j + c, found)


@kernel
def _times(size: int, matrix: Floats, across: int, along: int, vector: Floats, out: Floats) -> None:
    """Matrix times vector, whose entry (i, k) is row ``i * across + k * along``."""
    for i in range(0, size, 4):
        i = _block(i, size)
        sums = _four(vector, 0, 1, matrix, i * across, along, across, size)
        for c, found in enumerate(sums):
            put(out, i + c, found)


@kernel
def _invert(
    size: int, matrix: Floats, factor: Floats, reciprocal: Floats, pivots: Floats, inverse: Floats
) -> None:
    """Inverse of symmetric matrices of which the lower halves are read, and squares of L's diagonal.

    ``reciprocal`` receives L⁻¹; above its diagonal it comes with zeros and keeps them.
    """
    for j in range(size):
        pivot = at(matrix, j * size + j)
        for k in range(j):
            one = at(factor, j * size + k)
            pivot = less(pivot, one, one)
        put(pivots, j, pivot)
        share = over(matrix.dtype.type(1), root(pivot))
        put(reciprocal, j * size + j, share)
        i = j + 1
        while i < size:
            few = i + 4 > size
            if few:
                found = at(matrix, i * size + j)
                for k in range(j):
                    found = less(found, at(factor, i * size + k), at(factor, j * size + k))
                put(factor, i * size + j, found * share)
                i += 1
            else:
                sums = _four(factor, j * size, 1, factor, i * size, 1, size, j)
                for c, found in enumerate(sums):
                    row = (i + c) * size + j
                    put(factor, row, (at(matrix, row) - found) * share)
                i += 4
    for i in range(1, size):
        # Of what is beside the diagonal: −L⁻¹(i, i) Σ_k L(i, k) L⁻¹(k, j), from zeros for k < j.
        share = at(reciprocal, i * size + i) * matrix.dtype.type(-1)
        for j in range(0, i, 4):
            sums = _four(factor, i * size + j, 1, reciprocal, j * size + j, size, 1, i - j)
            for c, found in enumerate(sums):
                if j + c < i:
                    put(reciprocal, i * size + j + c, found * share)
    for i in range(size):
        for j in range(0, i + 1, 4):
            sums = _four(reciprocal, i * size + i, size, reciprocal, i * size + j, size, 1, size - i)
            for c, found in enumerate(sums):
                if j + c <= i:
                    put(inverse, i * size + j + c, found)
                    put(inverse, (j + c) * size + i, found)


@kernel
def _block(start: int, size: int) -> int:
    """Start of four columns: the last four overlap with those before, if they have to."""
    return max(0, min(start, size - 4))


@kernel
def _four(
    left: Floats, at_left: int, along: int, right: Floats, at_right: int, down: int, across: int, count: int
) -> Any:
    """Four sums of products, ``Σ_k left[at_left + k along] right[at_right + k down + c across]``."""
    a = b = c = d = broadcast(left, left.dtype.type(0))
    for k in range(count):
        one, place = at(left, at_left + k * along), at_right + k * down
        a = more(a, one, at(right, place))
        b = more(b, one, at(right, place + across))
        c = more(c, one, at(right, place + 2 * across))
        d = more(d, one, at(right, place + 3 * across))
    return a, b, c, d
