"""Passes over sequences that share their transitions, in chunks that advance side by side.

``chunking`` explains the scheme. Here a message is a row of K probabilities. The warm-up of a sequence
is as long as its chain takes to forget, which is tried first. A chain that does not forget in time is
cut into chunks that wait for one another.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ...compiled import Bools, Floats, Indices
from ..chunking import ROUNDINGS, SHORTEST, cut, repair
from ..simd.vectors import aligned_zeros
from ..threads import each, without_subnormals
from . import scaled
from .scaled import workspace_rows

__all__ = ["FLOOR", "Chain", "Passes"]

# Chunks that one call of a kernel advances.
TOGETHER = 8
# Frames of a chunk that waits for its neighbor.
WAITING = 8192
# Below the smallest normal number a term counts as zero, and no sum from here on misses it.
FLOOR = {np.dtype(kind): 1e9 * float(np.finfo(kind).tiny) for kind in (np.float32, np.float64)}
# Frames of warm-up that are tried. Twice as many are taken, everywhere, as forgetting takes here
# and there; still less than the shortest chunk.
TRIED = (32, 48, 64, 96, 128, 192, 255)
# Where more than one in so many boundaries was wrong forward, chunks wait for one another backward.
PUT_OFF = 4
# Memory for frames that are filtered again, bytes.
FILTERED_AGAIN = 6_000_000
# Relative difference of messages that agree, and what counts as zero.
LIMITS = {
    np.dtype(kind): (ROUNDINGS * np.finfo(kind).eps, np.finfo(kind).tiny)
    for kind in (np.float32, np.float64)
}


def cut_for_waiting(frames: int) -> Indices:
    """First frame of every chunk, and the number of frames, where each waits for another."""
    return np.append(np.arange(0, frames, WAITING), frames)


def agree(messages: Floats, expected: Floats) -> Bools:
    """Whether messages agree in every entry, however small; (..., K) to (...).

    Relative errors of a message can only shrink on its way, whatever evidence brings back.
    """
    relative, tiny = LIMITS[messages.dtype]
    allowed = relative * np.maximum(messages, expected) + tiny
    return np.logical_and.reduce(abs(messages - expected) <= allowed, -1)


class Chain(NamedTuple):
    """Transitions as numbers in 0..1, padded to whole vectors, and the log that was taken out."""

    matrix: Floats
    transposed: Floats
    log: float


class Passes:
    """Forward and backward passes over some sequences.

    Parameters
    ----------
    chain : Chain
    initial : (B, K) and (B)
        Potentials of first states as numbers in 0..1, and the log that was taken out.
    evidence : (N, K)
        Frames of all sequences.
    numbers, begins, frames : (B) int
        Where results about a sequence go, and where it lies among the frames.
    threads : int

    Attributes
    ----------
    failed : (largest number + 1) bool
        Sequences in which too much was lost.
    reruns : (number of chunks) int
        How often a chunk ran again, or had to wait for its neighbor.
    """

    def __init__(
        self,
        chain: Chain,
        initial: tuple[Floats, Floats],
        evidence: Floats,
        numbers: Indices,
        begins: Indices,
        frames: Indices,
        threads: int,
    ) -> None:
        self.chain, self.evidence, self.threads = chain, evidence, threads
        self.numbers, self.begins = numbers, begins
        self._workspaces: dict[int, list[Floats]] = defaultdict(list)
        counts, self.first, self.lengths, warm_up = self._cut(frames)
        first, total, size = counts.cumsum() - counts, int(counts.sum()), evidence.shape[1]
        self.sequence, self.warm_up = numbers.repeat(counts), warm_up.repeat(counts)
        self.is_first, self.is_last, self.lost, self.smoothed = np.zeros((4, total), np.bool_)
        self.is_first[first] = self.is_last[first - 1] = True
        self.shifts = np.full((total, 2), chain.log)
        self.shifts[first, 0] = initial[1]
        # Messages that enter and leave a chunk, forward and backward.
        self.forward_in, self.backward_in = np.ones((2, total, size), evidence.dtype)
        self.forward_out, self.backward_out = np.full((2, total, size), np.nan, evidence.dtype)
        self.forward_in[first] = initial[0]
        self.first_scales = np.full(total, np.inf)
        self.failed = np.zeros(numbers.max() + 1, np.bool_)
        self.reruns, self.no_warm_up = np.zeros((2, total), np.int64)

    def forward(self, messages: Floats, log_scales: Floats, floor: float) -> None:
        """Filter into ``messages`` (N, K), or nowhere if it has no rows, and ``log_scales`` (N)."""
        warm_ups = np.where(self.is_first, 0, self.warm_up)

        def run(chunks: Indices, warm_ups: Indices) -> None:
            self._filter(chunks, warm_ups, messages, self.first[chunks], log_scales, floor)

        def fits(chunks: Indices) -> Bools:
            before = chunks - 1
            return self.lost[before] | agree(self.forward_in[chunks], self.forward_out[before])

        def again(chunk: int) -> None:
            self.forward_in[chunk] = self.forward_out[chunk - 1]
            self.reruns[chunk] += 1
            run(np.array([chunk]), self.no_warm_up)

        has_message = self.is_first | (warm_ups > 0)
        self.forward_in[~has_message] = np.nan
        steps = warm_ups + self.lengths
        self._side_by_side(lambda chunks: run(chunks, warm_ups), has_message.nonzero()[0], steps)
        if len(self.first) > len(self.numbers):
            inner = (~self.is_first).nonzero()[0]
            repair(inner, self.sequence[inner], fits, again, backward=False, threads=self.threads)
            for chunks in np.split(np.arange(len(self.first)), np.flatnonzero(self.is_first)[1:]):
                if PUT_OFF * self.reruns[chunks].sum() > len(chunks):
                    self.warm_up[chunks] = 0
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

        Where they have no rows frames are filtered again, a few chunks at a time, and forgotten.
        ``transitions`` (B, K, K) and ``first`` (B, K) receive sums of pairs and first states.
        """
        size = self.evidence.shape[1]
        # Sums of pairs wait until their chunk is right, so no more than some chunks at a time.
        together = TOGETHER
        if not len(states):
            numbers = int(self.lengths.max()) * size * self.evidence.itemsize
            together = max(1, min(TOGETHER // 2, FILTERED_AGAIN // (numbers * self.threads)))
        waves = -(-len(self.first) // (2 * together * self.threads))
        wave = -(-len(self.first) // waves)
        pairs, low = np.empty((wave, size, size)), 0
        warm_ups = np.where(self.is_last, 0, self.warm_up)
        steps = warm_ups + self.lengths - self.is_last
        has_message = self.is_last | (warm_ups > 0)
        self.backward_in[~has_message] = np.nan
        exact_transitions = self.chain.matrix[:, :size].astype(np.float64)

        def run(chunks: Indices, warm_ups: Indices) -> None:
            before, after, places = filtered, states, self.first[chunks]
            if not len(states):
                lengths = self.lengths[chunks]
                places = lengths.cumsum() - lengths
                before = after = np.empty((lengths.sum(), size), states.dtype)
                order = np.argsort(-lengths, kind="stable")
                self._filter(chunks[order], self.no_warm_up, before, places[order], log_scales, floor)
            self._smooth(chunks, warm_ups, before, places, after, (pairs, chunks - low), floor)
            is_first = self.is_first[chunks]
            first[self.sequence[chunks[is_first]]] = after[places[is_first]]

        def fits(chunks: Indices) -> Bools:
            after = chunks + 1
            return self.lost[after] | agree(self.backward_in[chunks], self.backward_out[after])

        def again(chunk: int) -> None:
            self.backward_in[chunk] = self.backward_out[chunk + 1]
            self.reruns[chunk] += 1
            chunks = np.array([chunk])
            if self.smoothed[chunk] and filtered is states and len(states):
                self._filter(chunks, self.no_warm_up, filtered, self.first[chunks], log_scales, floor)
            run(chunks, self.no_warm_up)

        for high in range(len(self.first), 0, -wave):
            low = max(0, high - wave)
            chunks = np.arange(low, high)[~self.failed[self.sequence[low:high]]]
            ready = chunks[has_message[chunks]]
            self._side_by_side(lambda chunks: run(chunks, warm_ups), ready, steps, together)
            inner = chunks[~self.is_last[chunks]]
            repair(inner, self.sequence[inner], fits, again, backward=True, threads=self.threads)
            for chunk in chunks[::-1]:
                sums = transitions[self.sequence[chunk]]
                np.add(0 if self.is_last[chunk] else sums, pairs[chunk - low], out=sums)
                if self.is_first[chunk]:
                    sums *= exact_transitions
        self.failed[self.sequence[self.lost]] = True

    def _cut(self, frames: Indices) -> tuple[Indices, Indices, Indices, Indices]:
        """Chunks of each sequence, where they begin, their frames; the warm-up of each sequence."""
        if frames.max() < 2 * SHORTEST:
            none = np.zeros(len(frames), np.int64)
            return none + 1, self.begins, frames, none
        places = [cut(int(number), TOGETHER) for number in frames]
        warm_up = [
            self._warm_up_from(begin + at) if len(at) > 2 else 0
            for begin, at in zip(self.begins, places, strict=True)
        ]
        for i, number in enumerate(frames):
            places[i] = places[i] if warm_up[i] else cut_for_waiting(int(number))
        return (
            np.array([len(at) - 1 for at in places]),
            np.concatenate([begin + at[:-1] for begin, at in zip(self.begins, places, strict=True)]),
            np.concatenate([np.diff(at) for at in places]),
            np.array(warm_up),
        )

    def _warm_up_from(self, places: Indices) -> int:
        """Frames in which a sequence of some chunks forgets where it came from; 0 if never.

        Chunks here and there start from two messages far apart.
        """
        sampled = places[1 :: -(-len(places) // TOGETHER)][:TOGETHER]
        sampled = sampled[sampled < places[-1]]
        size = self.evidence.shape[1]
        # Numbers in 1e-6..1 in an order without pattern: multiples of the golden ratio.
        tilted = 1e-6 ** (np.arange(1, size + 1) * 0.6180339887 % 1)
        messages = np.repeat([np.ones(size), tilted], len(sampled), axis=0).astype(self.evidence.dtype)
        number, first, done = len(sampled), np.concatenate([sampled, sampled]), 0
        for frames in TRIED:
            messages = self._carry(first + done, frames - done, messages)
            done = frames
            if agree(messages[:number], messages[number:]).all():
                return 2 * done
        return 0

    def _carry(self, first: Indices, frames: int, messages: Floats) -> Floats:
        """Messages after so many frames."""
        number, outgoing = len(first), np.empty_like(messages)
        chunks, none = np.arange(number), np.zeros(number, np.int64)
        nowhere = messages[:0], none, np.empty((1, 0))
        with self._workspace(workspace_rows(number)[0]) as space:
            scaled.forward(
                self.chain.matrix, chunks, none, messages, none > 0, np.zeros((number, 2)),
                self.evidence, first, none + frames, FLOOR[messages.dtype], *nowhere, outgoing,
                np.empty(number), none > 0, space,
            )  # fmt: skip
        return outgoing

    def _filter(
        self,
        chunks: Indices,
        warm_ups: Indices,
        messages: Floats,
        places: Indices,
        log_scales: Floats,
        floor: float,
    ) -> None:
        """Filter chunks into ``messages`` from ``places`` on."""
        with self._workspace(workspace_rows(len(chunks))[0]) as space:
            scaled.forward(
                self.chain.matrix, chunks, warm_ups, self.forward_in, self.is_first, self.shifts,
                self.evidence, self.first, self.lengths, floor, messages, places, log_scales[None],
                self.forward_out, self.first_scales, self.lost, space,
            )  # fmt: skip

    def _smooth(
        self,
        chunks: Indices,
        warm_ups: Indices,
        filtered: Floats,
        places: Indices,
        states: Floats,
        pairs: tuple[Floats, Indices],
        floor: float,
    ) -> None:
        """Smooth chunks and fill their sums of pairs."""
        with self._workspace(workspace_rows(len(chunks))[1]) as space:
            scaled.backward(
                self.chain.transposed, chunks, warm_ups, self.backward_in, self.is_last, self.evidence,
                self.first, self.lengths, floor, self.first_scales, filtered, places, states, *pairs,
                self.backward_out, self.lost, space,
            )  # fmt: skip
        self.smoothed[chunks] = True

    @contextmanager
    def _workspace(self, rows: int) -> Iterator[Floats]:
        """Workspace of a kernel, which the next one finds in the cache."""
        kept = self._workspaces[rows]
        try:
            space = kept.pop()
        except IndexError:
            space = aligned_zeros(rows, self.evidence.shape[1], self.evidence.dtype)
        yield space
        kept.append(space)

    def _side_by_side(
        self,
        run: Callable[[Indices], None],
        chunks: Indices,
        steps: Indices,
        together: int = TOGETHER,
    ) -> None:
        """Run some chunks at a time, those of most steps first, in equal parts for every thread."""
        if len(chunks) == 1:
            with without_subnormals():
                run(chunks)
            return
        chunks = chunks[np.argsort(-steps[chunks], kind="stable")]
        parts = min(len(chunks), self.threads * -(-len(chunks) // (together * self.threads)))
        bounds = [len(chunks) * part // parts for part in range(parts)] + [len(chunks)]
        each(lambda begin, end: run(chunks[begin:end]), list(pairwise(bounds)), self.threads)
