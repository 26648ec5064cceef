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
    kernel,
    unsigned,
)
from ..chunks import checks, chunks_of_block, frames_of, number_of

__all__ = ["Kernels", "add_chunks", "passes"]

# Entries of a matrix that a thread has, at most.
PER_THREAD = 2 if SIMULATED else 5
# Roundings by which two messages may differ and still agree.
ROUNDINGS = 64
# Products of pivots are kept from here to its inverse.
SMALL = 1e-250


@kernel
def add_chunks(
    parts: Floats,
    filtered: Floats,
    ends: Floats,
    lengths: Floats,
    longest: int,
    fault: Floats,
    sums: Floats,
) -> None:
    """Fill (B, 4, D²) with Σ_{t<T} S_t, Σ_{t>1} S_t, Σ S_{t+1,t} and S_1, an entry to a block.

    ``parts`` is what ``smooth_backward`` fills, and ``ends`` the messages that its chunks left.
    """
    b, m, length = cuda.blockIdx.x, cuda.blockIdx.y, lengths[cuda.blockIdx.x]
    scratch = cuda.shared.array(WARPS, np.float64)
    if fault[b] >= 0 or length == 0:
        return
    number, total, steps = number_of(length, longest), 0.0, 0.0
    for k in range(cuda.threadIdx.x, number, cuda.blockDim.x):
        total += parts[b, k, 0, m]
        steps += parts[b, k, 1, m]
    total, steps = block_sum(total, scratch), block_sum(steps, scratch)
    if cuda.threadIdx.x == 0:
        first = ends[b, number - 1, m]
        if length > 1:
            sums[b, 0, m], sums[b, 1, m] = total + first, total + filtered[b, length - 1, m]
        sums[b, 2, m], sums[b, 3, m] = steps, first


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
    compiled = bounded(threads, 1)
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
    def dot(left: Floats, i: int, across: int, right: Floats, j: int, down: int) -> Number:
        """Sum of products of numbers from i and from j on that lie so far apart."""
        total = left[i] * right[j]
        for m in range(1, size):
            total += left[i + m * across] * right[j + m * down]
        return total

    @compiled
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
        b, thread = cuda.blockIdx.x, unsigned(cuda.threadIdx.x)
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
        link, steps = workspace[WARPS : WARPS + square], workspace[WARPS + square :]
        message, rows = workspace[WARPS + 2 * square :], workspace[WARPS + 2 * square + numbers :]
        entries = cuda.local.array(per_thread, covariances.dtype)
        soon = cuda.local.array(per_thread, covariances.dtype)
        links = cuda.local.array(per_thread, covariances.dtype)
        row_of = cuda.local.array(per_thread, np.uint32)
        column_of = cuda.local.array(per_thread, np.uint32)
        for n in range(per_thread):
            m = thread + unsigned(n * threads)
            row_of[n], column_of[n] = m // unsigned(side), m % unsigned(side)
        number = number_of(length, longest)
        k, high = chunks_of_block(number, warm_up, source, target)
        while True:
            if warm_up == 0:
                k = first_wrong(starts, source, reruns, max(k, 1), high)
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
                soon[n] = potential(
                    precision[start_frame], vectors[start_frame], row_of[n], column_of[n]
                )
            cuda.syncthreads()
            for t in range(start_frame, end):
                if t == begin and k > 0:
                    energy, volume, product = 0.0, 0.0, 1.0
                    for m in range(thread, numbers, threads):
                        starts[k, m] = message[m]
                is_joined, ahead = t > start_frame or has_neighbor, min(t + 1, end - 1)
                frame, next_frame, past = unsigned(t), unsigned(ahead), unsigned(max(ahead, 1) - 1)
                for n in range(per_thread):
                    m = thread + unsigned(n * threads)
                    entries[n] = soon[n]
                    soon[n] = potential(
                        precision[next_frame], vectors[next_frame], row_of[n], column_of[n]
                    )
                    if m < square:
                        links[n] = lower[past, m] if ahead > 0 else zero
                        if is_joined:
                            line, column = m // unsigned(size) * size, m % unsigned(size)
                            steps[m] = dot(link, line, 1, message, column, size)
                cuda.syncthreads()
                if is_joined:
                    for n in range(per_thread):
                        m = thread + unsigned(n * threads)
                        left, right = max(row_of[n], column_of[n]), min(row_of[n], column_of[n])
                        if left < size:
                            entries[n] -= dot(steps, left * size, 1, link, right * size, 1)
                        elif left == size and right < size:
                            entries[n] -= dot(link, right * size, 1, message, unsigned(square), 1)
                        if m < square and t >= begin:
                            gain[frame - unsigned(1), m] = steps[m]
                for n in range(per_thread):
                    if thread + unsigned(n * threads) < side:
                        rows[thread + unsigned(n * threads)] = entries[n]
                row, after, kept_pivot = unsigned(0), unsigned(side), unity
                for p in range(vectors.shape[1]):  # not a constant, so a loop
                    cuda.syncthreads()
                    q = unsigned(p)
                    pivot = rows[row + q]
                    pivot = pivot if pivot > 0 else lost
                    share = unity / pivot
                    kept_pivot = pivot if thread == q else kept_pivot
                    for n in range(per_thread):
                        i, j = row_of[n], column_of[n]
                        if i < side:
                            left, right = rows[row + i], rows[row + j]
                            is_row, is_column = i == q, j == q
                            entry = entries[n] - left * right * share
                            entry = left * share if is_column else entry
                            entry = right * share if is_row else entry
                            entry = -share if is_row and is_column else entry
                            entries[n] = entry
                            if i == q + unsigned(1):
                                rows[after + j] = entry
                    row, after = after, row
                # A thread keeps one pivot, and log |P| is the sum of what the threads have.
                grown = product * np.float64(kept_pivot)
                if SMALL < grown < 1 / SMALL:
                    product = grown
                else:
                    volume += math.log(product)
                    product = np.float64(kept_pivot)
                for n in range(per_thread):
                    i, j, m = row_of[n], column_of[n], thread + unsigned(n * threads)
                    if i < size and j < size:
                        message[i * size + j] = -entries[n]
                        if t >= begin:
                            covariances[frame, i * size + j] = -entries[n]
                    elif i < size:
                        message[square + i] = entries[n]
                        if t >= begin:
                            means[frame, i] = entries[n]
                    elif i == size and j == size:
                        energy -= entries[n]
                        if bad < 0 and not -math.inf < entries[n] < math.inf:
                            bad = t
                    if m < square:
                        link[m] = links[n]
                cuda.syncthreads()
            for m in range(thread, numbers, threads):
                target[k, m] = message[m]
            ledger = cuda.shared.array(0, totals.dtype)  # the same memory
            volume = block_sum(volume + math.log(product), ledger)
            if thread == (side**2 - 1) % threads:
                parts[0][b, k, 0] = energy
                parts[0][b, k, 1] = volume
                parts[1][b, k] = bad
            k += 1
            cuda.syncthreads()
        if cuda.gridDim.y == 1:
            # The first fault, for later results are void.
            energy, volume, early = 0.0, 0.0, -math.inf
            ledger = cuda.shared.array(0, totals.dtype)
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

    @compiled
    def smooth_backward(
        filtered: tuple[Floats, Floats, Floats, Floats],
        boundaries: tuple[Floats, Floats, Floats, Floats],
        launch: tuple[int, int],
        outputs: tuple[Floats, Floats, Floats],
        parts: Floats,
        fault: Floats,
    ) -> None:
        """Smooth the results of the forward pass: marginals, or where they have no frames, their sums.

        μ_t = m_t − W_tᵀ μ_{t+1};  S_{t+1,t} = −S_{t+1} W_t;  S_t = P_t⁻¹ + W_tᵀ S_{t+1} W_t, a sum of
        positive terms. ``parts`` (B, S, 2, D²) receives Σ S_t and Σ S_{t+1,t} of chunks, without the
        first and the last frame; it has no chunks where sums are not wanted.
        """
        b, thread = cuda.blockIdx.x, unsigned(cuda.threadIdx.x)
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
        gain, message = workspace[WARPS : WARPS + square], workspace[WARPS + square :]
        product = workspace[WARPS + square + numbers :]
        entries = cuda.local.array(per_thread, before.dtype)
        links = cuda.local.array(per_thread, before.dtype)
        inner = cuda.local.array(per_thread, np.float64)
        pairs = cuda.local.array(per_thread, np.float64)
        left_of = cuda.local.array(per_thread, np.uint32)
        right_of = cuda.local.array(per_thread, np.uint32)
        for n in range(per_thread):
            m = thread + unsigned(n * threads)
            i, j = m // unsigned(size), m % unsigned(size)
            left_of[n], right_of[n] = max(i, j), min(i, j)
            if m >= square:
                left_of[n], right_of[n] = m - unsigned(square), unsigned(size)
        number, is_summed = number_of(length, longest), parts.shape[1] > 0
        if fault[b] >= 0 or length == 0:
            return
        k, high = chunks_of_block(number, warm_up, source, target)
        while True:
            if warm_up == 0:
                k = first_wrong(starts, source, reruns, max(k, 1), high)
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
                frame, past = unsigned(t), unsigned(max(t, 1) - 1)
                for n in range(per_thread):
                    m = thread + unsigned(n * threads)
                    if m < numbers:
                        if t + 1 == end and k > 0:
                            starts[k, m] = message[m]
                        # Asked for now, needed two waits later.
                        entries[n] = before[frame, m] if m < square else centers[frame, m - square]
                    if m < square:
                        links[n] = gains[past, m]
                        i, j = m // unsigned(size), m % unsigned(size)
                        entry = dot(message, i * size, 1, gain, j, size)
                        product[i * side + j] = entry
                        if t < end and is_summed:
                            pairs[n] -= entry
                        elif t < end:
                            cross[frame, m] = -entry
                    elif m < numbers:
                        product[(m - unsigned(square)) * side + size] = -message[m]
                cuda.syncthreads()
                for n in range(per_thread):
                    m = thread + unsigned(n * threads)
                    if m < numbers:
                        i, j = left_of[n], right_of[n]
                        entries[n] += dot(gain, i, size, product, j, side)
                        message[m] = entries[n]
                        if t < end and m >= square:
                            means[frame, i] = entries[n]
                        elif t < end and not is_summed:
                            covariances[frame, m] = entries[n]
                        elif 0 < t < end:
                            inner[n] += entries[n]
                cuda.syncthreads()
                for n in range(per_thread):
                    if thread + unsigned(n * threads) < square:
                        gain[thread + unsigned(n * threads)] = links[n]
            cuda.syncthreads()
            for n in range(per_thread):
                m = thread + n * threads
                if m < numbers:
                    target[k, m] = message[m]
                if m < square and is_summed:
                    parts[b, k, 0, m], parts[b, k, 1, m] = inner[n], pairs[n]
            k += 1
            cuda.syncthreads()

    return Kernels(filter_forward, smooth_backward, threads, shared)
