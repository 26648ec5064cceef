"""Paths through a discrete chain: the best one, and drawn ones, in chunks.

Scores of the best path go forward, like a filter. A state is chosen backward, given the state after it:
there a message is that state, and a chunk is right as soon as its warm-up chose the state that the
following chunk begins with. A choice depends on the frame and the next state alone, and a score on the
scores before it, so paths are the same bit for bit whatever the chunks.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from ...compiled import Floats
from ..block import (
    DOUBLE,
    SIMULATED,
    WARP_SIZE,
    WARPS,
    Kernel,
    block_argmax,
    block_max,
    bounded,
    cuda,
    device,
    memory_for,
    unsigned,
    wide,
)
from ..block import kernel as plain_kernel
from ..chunks import checks, chunks_of_block, frames_of, number_of
from ..strips import HELD, Layout, reaches, warp_max

__all__ = ["WALKERS", "best", "drawn", "likeliest", "walk"]

# Threads that choose a state together: a warp, so that no wait is long.
WALKERS = 2 if SIMULATED else 32


@device
def same(message: Floats, true: Floats, m: int) -> bool:
    """Whether a number is the neighbor's, bit for bit but for the sign of zero."""
    return message[m] == true[m]


first_wrong = checks(same)


@cache
def best(layout: Layout, dtype: type[np.float32 | np.float64]) -> Kernel:
    """Make the kernel that scores the best path into every state, for matrices of one layout."""
    width, _, rows = layout
    hold, reach, gather = reaches(*layout)
    zero, lost, endless = (dtype(x) for x in (0, math.nan, math.inf))
    held, warps = max(1, 2 * rows), width // WARP_SIZE

    @bounded(layout.threads, 2 if 0 < rows <= HELD // 4 and dtype == np.float32 else 1)
    def best(
        initial: Floats,
        transition: Floats,
        evidence: Floats,
        lengths: Floats,
        boundaries: tuple[Floats, Floats, Floats, Floats],
        launch: tuple[int, int],
        scores: Floats,
        faults: Floats,
    ) -> None:
        """Fill scores, over the best of a frame; ``faults`` (B, S) with frames that no path can pass."""
        i, thread = unsigned(cuda.blockIdx.x), unsigned(cuda.threadIdx.x)
        length = lengths[i]
        starts, source, target, reruns = (
            boundaries[0][i],
            boundaries[1][i],
            boundaries[2][i],
            boundaries[3][i],
        )
        warm_up, longest = launch
        size, step = starts.shape[1], transition[i % transition.shape[0]]
        has_state = thread < size
        workspace = memory_for(scores)
        strip = cuda.local.array(held, scores.dtype)
        vector, scratch, sums = (
            workspace,
            workspace[width : width + WARPS],
            workspace[WARPS + width :],
        )
        number = number_of(length, longest)
        k, high = chunks_of_block(number, warm_up, source, target)
        while True:
            if warm_up == 0:
                k = first_wrong(starts, source, reruns, max(k, 1), high)
            if k >= high:
                break
            hold(step, strip)
            begin, end = frames_of(length, number, k)
            if warm_up == 0 and thread == 0:
                reruns[k] += 1
            start_frame, fault, top = max(0, begin - warm_up), -1, zero
            score, coming, after = zero, zero, -endless
            if has_state:
                coming = evidence[i, wide(start_frame), thread]
                if warm_up == 0:
                    score = source[k - 1, thread]
                    after = score
                elif start_frame == 0:
                    score = initial[i % initial.shape[0], thread]
            if thread < width:
                vector[thread] = after
            cuda.syncthreads()
            for t in range(start_frame, end):
                is_joined = t > start_frame or warm_up == 0
                if is_joined:
                    reach(vector, top, step, strip, sums)
                if has_state and t == begin:
                    starts[k, thread] = score
                cuda.syncthreads()
                likely = -endless
                if has_state:
                    after = (gather(sums, thread) if is_joined else score) + coming
                    coming = evidence[i, wide(min(t + 1, end - 1)), thread]  # a step ahead
                    vector[thread] = after
                    # NaN counts as +inf, so that the frame is refused.
                    likely = after if after == after else endless
                likely = warp_max(likely)
                if thread % WARP_SIZE == 0:
                    scratch[thread // WARP_SIZE] = likely
                cuda.syncthreads()
                top = scratch[0]
                for warp in range(1, warps):
                    top = max(top, scratch[warp])
                if not -endless < top < endless:
                    fault = t
                    break
                if has_state:
                    score = after - top
                    if t >= begin:
                        scores[i, wide(t), thread] = score
            if has_state:
                target[k, thread] = score if fault < 0 else lost
                if 0 <= fault < begin:
                    starts[k, thread] = lost
            if thread == 0:
                faults[i, k] = fault
            k += 1
            cuda.syncthreads()

    return best


@cache
def walk(choose: Callable[..., int]) -> Kernel:
    """Make the kernel that chooses states from the last frame to the first."""

    @plain_kernel
    def walk(
        transposed: Floats,
        messages: Floats,
        uniform: Floats,
        lengths: Floats,
        fault: Floats,
        boundaries: tuple[Floats, Floats, Floats, Floats],
        launch: tuple[int, int],
        path: Floats,
    ) -> None:
        """Fill ``path`` (B, T); ``transposed`` holds log transitions into each state."""
        i, thread, length = cuda.blockIdx.x, cuda.threadIdx.x, lengths[cuda.blockIdx.x]
        starts, source, target, reruns = (
            boundaries[0][i],
            boundaries[1][i],
            boundaries[2][i],
            boundaries[3][i],
        )
        warm_up, longest = launch
        step, number = transposed[i % transposed.shape[0]], number_of(length, longest)
        if fault[i] >= 0:
            return
        k, high = chunks_of_block(number, warm_up, source, target)
        while True:
            if warm_up == 0:
                k = first_wrong(starts, source, reruns, max(k, 1), high)
            if k >= high:
                break
            begin, end = frames_of(length, number, number - 1 - k)
            # The first state chosen is that of this frame.
            into: Any = np.int64(0)
            start_frame = min(end + warm_up, length) - 1
            if warm_up == 0:
                into = np.int64(source[k - 1, 0])
                if thread == 0:
                    reruns[k] += 1
            for t in range(start_frame, begin - 1, -1):
                if thread == 0 and t == end - 1 and k > 0:
                    starts[k, 0] = into
                is_joined = t < start_frame or warm_up == 0
                into = choose(messages[i, t], step[into], is_joined, uniform[i], t)
                if thread == 0 and t < end:
                    path[i, t] = into
            if thread == 0:
                target[k, 0] = into
            k += 1
            cuda.syncthreads()

    return walk


@device
def likeliest(scores: Floats, step: Floats, is_joined: bool, uniform: Floats, t: int) -> int:
    """Choose the state through which the best path comes, the lowest of equals."""
    places, scratch = cuda.shared.array(WARPS, np.int64), cuda.shared.array(0, scores.dtype)
    highest, state = scores.dtype.type(-math.inf), np.int64(len(scores))
    for j in range(cuda.threadIdx.x, len(scores), cuda.blockDim.x):
        score = scores[j]
        if is_joined:
            score += step[j]
        if score > highest:
            highest, state = score, np.int64(j)
    return block_argmax(highest, state, scratch, places)


@device
def drawn(messages: Floats, step: Floats, is_joined: bool, uniform: Floats, t: int) -> int:
    """Draw a state: log P(z_t = j) = log a_t(j) + log P(j, z_{t+1}) + const.

    It is the first at which the running sum, in the order of the states, passes ``uniform`` of the
    total. A thread has a run of states, and the one in whose run the sum passes looks for the state.
    """
    # A line each: the simulator knows a shared array by its line.
    chosen = cuda.shared.array(1, np.int64)
    scratch = cuda.shared.array(WARPS, np.float64)
    totals = cuda.shared.array(WALKERS, np.float64)
    weights = cuda.shared.array(0, DOUBLE)
    size, thread, threads = len(messages), cuda.threadIdx.x, cuda.blockDim.x
    share = (size + threads - 1) // threads
    low, high = min(share * thread, size), min(share * (thread + 1), size)
    largest = -math.inf
    for k in range(low, high):
        weights[k] = messages[k]
        if is_joined:
            weights[k] += step[k]
        largest = max(largest, weights[k])
    largest = block_max(largest, scratch)
    total = 0.0
    for k in range(low, high):
        weights[k] = math.exp(weights[k] - largest)
        total += weights[k]
    totals[thread] = total
    if thread == 0:
        chosen[0] = 0
    cuda.syncthreads()
    before, total = 0.0, 0.0
    for other in range(threads):
        if other == thread:
            before = total
        total += totals[other]
    wanted = uniform[t] * total
    if before <= wanted < before + totals[thread]:
        for k in range(low, high):
            if weights[k] > 0:
                chosen[0] = k
                before += weights[k]
                if before > wanted:
                    break
    cuda.syncthreads()
    return chosen[0]
