"""Sweeps over sequences that share their transitions: stretches, seams, threads."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _scaled
from ._compiled import Floats
from ._lanes import room
from ._stretches import SHORTEST, TOGETHER, agree, cut, in_turn
from ._threads import each, without_subnormals

__all__ = ["FLOOR", "Chain", "Sweep"]

# Below the smallest normal number a term counts as zero, and no sum from here on misses it.
FLOOR = {np.dtype(kind): 1e9 * float(np.finfo(kind).tiny) for kind in (np.float32, np.float64)}
# Frames of approach that are tried. Twice as many are taken, everywhere, as forgetting takes here
# and there; still less than the shortest stretch.
TRIED = (32, 48, 64, 96, 128, 192, 255)
# Where more than one in so many seams failed forwards, stretches wait for one another backwards.
PUT_OFF = 4


Indices = NDArray[np.int64]


class Chain(NamedTuple):
    """Transitions as numbers in 0..1, padded to whole vectors, and the log that was taken out."""

    matrix: Floats
    transposed: Floats
    log: float


class Sweep:
    """Forward and backward sweeps over some sequences.

    Parameters
    ----------
    chain : Chain
    openings : B of ((K), float)
        First states as numbers in 0..1, and the log that was taken out.
    evidence : (N, K)
        Frames of all sequences.
    numbers, begins, frames : (B) int
        Where results about a sequence go, and where it lies among the frames.
    threads : int

    Attributes
    ----------
    failed : (most number + 1) bool
        Sequences in which too much was lost.
    reruns : (number of stretches) int
        How often a stretch was done again, or had to wait for its neighbour.
    """

    def __init__(
        self,
        chain: Chain,
        openings: Sequence[tuple[Floats, float]],
        evidence: Floats,
        numbers: Indices,
        begins: Indices,
        frames: Indices,
        threads: int,
    ) -> None:
        self.chain, self.evidence, self.threads = chain, evidence, threads
        self.numbers, self.begins = numbers, begins
        counts, self.first, self.lengths, approach = self._cut(frames)
        opens, total, size = counts.cumsum() - counts, int(counts.sum()), evidence.shape[1]
        self.sequence, self.approach = np.repeat(numbers, counts), np.repeat(approach, counts)
        self.opens, self.closes, self.lost, self.smoothed = np.zeros((4, total), np.bool_)
        self.opens[opens] = self.closes[opens - 1] = True
        self.shifts = np.full((total, 2), chain.log)
        self.shifts[opens, 0] = [log for _, log in openings]
        # Messages that enter and leave a stretch, forwards and backwards.
        self.starts, self.ends, self.behind, self.tops = np.full(
            (4, total, size), np.nan, evidence.dtype
        )
        self.starts[opens] = [first for first, _ in openings]
        self.behind[self.closes] = 1
        self.openings = np.full(total, np.inf)
        self.failed = np.zeros(numbers.max() + 1, np.bool_)
        self.reruns = np.zeros(total, np.int64)

    def forward(self, messages: Floats, log_scales: Floats, floor: float) -> None:
        """Filter into ``messages`` (N, K), or nowhere if it has no rows, and ``log_scales`` (N)."""

        def filter_(rows: Indices) -> None:
            self._filter(rows, messages, self.first[rows], log_scales, floor)

        def run(rows: Indices) -> None:
            far = self._far(rows[~self.opens[rows]])
            if len(far):
                first = self.first[far] - self.approach[far]
                self.starts[far] = self._carry(first, self.approach[far])
            filter_(rows)

        def settle(begin: int, end: int) -> None:
            for row in range(begin, end):
                if not self.lost[row - 1] and not agree(self.starts[row], self.ends[row - 1]):
                    self.starts[row] = self.ends[row - 1]
                    self.reruns[row] += 1
                    filter_(np.array([row]))

        self._side_by_side(run, np.flatnonzero(self.opens | (self.approach > 0)))
        if not self.opens.all():
            seams = np.flatnonzero(~self.opens)
            self._check(settle, seams, agree(self.starts[seams], self.ends[seams - 1]))
            for rows in np.split(np.arange(len(self.first)), np.flatnonzero(self.opens)[1:]):
                if PUT_OFF * self.reruns[rows].sum() > len(rows):
                    self.approach[rows] = 0
        self.failed[self.sequence[self.lost]] = True

    def backward(
        self,
        filtered: Floats,
        states: Floats,
        log_scales: Floats,
        transitions: Floats,
        first: Floats,
        floor: float,
    ) -> None:
        """Smooth ``filtered`` (N, K) into ``states`` (N, K), which may be the same.

        Where they have no rows frames are filtered anew, a few stretches at a time, and forgotten.
        ``transitions`` (B, K, K) and ``first`` (B, K) receive sums of pairs and first states.
        """
        size = self.evidence.shape[1]
        # Sums of pairs wait until their stretch is sure, so no more than some stretches at a time.
        # So do frames that are filtered anew: half as many.
        together = TOGETHER if len(states) else TOGETHER // 2
        waves = -(-len(self.first) // (2 * together * self.threads))
        wave = -(-len(self.first) // waves)
        pairs, low = np.empty((wave, size, size)), 0
        transitions[self.numbers] = 0

        def smooth(rows: Indices) -> None:
            before, after, places = filtered, states, self.first[rows]
            if not len(states):
                places = np.arange(len(rows)) * self.lengths[rows[0]]
                before = after = np.empty((len(rows) * self.lengths[rows[0]], size), states.dtype)
                self._filter(rows, before, places, log_scales, floor)
            last = (places + self.lengths[rows] - 1)[self.closes[rows]]
            after[last] = before[last]
            self._smooth(rows, before, places, after, (pairs, rows - low), floor)
            self.smoothed[rows] = True
            opens = self.opens[rows]
            first[self.sequence[rows[opens]]] = after[places[opens]]

        def run(rows: Indices) -> None:
            far = self._far(rows[~self.closes[rows]])
            if len(far):
                behind = self.first[far] + self.lengths[far]
                self.behind[far] = self._carry_back(behind, self.approach[far])
            smooth(rows)

        def settle(begin: int, end: int) -> None:
            for row in range(end - 1, begin - 1, -1):
                if not self.lost[row + 1] and not agree(self.behind[row], self.tops[row + 1]):
                    self.behind[row] = self.tops[row + 1]
                    self.reruns[row] += 1
                    rows = np.array([row])
                    if self.smoothed[row] and filtered is states and len(states):
                        self._filter(rows, filtered, self.first[rows], log_scales, floor)
                    smooth(rows)

        for high in range(len(self.first), 0, -wave):
            low = max(0, high - wave)
            rows = np.arange(low, high)[~self.failed[self.sequence[low:high]]]
            sure = rows[self.closes[rows] | (self.approach[rows] > 0)]
            self._side_by_side(run, sure, together)
            seams = rows[~self.closes[rows]]
            if len(seams):
                self._check(settle, seams, agree(self.behind[seams], self.tops[seams + 1]))
            for row in rows[::-1]:
                transitions[self.sequence[row]] += pairs[row - low]
        self.failed[self.sequence[self.lost]] = True
        transitions *= self.chain.matrix[:, :size]

    def _cut(self, frames: Indices) -> tuple[Indices, Indices, Indices, Indices]:
        """Stretches of each sequence, where they begin, their frames; each sequence's approach."""
        if frames.max() < 2 * SHORTEST:
            none = np.zeros(len(frames), np.int64)
            return none + 1, self.begins, frames, none
        places = [cut(int(number)) for number in frames]
        approach = [
            self._approach(begin + at) if len(at) > 2 else 0
            for begin, at in zip(self.begins, places, strict=True)
        ]
        for i, number in enumerate(frames):
            places[i] = places[i] if approach[i] else in_turn(int(number))
        return (
            np.array([len(at) - 1 for at in places]),
            np.concatenate([begin + at[:-1] for begin, at in zip(self.begins, places, strict=True)]),
            np.concatenate([np.diff(at) for at in places]),
            np.array(approach),
        )

    def _approach(self, places: Indices) -> int:
        """Frames in which a sequence of some stretches forgets where it came from; 0 if never.

        Stretches here and there start from two messages far apart.
        """
        seen = places[1 :: -(-len(places) // TOGETHER)][:TOGETHER]
        seen = seen[seen < places[-1]]
        size = self.evidence.shape[1]
        # Numbers in 1e-6..1 in an order without pattern: multiples of the golden ratio.
        tilted = 1e-6 ** (np.arange(1, size + 1) * 0.6180339887 % 1)
        messages = np.repeat([np.ones(size), tilted], len(seen), axis=0).astype(self.evidence.dtype)
        number, first, done = len(seen), np.concatenate([seen, seen]), 0
        for frames in TRIED:
            lengths = np.full(2 * number, frames - done)
            messages = self._carry(first + done, lengths, messages)
            done = frames
            if agree(messages[:number], messages[number:]).all():
                return 2 * done
        return 0

    def _far(self, rows: Indices) -> Indices:
        """Stretches whose first message comes from an approach; the longest first."""
        if not len(rows):
            return rows
        rows = rows[self.approach[rows] > 0]
        return rows[np.argsort(-self.approach[rows], kind="stable")]

    def _carry(self, first: Indices, lengths: Indices, starts: Floats | None = None) -> Floats:
        """Messages behind so many frames."""
        starts = self._flat(len(first)) if starts is None else starts
        own = starts, np.zeros(len(first), np.bool_), np.zeros((len(first), 2))
        given = self.evidence, first, lengths, FLOOR[starts.dtype]
        return self._run_forward(own, given, (starts[:0], first, np.empty(0)))[0]

    def _carry_back(self, first: Indices, lengths: Indices) -> Floats:
        """Messages that arrive at ``first`` from so many frames behind it."""
        starts = self._flat(len(first))
        given = self.evidence, first, lengths, 0.0, np.zeros(len(first))
        target = starts[:0], first, starts[:0], np.empty((0, 0, 0)), first
        return self._run_backward(starts, given, target)[0]

    def _flat(self, number: int) -> Floats:
        return np.ones((number, self.evidence.shape[1]), self.evidence.dtype)

    def _filter(
        self, rows: Indices, messages: Floats, places: Indices, log_scales: Floats, floor: float
    ) -> None:
        """Filter stretches into ``messages`` from ``places`` on."""
        own = self.starts[rows], self.opens[rows], self.shifts[rows]
        given = self.evidence, self.first[rows], self.lengths[rows], floor
        found = self._run_forward(own, given, (messages, places, log_scales))
        self.ends[rows], openings, self.lost[rows] = found
        self.openings[rows] = np.where(self.opens[rows], openings, np.inf)

    def _smooth(
        self,
        rows: Indices,
        filtered: Floats,
        places: Indices,
        states: Floats,
        pairs: tuple[Floats, Indices],
        floor: float,
    ) -> None:
        """Smooth stretches and fill their sums of pairs."""
        steps = self.lengths[rows] - self.closes[rows]
        given = self.evidence, self.first[rows], steps, floor, self.openings[rows]
        found = self._run_backward(self.behind[rows], given, (filtered, places, states, *pairs))
        self.tops[rows], self.lost[rows] = found

    def _run_forward(self, own: Any, given: Any, target: Any) -> tuple[Floats, Floats, Floats]:
        number, size = own[0].shape
        ends, openings = np.empty_like(own[0]), np.empty(number)
        lost, work = np.zeros(number, np.bool_), room(_scaled.rooms(number)[0], size, ends.dtype)
        _scaled.forward(self.chain.matrix, *own, *given, *target, ends, openings, lost, work)
        return ends, openings, lost

    def _run_backward(self, starts: Floats, given: Any, target: Any) -> tuple[Floats, Floats]:
        number, size = starts.shape
        ends, lost = np.empty_like(starts), np.zeros(number, np.bool_)
        work = room(_scaled.rooms(number)[1], size, ends.dtype)
        _scaled.backward(self.chain.transposed, starts, *given, *target, ends, lost, work)
        return ends, lost

    def _side_by_side(
        self, run: Callable[[Indices], None], rows: Indices, together: int = TOGETHER
    ) -> None:
        """Run some stretches at a time, longest first, in equal parts for every thread."""
        if len(rows) == 1:
            with without_subnormals():
                run(rows)
            return
        # The last frame of a sequence has no pair behind it.
        rows = rows[np.argsort(self.closes[rows] - 2 * self.lengths[rows], kind="stable")]
        parts = min(len(rows), self.threads * -(-len(rows) // (together * self.threads)))
        bounds = [len(rows) * part // parts for part in range(parts)] + [len(rows)]
        each(lambda begin, end: run(rows[begin:end]), list(pairwise(bounds)), self.threads)

    def _check(self, settle: Callable[[int, int], None], rows: Indices, good: Any) -> None:
        """Settle the stretches, first to last of them, of every sequence that has a wrong seam."""
        if good.all():
            return
        rows = rows[np.isin(self.sequence[rows], self.sequence[rows[~good]])]
        _, first, count = np.unique(self.sequence[rows], return_index=True, return_counts=True)
        spans = zip(rows[first], rows[first + count - 1] + 1, strict=True)
        each(settle, [(int(begin), int(end)) for begin, end in spans], self.threads)
