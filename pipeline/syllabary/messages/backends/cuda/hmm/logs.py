"""Passes over a discrete chain in logs: slow, in float64, and without underflow."""

import math

from ...compiled import Floats
from ..block import WARPS, block_max, block_sum, cuda, kernel

__all__ = ["WORKSPACE", "backward", "forward"]

# Shared memory: so many vectors of K float64.
WORKSPACE = 2


@kernel
def forward(
    initial: Floats,
    transition: Floats,
    evidence: Floats,
    lengths: Floats,
    messages: Floats,
    log_scales: Floats,
    fault: Floats,
) -> None:
    """Filter in logs, up to the frame at which no state is possible, if there is one."""
    i, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    size = evidence.shape[2]
    start, step = initial[i % initial.shape[0]], transition[i % transition.shape[0]]
    scratch = cuda.shared.array(WARPS, log_scales.dtype)
    workspace = cuda.shared.array(0, log_scales.dtype)
    before, after = workspace[:size], workspace[size:]
    for t in range(lengths[i]):
        peak = -math.inf
        for k in range(thread, size, threads):
            total_log = start[k]
            if t > 0:
                largest = -math.inf
                for j in range(size):
                    largest = max(largest, before[j] + step[j, k])
                total_log = 0.0
                if largest > -math.inf:
                    for j in range(size):
                        total_log += math.exp(before[j] + step[j, k] - largest)
                    total_log = largest + math.log(total_log)
                else:
                    total_log = largest
            after[k] = total_log + evidence[i, t, k]
            # NaN counts as +inf, so that the frame is refused.
            peak = max(peak, after[k] if after[k] == after[k] else math.inf)
        peak = block_max(peak, scratch)
        if not -math.inf < peak < math.inf:
            if thread == 0:
                fault[i] = t
            return
        total = 0.0
        for k in range(thread, size, threads):
            total += math.exp(after[k] - peak)
        total = peak + math.log(block_sum(total, scratch))
        for k in range(thread, size, threads):
            before[k] = after[k] - total
            messages[i, t, k] = before[k]
        if thread == 0:
            log_scales[i, t] = total
        cuda.syncthreads()


@kernel
def backward(
    transition: Floats,
    evidence: Floats,
    lengths: Floats,
    fault: Floats,
    messages: Floats,
    states: Floats,
    pairs: Floats,
) -> None:
    """Fill smoothed marginals from filtered logs, last frame first, and sum pairs.

    ``states`` may have fewer frames than there are; the rest are not wanted.
    """
    i, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    size, wanted, last = evidence.shape[2], states.shape[1], lengths[i] - 1
    step = transition[i % transition.shape[0]]
    scratch = cuda.shared.array(WARPS, pairs.dtype)
    workspace = cuda.shared.array(0, pairs.dtype)
    weighted, product = workspace[:size], workspace[size:]
    if last < 0 or fault[i] >= 0:
        return
    for k in range(thread, size, threads):
        weighted[k] = evidence[i, last, k]
        if last < wanted:
            states[i, last, k] = math.exp(messages[i, last, k])
    for entry in range(thread, size * size, threads):
        pairs[i, entry // size, entry % size] = 0
    for t in range(last - 1, -1, -1):
        cuda.syncthreads()
        peak = -math.inf
        for j in range(thread, size, threads):
            largest, total_log = -math.inf, 0.0
            for k in range(size):
                largest = max(largest, step[j, k] + weighted[k])
            if largest > -math.inf:
                for k in range(size):
                    total_log += math.exp(step[j, k] + weighted[k] - largest)
                largest += math.log(total_log)
            product[j] = largest
            peak = max(peak, messages[i, t, j] + largest)
        peak = block_max(peak, scratch)
        total = 0.0
        for j in range(thread, size, threads):
            total += math.exp(messages[i, t, j] + product[j] - peak)
        total = peak + math.log(block_sum(total, scratch))
        for entry in range(thread, size * size, threads):
            j, k = entry // size, entry % size
            pairs[i, j, k] += math.exp(messages[i, t, j] - total + step[j, k] + weighted[k])
        cuda.syncthreads()
        for k in range(thread, size, threads):
            weighted[k] = evidence[i, t, k] + product[k] - total
            if t < wanted:
                states[i, t, k] = math.exp(messages[i, t, k] + product[k] - total)
