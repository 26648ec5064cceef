"""Passes over a discrete chain whose messages are probabilities, a block for each chunk of frames.

A step waits twice: for the vector that is multiplied and for the sums of strips. What normalizes a
message is there one step later, with the next product, and the results of a frame are written then.
"""

import math
from functools import cache

import numpy as np

from ...compiled import Floats
from ..block import WARP_SIZE, WARPS, Kernel, bounded, cuda, device, memory_for, unsigned, warp_sum, wide
from ..chunks import checks, chunks_of_block, forgotten, frames_of, number_of
from ..strips import HELD, Layout, strips

__all__ = ["passes"]

# Roundings by which two messages may differ and still agree.
ROUNDINGS = 64


@cache
def passes(layout: Layout, dtype: type[np.float32 | np.float64]) -> tuple[Kernel, Kernel]:
    """Make ``forward`` and ``backward`` for numbers of ``dtype`` and matrices of one layout."""
    width, _, rows = layout
    hold, multiply, gather = strips(*layout)
    # Two blocks share a multiprocessor where its registers hold two matrices.
    kernel = bounded(layout.threads, 2 if 0 < rows <= HELD // 4 and dtype == np.float32 else 1)
    relative, tiny = (dtype(x) for x in (ROUNDINGS * np.finfo(dtype).eps, np.finfo(dtype).tiny))
    zero, unity, lost, endless = (dtype(x) for x in (0, 1, math.nan, math.inf))
    held = max(1, 2 * rows)

    @device
    def agree(message_entry: Floats, true: Floats, m: int) -> bool:
        # In every entry, however small: relative errors of a message can only shrink on its way.
        return abs(message_entry[m] - true[m]) <= relative * max(message_entry[m], true[m]) + tiny

    first_wrong = checks(agree)

    @kernel
    def forward(
        initial: Floats,
        transition: Floats,
        shifts: Floats,
        floors: Floats,
        observed: tuple[Floats, Floats, Floats],
        boundaries: tuple[Floats, Floats, Floats, Floats],
        launch: tuple[int, int],
        messages: Floats,
        log_scales: Floats,
        first: Floats,
    ) -> None:
        """a_1 = π₀ b_1 / c_1, a_{t+1} = (a_t P) b_{t+1} / c_{t+1}.

        ``shifts`` (B, 2) are the logs that were taken out of π₀ and P, ``observed`` the evidence, its
        largest entry of every frame, and lengths. ``first`` holds 1 and receives c_1, or 0 where a c_t
        is less than its ``floors``.
        """
        i, thread = unsigned(cuda.blockIdx.x), unsigned(cuda.threadIdx.x)
        last = cuda.blockDim.x - 1
        evidence, peaks, length = observed[0][i], observed[1][i], observed[2][i]
        starts, source, target, reruns = (
            boundaries[0][i],
            boundaries[1][i],
            boundaries[2][i],
            boundaries[3][i],
        )
        warm_up, longest = launch
        size, floor, step = starts.shape[1], dtype(floors[i]), transition[i % transition.shape[0]]
        filtered, has_state = messages[i], thread < size
        workspace = memory_for(messages)
        strip = cuda.local.array(held, messages.dtype)
        # The vector comes first: four of its numbers are read at a time.
        vector, sums = workspace, workspace[WARPS + width :]
        earlier, later = shifts[i, 0], shifts[i, 1]
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
            start_frame, mass, coming, top, prior = max(0, begin - warm_up), zero, zero, zero, zero
            if has_state:
                mass = source[k - 1, thread] if warm_up == 0 else unity
                coming, top = evidence[wide(start_frame * size) + thread], peaks[wide(start_frame)]
                if start_frame == 0:
                    prior = initial[i % initial.shape[0], thread]
            if thread < width:
                vector[thread] = mass
            cuda.syncthreads()
            ahead, place = wide(start_frame * size) + thread, wide(begin * size) + thread
            for t in range(start_frame, end + 1):
                likely = math.exp(coming - top)
                if has_state and t + 1 < end:  # fetched a step ahead
                    ahead += wide(size)
                    coming, top = evidence[ahead], peaks[wide(t + 1)]
                if t > 0:
                    multiply(vector, step, strip, sums)
                cuda.syncthreads()
                if has_state:
                    product = prior
                    if t > 0:
                        product, total = gather(sums, thread)
                        share = unity / total if floor <= total < endless else lost
                        mass, product = mass * share, product * share
                        if t > begin:
                            filtered[place] = mass
                            place += wide(size)
                        elif t == begin:
                            starts[k, thread] = mass
                    if t < end:
                        mass = product * likely
                        vector[thread] = mass
                if thread == last and t > begin:
                    total = gather(sums, 0)[1]
                    good = floor <= total < endless
                    if good:
                        before = wide(t - 1)
                        shift = (later if t > 1 else earlier) + peaks[before]
                        log_scales[i, before] = shift + math.log(total)
                    if t == 1:
                        first[i] = total if good else 0
                cuda.syncthreads()
            if has_state:
                target[k, thread] = mass
            k += 1
            cuda.syncthreads()
        if cuda.gridDim.y == 1 and forgotten(target, number) and thread == 0:
            first[i] = 0

    @kernel
    def backward(
        transposed: Floats,
        floor: float,
        observed: tuple[Floats, Floats, Floats],
        boundaries: tuple[Floats, Floats, Floats, Floats],
        launch: tuple[int, int],
        filtered: Floats,
        states: Floats,
        weights: Floats,
        first: Floats,
    ) -> None:
        """Smooth, last frame first; leave what ``add_pairs`` multiplies with ``filtered``.

        With w_t = b_t β_t, r_t = P w_{t+1} and n_t = a_t · r_t: the marginal is a_t r_t / n_t, the
        pair's is a_t(j) P(j, k) w_{t+1}(k) / n_t, and β_t is r_t over the sum of w_{t+1}; entry t + 1
        of ``weights`` receives w_{t+1} / n_t. Where too much was lost (see the CPU's pass of the
        same name) ``first`` becomes 0. ``states`` may have fewer frames than there are; the rest are
        not wanted.
        """
        i, thread = unsigned(cuda.blockIdx.x), unsigned(cuda.threadIdx.x)
        smallest = dtype(floor)
        evidence, peaks, length = observed[0][i], observed[1][i], observed[2][i]
        starts, source, target, reruns = (
            boundaries[0][i],
            boundaries[1][i],
            boundaries[2][i],
            boundaries[3][i],
        )
        warm_up, longest = launch
        size, start, step = starts.shape[1], dtype(first[i]), transposed[i % transposed.shape[0]]
        messages, marginals, ratios, has_state = filtered[i], states[i], weights[i], thread < size
        wanted = len(marginals) // size
        workspace = memory_for(filtered)
        strip = cuda.local.array(held, filtered.dtype)
        vector, scratch, sums = (
            workspace,
            workspace[width : width + WARPS],
            workspace[WARPS + width :],
        )
        number = number_of(length, longest)
        if not start > 0:
            return
        k, high = chunks_of_block(number, warm_up, source, target)
        while True:
            if warm_up == 0:
                k = first_wrong(starts, source, reruns, max(k, 1), high)
            if k >= high:
                break
            hold(step, strip)
            begin, end = frames_of(length, number, number - 1 - k)
            if warm_up == 0 and thread == 0:
                reruns[k] += 1
            # The message is that of this frame, and then of those before it.
            start_frame, failed = min(end + warm_up, length - 1), False
            message, coming, top, before, weighted, spent, joint, scale = (
                zero, zero, zero, zero, zero, zero, zero, unity,
            )  # fmt: skip
            if has_state:
                message = source[k - 1, thread] if warm_up == 0 else unity
                coming, top = evidence[wide(start_frame * size) + thread], peaks[wide(start_frame)]
                before = messages[wide(max(start_frame - 1, 0) * size) + thread]
                if end == length and end - 1 < wanted:
                    place = wide((end - 1) * size) + thread
                    marginals[place] = messages[place]
            if thread < width:
                vector[thread] = zero
            # Where the numbers of frame t lie; not read where that is before the first.
            place, line = wide(max(start_frame - 1, 0) * size) + thread, wide(size)
            for t in range(start_frame - 1, begin - 2, -1):
                likely = math.exp(coming - top)
                if has_state:
                    if t + 1 == end:
                        starts[k, thread] = message
                    spent, weighted = weighted, message * likely
                    vector[thread] = weighted
                    if t >= 0:
                        coming, top = evidence[place], peaks[wide(t)]
                cuda.syncthreads()
                if t >= begin:
                    multiply(vector, step, strip, sums)
                if has_state and t + 1 < min(start_frame, end):
                    mass = scratch[0]
                    for warp in range(1, width // WARP_SIZE):
                        mass += scratch[warp]
                    good = mass >= smallest and (t >= 0 or start * (mass / scale) >= smallest)
                    failed = failed or not good
                    share = unity / mass if good else lost
                    ratios[place + line + line] = spent * share
                    if t + 1 < wanted:
                        marginals[place + line] = joint * share
                cuda.syncthreads()
                if t >= begin:
                    if has_state:
                        product, scale = gather(sums, thread)
                        message, joint = product / scale, before * product
                        if t > 0:
                            before = messages[place - line]
                    total = warp_sum(joint)
                    if thread < width and thread % WARP_SIZE == 0:
                        scratch[thread // WARP_SIZE] = total
                place -= line
            if has_state:
                target[k, thread] = lost if failed else message
            k += 1
            cuda.syncthreads()
        if cuda.gridDim.y == 1 and forgotten(target, number) and thread == 0:
            first[i] = 0

    return forward, backward
