"""Sweeps over sequences that share their transitions: stretches, seams, threads."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...compiled import Floats
from ..simd.vectors import room
from ..threads import each, without_subnormals
from . import scaled
from .cuts import SHORTEST, TOGETHER, agree, cut, in_turn
from .scaled import rooms

__all__ = ["FLOOR", "Chain", "Indices", "Sweep"]

# Below the smallest normal number a term counts as zero, and no sum from here on misses it.
FLOOR = {np.dtype(kind): 1e9 * float(np.finfo(kind).tiny) for kind in (np.float32, np.float64)}
# Frames of approach that are tried. Twice as many are taken, everywhere, as forgetting takes here
# and there; still less than the shortest stretch.
TRIED = (32, 48, 64, 96, 128, 192, 255)
# Where more than one in so many seams failed forward, stretches wait for one another backward.
PUT_OFF = 4
# Memory for frames that are filtered anew, bytes.
ANEW = 6_000_000


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
    openings : (B, K) and (B)
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
        How often a stretch was done again, or had to wait for its neighbor.
    """

    def __init__(
        self,
        chain: Chain,
        openings: tuple[Floats, Floats],
        evidence: Floats,
        numbers: Indices,
        begins: Indices,
        frames: Indices,
        threads: int,
    ) -> None:
        self.chain, self.evidence, self.threads = chain, evidence, threads
        self.numbers, self.begins = numbers, begins
        self._rooms: dict[int, list[Floats]] = defaultdict(list)
        counts, self.first, self.lengths, approach = self._cut(frames)
        opens, total, size = counts.cumsum() - counts, int(counts.sum()), evidence.shape[1]
        self.sequence, self.approach = numbers.repeat(counts), approach.repeat(counts)
        self.opens, self.closes, self.lost, self.smoothed = np.zeros((4, total), np.bool_)
        self.opens[opens] = self.closes[opens - 1] = True
        self.shifts = np.full((total, 2), chain.log)
        self.shifts[opens, 0] = openings[1]
        # Messages that enter and leave a stretch, forward and backward.
        self.starts, self.behind = np.ones((2, total, size), evidence.dtype)
        self.ends, self.tops = np.full((2, total, size), np.nan, evidence.dtype)
        self.starts[opens] = openings[0]
        self.openings = np.full(total, np.inf)
        self.failed = np.zeros(numbers.max() + 1, np.bool_)
        self.reruns, self.no_leads = np.zeros((2, total), np.int64)

    def forward(self, messages: Floats, log_scales: Floats, floor: float) -> None:
        """Filter into ``messages`` (N, K), or nowhere if it has no rows, and ``log_scales`` (N)."""
        leads = np.where(self.opens, 0, self.approach)

        def filter_(rows: Indices, leads: Indices) -> None:
            self._filter(rows, leads, messages, self.first[rows], log_scales, floor)

        def settle(begin: int, end: int) -> None:
            for row in range(begin, end):
                if not self.lost[row - 1] and not agree(self.starts[row], self.ends[row - 1]):
                    self.starts[row] = self.ends[row - 1]
                    self.reruns[row] += 1
                    filter_(np.array([row]), self.no_leads)

        sure = self.opens | (leads > 0)
        self.starts[~sure] = np.nan
        steps = leads + self.lengths
        self._side_by_side(lambda rows: filter_(rows, leads), sure.nonzero()[0], steps)
        if len(self.first) > len(self.numbers):
            seams = (~self.opens).nonzero()[0]
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
        together = TOGETHER
        if not len(states):
            stretch = int(self.lengths.max()) * size * self.evidence.itemsize
            together = max(1, min(TOGETHER // 2, ANEW // (stretch * self.threads)))
        waves = -(-len(self.first) // (2 * together * self.threads))
        wave = -(-len(self.first) // waves)
        pairs, low = np.empty((wave, size, size)), 0
        leads = np.where(self.closes, 0, self.approach)
        steps = leads + self.lengths - self.closes
        sure = self.closes | (leads > 0)
        self.behind[~sure] = np.nan
        steps_exactly = self.chain.matrix[:, :size].astype(np.float64)

        def smooth(rows: Indices, leads: Indices) -> None:
            before, after, places = filtered, states, self.first[rows]
            if not len(states):
                lengths = self.lengths[rows]
                places = lengths.cumsum() - lengths
                before = after = np.empty((lengths.sum(), size), states.dtype)
                order = np.argsort(-lengths, kind="stable")
                self._filter(rows[order], self.no_leads, before, places[order], log_scales, floor)
            self._smooth(rows, leads, before, places, after, (pairs, rows - low), floor)
            opens = self.opens[rows]
            first[self.sequence[rows[opens]]] = after[places[opens]]

        def settle(begin: int, end: int) -> None:
            for row in range(end - 1, begin - 1, -1):
                if not self.lost[row + 1] and not agree(self.behind[row], self.tops[row + 1]):
                    self.behind[row] = self.tops[row + 1]
                    self.reruns[row] += 1
                    rows = np.array([row])
                    if self.smoothed[row] and filtered is states and len(states):
                        self._filter(rows, self.no_leads, filtered, self.first[rows], log_scales, floor)
                    smooth(rows, self.no_leads)

        for high in range(len(self.first), 0, -wave):
            low = max(0, high - wave)
            rows = np.arange(low, high)[~self.failed[self.sequence[low:high]]]
            self._side_by_side(lambda rows: smooth(rows, leads), rows[sure[rows]], steps, together)
            seams = rows[~self.closes[rows]]
            if len(seams):
                self._check(settle, seams, agree(self.behind[seams], self.tops[seams + 1]))
            for row in rows[::-1]:
                sums = transitions[self.sequence[row]]
                np.add(0 if self.closes[row] else sums, pairs[row - low], out=sums)
                if self.opens[row]:
                    sums *= steps_exactly
        self.failed[self.sequence[self.lost]] = True

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
            messages = self._carry(first + done, frames - done, messages)
            done = frames
            if agree(messages[:number], messages[number:]).all():
                return 2 * done
        return 0

    def _carry(self, first: Indices, frames: int, starts: Floats) -> Floats:
        """Messages behind so many frames."""
        number, ends = len(first), np.empty_like(starts)
        rows, none = np.arange(number), np.zeros(number, np.int64)
        nowhere = starts[:0], none, np.empty((1, 0))
        with self._room(rooms(number)[0]) as work:
            scaled.forward(
                self.chain.matrix, rows, none, starts, none > 0, np.zeros((number, 2)), self.evidence,
                first, none + frames, FLOOR[starts.dtype], *nowhere, ends, np.empty(number), none > 0,
                work,
            )  # fmt: skip
        return ends

    def _filter(
        self,
        rows: Indices,
        leads: Indices,
        messages: Floats,
        places: Indices,
        log_scales: Floats,
        floor: float,
    ) -> None:
        """Filter stretches into ``messages`` from ``places`` on."""
        with self._room(rooms(len(rows))[0]) as work:
            scaled.forward(
                self.chain.matrix, rows, leads, self.starts, self.opens, self.shifts, self.evidence,
                self.first, self.lengths, floor, messages, places, log_scales[None], self.ends,
                self.openings, self.lost, work,
            )  # fmt: skip

    def _smooth(
        self,
        rows: Indices,
        leads: Indices,
        filtered: Floats,
        places: Indices,
        states: Floats,
        pairs: tuple[Floats, Indices],
        floor: float,
    ) -> None:
        """Smooth stretches and fill their sums of pairs."""
        with self._room(rooms(len(rows))[1]) as work:
            scaled.backward(
                self.chain.transposed, rows, leads, self.behind, self.closes, self.evidence, self.first,
                self.lengths, floor, self.openings, filtered, places, states, *pairs, self.tops,
                self.lost, work,
            )  # fmt: skip
        self.smoothed[rows] = True

    @contextmanager
    def _room(self, rows: int) -> Iterator[Floats]:
        """Room for a kernel to work in, which the next one finds in the cache."""
        kept = self._rooms[rows]
        try:
            work = kept.pop()
        except IndexError:
            work = room(rows, self.evidence.shape[1], self.evidence.dtype)
        yield work
        kept.append(work)

    def _side_by_side(
        self,
        run: Callable[[Indices], None],
        rows: Indices,
        steps: Indices,
        together: int = TOGETHER,
    ) -> None:
        """Run some stretches at a time, most steps first, in equal parts for every thread."""
        if len(rows) == 1:
            with without_subnormals():
                run(rows)
            return
        rows = rows[np.argsort(-steps[rows], kind="stable")]
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
