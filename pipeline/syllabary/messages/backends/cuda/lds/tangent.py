"""Drawn latents of a Gaussian chain, and derivatives of its marginals, in chunks.

Matrices are flat in their last axis, (B, T, D²), as in ``block``. Messages end with what they may differ
beside: those of derivatives with the largest entries of the matrices and of the vectors in any frame
of the chunk, those of samples with the deviations of their frame.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from ...compiled import Floats
from ..block import WARPS, Kernel, block_max, cholesky, cuda, device, kernel, multiply
from ..chunks import checks, chunks_of_block, frames_of, number_of

__all__ = ["MATRICES", "VECTORS", "Kernels", "passes"]

# Shared memory of the kernel that needs most, beside the scratch: so many matrices D × D and vectors D.
MATRICES, VECTORS = 3, 2
# Roundings by which two messages may differ and still agree.
ROUNDINGS = 64


class Kernels(NamedTuple):
    """Kernels for numbers of one dtype."""

    draw: Kernel
    forward: Kernel
    backward: Kernel


@cache
def passes(dtype: type[np.float32 | np.float64]) -> Kernels:
    """Make the kernels."""
    allowed, zero, lost = dtype(ROUNDINGS * np.finfo(dtype).eps), dtype(0), dtype(math.nan)

    @device
    def near_by(message: Floats, true: Floats, m: int) -> bool:
        size = len(true) // 2
        if m >= size:
            return True
        return abs(message[m] - true[m]) <= allowed * (true[size + m] + abs(true[m]))

    @device
    def near(message: Floats, true: Floats, m: int) -> bool:
        # Of D² + D + 2 numbers; D² is the largest square up to D² + D.
        numbers = len(true) - 2
        square = int(math.sqrt(float(numbers))) ** 2
        largest = true[numbers] if m < square else true[numbers + 1]
        return m >= numbers or abs(message[m] - true[m]) <= allowed * largest

    first_wrong_sample, first_wrong = checks(near_by), checks(near)

    @kernel
    def draw(
        inputs: tuple[Floats, Floats, Floats, Floats, Floats, Floats],
        boundaries: tuple[Floats, Floats, Floats, Floats],
        launch: tuple[int, int],
        samples: Floats,
        faults: Floats,
    ) -> None:
        """Draw frames from the last to the first: x_t = m_t − W_tᵀ x_{t+1} + chol(P_t⁻¹) ε_t.

        ``inputs`` are the means, P⁻¹, W, ε, lengths and faults of the chain; ``faults`` (B, S)
        receives a frame of a chunk whose P⁻¹ has no factor.
        """
        b, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
        means, covariances, gain = inputs[0][b], inputs[1][b], inputs[2][b]
        normals, length = inputs[3][b], inputs[4][b]
        starts, source, target, reruns = (
            boundaries[0][b],
            boundaries[1][b],
            boundaries[2][b],
            boundaries[3][b],
        )
        warm_up, longest = launch
        size, number = means.shape[1], number_of(length, longest)
        square = size * size
        workspace = cuda.shared.array(0, means.dtype)
        factor, sample = workspace[:square], workspace[square:]
        if inputs[5][b] >= 0:
            return
        k, high = chunks_of_block(number, warm_up, source, target)
        while True:
            if warm_up == 0:
                k = first_wrong_sample(starts, source, reruns, max(k, 1), high)
            if k >= high:
                break
            begin, end = frames_of(length, number, number - 1 - k)
            start_frame, bad = min(end + warm_up, length) - 1, -1
            if warm_up == 0:
                if thread == 0:
                    reruns[k] += 1
                for i in range(thread, size, threads):
                    starts[k, i] = source[k - 1, i]
                    sample[(end % 2) * size + i] = source[k - 1, i]
            for t in range(start_frame, begin - 1, -1):
                is_joined = t < start_frame or warm_up == 0
                cuda.syncthreads()
                for entry in range(thread, square, threads):
                    factor[entry] = covariances[t, entry]
                log_det = cholesky(factor, size)
                now, after = sample[(t % 2) * size :], sample[((t + 1) % 2) * size :]
                for i in range(thread, size, threads):
                    value = means[t, i] if log_det == log_det else lost
                    for j in range(i + 1):
                        value += factor[i * size + j] * normals[t, j]
                    if is_joined:
                        for j in range(size):
                            value -= gain[t, j * size + i] * after[j]
                    now[i] = value
                    if t < end:
                        samples[b, t, i] = value
                    elif t == end:
                        starts[k, i] = value
                if t < end and log_det != log_det:
                    bad = t
            for i in range(thread, size, threads):
                target[k, i] = sample[(begin % 2) * size + i]
                target[k, size + i] = math.sqrt(covariances[begin, i * size + i])
            if thread == 0:
                faults[b, k] = bad
            k += 1
            cuda.syncthreads()

    @kernel
    def forward(
        inputs: tuple[Floats, Floats, Floats, Floats, Floats, Floats],
        boundaries: tuple[Floats, Floats, Floats, Floats],
        launch: tuple[int, int],
        changes: Floats,
        moved: Floats,
        steps: Floats,
    ) -> None:
        """Fill dP_t, c_t and dW_t, which ``backward`` goes on with.

        dP_{t+1} = dJ_{t+1,t+1} − dJ_{t+1,t} W_tᵀ − W_t dJ_{t+1,t}ᵀ + W_t dP_t W_tᵀ;
        dW_t = (dJ_{t+1,t} − W_t dP_t) P_t⁻¹;  c_{t+1} = (dh − dJ μ)_{t+1} − W_t c_t. ``inputs`` are
        P⁻¹, W, dJ_tt, dJ_{t+1,t}, dh − dJ μ, and lengths.
        """
        b, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
        filtered, gain, precision = inputs[0][b], inputs[1][b], inputs[2][b]
        lower, centered, length = inputs[3][b], inputs[4][b], inputs[5][b]
        starts, source, target, reruns = (
            boundaries[0][b],
            boundaries[1][b],
            boundaries[2][b],
            boundaries[3][b],
        )
        warm_up, longest = launch
        size, number = centered.shape[1], number_of(length, longest)
        square = size * size
        workspace = cuda.shared.array(0, centered.dtype)
        scratch, change, left, vectors = (
            workspace[:WARPS],
            workspace[WARPS : WARPS + square],
            workspace[WARPS + square : WARPS + 2 * square],
            workspace[WARPS + 2 * square :],
        )
        k, high = chunks_of_block(number, warm_up, source, target)
        while True:
            if warm_up == 0:
                k = first_wrong(starts, source, reruns, max(k, 1), high)
            if k >= high:
                break
            begin, end = frames_of(length, number, k)
            start_frame, largest, longest_vector = max(0, begin - warm_up), zero, zero
            if warm_up == 0:
                if thread == 0:
                    reruns[k] += 1
                for m in range(thread, square + size, threads):
                    starts[k, m] = source[k - 1, m]
                    if m < square:
                        change[m] = source[k - 1, m]
                    else:
                        vectors[(begin + 1) % 2 * size + m - square] = source[k - 1, m]
            for t in range(start_frame, end):
                is_joined, p = t > start_frame or warm_up == 0, max(t - 1, 0)
                now, before = vectors[t % 2 * size :], vectors[(t + 1) % 2 * size :]
                cuda.syncthreads()
                if is_joined:
                    multiply(gain[p], change, left, size)
                    for m in range(thread, square, threads):
                        left[m] -= lower[p, m]
                    cuda.syncthreads()
                    if t >= begin:
                        multiply(left, filtered[p], steps[b, p], size)
                for m in range(thread, square, threads):
                    i, j = m // size, m % size
                    value = precision[t, m]
                    if is_joined:
                        for n in range(size):
                            value += left[i * size + n] * gain[p, j * size + n]
                            value -= gain[p, i * size + n] * lower[p, j * size + n]
                        if t >= begin:
                            steps[b, p, m] = -steps[b, p, m]
                    change[m] = value
                    largest = max(largest, abs(value))
                    if t >= begin:
                        changes[b, t, m] = value
                    elif t == begin - 1:
                        starts[k, m] = value
                for i in range(thread, size, threads):
                    value = centered[t, i]
                    if is_joined:
                        for n in range(size):
                            value -= gain[p, i * size + n] * before[n]
                    now[i] = value
                    longest_vector = max(longest_vector, abs(value))
                    if t >= begin:
                        moved[b, t, i] = value
                    elif t == begin - 1:
                        starts[k, square + i] = value
            largest, longest_vector = block_max(largest, scratch), block_max(longest_vector, scratch)
            for m in range(thread, square + size, threads):
                target[k, m] = change[m] if m < square else vectors[(end + 1) % 2 * size + m - square]
            if thread == 0:
                target[k, square + size], target[k, square + size + 1] = largest, longest_vector
            k += 1
            cuda.syncthreads()

    @kernel
    def backward(
        inputs: tuple[Floats, Floats, Floats, Floats, Floats, Floats, Floats],
        boundaries: tuple[Floats, Floats, Floats, Floats],
        launch: tuple[int, int],
        d_means: Floats,
        d_covariances: Floats,
        d_cross: Floats,
    ) -> None:
        """Fill the derivatives, last frame first: dμ = J⁻¹ (dh − dJ μ), and dS = −S dJ S.

        dS_t = −P⁻¹ dP P⁻¹ + dWᵀ S W + Wᵀ (S dW + dS W);  dS_{t+1,t} = −(S dW + dS W). ``inputs`` are
        P⁻¹, W, S, what ``forward`` filled, and lengths.
        """
        b, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
        filtered, gain, covariances = inputs[0][b], inputs[1][b], inputs[2][b]
        changes, moved, steps, length = inputs[3][b], inputs[4][b], inputs[5][b], inputs[6][b]
        starts, source, target, reruns = (
            boundaries[0][b],
            boundaries[1][b],
            boundaries[2][b],
            boundaries[3][b],
        )
        warm_up, longest = launch
        size, number = moved.shape[1], number_of(length, longest)
        square = size * size
        workspace = cuda.shared.array(0, moved.dtype)
        scratch, spread, left, right, vectors = (
            workspace[:WARPS],
            workspace[WARPS : WARPS + square],
            workspace[WARPS + square : WARPS + 2 * square],
            workspace[WARPS + 2 * square : WARPS + 3 * square],
            workspace[WARPS + 3 * square :],
        )
        k, high = chunks_of_block(number, warm_up, source, target)
        while True:
            if warm_up == 0:
                k = first_wrong(starts, source, reruns, max(k, 1), high)
            if k >= high:
                break
            begin, end = frames_of(length, number, number - 1 - k)
            start_frame, largest, longest_vector = min(end + warm_up, length) - 1, zero, zero
            if warm_up == 0:
                if thread == 0:
                    reruns[k] += 1
                for m in range(thread, square + size, threads):
                    starts[k, m] = source[k - 1, m]
                    if m < square:
                        spread[m] = source[k - 1, m]
                    else:
                        vectors[end % 2 * size + m - square] = source[k - 1, m]
            for t in range(start_frame, begin - 1, -1):
                is_joined = t < start_frame or warm_up == 0
                now, after = vectors[t % 2 * size :], vectors[(t + 1) % 2 * size :]
                cuda.syncthreads()
                if is_joined:
                    multiply(covariances[t + 1], steps[t], left, size)
                    multiply(spread, gain[t], right, size)
                    for m in range(thread, square, threads):
                        right[m] += left[m]
                    cuda.syncthreads()
                for m in range(thread, square, threads):
                    i, j, value = m // size, m % size, zero
                    if is_joined:
                        for n in range(size):
                            value += left[n * size + i] * gain[t, n * size + j]
                            value += gain[t, n * size + i] * right[n * size + j]
                        if t < end:
                            d_cross[b, t, m] = -right[m]
                    spread[m] = value
                cuda.syncthreads()
                multiply(filtered[t], changes[t], left, size)
                cuda.syncthreads()
                for m in range(thread, square, threads):
                    i, j, value = m // size, m % size, spread[m]
                    for n in range(size):
                        value -= left[i * size + n] * filtered[t, n * size + j]
                    spread[m] = value
                    largest = max(largest, abs(value))
                    if t < end:
                        d_covariances[b, t, m] = value
                    elif t == end:
                        starts[k, m] = value
                for i in range(thread, size, threads):
                    value = filtered[t, i * size] * moved[t, 0]
                    for n in range(1, size):
                        value += filtered[t, i * size + n] * moved[t, n]
                    if is_joined:
                        for n in range(size):
                            value -= gain[t, n * size + i] * after[n]
                    now[i] = value
                    longest_vector = max(longest_vector, abs(value))
                    if t < end:
                        d_means[b, t, i] = value
                    elif t == end:
                        starts[k, square + i] = value
            largest, longest_vector = block_max(largest, scratch), block_max(longest_vector, scratch)
            for m in range(thread, square + size, threads):
                target[k, m] = spread[m] if m < square else vectors[begin % 2 * size + m - square]
            if thread == 0:
                target[k, square + size], target[k, square + size + 1] = largest, longest_vector
            k += 1
            cuda.syncthreads()

    return Kernels(draw, forward, backward)
