"""Sweeps over a Gaussian chain, a block to a chain; ``_gaussian`` says what P and W are.

Matrices are flat in their last axis, (B, T, D²), as in ``_block``.
"""

import math

from numba import cuda, float64

from ._block import WARPS, block_sum, cholesky, invert, kernel, multiply
from ._compiled import Floats

__all__ = [
    "MATRICES",
    "VECTORS",
    "draw",
    "filter_forward",
    "smooth_backward",
    "sum_backward",
    "tangent_backward",
    "tangent_forward",
]

# Shared memory of the hungriest: so many matrices D × D and vectors D.
MATRICES, VECTORS = 3, 2


@kernel
def filter_forward(
    precision: Floats,
    lower: Floats,
    precision_mean: Floats,
    lengths: Floats,
    means: Floats,
    covariances: Floats,
    gain: Floats,
    totals: Floats,
    fault: Floats,
) -> None:
    """Sum frames out from the first to the last: P_{t+1} = J_{t+1,t+1} − W_t J_{t+1,t}ᵀ.

    Fills P_t⁻¹, W_t, the means of the chain cut after each frame, and ``totals`` with Σ h_t·m_t
    and Σ log |P_t|; or ``fault``.
    """
    b, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    size, length, energy, volume = means.shape[2], lengths[b], 0.0, 0.0
    square = size * size
    scratch, room = cuda.shared.array(WARPS, float64), cuda.shared.array(0, means.dtype)
    matrix, inverse, steps = room[:square], room[square : 2 * square], room[2 * square : 3 * square]
    vector, mean = room[3 * square : 3 * square + size], room[3 * square + size :]
    for t in range(length):
        cuda.syncthreads()
        for entry in range(thread, square, threads):
            i, j = entry // size, entry % size
            found = precision[b, t, entry]
            if t > 0 and j <= i:
                for k in range(size):
                    found -= steps[i * size + k] * lower[b, t - 1, j * size + k]
            matrix[entry] = found
        for i in range(thread, size, threads):
            found = precision_mean[b, t, i]
            if t > 0:
                for k in range(size):
                    found -= lower[b, t - 1, i * size + k] * mean[k]
            vector[i] = found
        log_det = invert(matrix, inverse, size)
        total = 0.0
        if -math.inf < log_det < math.inf:
            for i in range(thread, size, threads):
                found = inverse[i * size] * vector[0]
                for k in range(1, size):
                    found += inverse[i * size + k] * vector[k]
                mean[i] = found
                means[b, t, i] = found
                total += vector[i] * found
        total = block_sum(total, scratch)
        if not (-math.inf < log_det < math.inf and -math.inf < total < math.inf):
            if thread == 0:
                fault[b] = t
            return
        energy += total
        volume += log_det
        for entry in range(thread, square, threads):
            covariances[b, t, entry] = inverse[entry]
        if t + 1 < length:
            multiply(lower[b, t], inverse, steps, size)
            for entry in range(thread, square, threads):
                gain[b, t, entry] = steps[entry]
    if thread == 0:
        totals[b, 0], totals[b, 1] = energy, volume


@kernel
def smooth_backward(
    means: Floats, covariances: Floats, cross: Floats, lengths: Floats, fault: Floats
) -> None:
    """Turn what the forward sweep left into marginals, in place; ``cross`` comes with the gains.

    μ_t = m_t − W_tᵀ μ_{t+1};  S_{t+1,t} = −S_{t+1} W_t;  S_t = P_t⁻¹ + W_tᵀ S_{t+1} W_t, a sum of
    positive terms.
    """
    b, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    size, length = means.shape[2], lengths[b]
    square = size * size
    room = cuda.shared.array(0, means.dtype)
    steps, product = room[:square], room[square : 2 * square]
    if fault[b] >= 0:
        return
    for t in range(length - 2, -1, -1):
        for entry in range(thread, square, threads):
            steps[entry] = cross[b, t, entry]
        cuda.syncthreads()
        multiply(covariances[b, t + 1], steps, product, size)
        for i in range(thread, size, threads):
            found = means[b, t, i]
            for k in range(size):
                found -= steps[k * size + i] * means[b, t + 1, k]
            means[b, t, i] = found
        cuda.syncthreads()
        for entry in range(thread, square, threads):
            i, j = entry // size, entry % size
            cross[b, t, entry] = -product[entry]
            if j <= i:
                found = covariances[b, t, entry]
                for k in range(size):
                    found += steps[k * size + i] * product[k * size + j]
                covariances[b, t, entry] = found
                covariances[b, t, j * size + i] = found
        cuda.syncthreads()


@kernel
def sum_backward(
    means: Floats, covariances: Floats, gain: Floats, lengths: Floats, fault: Floats, sums: Floats
) -> None:
    """Smooth the means in place and sum covariances, holding one at a time.

    ``sums`` (B, 4, D²) receives Σ_{t<T} S_t, Σ_{t>1} S_t, Σ S_{t+1,t}, and S_1.
    """
    b, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    size, length = means.shape[2], lengths[b]
    square = size * size
    room = cuda.shared.array(0, means.dtype)
    steps, product, after = room[:square], room[square : 2 * square], room[2 * square : 3 * square]
    if fault[b] >= 0 or length == 0:
        return
    for entry in range(thread, square, threads):
        after[entry] = covariances[b, length - 1, entry]
    for t in range(length - 2, -1, -1):
        for entry in range(thread, square, threads):
            steps[entry] = gain[b, t, entry]
        cuda.syncthreads()
        multiply(after, steps, product, size)
        for i in range(thread, size, threads):
            found = means[b, t, i]
            for k in range(size):
                found -= steps[k * size + i] * means[b, t + 1, k]
            means[b, t, i] = found
        cuda.syncthreads()
        for entry in range(thread, square, threads):
            i, j = entry // size, entry % size
            found = covariances[b, t, entry]
            for k in range(size):
                found += steps[k * size + i] * product[k * size + j]
            sums[b, 1, entry] += after[entry]
            sums[b, 2, entry] -= product[entry]
            sums[b, 0, entry] += found
            after[entry] = found
        cuda.syncthreads()
    for entry in range(thread, square, threads):
        sums[b, 3, entry] = after[entry]


@kernel
def draw(
    means: Floats,
    covariances: Floats,
    gain: Floats,
    normals: Floats,
    lengths: Floats,
    fault: Floats,
    samples: Floats,
) -> None:
    """Draw frames from the last to the first: x_t = m_t − W_tᵀ x_{t+1} + chol(P_t⁻¹) ε_t."""
    b, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    size, length = means.shape[2], lengths[b]
    factor = cuda.shared.array(0, means.dtype)
    if fault[b] >= 0:
        return
    for t in range(length - 1, -1, -1):
        for entry in range(thread, size * size, threads):
            factor[entry] = covariances[b, t, entry]
        cholesky(factor, size)
        for i in range(thread, size, threads):
            found = means[b, t, i]
            for k in range(i + 1):
                found += factor[i * size + k] * normals[b, t, k]
            if t + 1 < length:
                for k in range(size):
                    found -= gain[b, t, k * size + i] * samples[b, t + 1, k]
            samples[b, t, i] = found
        cuda.syncthreads()


@kernel
def tangent_forward(
    filtered: Floats,
    gain: Floats,
    d_precision: Floats,
    d_lower: Floats,
    centred: Floats,
    lengths: Floats,
    d_means: Floats,
    d_covariances: Floats,
    d_cross: Floats,
) -> None:
    """Leave what ``tangent_backward`` goes on with: a partial sum in ``d_means``, dP_t and dW_t.

    dP_{t+1} = dJ_{t+1,t+1} − dJ_{t+1,t} W_tᵀ − W_t dJ_{t+1,t}ᵀ + W_t dP_t W_tᵀ, in
    ``d_covariances``; dW_t = (dJ_{t+1,t} − W_t dP_t) P_t⁻¹, in ``d_cross``.
    """
    b, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    size, left = centred.shape[2], cuda.shared.array(0, centred.dtype)
    for t in range(lengths[b]):
        cuda.syncthreads()
        if t > 0:
            multiply(gain[b, t - 1], d_covariances[b, t - 1], left, size)
            for entry in range(thread, size * size, threads):
                left[entry] -= d_lower[b, t - 1, entry]
            cuda.syncthreads()
            multiply(left, filtered[b, t - 1], d_cross[b, t - 1], size)
        for entry in range(thread, size * size, threads):
            i, j = entry // size, entry % size
            found = d_precision[b, t, entry]
            if t > 0:
                for k in range(size):
                    found += left[i * size + k] * gain[b, t - 1, j * size + k]
                    found -= gain[b, t - 1, i * size + k] * d_lower[b, t - 1, j * size + k]
                d_cross[b, t - 1, entry] = -d_cross[b, t - 1, entry]
            d_covariances[b, t, entry] = found
        for i in range(thread, size, threads):
            found = centred[b, t, i]
            if t > 0:
                for k in range(size):
                    found -= gain[b, t - 1, i * size + k] * d_means[b, t - 1, k]
            d_means[b, t, i] = found


@kernel
def tangent_backward(
    filtered: Floats,
    gain: Floats,
    covariances: Floats,
    lengths: Floats,
    d_means: Floats,
    d_covariances: Floats,
    d_cross: Floats,
) -> None:
    """Finish the derivatives, last frame first: dμ = J⁻¹ (dh − dJ μ), and dS = −S dJ S.

    dS_t = −P⁻¹ dP P⁻¹ + dWᵀ S W + Wᵀ (S dW + dS W);  dS_{t+1,t} = −(S dW + dS W).
    """
    b, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    size, length = d_means.shape[2], lengths[b]
    square = size * size
    room = cuda.shared.array(0, d_means.dtype)
    left, right, vector = room[:square], room[square : 2 * square], room[2 * square :]
    for t in range(length - 1, -1, -1):
        multiply(filtered[b, t], d_covariances[b, t], left, size)
        for i in range(thread, size, threads):
            found = filtered[b, t, i * size] * d_means[b, t, 0]
            for k in range(1, size):
                found += filtered[b, t, i * size + k] * d_means[b, t, k]
            if t + 1 < length:
                for k in range(size):
                    found -= gain[b, t, k * size + i] * d_means[b, t + 1, k]
            vector[i] = found
        cuda.syncthreads()
        for i in range(thread, size, threads):
            d_means[b, t, i] = vector[i]
        multiply(left, filtered[b, t], d_covariances[b, t], size)
        for entry in range(thread, square, threads):
            d_covariances[b, t, entry] = -d_covariances[b, t, entry]
        cuda.syncthreads()
        if t + 1 < length:
            multiply(covariances[b, t + 1], d_cross[b, t], left, size)
            multiply(d_covariances[b, t + 1], gain[b, t], right, size)
            for entry in range(thread, square, threads):
                right[entry] += left[entry]
            cuda.syncthreads()
            for entry in range(thread, square, threads):
                i, j = entry // size, entry % size
                found = d_covariances[b, t, entry]
                for k in range(size):
                    found += left[k * size + i] * gain[b, t, k * size + j]
                    found += gain[b, t, k * size + i] * right[k * size + j]
                d_covariances[b, t, entry] = found
                d_cross[b, t, entry] = -right[entry]
            cuda.syncthreads()
