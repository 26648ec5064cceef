"""Passes over a Gaussian chain, a chunk of it in every lane.

A frame needs the message of its neighbor: P⁻¹ and m of the frame before it or, backward, S and μ of the
frame after it. A chunk at the end of its sequence has no neighbor;
its pair is read as zeros, which leaves the frame as it is.

``places`` (4, lanes) holds, for every lane, its first frame, the pair that leads into that frame, its
number of frames, and whether it has a message. Lanes that have ended, or never began, read zeros and
write nothing.
"""

import math

import numpy as np

from ...compiled import Floats, kernel
from ..simd.small_products import product as times
from ..simd.small_products import subtract
from ..simd.vectors import compact
from .columns import (
    absent,
    add_to,
    at,
    gather,
    matrices,
    more,
    multiply_into,
    put,
    scatter,
    vectors,
    within,
)
from .matrices import add_noise, invert, mirror, multiply, multiply_negative, subtract_from_lower

__all__ = ["draw_backward", "filter_forward", "smooth_backward"]

# Pivots are multiplied, and a log is taken when their product leaves this range; of float32 so many
# can be multiplied before one has to look.
SMALL, TOGETHER = 1e-100, 4


@kernel
def filter_forward(
    size: int,
    chain: tuple[Floats, Floats, Floats],
    places: Floats,
    workspace: Floats,
    results: tuple[Floats, Floats, Floats],
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
    workspace : of ``workspace_for``
        The first matrix and vector hold the message, P⁻¹ and m, before and after.
    results : covariances, means, gain
        Flat; receive P⁻¹, m and W if ``write``.
    totals : (lanes, 2) float64
        Receives Σ h·m and Σ log |P|.
    fault : (lanes,) int64
        Receives the step whose P is not positive definite, or −1.
    """
    compact()
    precision, lower, linear = chain
    inverse, matrix, gain, coupling, root, _ = matrices(size, workspace)
    mean, vector, pivots, _, _, _ = vectors(size, workspace)
    covariances, means, gains = results
    lanes, square = places.shape[1], size * size
    frame, line, pair = np.empty((3, lanes), np.int64)
    product, total, log_det = np.ones(lanes), np.zeros(lanes), np.zeros(lanes)
    fault[:] = -1
    together = TOGETHER if lanes == 16 else 1
    for step in range(places[2].max()):
        for lane in range(lanes):
            on = step < places[2, lane]
            frame[lane] = (places[0, lane] + step) * square if on else -1
            line[lane] = (places[0, lane] + step) * size if on else -1
            pair[lane] = (places[1, lane] + step) * square if on and step + places[3, lane] else -1
        gather(precision, frame, square, square, matrix)
        gather(linear, line, size, size, vector)
        gather(lower, pair, square, square, coupling)
        for i in range(size):  # a lane that is done has a chain of ones to work on
            put(matrix, i * size + i, at(matrix, i * size + i) + absent(frame, matrix))
        multiply(size, coupling, inverse, gain)
        subtract_from_lower(size, matrix, gain, size, 1, coupling, 1, size)
        subtract(1, size, size, vector, 0, 0, 1, mean, 0, 0, 1, coupling, 0, 1, size)
        if write:
            scatter(gain, square, gains, pair, square)
        invert(size, matrix, gain, root, pivots, inverse)
        times(1, size, size, mean, 0, 0, 1, vector, 0, 0, 1, inverse, 0, size, 1)
        inner = at(vector, 0) * at(mean, 0)
        for i in range(1, size):
            inner = more(inner, at(vector, i), at(mean, i))
        add_to(total, inner)
        for i in range(size):
            multiply_into(product, at(pivots, i))
            if i % together == together - 1 or i + 1 == size:
                usual = within(product, inner, SMALL, 1 / SMALL) and within(
                    total, inner, -np.inf, np.inf
                )
                if not usual:
                    _restart_products(step, product, total, log_det, fault)
        if write:
            scatter(inverse, square, covariances, frame, square)
            scatter(mean, size, means, line, size)
    for lane in range(lanes):
        totals[lane, 0] = total[lane]
        totals[lane, 1] = log_det[lane] + math.log(product[lane])


@kernel
def _restart_products(step: int, product: Floats, total: Floats, log_det: Floats, fault: Floats) -> None:
    """Take logs of products of pivots that leave the range; record steps with invalid products."""
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
    workspace: Floats,
    results: tuple[Floats, Floats, Floats],
    write: bool,
) -> None:
    """Turn the results of the forward pass into marginals, in place, last frame first.

    μ_t = m_t − W_tᵀ μ_{t+1};  S_{t+1,t} = −S_{t+1} W_t;  S_t = P_t⁻¹ + W_tᵀ S_{t+1} W_t, a sum of
    positive terms.

    Parameters
    ----------
    size, places
        As for ``filter_forward``; the pair leads out of the first frame.
    workspace : of ``workspace_for``
        The first matrix and vector hold the message, S and μ, before and after.
    results : covariances, means, gain
        Flat; receive S, μ and S_{t+1,t} if ``write``.
    """
    compact()
    after, gain, product, _, _, _ = matrices(size, workspace)
    mean, vector, _, _, _, _ = vectors(size, workspace)
    covariances, means, gains = results
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
        gather(means, line, size, -size, vector)
        gather(gains, pair, square, -square, gain)
        multiply_negative(size, after, gain, product)
        gather(covariances, frame, square, -square, after)
        subtract_from_lower(size, after, gain, 1, size, product, size, 1)
        mirror(size, size, after)
        subtract(1, size, size, vector, 0, 0, 1, mean, 0, 0, 1, gain, 0, size, 1)
        for i in range(size):
            put(mean, i, at(vector, i))
        if write:
            scatter(product, square, gains, pair, -square)
            scatter(after, square, covariances, frame, -square)
            scatter(mean, size, means, line, -size)


@kernel
def draw_backward(
    size: int,
    results: tuple[Floats, Floats, Floats],
    normals: Floats,
    places: Floats,
    workspace: Floats,
    samples: Floats,
    fault: Floats,
    write: bool,
) -> None:
    """Draw frames from the last to the first: x_t = m_t − W_tᵀ x_{t+1} + chol(P_t⁻¹) ε_t.

    Parameters
    ----------
    size, places
        As for ``smooth_backward``.
    results : covariances, means, gain
        Flat; as ``filter_forward`` left them.
    normals : flat
        ε
    workspace : of ``workspace_for``
        The first vector holds the message, x, before and after.
    samples : flat
        Receives x if ``write``.
    fault : (lanes,) int64
        Receives the step whose P⁻¹ rounding has left without a factor, or −1.
    """
    covariances, means, gains = results
    _, matrix, gain, _, _, _ = matrices(size, workspace)
    sample, vector, noise, column, _, _ = vectors(size, workspace)
    lanes, square = places.shape[1], size * size
    frame, line, pair = np.empty((3, lanes), np.int64)
    product, total, log_det = np.ones(lanes), np.zeros(lanes), np.zeros(lanes)
    fault[:] = -1
    for step in range(places[2].max()):
        for lane in range(lanes):
            left = places[2, lane] - 1 - step
            frame[lane] = (places[0, lane] + left) * square if left >= 0 else -1
            line[lane] = (places[0, lane] + left) * size if left >= 0 else -1
            is_pair = left >= 0 and step + places[3, lane] > 0
            pair[lane] = (places[1, lane] + left) * square if is_pair else -1
        gather(covariances, frame, square, -square, matrix)
        gather(gains, pair, square, -square, gain)
        gather(means, line, size, -size, vector)
        gather(normals, line, size, -size, noise)
        for i in range(size):
            put(matrix, i * size + i, at(matrix, i * size + i) + absent(frame, matrix))
        subtract(1, size, size, vector, 0, 0, 1, sample, 0, 0, 1, gain, 0, size, 1)
        add_noise(size, matrix, noise, column, vector)
        for i in range(size):
            put(sample, i, at(vector, i))
            add_to(total, at(vector, i))
        if not within(total, at(sample, 0), -np.inf, np.inf):
            _restart_products(step, product, total, log_det, fault)
        if write:
            scatter(sample, size, samples, line, -size)
