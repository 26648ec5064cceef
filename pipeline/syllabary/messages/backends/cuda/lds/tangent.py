"""Drawn latents of a Gaussian chain, and derivatives of its marginals; a block to a chain.

Matrices are flat in their last axis, (B, T, D²), as in ``block``.
"""

import math

from ...compiled import Floats
from ..block import cholesky, cuda, kernel, multiply

__all__ = ["MATRICES", "VECTORS", "draw", "tangent_backward", "tangent_forward"]

# Shared memory of the kernel that needs most: so many matrices D × D and vectors D.
MATRICES, VECTORS = 2, 1


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
        # All threads know whether it failed, and leave at the same frame.
        if not cholesky(factor, size) < math.inf:
            if thread == 0:
                fault[b] = t
            return
        for i in range(thread, size, threads):
            value = means[b, t, i]
            for k in range(i + 1):
                value += factor[i * size + k] * normals[b, t, k]
            if t + 1 < length:
                for k in range(size):
                    value -= gain[b, t, k * size + i] * samples[b, t + 1, k]
            samples[b, t, i] = value
        cuda.syncthreads()


@kernel
def tangent_forward(
    filtered: Floats,
    gain: Floats,
    d_precision: Floats,
    d_lower: Floats,
    centered: Floats,
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
    size, left = centered.shape[2], cuda.shared.array(0, centered.dtype)
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
            value = d_precision[b, t, entry]
            if t > 0:
                for k in range(size):
                    value += left[i * size + k] * gain[b, t - 1, j * size + k]
                    value -= gain[b, t - 1, i * size + k] * d_lower[b, t - 1, j * size + k]
                d_cross[b, t - 1, entry] = -d_cross[b, t - 1, entry]
            d_covariances[b, t, entry] = value
        for i in range(thread, size, threads):
            value = centered[b, t, i]
            if t > 0:
                for k in range(size):
                    value -= gain[b, t - 1, i * size + k] * d_means[b, t - 1, k]
            d_means[b, t, i] = value


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
    workspace = cuda.shared.array(0, d_means.dtype)
    left, right, vector = workspace[:square], workspace[square : 2 * square], workspace[2 * square :]
    for t in range(length - 1, -1, -1):
        multiply(filtered[b, t], d_covariances[b, t], left, size)
        for i in range(thread, size, threads):
            value = filtered[b, t, i * size] * d_means[b, t, 0]
            for k in range(1, size):
                value += filtered[b, t, i * size + k] * d_means[b, t, k]
            if t + 1 < length:
                for k in range(size):
                    value -= gain[b, t, k * size + i] * d_means[b, t + 1, k]
            vector[i] = value
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
                value = d_covariances[b, t, entry]
                for k in range(size):
                    value += left[k * size + i] * gain[b, t, k * size + j]
                    value += gain[b, t, k * size + i] * right[k * size + j]
                d_covariances[b, t, entry] = value
                d_cross[b, t, entry] = -right[entry]
            cuda.syncthreads()
