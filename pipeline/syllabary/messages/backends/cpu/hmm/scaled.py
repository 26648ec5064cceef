"""Sweeps over discrete chains whose messages are probabilities, normalized at every frame.

A kernel takes several stretches of frames at once: a row of ``work`` holds the message of one of
them, and a step multiplies four rows by the matrix. Rows do not touch one another, so a row's
answer does not depend on which others are there; they come longest first, and drop out one by
one. Matrices and rows are padded to whole vectors with zeros.
"""

import numpy as np

from ...compiled import Floats, kernel
from ..simd.tiles import columns_of, product_of_four, product_of_one
from ..simd.vectors import (
    compact,
    exp,
    highest,
    lanes_of,
    larger,
    load,
    log,
    prefetch,
    splat,
    store,
    total,
)

__all__ = ["PAIR_BLOCK", "add_pairs", "backward", "forward", "workspace_rows"]

# Frames of a stretch whose pair sums are added up together.
PAIR_BLOCK = 96
# Frames of a stretch whose logs are taken together.
LOG_BLOCK = 64
# Frames that are asked for ahead of their turn: walking back through many stretches at a time is
# not what processors foresee.
AHEAD = 8


def workspace_rows(rows: int) -> tuple[int, int]:
    """Rows of ``work`` that a sweep over so many stretches needs, forward and backward."""
    whole = -(-rows // 4) * 4
    return 2 * whole + rows, whole + 4 + (rows + whole) * PAIR_BLOCK


@kernel
def forward(
    matrix: Floats,
    rows: Floats,
    leads: Floats,
    starts: Floats,
    opens: Floats,
    shifts: Floats,
    evidence: Floats,
    first: Floats,
    lengths: Floats,
    floor: float,
    messages: Floats,
    places: Floats,
    log_scales: Floats,
    ends: Floats,
    openings: Floats,
    lost: Floats,
    work: Floats,
) -> None:
    """a_1 = π₀ b_1 / c_1, a_{t+1} = (a_t P) b_{t+1} / c_{t+1}.

    Parameters
    ----------
    matrix : (K, padded K)
        P.
    rows : (R) int
        Stretches to sweep, those with most frames first; S is the number of all.
    leads : (S) int
        Frames before a stretch from which it is approached; 0 where it ``opens`` a sequence.
    starts : (S, K)
        Message before the first frame of the approach; where a stretch ``opens`` a sequence, π₀. Becomes
        that before the first frame of the stretch.
    opens : (S) bool
    shifts : (S, 2)
        Logs that were taken out of π₀ and of P.
    evidence : (N, K)
        All frames of all sequences; a stretch has ``lengths`` (S) frames from ``first`` (S) on.
    floor : float
        The least c_t that has lost nothing.
    messages : (N', K) or (0, K)
        Filled from row ``places`` (R) on, if there is room at all.
    log_scales : (1, N) or (1, 0)
        log c_t, filled if there is room.
    ends, openings, lost : (S, K), (S), (S)
        Last message, c_1 of a sequence, and whether a c_t fell below ``floor``: void from there on.
    work : (``workspace_rows``, padded K)
    """
    compact()
    size, width, lanes = evidence.shape[1], matrix.shape[1], lanes_of(evidence)
    columns = columns_of(size, evidence)
    active = len(rows)
    below = (active + 3) // 4 * 4
    density = 2 * below
    # Of some frames of every stretch, what it is divided by, and the logs of what else it was.
    scales, shares = np.ones((active, LOG_BLOCK)), np.zeros((active, LOG_BLOCK))
    lead, steps, begin = (
        np.empty(active, np.int64),
        np.empty(active, np.int64),
        np.empty(active, np.int64),
    )
    work[: density + active] = 0
    for r in range(active):
        row = rows[r]
        lead[r], steps[r] = leads[row], leads[row] + lengths[row]
        begin[r] = first[row] - lead[r]
        lost[row] = False
        for k in range(size):
            work[r, k] = starts[row, k]
    t = 0
    while True:
        while active > 0 and (steps[active - 1] == t or lost[rows[active - 1]]):
            active -= 1
            for k in range(size):
                ends[rows[active], k] = work[active, k]
            if t % LOG_BLOCK > 0:
                write_logs(scales, shares, active, lead[active], t, begin[active], log_scales)
        if active == 0:
            return
        # One thing after the other for all stretches: none waits long for itself.
        for r in range(active):
            row = rows[r]
            if t == lead[r]:
                for k in range(size):
                    starts[row, k] = work[r, k]
            frame = begin[r] + t
            top = splat(evidence, -np.inf)
            for k in range(0, width, lanes):
                top = larger(top, load(evidence, frame, k, size - k, -np.inf))
                prefetch(evidence, frame + AHEAD, k)
            largest = highest(top)
            shares[r, t % LOG_BLOCK] = largest + shifts[row, 1]
            for k in range(0, width, lanes):
                seen = exp(load(evidence, frame, k, size - k, -np.inf) - largest)
                store(work, density + r, k, lanes, seen)
        for r in range(0, active - 1, 4):
            product_of_four(
                work, (below + r) * width, work, r * width, width, 1, size, matrix, 0, width, columns
            )
        if active % 4 == 1:
            r = active - 1
            product_of_one(
                work, (below + r) * width, work, r * width, 0, 1, size, matrix, 0, width, columns
            )
        for r in range(active):
            row, opening = rows[r], t == 0 and opens[rows[r]]
            predicted = r if opening else below + r
            sums = splat(evidence, 0.0)
            for k in range(0, width, lanes):
                joint = load(work, density + r, k, lanes, 0.0) * load(work, predicted, k, lanes, 0.0)
                store(work, r, k, lanes, joint)
                sums = sums + joint
            scale = np.float64(total(sums))
            if opening:
                openings[row] = scale
                shares[r, 0] += shifts[row, 0] - shifts[row, 1]
            if not floor <= scale < np.inf:
                lost[row] = True
                scale = np.float64(np.inf)  # numba refuses to divide by zero
            scales[r, t % LOG_BLOCK] = scale
            share = 1 / scale
            place = places[r] + t - lead[r]
            kept = len(messages) > 0 and t >= lead[r]
            for k in range(0, width, lanes):
                message = load(work, r, k, lanes, 0.0) * share
                store(work, r, k, lanes, message)
                if kept:
                    store(messages, place, k, size - k, message)
                    prefetch(messages, place + AHEAD, k)
        t += 1
        if t % LOG_BLOCK == 0:
            for r in range(active):
                write_logs(scales, shares, r, lead[r], t, begin[r], log_scales)


@kernel
def write_logs(
    scales: Floats, shares: Floats, r: int, lead: int, stop: int, begin: int, log_scales: Floats
) -> None:
    """Add up the logs of the last frames before ``stop`` that are no longer those of the lead."""
    many, last = lanes_of(scales), (stop - 1) // LOG_BLOCK * LOG_BLOCK
    if log_scales.shape[1] == 0:
        return
    for t in range(max(last, lead), stop, many):
        left = stop - t
        found = log(load(scales, r, t - last, left, 1.0)) + load(shares, r, t - last, left, 0.0)
        store(log_scales, 0, begin + t, left, found)


@kernel
def backward(
    matrix: Floats,
    rows: Floats,
    leads: Floats,
    starts: Floats,
    closes: Floats,
    evidence: Floats,
    first: Floats,
    lengths: Floats,
    floor: float,
    openings: Floats,
    filtered: Floats,
    places: Floats,
    states: Floats,
    pairs: Floats,
    slots: Floats,
    ends: Floats,
    lost: Floats,
    work: Floats,
) -> None:
    """Turn filtered into smoothed marginals, last frame first, and sum pairs.

    With w_t = b_t β_t, r_t = P w_{t+1} and n_t = a_t · r_t: the marginal is a_t r_t / n_t, the
    pair's is a_t(j) P(j, k) w_{t+1}(k) / n_t, and β_t is r_t over its largest entry. What
    underflowed in a_t counts as 1 / (c_t a_t · β_t), and c_t a_t · β_t is n_{t-1}.

    Parameters
    ----------
    matrix : (K, padded K)
        Pᵀ.
    rows, leads, evidence, first, lengths
        As for ``forward``, but a lead lies behind its stretch, whose frame behind is read too; 0 where
        it ``closes`` (S) a sequence.
    starts : (S, K)
        β behind the approach; becomes β of the frame behind the stretch.
    floor : float
        The least n_t that has lost nothing.
    openings : (S)
        c_1 of stretches that open a sequence, infinite for the others.
    filtered, states : (N', K)
        a_t, and room for marginals, from row ``places`` (R) on; may be one array.
    pairs, slots : (R', K, K) float64, (R)
        Entry ``slots`` is filled with Σ_t a_t(j) w_{t+1}(k) / n_t: times P, it is the sum.
    ends, lost : (S, K), (S)
        β of the first frame, and whether an n_t fell below ``floor``.
    work : (``workspace_rows``, padded K)
    """
    compact()
    size, width, lanes = evidence.shape[1], matrix.shape[1], lanes_of(evidence)
    columns = columns_of(size, evidence)
    active = len(rows)
    # Rows of messages, which times ``peaks`` are β; of sums; of a_t and w_{t+1} of a block of frames.
    sums = (active + 3) // 4 * 4
    before = sums + 4
    after = before + active * PAIR_BLOCK
    lead, steps = np.empty(active, np.int64), np.empty(active, np.int64)
    peaks = np.ones(active, evidence.dtype)
    work[:before] = 0
    for r in range(active):
        row = rows[r]
        lead[r], steps[r] = leads[row], leads[row] + lengths[row] - closes[row]
        lost[row] = False
        pairs[slots[r]] = 0
        for k in range(size):
            work[r, k] = starts[row, k]
        if closes[row]:
            for k in range(size):
                states[places[r] + steps[r], k] = filtered[places[r] + steps[r], k]
    n = 0
    while True:
        slot = n % PAIR_BLOCK
        while active > 0 and (steps[active - 1] == n or lost[rows[active - 1]]):
            active -= 1
            for k in range(size):
                ends[rows[active], k] = work[active, k] * peaks[active]
            at, unpaired = active * PAIR_BLOCK, max(0, lead[active] - n + slot)
            if slot > unpaired:
                add_pairs(work, before + at, after + at, unpaired, slot, sums, pairs[slots[active]])
        if active == 0:
            return
        for r in range(active):
            row = rows[r]
            if n == lead[r]:
                for k in range(size):
                    starts[row, k] = work[r, k] * peaks[r]
            behind = first[row] + steps[r] - n
            top = splat(evidence, -np.inf)
            for k in range(0, width, lanes):
                top = larger(top, load(evidence, behind, k, size - k, -np.inf))
                prefetch(evidence, behind - AHEAD, k)
            largest, peak = highest(top), peaks[r]
            for k in range(0, width, lanes):
                seen = exp(load(evidence, behind, k, size - k, -np.inf) - largest)
                message = load(work, r, k, lanes, 0.0) * peak
                store(work, after + r * PAIR_BLOCK + slot, k, lanes, seen * message)
        for r in range(0, active - 1, 4):
            at, apart = (after + r * PAIR_BLOCK + slot) * width, PAIR_BLOCK * width
            product_of_four(work, r * width, work, at, apart, 1, size, matrix, 0, width, columns)
        if active % 4 == 1:
            r = active - 1
            at = (after + r * PAIR_BLOCK + slot) * width
            product_of_one(work, r * width, work, at, 0, 1, size, matrix, 0, width, columns)
        for r in range(active):
            place, inside = places[r] + steps[r] - 1 - n, n >= lead[r]
            top, masses = splat(work, 0.0), splat(work, 0.0)
            for k in range(0, width, lanes):
                product = load(work, r, k, lanes, 0.0)
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
            opening = openings[rows[r]] if n + 1 == steps[r] else np.inf
            if not mass >= floor or not opening * (mass / largest) >= floor:
                lost[rows[r]] = True
                mass = np.float64(np.inf)
            share, at = 1 / mass, r * PAIR_BLOCK
            for k in range(0, width, lanes):
                message = load(filtered, place, k, size - k, 0.0) * share
                store(work, before + at + slot, k, lanes, message)
                store(states, place, k, size - k, message * load(work, r, k, lanes, 0.0))
            if slot == PAIR_BLOCK - 1:
                unpaired = max(0, lead[r] - n + slot)
                add_pairs(work, before + at, after + at, unpaired, PAIR_BLOCK, sums, pairs[slots[r]])
        n += 1


@kernel
def add_pairs(
    work: Floats, before: int, after: int, begin: int, end: int, sums: int, pairs: Floats
) -> None:
    """Add ``beforeᵀ after`` of such rows of ``work`` to the sums, by way of four rows of it."""
    size, width, many = pairs.shape[0], work.shape[1], end - begin
    columns = columns_of(size, work)
    for j in range(0, size, 4):
        product_of_four(
            work, sums * width, work, (before + begin) * width + j, 1, width, many,
            work, (after + begin) * width, width, columns,
        )  # fmt: skip
        for i in range(min(4, size - j)):
            for k in range(size):
                pairs[j + i, k] += work[sums + i, k]
