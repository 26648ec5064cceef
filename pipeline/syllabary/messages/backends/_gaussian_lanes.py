"""Sweeps over a Gaussian chain, a stretch of it in every lane.

A frame is done when the message of its neighbour is known: P⁻¹ and m of the frame before it or, on
the way back, S and μ of the frame behind it. A stretch at the end of its sequence has no neighbour;
its pair is read as zeros, which leaves the frame as it is.

``places`` (4, lanes) tells of every lane its first frame, the pair that leads into that, its number of
frames, and whether its message is known. Lanes that are done, or were never begun, read zeros and
write nothing.
"""

import math

import numpy as np

from ._columns import add_to, at, gather, more, multiply_into, put, scatter
from ._compiled import Floats, kernel
from ._matrices import four, invert, multiply, times

__all__ = ["filter_forward", "smooth_backward"]

# Pivots are multiplied, and a log is taken when their product leaves this range; of float32 so many
# can be multiplied before one has to look.
SMALL, TOGETHER = 1e-100, 4


@kernel
def filter_forward(
    size: int,
    chain: tuple[Floats, Floats, Floats],
    places: Floats,
    work: tuple[tuple[Floats, ...], tuple[Floats, ...]],
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
        The first of both hold the message, P⁻¹ and m, before and after.
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
        multiply(size, link, inverse, gain)
        for i in range(size):
            for j in range(0, i + 1, 4):
                sums = four(gain, i * size, 1, link, j * size, 1, size, size)
                for c, known in enumerate(sums):
                    if j + c <= i:
                        put(matrix, i * size + j + c, at(matrix, i * size + j + c) - known)
        times(size, link, size, 1, mean, pull)
        for i in range(size):
            put(vector, i, at(vector, i) - at(pull, i))
        invert(size, matrix, factor, reciprocal, pivots, inverse)
        times(size, inverse, size, 1, vector, mean)
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
    work: tuple[tuple[Floats, ...], tuple[Floats, ...]],
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
        The first of both hold the message, S and μ, before and after.
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
            pair[lane] = (
                (places[1, lane] + left) * square if left >= 0 and step + places[3, lane] else -1
            )
        gather(covariances, frame, square, -square, matrix)
        gather(means, line, size, -size, vector)
        gather(gains, pair, square, -square, gain)
        multiply(size, after, gain, product)
        times(size, gain, 1, size, mean, pull)
        for i in range(size):
            put(mean, i, at(vector, i) - at(pull, i))
            for j in range(0, i + 1, 4):
                sums = four(gain, i, size, product, j, size, 1, size)
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
