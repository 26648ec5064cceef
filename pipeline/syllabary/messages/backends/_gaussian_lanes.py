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

import numpy as np

from ._columns import at, gather, less, more, over, put, root, scatter
from ._compiled import Floats, kernel

__all__ = ["filter_forward", "smooth_backward"]

# Pivots that are multiplied before a log is taken: so few numbers of float32 stay within float64.
TOGETHER = 4


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
    inverse, mean, matrix, vector, gain, link, pivots = work
    covariances, means, gains = found
    lanes, square = places.shape[1], size * size
    frame, line, pair = np.empty((3, lanes), np.int64)
    totals[:] = 0
    fault[:] = -1
    for step in range(places[2].max()):
        for lane in range(lanes):
            on = step < places[2, lane]
            frame[lane] = (places[0, lane] + step) * square if on else -1
            line[lane] = (places[0, lane] + step) * size if on else -1
            pair[lane] = (places[1, lane] + step) * square if on and step + places[3, lane] else -1
        gather(precision, frame, square, matrix)
        gather(linear, line, size, vector)
        gather(lower, pair, square, link)
        _multiply(size, link, inverse, gain)
        for i in range(size):
            left = at(vector, i)
            for k in range(size):
                left = less(left, at(link, i * size + k), at(mean, k))
            put(vector, i, left)
        _subtract(size, gain, link, matrix)
        _invert(size, matrix, pivots, inverse)
        for i in range(size):
            center = at(inverse, i * size) * at(vector, 0)
            for k in range(1, size):
                center = more(center, at(inverse, i * size + k), at(vector, k))
            put(mean, i, center)
        for i in range(size):
            put(vector, i, at(vector, i) * at(mean, i))
        for lane in range(lanes):
            if step >= places[2, lane] or fault[lane] >= 0:
                continue
            total, log_det, product = 0.0, 0.0, 1.0
            for i in range(size):
                total += vector[i, lane]
                product *= pivots[i, lane]
                if i + 1 == size or i % TOGETHER == TOGETHER - 1:
                    log_det += math.log(product) if product > 0 else np.nan
                    product = 1.0
            if not (-np.inf < log_det < np.inf and -np.inf < total < np.inf):
                fault[lane] = step
            totals[lane, 0] += total
            totals[lane, 1] += log_det
        if write:
            scatter(gain, square, gains, pair)
            scatter(inverse, square, covariances, frame)
            scatter(mean, size, means, line)


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
    after, mean, matrix, vector, gain, product, _ = work
    covariances, means, gains = found
    lanes, square = places.shape[1], size * size
    frame, line, pair = np.empty((3, lanes), np.int64)
    for step in range(places[2].max()):
        for lane in range(lanes):
            left = places[2, lane] - 1 - step
            frame[lane] = (places[0, lane] + left) * square if left >= 0 else -1
            line[lane] = (places[0, lane] + left) * size if left >= 0 else -1
            pair[lane] = (places[1, lane] + left) * square if left >= 0 and step + places[3, lane] else -1
        gather(covariances, frame, square, matrix)
        gather(means, line, size, vector)
        gather(gains, pair, square, gain)
        _multiply(size, after, gain, product)
        for i in range(size):
            center = at(vector, i)
            for k in range(size):
                center = less(center, at(gain, k * size + i), at(mean, k))
            put(vector, i, center)
        for i in range(size):
            put(mean, i, at(vector, i))
            for j in range(i + 1):
                spread = at(matrix, i * size + j)
                for k in range(size):
                    spread = more(spread, at(gain, k * size + i), at(product, k * size + j))
                put(after, i * size + j, spread)
                put(after, j * size + i, spread)
        if write:
            for k in range(square):
                put(product, k, at(product, k) * product.dtype.type(-1))
            scatter(product, square, gains, pair)
            scatter(after, square, covariances, frame)
            scatter(mean, size, means, line)


@kernel
def _multiply(size: int, left: Floats, right: Floats, out: Floats) -> None:
    """Matrix product in columns, four columns of the result at a time."""
    for i in range(size):
        j = 0
        while j + 4 <= size:
            one = at(left, i * size)
            a, b, c, d = one * at(right, j), one * at(right, j + 1), one * at(right, j + 2), one * at(right, j + 3)
            for k in range(1, size):
                one = at(left, i * size + k)
                a = more(a, one, at(right, k * size + j))
                b = more(b, one, at(right, k * size + j + 1))
                c = more(c, one, at(right, k * size + j + 2))
                d = more(d, one, at(right, k * size + j + 3))
            put(out, i * size + j, a)
            put(out, i * size + j + 1, b)
            put(out, i * size + j + 2, c)
            put(out, i * size + j + 3, d)
            j += 4
        while j < size:
            a = at(left, i * size) * at(right, j)
            for k in range(1, size):
                a = more(a, at(left, i * size + k), at(right, k * size + j))
            put(out, i * size + j, a)
            j += 1


@kernel
def _subtract(size: int, left: Floats, right: Floats, out: Floats) -> None:
    """Subtract ``left rightᵀ``, a symmetric matrix, from the lower half of ``out``."""
    for i in range(size):
        for j in range(i + 1):
            found = at(out, i * size + j)
            for k in range(size):
                found = less(found, at(left, i * size + k), at(right, j * size + k))
            put(out, i * size + j, found)


@kernel
def _invert(size: int, matrix: Floats, pivots: Floats, inverse: Floats) -> None:
    """Inverse of symmetric matrices of which the lower halves are read, and overwritten; pivots of L."""
    for j in range(size):
        pivot = at(matrix, j * size + j)
        for k in range(j):
            one = at(matrix, j * size + k)
            pivot = less(pivot, one, one)
        put(pivots, j, pivot)
        share = over(matrix.dtype.type(1), root(pivot))
        put(matrix, j * size + j, share)
        for i in range(j + 1, size):
            found = at(matrix, i * size + j)
            for k in range(j):
                found = less(found, at(matrix, i * size + k), at(matrix, j * size + k))
            put(matrix, i * size + j, found * share)
    # L⁻¹, whose diagonal is there already, then L⁻ᵀ L⁻¹.
    for j in range(size):
        for i in range(j + 1, size):
            found = at(matrix, i * size + j) * at(matrix, j * size + j)
            for k in range(j + 1, i):
                found = more(found, at(matrix, i * size + k), at(matrix, k * size + j))
            put(matrix, i * size + j, found * at(matrix, i * size + i) * matrix.dtype.type(-1))
    for i in range(size):
        for j in range(i + 1):
            found = at(matrix, i * size + i) * at(matrix, i * size + j)
            for k in range(i + 1, size):
                found = more(found, at(matrix, k * size + i), at(matrix, k * size + j))
            put(inverse, i * size + j, found)
            put(inverse, j * size + i, found)
