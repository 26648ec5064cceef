"""Sweeps over a discrete chain whose messages are probabilities, a block to a stretch of frames.

A step waits twice: for the vector that is multiplied and for the sums of strips. What normalizes a
message is known one step later, with the next product, and what a frame leaves is written then.
"""

import math
from functools import cache
from typing import Any

import numpy as np

from ...compiled import Floats
from ..block import LANES, WARPS, bounded, cuda, device, warp_sum
from ..chunks import checks, forgotten, frames_of, number_of, stretches_of_block
from ..strips import HELD, Layout, strips

__all__ = ["sweeps"]

# Roundings by which two messages may differ that are one.
ROUNDINGS = 64


@cache
def sweeps(layout: Layout, dtype: type[np.floating[Any]]) -> tuple[Any, Any]:
    """Make ``forward`` and ``backward`` for numbers of ``dtype`` and matrices of one layout."""
    width, _, rows = layout
    hold, multiply, gather = strips(*layout)
    # Two blocks share a multiprocessor; its registers hold one matrix of float64.
    kernel = bounded(layout.threads, 2 if rows <= HELD // 4 and dtype == np.float32 else 1)
    relative, tiny = (dtype(x) for x in (ROUNDINGS * np.finfo(dtype).eps, np.finfo(dtype).tiny))
    zero, one, lost, endless = (dtype(x) for x in (0, 1, math.nan, math.inf))
    held = max(1, 2 * rows)

    @device
    def agree(found: Floats, true: Floats, m: int) -> bool:
        # In every entry, however small: relative errors of a message can only shrink on its way.
        return abs(found[m] - true[m]) <= relative * max(found[m], true[m]) + tiny

    first_wrong = checks(agree)

    @kernel
    def forward(
        initial: Floats,
        transition: Floats,
        shifts: Floats,
        floors: Floats,
        seen: tuple[Floats, Floats, Floats],
        seams: tuple[Floats, Floats, Floats, Floats],
        turn: tuple[int, int],
        messages: Floats,
        log_scales: Floats,
        first: Floats,
    ) -> None:
        """a_1 = π₀ b_1 / c_1, a_{t+1} = (a_t P) b_{t+1} / c_{t+1}.

        ``shifts`` (B, 2) are the logs that were taken out of π₀ and P, ``seen`` the evidence, its
        largest entry of every frame, and lengths. ``first`` receives c_1, or 0 where a c_t is less
        than its ``floors``.
        """
        i, thread, last = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x - 1
        evidence, peaks, length = seen[0][i], seen[1][i], seen[2][i]
        starts, source, target, repeated = seams[0][i], seams[1][i], seams[2][i], seams[3][i]
        approach, longest = turn
        size, floor, step = starts.shape[1], dtype(floors[i]), transition[i % transition.shape[0]]
        filtered, mine = messages[i], thread < size
        room = cuda.shared.array(0, messages.dtype)
        own = cuda.local.array(held, messages.dtype)
        scratch, vector, sums = room[:WARPS], room[WARPS : WARPS + width], room[WARPS + width :]
        number = number_of(length, longest)
        k, high = stretches_of_block(number, approach, source, target)
        while True:
            if approach == 0:
                k = first_wrong(starts, source, max(k, 1), high, scratch)
            if k >= high:
                break
            hold(step, own)
            begin, end = frames_of(length, number, k)
            if approach == 0 and thread == 0:
                repeated[k] += 1
            opening, mass, coming, top, prior = max(0, begin - approach), zero, zero, zero, zero
            if mine:
                mass = source[k - 1, thread] if approach == 0 else one
                coming, top = evidence[opening * size + thread], peaks[opening]
                if opening == 0:
                    prior = initial[i % initial.shape[0], thread]
            if thread < width:
                vector[thread] = mass
            cuda.syncthreads()
            for t in range(opening, end + 1):
                likely = math.exp(coming - top)
                if mine:  # asked for a step ahead
                    ahead = min(t + 1, end - 1)
                    coming, top = evidence[ahead * size + thread], peaks[ahead]
                if t > 0:
                    multiply(vector, step, own, sums)
                cuda.syncthreads()
                if mine:
                    product = prior
                    if t > 0:
                        product, total = gather(sums, thread)
                        share = one / total if floor <= total < endless else lost
                        mass, product = mass * share, product * share
                        if t > begin:
                            filtered[(t - 1) * size + thread] = mass
                        elif t == begin:
                            starts[k, thread] = mass
                    if t < end:
                        mass = product * likely
                        vector[thread] = mass
                if thread == last and t > begin:
                    total = gather(sums, 0)[1]
                    good = floor <= total < endless
                    if good:
                        shift = shifts[i, 1 if t > 1 else 0] + peaks[t - 1]
                        log_scales[i, t - 1] = shift + math.log(total)
                    if t == 1:
                        first[i] = total if good else 0
                cuda.syncthreads()
            if mine:
                target[k, thread] = mass
            k += 1
            cuda.syncthreads()
        if thread == 0 and approach > 0 and length == 0:
            first[i] = 1
        if cuda.gridDim.y == 1 and forgotten(target, number) and thread == 0:
            first[i] = 0

    @kernel
    def backward(
        transposed: Floats,
        floor: float,
        seen: tuple[Floats, Floats, Floats],
        seams: tuple[Floats, Floats, Floats, Floats],
        turn: tuple[int, int],
        filtered: Floats,
        states: Floats,
        weights: Floats,
        first: Floats,
    ) -> None:
        """Smooth, last frame first; leave what ``add_pairs`` multiplies with ``filtered``.

        With w_t = b_t β_t, r_t = P w_{t+1} and n_t = a_t · r_t: the marginal is a_t r_t / n_t, the
        pair's is a_t(j) P(j, k) w_{t+1}(k) / n_t, and β_t is r_t over the sum of w_{t+1}; entry t + 1
        of ``weights`` receives w_{t+1} / n_t. Where too much was lost (see the CPU's sweep of the
        same name) ``first`` becomes 0. ``states`` may have fewer frames than there are; the rest are
        not wanted.
        """
        i, thread, least = cuda.blockIdx.x, cuda.threadIdx.x, dtype(floor)
        evidence, peaks, length = seen[0][i], seen[1][i], seen[2][i]
        starts, source, target, repeated = seams[0][i], seams[1][i], seams[2][i], seams[3][i]
        approach, longest = turn
        size, start, step = starts.shape[1], dtype(first[i]), transposed[i % transposed.shape[0]]
        messages, marginals, ratios, mine = filtered[i], states[i], weights[i], thread < size
        wanted = len(marginals) // size
        room = cuda.shared.array(0, filtered.dtype)
        own = cuda.local.array(held, filtered.dtype)
        scratch, vector, sums = room[:WARPS], room[WARPS : WARPS + width], room[WARPS + width :]
        number = number_of(length, longest)
        if not start > 0:
            return
        k, high = stretches_of_block(number, approach, source, target)
        while True:
            if approach == 0:
                k = first_wrong(starts, source, max(k, 1), high, scratch)
            if k >= high:
                break
            hold(step, own)
            begin, end = frames_of(length, number, number - 1 - k)
            if approach == 0 and thread == 0:
                repeated[k] += 1
            # The message is that of this frame, and then of those before it.
            opening, failed = min(end + approach, length - 1), False
            message, coming, top, before, weighted, spent, joint, scale = (
                zero, zero, zero, zero, zero, zero, zero, one,
            )  # fmt: skip
            if mine:
                message = source[k - 1, thread] if approach == 0 else one
                coming, top = evidence[opening * size + thread], peaks[opening]
                before = messages[max(opening - 1, 0) * size + thread]
                if end == length and end - 1 < wanted:
                    marginals[(end - 1) * size + thread] = messages[(end - 1) * size + thread]
            if thread < width:
                vector[thread] = zero
            for t in range(opening - 1, begin - 2, -1):
                likely = math.exp(coming - top)
                if mine:
                    if t + 1 == end:
                        starts[k, thread] = message
                    spent, weighted = weighted, message * likely
                    vector[thread] = weighted
                    coming, top = evidence[max(t, 0) * size + thread], peaks[max(t, 0)]
                cuda.syncthreads()
                if t >= begin:
                    multiply(vector, step, own, sums)
                if mine and t + 1 < min(opening, end):
                    mass = scratch[0]
                    for warp in range(1, width // LANES):
                        mass += scratch[warp]
                    good = mass >= least and (t >= 0 or start * (mass / scale) >= least)
                    failed = failed or not good
                    share = one / mass if good else lost
                    ratios[(t + 2) * size + thread] = spent * share
                    if t + 1 < wanted:
                        marginals[(t + 1) * size + thread] = joint * share
                cuda.syncthreads()
                if t >= begin:
                    if mine:
                        product, scale = gather(sums, thread)
                        message, joint = product / scale, before * product
                        before = messages[max(t - 1, 0) * size + thread]
                    total = warp_sum(joint)
                    if thread < width and thread % LANES == 0:
                        scratch[thread // LANES] = total
            if mine:
                target[k, thread] = lost if failed else message
            k += 1
            cuda.syncthreads()
        if cuda.gridDim.y == 1 and forgotten(target, number) and thread == 0:
            first[i] = 0

    return forward, backward
