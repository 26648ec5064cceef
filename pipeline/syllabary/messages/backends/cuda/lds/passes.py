"""Passes over a Gaussian chain, few threads for each chunk; ``cpu.lds.scalar`` defines P and W.

A message is a covariance and a mean, flat, one after the other. A thread has some entries of each
matrix, in registers; they are made for one D, so that a compiler knows which. Matrices are flat in their
last axis, (B, T, D²), as in ``block``.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from ...compiled import Floats
from ..block import (
    SIMULATED,
    WARP_SIZE,
    WARPS,
    Kernel,
    Number,
    block_max,
    block_sum,
    bounded,
    cuda,
    device,
)
from ..chunks import checks, chunks_of_block, frames_of, number_of

__all__ = ["Kernels", "passes"]

# Entries of a matrix that a thread has, at most.
PER_THREAD = 2 if SIMULATED else 5
# Roundings by which two messages may differ and still agree.
ROUNDINGS = 64
# Products of pivots are kept from here to its inverse.
SMALL = 1e-250


class Kernels(NamedTuple):
    """Kernels for D dimensions, threads of a block, and numbers of its shared memory."""

    filter_forward: Kernel
    smooth_backward: Kernel
    threads: int
    numbers: int


@cache
def passes(size: int, dtype: type[np.float32 | np.float64]) -> Kernels:
    """Make the kernels for ``size`` dimensions and numbers of ``dtype``."""
    side, square, numbers = size + 1, size**2, size * (size + 1)
    threads = -(-(side**2) // (PER_THREAD * WARP_SIZE)) * WARP_SIZE
    per_thread, allowed = -(-(side**2) // threads), dtype(ROUNDINGS * np.finfo(dtype).eps)
    zero, unity, lost = dtype(0), dtype(1), dtype(math.nan)
    kernel = bounded(threads, 1)
    shared = 2 * WARPS + 2 * square + numbers + max(numbers, 2 * side)

    @device
    def agree(outputs: Floats, true: Floats, m: int) -> bool:
        gap = abs(outputs[m] - true[m])
        if m < square:
            i, j = m // size, m % size
            return gap <= allowed * math.sqrt(true[i * side]) * math.sqrt(true[j * side])
        return gap <= allowed * (math.sqrt(true[(m - square) * side]) + abs(true[m]))

    first_wrong = checks(agree)

    @device
    def dot(left: Floats, across: int, right: Floats, down: int) -> Number:
        """Sum of products of numbers that lie so far apart."""
        total = left[0] * right[0]
        for m in range(1, size):
            total += left[m * across] * right[m * down]
        return total

    @kernel
    def filter_forward(
        chain: tuple[Floats, Floats, Floats, Floats],
        boundaries: tuple[Floats, Floats, Floats, Floats],
        launch: tuple[int, int],
        outputs: tuple[Floats, Floats, Floats],
        parts: tuple[Floats, Floats],
        totals: Floats,
        fault: Floats,
    ) -> None:
        """Sum frames out from the first to the last: P_{t+1} = J_{t+1,t+1} − W_t J_{t+1,t}ᵀ.

        Fills P_t⁻¹, W_t, the means of the chain cut after each frame, and ``totals`` with Σ h_t·m_t
        and Σ log |P_t|; or ``fault``. ``parts`` are the totals and faults of chunks. Of the matrix
        (P h; hᵀ 0) all pivots but the last are eliminated, which leaves −P⁻¹, P⁻¹ h and −h·P⁻¹ h.
        """
        b, thread = cuda.blockIdx.x, cuda.threadIdx.x
        precision, lower, vectors, length = chain[0][b], chain[1][b], chain[2][b], chain[3][b]
        starts, source, target, reruns = (
            boundaries[0][b],
            boundaries[1][b],
            boundaries[2][b],
            boundaries[3][b],
        )
        covariances, means, gain = outputs[0][b], outputs[1][b], outputs[2][b]
        warm_up, longest = launch
        workspace = cuda.shared.array(0, covariances.dtype)
        scratch, link, steps = (
            workspace[:WARPS],
            workspace[WARPS : WARPS + square],
            workspace[WARPS + square :],
        )
        message, rows = workspace[WARPS + 2 * square :], workspace[WARPS + 2 * square + numbers :]
        entries = cuda.local.array(per_thread, covariances.dtype)
        soon = cuda.local.array(per_thread, covariances.dtype)
        links = cuda.local.array(per_thread, covariances.dtype)
        number = number_of(length, longest)
        k, high = chunks_of_block(number, warm_up, source, target)
        while True:
            if warm_up == 0:
                k = first_wrong(starts, source, max(k, 1), high, scratch)
            if k >= high:
                break
            begin, end = frames_of(length, number, k)
            start_frame, bad = max(0, begin - warm_up), -1
            energy, volume, product = 0.0, 0.0, 1.0
            has_neighbor = warm_up == 0
            if has_neighbor:
                if thread == 0:
                    reruns[k] += 1
                for m in range(thread, numbers, threads):
                    message[m] = source[k - 1, m]
                for m in range(thread, square, threads):
                    link[m] = lower[begin - 1, m]
            for n in range(per_thread):
                i, j = (thread + n * threads) // side, (thread + n * threads) % side
                soon[n] = potential(precision[start_frame], vectors[start_frame], i, j)
            cuda.syncthreads()
            for t in range(start_frame, end):
                if t == begin and k > 0:
                    energy, volume, product = 0.0, 0.0, 1.0
                    for m in range(thread, numbers, threads):
                        starts[k, m] = message[m]
                is_joined, ahead = t > start_frame or has_neighbor, min(t + 1, end - 1)
                for n in range(per_thread):
                    m = thread + n * threads
                    i, j = m // side, m % side
                    entries[n], soon[n] = soon[n], potential(precision[ahead], vectors[ahead], i, j)
                    if m < square:
                        links[n] = lower[ahead - 1, m] if ahead > 0 else zero
                        if is_joined:
                            steps[m] = dot(link[m // size * size :], 1, message[m % size :], size)
                cuda.syncthreads()
                if is_joined:
                    for n in range(per_thread):
                        m = thread + n * threads
                        left, right = max(m // side, m % side), min(m // side, m % side)
                        if left < size:
                            entries[n] -= dot(steps[left * size :], 1, link[right * size :], 1)
                        elif left == size and right < size:
                            entries[n] -= dot(link[right * size :], 1, message[square:], 1)
                        if m < square and t >= begin:
                            gain[t - 1, m] = steps[m]
                for n in range(per_thread):
                    if thread + n * threads < side:
                        rows[thread + n * threads] = entries[n]
                for p in range(vectors.shape[1]):  # not a constant, so a loop
                    cuda.syncthreads()
                    row, after = rows[p % 2 * side :], rows[(p + 1) % 2 * side :]
                    pivot = row[p] if row[p] > 0 else lost
                    grown, share = product * np.float64(pivot), unity / pivot
                    if SMALL < grown < 1 / SMALL:
                        product = grown
                    else:
                        volume += math.log(product)
                        product = np.float64(pivot)
                    for n in range(per_thread):
                        i, j = (thread + n * threads) // side, (thread + n * threads) % side
                        if i < side:
                            if i == p:
                                entries[n] = -share if j == p else row[j] * share
                            elif j == p:
                                entries[n] = row[i] * share
                            else:
                                entries[n] -= row[i] * row[j] * share
                            if i == p + 1:
                                after[j] = entries[n]
                for n in range(per_thread):
                    i, j = (thread + n * threads) // side, (thread + n * threads) % side
                    if i < size and j < size:
                        message[i * size + j] = -entries[n]
                    elif i < size:
                        message[square + i] = entries[n]
                    elif i == size and j == size:
                        energy -= entries[n]
                        if bad < 0 and not -math.inf < entries[n] < math.inf:
                            bad = t
                    if thread + n * threads < square:
                        link[thread + n * threads] = links[n]
                cuda.syncthreads()
                for m in range(thread, numbers, threads):
                    if t >= begin and m < square:
                        covariances[t, m] = message[m]
                    elif t >= begin:
                        means[t, m - square] = message[m]
            for m in range(thread, numbers, threads):
                target[k, m] = message[m]
            if thread == (side**2 - 1) % threads:
                parts[0][b, k, 0] = energy
                parts[0][b, k, 1] = volume + math.log(product)
                parts[1][b, k] = bad
            k += 1
            cuda.syncthreads()
        if cuda.gridDim.y == 1:
            # The first fault, for later results are void.
            energy, volume, early = 0.0, 0.0, -math.inf
            ledger = cuda.shared.array(0, totals.dtype)  # the same memory
            cuda.syncthreads()
            for k in range(thread, number, threads):
                energy += parts[0][b, k, 0]
                volume += parts[0][b, k, 1]
                if parts[1][b, k] >= 0:
                    early = max(early, -float(parts[1][b, k]))
            energy, volume = block_sum(energy, ledger), block_sum(volume, ledger)
            early = block_max(early, ledger)
            if thread == 0:
                if early > -math.inf:
                    fault[b] = int(-early)
                else:
                    totals[b, 0], totals[b, 1] = energy, volume

    @device
    def potential(precision: Floats, vector: Floats, i: int, j: int) -> Number:
        """Entry of (J h; hᵀ 0)."""
        left, right = max(i, j), min(i, j)
        if left < size:
            return precision[left * size + right]
        return vector[right] if left == size and right < size else zero

    @kernel
    def smooth_backward(
        filtered: tuple[Floats, Floats, Floats, Floats],
        boundaries: tuple[Floats, Floats, Floats, Floats],
        launch: tuple[int, int],
        outputs: tuple[Floats, Floats, Floats],
        parts: Floats,
        sums: Floats,
        fault: Floats,
    ) -> None:
        """Smooth the results of the forward pass: marginals, or where they have no frames, their sums.

        μ_t = m_t − W_tᵀ μ_{t+1};  S_{t+1,t} = −S_{t+1} W_t;  S_t = P_t⁻¹ + W_tᵀ S_{t+1} W_t, a sum of
        positive terms. ``sums`` (B, 4, D²) receives Σ_{t<T} S_t, Σ_{t>1} S_t, Σ S_{t+1,t}, and S_1;
        ``parts`` (B, S, 2, D²) are sums of chunks, without the first and the last frame.
        """
        b, thread = cuda.blockIdx.x, cuda.threadIdx.x
        before, centers, gains, length = filtered[0][b], filtered[1][b], filtered[2][b], filtered[3][b]
        starts, source, target, reruns = (
            boundaries[0][b],
            boundaries[1][b],
            boundaries[2][b],
            boundaries[3][b],
        )
        covariances, means, cross = outputs[0][b], outputs[1][b], outputs[2][b]
        warm_up, longest = launch
        workspace = cuda.shared.array(0, before.dtype)
        scratch, gain, message = (
            workspace[:WARPS],
            workspace[WARPS : WARPS + square],
            workspace[WARPS + square :],
        )
        product = workspace[WARPS + square + numbers :]
        entries = cuda.local.array(per_thread, before.dtype)
        links = cuda.local.array(per_thread, before.dtype)
        inner = cuda.local.array(per_thread, np.float64)
        pairs = cuda.local.array(per_thread, np.float64)
        number, is_summed = number_of(length, longest), sums.shape[1] > 0
        if fault[b] >= 0 or length == 0:
            return
        k, high = chunks_of_block(number, warm_up, source, target)
        while True:
            if warm_up == 0:
                k = first_wrong(starts, source, max(k, 1), high, scratch)
            if k >= high:
                break
            begin, end = frames_of(length, number, number - 1 - k)
            # The message is that of this frame, and then of those before it.
            start_frame = end if warm_up == 0 else min(end + warm_up, length) - 1
            if warm_up == 0 and thread == 0:
                reruns[k] += 1
            for m in range(thread, numbers, threads):
                if warm_up == 0:
                    message[m] = source[k - 1, m]
                else:
                    message[m] = (
                        before[start_frame, m] if m < square else centers[start_frame, m - square]
                    )
                if k == 0 and m >= square:
                    means[start_frame, m - square] = message[m]
                elif k == 0 and not is_summed:
                    covariances[start_frame, m] = message[m]
            for m in range(thread, square, threads):
                gain[m] = gains[start_frame - 1, m] if start_frame > begin else zero
            for n in range(per_thread):
                inner[n], pairs[n] = 0, 0
            for t in range(start_frame - 1, begin - 1, -1):
                cuda.syncthreads()
                for n in range(per_thread):
                    m = thread + n * threads
                    if m < numbers:
                        if t + 1 == end and k > 0:
                            starts[k, m] = message[m]
                        # Asked for now, needed two waits later.
                        entries[n] = before[t, m] if m < square else centers[t, m - square]
                    if m < square:
                        links[n] = gains[max(t - 1, 0), m]
                        i, j = m // size, m % size
                        entry = dot(message[i * size :], 1, gain[j:], size)
                        product[i * side + j] = entry
                        if t < end and is_summed:
                            pairs[n] -= entry
                        elif t < end:
                            cross[t, m] = -entry
                    elif m < numbers:
                        product[(m - square) * side + size] = -message[m]
                cuda.syncthreads()
                for n in range(per_thread):
                    m = thread + n * threads
                    if m < numbers:
                        i, j = m - square, size
                        if m < square:
                            i, j = max(m // size, m % size), min(m // size, m % size)
                        entries[n] += dot(gain[i:], size, product[j:], side)
                        message[m] = entries[n]
                        if t < end and m >= square:
                            means[t, i] = entries[n]
                        elif t < end and not is_summed:
                            covariances[t, m] = entries[n]
                        elif 0 < t < end:
                            inner[n] += entries[n]
                cuda.syncthreads()
                for n in range(per_thread):
                    if thread + n * threads < square:
                        gain[thread + n * threads] = links[n]
            cuda.syncthreads()
            for n in range(per_thread):
                m = thread + n * threads
                if m < numbers:
                    target[k, m] = message[m]
                if m < square and is_summed:
                    parts[b, k, 0, m], parts[b, k, 1, m] = inner[n], pairs[n]
            k += 1
            cuda.syncthreads()
        if cuda.gridDim.y == 1 and is_summed:
            cuda.syncthreads()
            for m in range(thread, square, threads):
                total, steps = 0.0, 0.0
                for k in range(number):
                    total += parts[b, k, 0, m]
                    steps += parts[b, k, 1, m]
                first = target[number - 1, m]
                if length > 1:
                    sums[b, 0, m], sums[b, 1, m] = total + first, total + before[length - 1, m]
                sums[b, 2, m], sums[b, 3, m] = steps, first

    return Kernels(filter_forward, smooth_backward, threads, shared)
