"""Paths through a discrete chain: the best one, and drawn ones; a block to a chain."""

import math

from numba import cuda, float64, int64

from ...compiled import Floats
from ..block import WARPS, block_argmax, block_max, kernel

__all__ = ["BEST_WORKSPACE", "DRAW_WORKSPACE", "best", "draw"]

# Shared memory: the scratch and so many vectors of K scores; so many vectors of K float64.
BEST_WORKSPACE, DRAW_WORKSPACE = 2, 1


@kernel
def best(
    initial: Floats,
    transition: Floats,
    evidence: Floats,
    lengths: Floats,
    scores: Floats,
    path: Floats,
    fault: Floats,
) -> None:
    """Score the best path into every state, over the best of all, and walk the best one back.

    The comparisons along it are made a second time, not stored.
    """
    i, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    size, length = evidence.shape[2], lengths[i]
    start, step = initial[i % initial.shape[0]], transition[i % transition.shape[0]]
    places, workspace = cuda.shared.array(WARPS, int64), cuda.shared.array(0, scores.dtype)
    scratch, before, after = (
        workspace[:WARPS],
        workspace[WARPS : WARPS + size],
        workspace[WARPS + size :],
    )
    for t in range(length):
        highest = scores.dtype.type(-math.inf)
        for k in range(thread, size, threads):
            score = start[k]
            if t > 0:
                score = before[0] + step[0, k]
                for j in range(1, size):
                    reached = before[j] + step[j, k]
                    score = reached if reached > score else score
            after[k] = score + evidence[i, t, k]
            # NaN counts as +inf, so that the frame is refused.
            score = after[k] if after[k] == after[k] else scores.dtype.type(math.inf)
            highest = score if score > highest else highest
        highest = block_max(highest, scratch)
        if not -math.inf < highest < math.inf:
            if thread == 0:
                fault[i] = t
            return
        for k in range(thread, size, threads):
            before[k] = after[k] - highest
            scores[i, t, k] = before[k]
        cuda.syncthreads()
    into = int64(0)
    for t in range(length - 1, -1, -1):
        highest, state = scores.dtype.type(-math.inf), int64(size)
        for j in range(thread, size, threads):
            score = scores[i, t, j]
            if t + 1 < length:
                score += step[j, into]
            if score > highest:
                highest, state = score, int64(j)
        into = block_argmax(highest, state, scratch, places)
        if thread == 0:
            path[i, t] = into


@kernel
def draw(
    transition: Floats,
    messages: Floats,
    uniform: Floats,
    lengths: Floats,
    fault: Floats,
    path: Floats,
) -> None:
    """Draw states from the last to the first: log P(z_t = j) = log a_t(j) + log P(j, z_{t+1}) + const.

    The state is the first at which the running sum passes ``uniform`` of the total; thread 0
    adds up, in the order of the states.
    """
    i, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    size, length = messages.shape[2], lengths[i]
    step = transition[i % transition.shape[0]]
    # A line each: the simulator knows a shared array by its line.
    chosen = cuda.shared.array(1, int64)
    scratch = cuda.shared.array(WARPS, float64)
    weights = cuda.shared.array(0, float64)
    if fault[i] >= 0:
        return
    for t in range(length - 1, -1, -1):
        largest = -math.inf
        for k in range(thread, size, threads):
            weights[k] = messages[i, t, k]
            if t + 1 < length:
                weights[k] += step[k, chosen[0]]
            largest = max(largest, weights[k])
        largest = block_max(largest, scratch)
        for k in range(thread, size, threads):
            weights[k] = math.exp(weights[k] - largest)
        cuda.syncthreads()
        if thread == 0:
            left = 0.0
            for k in range(size):
                left += weights[k]
            left *= uniform[i, t]
            state = 0
            for k in range(size):
                if weights[k] > 0 and left >= 0:
                    state = k
                    left -= weights[k]
            chosen[0] = state
            path[i, t] = state
        cuda.syncthreads()
