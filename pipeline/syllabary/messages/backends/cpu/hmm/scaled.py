"""Passes over discrete chains whose messages are probabilities, normalized at every frame.

A kernel takes several chunks of frames at once: a row of ``workspace`` holds the message of each, and a
step multiplies four rows by the matrix. No row depends on another. Chunks come longest first, and leave
the pass as they end. Matrices and rows are padded to whole vectors with zeros.
"""

import numpy as np

from ...compiled import Floats, kernel
from ..simd.exponentials import exp, log
from ..simd.tiles import columns_of, product_of_four, product_of_one
from ..simd.vectors import (
    compact,
    highest,
    lanes_of,
    larger,
    load,
    prefetch,
    splat,
    store,
    total,
)

__all__ = ["PAIR_BLOCK", "add_pairs", "backward", "forward", "workspace_rows"]

# Frames of a chunk whose pair sums are added up together.
PAIR_BLOCK = 96
# Frames of a chunk whose logs are taken together.
LOG_BLOCK = 64
# Frames that are asked for ahead of their turn: walking back through many stretches at a time is
# not what processors foresee.
AHEAD = 8


def workspace_rows(chunks: int) -> tuple[int, int]:
    """Rows of ``workspace`` for a pass over so many chunks, forward and backward."""
    whole = -(-chunks // 4) * 4
    return 2 * whole + chunks, whole + 4 + (chunks + whole) * PAIR_BLOCK


@kernel
def forward(
    matrix: Floats,
    chunks: Floats,
    warm_ups: Floats,
    incoming: Floats,
    is_first: Floats,
    shifts: Floats,
    evidence: Floats,
    first: Floats,
    lengths: Floats,
    floor: float,
    messages: Floats,
    places: Floats,
    log_scales: Floats,
    outgoing: Floats,
    first_scales: Floats,
    lost: Floats,
    workspace: Floats,
) -> None:
    """a_1 = π₀ b_1 / c_1, a_{t+1} = (a_t P) b_{t+1} / c_{t+1}.

    Parameters
    ----------
    matrix : (K, padded K)
        P.
    chunks : (R) int
        Chunks to pass over, those with most frames first; S is the number of all.
    warm_ups : (S) int
        Frames of warm-up before a chunk; 0 for the first of a sequence.
    incoming : (S, K)
        Message before the first frame of the warm-up, π₀ for the first chunk of a sequence. Becomes the
        message before the first frame of the chunk.
    is_first : (S) bool
        Whether a chunk is the first of its sequence.
    shifts : (S, 2)
        Logs that were taken out of π₀ and of P.
    evidence : (N, K)
        All frames of all sequences; a chunk has ``lengths`` (S) frames from ``first`` (S) on.
    floor : float
        The least c_t that has lost nothing.
    messages : (N', K) or (0, K)
        Filled from row ``places`` (R) on, if it has rows.
    log_scales : (1, N) or (1, 0)
        log c_t, filled if it has columns.
    outgoing, first_scales, lost : (S, K), (S), (S)
        Last message, c_1 of a sequence, and whether a c_t fell below ``floor``; later results are void.
    workspace : (``workspace_rows``, padded K)
    """
    compact()
    size, width, lanes = evidence.shape[1], matrix.shape[1], lanes_of(evidence)
    columns = columns_of(size, evidence)
    active = len(chunks)
    below = (active + 3) // 4 * 4
    density = 2 * below
    # For some frames of every chunk: divisors of the message, and logs of its other factors.
    scales, shares = np.ones((active, LOG_BLOCK)), np.zeros((active, LOG_BLOCK))
    warm_up, steps, begin = (
        np.empty(active, np.int64),
        np.empty(active, np.int64),
        np.empty(active, np.int64),
    )
    workspace[: density + active] = 0
    for r in range(active):
        chunk = chunks[r]
        warm_up[r], steps[r] = warm_ups[chunk], warm_ups[chunk] + lengths[chunk]
        begin[r] = first[chunk] - warm_up[r]
        lost[chunk] = False
        for k in range(size):
            workspace[r, k] = incoming[chunk, k]
    t = 0
    while True:
        while active > 0 and (steps[active - 1] == t or lost[chunks[active - 1]]):
            active -= 1
            for k in range(size):
                outgoing[chunks[active], k] = workspace[active, k]
            if t % LOG_BLOCK > 0:
                write_logs(scales, shares, active, warm_up[active], t, begin[active], log_scales)
        if active == 0:
            return
        # Each operation for all chunks before the next, so that no chunk waits for its last result.
        for r in range(active):
            chunk = chunks[r]
            if t == warm_up[r]:
                for k in range(size):
                    incoming[chunk, k] = workspace[r, k]
            frame = begin[r] + t
            top = splat(evidence, -np.inf)
            for k in range(0, width, lanes):
                top = larger(top, load(evidence, frame, k, size - k, -np.inf))
                prefetch(evidence, frame + AHEAD, k)
            largest = highest(top)
            shares[r, t % LOG_BLOCK] = largest + shifts[chunk, 1]
            for k in range(0, width, lanes):
                likelihood = exp(load(evidence, frame, k, size - k, -np.inf) - largest)
                store(workspace, density + r, k, lanes, likelihood)
        for r in range(0, active - 1, 4):
            product_of_four(
                workspace,
                (below + r) * width,
                workspace,
                r * width,
                width,
                1,
                size,
                matrix,
                0,
                width,
                columns,
            )
        if active % 4 == 1:
            r = active - 1
            product_of_one(
                workspace,
                (below + r) * width,
                workspace,
                r * width,
                0,
                1,
                size,
                matrix,
                0,
                width,
                columns,
            )
        for r in range(active):
            chunk, at_start = chunks[r], t == 0 and is_first[chunks[r]]
            predicted = r if at_start else below + r
            sums = splat(evidence, 0.0)
            for k in range(0, width, lanes):
                joint = load(workspace, density + r, k, lanes, 0.0) * load(
                    workspace, predicted, k, lanes, 0.0
                )
                store(workspace, r, k, lanes, joint)
                sums = sums + joint
            scale = np.float64(total(sums))
            if at_start:
                first_scales[chunk] = scale
                shares[r, 0] += shifts[chunk, 0] - shifts[chunk, 1]
            if not floor <= scale < np.inf:
                lost[chunk] = True
                scale = np.float64(np.inf)  # numba refuses to divide by zero
            scales[r, t % LOG_BLOCK] = scale
            share = 1 / scale
            place = places[r] + t - warm_up[r]
            kept = len(messages) > 0 and t >= warm_up[r]
            for k in range(0, width, lanes):
                message = load(workspace, r, k, lanes, 0.0) * share
                store(workspace, r, k, lanes, message)
                if kept:
                    store(messages, place, k, size - k, message)
                    prefetch(messages, place + AHEAD, k)
        t += 1
        if t % LOG_BLOCK == 0:
            for r in range(active):
                write_logs(scales, shares, r, warm_up[r], t, begin[r], log_scales)


@kernel
def write_logs(
    scales: Floats, shares: Floats, r: int, warm_up: int, stop: int, begin: int, log_scales: Floats
) -> None:
    """Add up the logs of the last frames before ``stop``, without those of the warm-up."""
    many, last = lanes_of(scales), (stop - 1) // LOG_BLOCK * LOG_BLOCK
    if log_scales.shape[1] == 0:
        return
    for t in range(max(last, warm_up), stop, many):
        left = stop - t
        total_log = log(load(scales, r, t - last, left, 1.0)) + load(shares, r, t - last, left, 0.0)
        store(log_scales, 0, begin + t, left, total_log)


@kernel
def backward(
    matrix: Floats,
    chunks: Floats,
    warm_ups: Floats,
    incoming: Floats,
    is_last: Floats,
    evidence: Floats,
    first: Floats,
    lengths: Floats,
    floor: float,
    first_scales: Floats,
    filtered: Floats,
    places: Floats,
    states: Floats,
    pairs: Floats,
    slots: Floats,
    outgoing: Floats,
    lost: Floats,
    workspace: Floats,
) -> None:
    """Turn filtered into smoothed marginals, last frame first, and sum pairs.

    With w_t = b_t β_t, r_t = P w_{t+1} and n_t = a_t · r_t: the marginal is a_t r_t / n_t, the
    pair's is a_t(j) P(j, k) w_{t+1}(k) / n_t, and β_t is r_t over its largest entry. What
    underflowed in a_t counts as 1 / (c_t a_t · β_t), and c_t a_t · β_t is n_{t-1}.

    Parameters
    ----------
    matrix : (K, padded K)
        Pᵀ.
    chunks, warm_ups, evidence, first, lengths
        As for ``forward``. But a warm-up follows its chunk, the frame after the chunk is read too, and
        ``is_last`` (S) marks the chunks without a warm-up.
    incoming : (S, K)
        β after the warm-up; becomes β of the frame after the chunk.
    floor : float
        The least n_t that has lost nothing.
    first_scales : (S)
        c_1 of chunks that are first in a sequence, infinite for the others.
    filtered, states : (N', K)
        a_t, and marginals to be filled, from row ``places`` (R) on; may be the same array.
    pairs, slots : (R', K, K) float64, (R)
        Entry ``slots`` is filled with Σ_t a_t(j) w_{t+1}(k) / n_t: times P, it is the sum.
    outgoing, lost : (S, K), (S)
        β of the first frame, and whether an n_t fell below ``floor``.
    workspace : (``workspace_rows``, padded K)
    """
    compact()
    size, width, lanes = evidence.shape[1], matrix.shape[1], lanes_of(evidence)
    columns = columns_of(size, evidence)
    active = len(chunks)
    # Rows of messages, which times ``peaks`` are β; of sums; of a_t and w_{t+1} of a block of frames.
    sums = (active + 3) // 4 * 4
    before = sums + 4
    after = before + active * PAIR_BLOCK
    warm_up, steps = np.empty(active, np.int64), np.empty(active, np.int64)
    peaks = np.ones(active, evidence.dtype)
    workspace[:before] = 0
    for r in range(active):
        chunk = chunks[r]
        warm_up[r], steps[r] = warm_ups[chunk], warm_ups[chunk] + lengths[chunk] - is_last[chunk]
        lost[chunk] = False
        pairs[slots[r]] = 0
        for k in range(size):
            workspace[r, k] = incoming[chunk, k]
        if is_last[chunk]:
            for k in range(size):
                states[places[r] + steps[r], k] = filtered[places[r] + steps[r], k]
    n = 0
    while True:
        slot = n % PAIR_BLOCK
        while active > 0 and (steps[active - 1] == n or lost[chunks[active - 1]]):
            active -= 1
            for k in range(size):
                outgoing[chunks[active], k] = workspace[active, k] * peaks[active]
            at, unpaired = active * PAIR_BLOCK, max(0, warm_up[active] - n + slot)
            if slot > unpaired:
                add_pairs(workspace, before + at, after + at, unpaired, slot, sums, pairs[slots[active]])
        if active == 0:
            return
        for r in range(active):
            chunk = chunks[r]
            if n == warm_up[r]:
                for k in range(size):
                    incoming[chunk, k] = workspace[r, k] * peaks[r]
            following = first[chunk] + steps[r] - n
            top = splat(evidence, -np.inf)
            for k in range(0, width, lanes):
                top = larger(top, load(evidence, following, k, size - k, -np.inf))
                prefetch(evidence, following - AHEAD, k)
            largest, peak = highest(top), peaks[r]
            for k in range(0, width, lanes):
                likelihood = exp(load(evidence, following, k, size - k, -np.inf) - largest)
                message = load(workspace, r, k, lanes, 0.0) * peak
                store(workspace, after + r * PAIR_BLOCK + slot, k, lanes, likelihood * message)
        for r in range(0, active - 1, 4):
            at, apart = (after + r * PAIR_BLOCK + slot) * width, PAIR_BLOCK * width
            product_of_four(
                workspace, r * width, workspace, at, apart, 1, size, matrix, 0, width, columns
            )
        if active % 4 == 1:
            r = active - 1
            at = (after + r * PAIR_BLOCK + slot) * width
            product_of_one(workspace, r * width, workspace, at, 0, 1, size, matrix, 0, width, columns)
        for r in range(active):
            place, inside = places[r] + steps[r] - 1 - n, n >= warm_up[r]
            top, masses = splat(workspace, 0.0), splat(workspace, 0.0)
            for k in range(0, width, lanes):
                product = load(workspace, r, k, lanes, 0.0)
                top = larger(top, product)
                if inside:
                    masses = masses + load(filtered, place, k, size - k, 0.0) * product
                    prefetch(filtered, place - AHEAD, k)
            largest = np.float64(highest(top))
            largest = largest if largest > 0 else np.inf  # numba refuses to divide by zero
            peaks[r] = 1 / largest
            if not inside:
                continue
            mass = np.float64(total(masses))
            at_start = first_scales[chunks[r]] if n + 1 == steps[r] else np.inf
            if not mass >= floor or not at_start * (mass / largest) >= floor:
                lost[chunks[r]] = True
                mass = np.float64(np.inf)
            share, at = 1 / mass, r * PAIR_BLOCK
            for k in range(0, width, lanes):
                message = load(filtered, place, k, size - k, 0.0) * share
                store(workspace, before + at + slot, k, lanes, message)
                store(states, place, k, size - k, message * load(workspace, r, k, lanes, 0.0))
            if slot == PAIR_BLOCK - 1:
                unpaired = max(0, warm_up[r] - n + slot)
                add_pairs(
                    workspace, before + at, after + at, unpaired, PAIR_BLOCK, sums, pairs[slots[r]]
                )
        n += 1


@kernel
def add_pairs(
    workspace: Floats, before: int, after: int, begin: int, end: int, sums: int, pairs: Floats
) -> None:
    """Add ``beforeᵀ after`` of such rows of ``workspace`` to the sums, by way of four rows of it."""
    size, width, many = pairs.shape[0], workspace.shape[1], end - begin
    columns = columns_of(size, workspace)
    for j in range(0, size, 4):
        product_of_four(
            workspace, sums * width, workspace, (before + begin) * width + j, 1, width, many,
            workspace, (after + begin) * width, width, columns,
        )  # fmt: skip
        for i in range(min(4, size - j)):
            for k in range(size):
                pairs[j + i, k] += workspace[sums + i, k]
