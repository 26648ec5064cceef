"""Sweeps over a discrete chain whose messages are probabilities, a block to a chain."""

import math

from numba import cuda

from ._block import WARPS, block_max, block_sum, kernel
from ._compiled import Floats

__all__ = ["BACKWARD_ROOM", "FORWARD_ROOM", "add_pairs", "backward", "forward"]

# Shared memory: the scratch and so many vectors of K messages.
FORWARD_ROOM, BACKWARD_ROOM = 2, 3
# Frames whose pair sums are added up in the messages' own precision.
PAIR_BLOCK = 32


@kernel
def forward(
    initial: Floats,
    transition: Floats,
    shifts: Floats,
    floors: Floats,
    evidence: Floats,
    lengths: Floats,
    messages: Floats,
    log_scales: Floats,
    first: Floats,
) -> None:
    """a_1 = π₀ b_1 / c_1, a_{t+1} = (a_t P) b_{t+1} / c_{t+1}.

    ``shifts`` (B, 2) are the logs that were taken out of π₀ and P; ``first`` receives c_1, or 0
    where a c_t is less than its ``floors``, and the sweep ends there.
    """
    i, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    size = evidence.shape[2]
    start, step = initial[i % initial.shape[0]], transition[i % transition.shape[0]]
    room = cuda.shared.array(0, messages.dtype)
    scratch, before, after = room[:WARPS], room[WARPS : WARPS + size], room[WARPS + size :]
    if thread == 0:
        first[i] = 1
    for t in range(lengths[i]):
        largest = messages.dtype.type(-math.inf)
        for k in range(thread, size, threads):
            seen = evidence[i, t, k]
            largest = seen if seen > largest else largest
        largest = block_max(largest, scratch)
        total = messages.dtype.type(0)
        for k in range(thread, size, threads):
            predicted = start[k]
            if t > 0:
                predicted = before[0] * step[0, k]
                for j in range(1, size):
                    predicted += before[j] * step[j, k]
            after[k] = predicted * math.exp(evidence[i, t, k] - largest)
            total += after[k]
        total = block_sum(total, scratch)
        if not floors[i] <= total < math.inf:
            if thread == 0:
                first[i] = 0
            return
        share = 1 / total
        for k in range(thread, size, threads):
            before[k] = after[k] * share
            messages[i, t, k] = before[k]
        if thread == 0:
            log_scales[i, t] = math.log(total) + largest + shifts[i, 1 if t > 0 else 0]
            if t == 0:
                first[i] = total


@kernel
def backward(
    transposed: Floats,
    floor: float,
    evidence: Floats,
    lengths: Floats,
    filtered: Floats,
    states: Floats,
    weights: Floats,
    first: Floats,
) -> None:
    """Smooth, last frame first; leave what ``add_pairs`` multiplies with ``filtered``.

    With w_t = b_t β_t, r_t = P w_{t+1} and n_t = a_t · r_t: the marginal is a_t r_t / n_t, the
    pair's is a_t(j) P(j, k) w_{t+1}(k) / n_t, and β_t is r_t over its largest entry; entry t + 1
    of ``weights`` receives w_{t+1} / n_t. Where too much was lost (see the CPU's sweep of the
    same name) ``first`` becomes 0. ``states`` may have fewer frames than there are; the rest are
    not wanted.
    """
    i, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    size, wanted, last = evidence.shape[2], states.shape[1], lengths[i] - 1
    step, start = transposed[i % transposed.shape[0]], first[i]
    room = cuda.shared.array(0, filtered.dtype)
    scratch, weighted = room[:WARPS], room[WARPS : WARPS + size]
    message, product = room[WARPS + size : WARPS + 2 * size], room[WARPS + 2 * size :]
    if last < 0 or not start > 0:
        return
    for k in range(thread, size, threads):
        message[k] = 1
        if last < wanted:
            states[i, last, k] = filtered[i, last, k]
    for t in range(last - 1, -1, -1):
        largest = filtered.dtype.type(-math.inf)
        for k in range(thread, size, threads):
            seen = evidence[i, t + 1, k]
            largest = seen if seen > largest else largest
        largest = block_max(largest, scratch)
        for k in range(thread, size, threads):
            weighted[k] = message[k] * math.exp(evidence[i, t + 1, k] - largest)
        cuda.syncthreads()
        total, peak = filtered.dtype.type(0), filtered.dtype.type(0)
        for j in range(thread, size, threads):
            found = weighted[0] * step[0, j]
            for k in range(1, size):
                found += weighted[k] * step[k, j]
            product[j] = found
            total += filtered[i, t, j] * found
            peak = found if found > peak else peak
        total, peak = block_sum(total, scratch), block_max(peak, scratch)
        if not total >= floor or (t == 0 and not start * (total / peak) >= floor):
            if thread == 0:
                first[i] = 0
            return
        for k in range(thread, size, threads):
            weights[i, t + 1, k] = weighted[k] / total
            message[k] = product[k] / peak
            if t < wanted:
                states[i, t, k] = filtered[i, t, k] * product[k] / total


@kernel
def add_pairs(before: Floats, after: Floats, lengths: Floats, transition: Floats, pairs: Floats) -> None:
    """Add ``P(j, k) Σ_t before_t(j) after_{t+1}(k)`` to the sums, an entry to a thread."""
    i, size = cuda.blockIdx.x, pairs.shape[2]
    entry = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if entry >= size * size:
        return
    j, k = entry // size, entry % size
    total, recent = 0.0, before.dtype.type(0)
    for t in range(lengths[i] - 1):
        recent += before[i, t, j] * after[i, t + 1, k]
        if t % PAIR_BLOCK == PAIR_BLOCK - 1:
            total += recent
            recent = before.dtype.type(0)
    pairs[i, j, k] += (total + recent) * transition[i % transition.shape[0], j, k]
