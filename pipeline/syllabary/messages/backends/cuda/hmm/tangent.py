"""Derivative of the marginals of a discrete chain along a change of the evidence, in chunks.

A message is the derivative of a log message, K numbers, and the largest of them in any frame of the
chunk, beside which two messages may differ by rounding.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from ...compiled import Floats
from ..block import WARPS, Kernel, block_max, block_sum, cuda, device, kernel
from ..chunks import checks, chunks_of_block, frames_of, number_of

__all__ = ["WORKSPACE", "Kernels", "passes"]

# Shared memory: the scratch and so many vectors of K numbers.
WORKSPACE = 3
# Roundings by which two messages may differ and still agree.
ROUNDINGS = 64


class Kernels(NamedTuple):
    """Kernels for numbers of one dtype."""

    forward: Kernel
    backward: Kernel


@cache
def passes(dtype: type[np.float32 | np.float64]) -> Kernels:
    """Make the kernels."""
    relative, zero, unity = dtype(ROUNDINGS * np.finfo(dtype).eps), dtype(0), dtype(1)

    @device
    def agree(message: Floats, true: Floats, m: int) -> bool:
        largest = len(true) - 1
        return m == largest or abs(message[m] - true[m]) <= relative * true[largest]

    first_wrong = checks(agree)

    @kernel
    def forward(
        transition: Floats,
        filtered: Floats,
        states: Floats,
        direction: Floats,
        lengths: Floats,
        floor: float,
        boundaries: tuple[Floats, Floats, Floats, Floats],
        launch: tuple[int, int],
        ahead: Floats,
        ratio: Floats,
    ) -> None:
        """Fill f_t = dl_t + (averages of f_{t-1} over where the chain came from), centered; and ratios.

        ``ratio`` is w_t over the prediction of frame t, so that the pair of t and t + 1 is
        a_t(j) P(j, k) ratio_{t+1}(k). A prediction below ``floor`` counts as zero.
        """
        i, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
        starts, source, target, reruns = (
            boundaries[0][i],
            boundaries[1][i],
            boundaries[2][i],
            boundaries[3][i],
        )
        warm_up, longest = launch
        size, step = states.shape[2], transition[i % transition.shape[0]]
        workspace = cuda.shared.array(0, states.dtype)
        scratch, sure, moved, change = (
            workspace[:WARPS],
            workspace[WARPS : WARPS + size],
            workspace[WARPS + size : WARPS + 2 * size],
            workspace[WARPS + 2 * size :],
        )
        number = number_of(lengths[i], longest)
        k, high = chunks_of_block(number, warm_up, source, target)
        while True:
            if warm_up == 0:
                k = first_wrong(starts, source, reruns, max(k, 1), high)
            if k >= high:
                break
            begin, end = frames_of(lengths[i], number, k)
            start_frame, largest = max(0, begin - warm_up), zero
            if warm_up == 0:
                if thread == 0:
                    reruns[k] += 1
                for m in range(thread, size, threads):
                    starts[k, m] = source[k - 1, m]
                    sure[m] = filtered[i, begin - 1, m]
                    moved[m] = sure[m] * source[k - 1, m]
            cuda.syncthreads()
            for t in range(start_frame, end):
                is_joined, mean = t > start_frame or warm_up == 0, zero
                for m in range(thread, size, threads):
                    predicted, average = unity, zero
                    if is_joined:
                        predicted = zero
                        for j in range(size):
                            predicted += sure[j] * step[j, m]
                            average += moved[j] * step[j, m]
                    value, share = direction[i, t, m], zero
                    if predicted >= floor:
                        value += average / predicted
                        share = states[i, t, m] / predicted
                    change[m] = value
                    mean += states[i, t, m] * value
                    if t >= begin:
                        ratio[i, t, m] = share
                mean = block_sum(mean, scratch)
                for m in range(thread, size, threads):
                    change[m] -= mean
                    sure[m] = filtered[i, t, m]
                    moved[m] = sure[m] * change[m]
                    largest = max(largest, abs(change[m]))
                    if t >= begin:
                        ahead[i, t, m] = change[m]
                    elif t == begin - 1:
                        starts[k, m] = change[m]
                cuda.syncthreads()
            largest = block_max(largest, scratch)
            for m in range(thread, size, threads):
                target[k, m] = change[m]
            if thread == 0:
                target[k, size] = largest
            k += 1
            cuda.syncthreads()

    @kernel
    def backward(
        transposed: Floats,
        inputs: tuple[Floats, Floats, Floats, Floats, Floats, Floats],
        boundaries: tuple[Floats, Floats, Floats, Floats],
        launch: tuple[int, int],
        back: Floats,
        d_states: Floats,
        lost: Floats,
    ) -> None:
        """Fill h_t = dl_t + g_t, centered, with g_t the averages of h_{t+1} over where the chain goes.

        ``inputs`` are filtered, states, direction, lengths, ahead and ratio. The derivative of w_t(k)
        is w_t(k) (f_t + h_t − dl_t)(k), centered. ``lost`` (B, S) is the most that the pairs of a
        frame miss of w_t, inf if that is NaN: see the CPU's.
        """
        i, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
        filtered, states, direction = inputs[0][i], inputs[1][i], inputs[2][i]
        length, ahead, ratio = inputs[3][i], inputs[4][i], inputs[5][i]
        starts, source, target, reruns = (
            boundaries[0][i],
            boundaries[1][i],
            boundaries[2][i],
            boundaries[3][i],
        )
        warm_up, longest = launch
        size, step = states.shape[1], transposed[i % transposed.shape[0]]
        workspace = cuda.shared.array(0, states.dtype)
        scratch, sure, moved, change = (
            workspace[:WARPS],
            workspace[WARPS : WARPS + size],
            workspace[WARPS + size : WARPS + 2 * size],
            workspace[WARPS + 2 * size :],
        )
        number = number_of(length, longest)
        k, high = chunks_of_block(number, warm_up, source, target)
        while True:
            if warm_up == 0:
                k = first_wrong(starts, source, reruns, max(k, 1), high)
            if k >= high:
                break
            begin, end = frames_of(length, number, number - 1 - k)
            start_frame, largest, worst = min(end + warm_up, length) - 1, zero, zero
            if warm_up == 0:
                if thread == 0:
                    reruns[k] += 1
                for m in range(thread, size, threads):
                    starts[k, m] = source[k - 1, m]
                    sure[m] = ratio[end, m]
                    moved[m] = sure[m] * source[k - 1, m]
            cuda.syncthreads()
            for t in range(start_frame, begin - 1, -1):
                is_joined = t < start_frame or warm_up == 0
                mean, center, missed = zero, zero, zero
                for m in range(thread, size, threads):
                    predicted, average = zero, zero
                    if is_joined:
                        for j in range(size):
                            predicted += sure[j] * step[j, m]
                            average += moved[j] * step[j, m]
                    value = direction[t, m]
                    if predicted > 0:
                        value += average / predicted
                    change[m] = value
                    mean += states[t, m] * value
                    if is_joined:
                        missed += abs(states[t, m] - filtered[t, m] * predicted)
                mean, missed = block_sum(mean, scratch), block_sum(missed, scratch)
                if t < end:
                    worst = max(worst, missed) if missed == missed else dtype(np.inf)
                for m in range(thread, size, threads):
                    change[m] -= mean
                    sure[m] = ratio[t, m]
                    moved[m] = sure[m] * change[m]
                    largest = max(largest, abs(change[m]))
                    if t < end:
                        back[i, t, m] = change[m]
                        center += states[t, m] * (ahead[t, m] + change[m] - direction[t, m])
                    elif t == end:
                        starts[k, m] = change[m]
                center = block_sum(center, scratch)
                if t < end:
                    for m in range(thread, size, threads):
                        moment = ahead[t, m] + change[m] - direction[t, m]
                        d_states[i, t, m] = states[t, m] * (moment - center)
            largest = block_max(largest, scratch)
            for m in range(thread, size, threads):
                target[k, m] = change[m]
            if thread == 0:
                target[k, size] = largest
                lost[i, k] = worst
            k += 1
            cuda.syncthreads()

    return Kernels(forward, backward)
