"""Passes over sequences in chunks that advance side by side, one in each lane of the vectors.

``chunking`` explains the scheme. Here a message is a matrix and a vector of a frame. All chunks warm up
over the same number of frames, in calls of their own that write no results. The caller brings the kernel
and the meaning of the matrix and the vector.
"""

from collections.abc import Callable, Collection
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...compiled import Bools, Floats, Indices
from ..chunking import cut, repair
from ..simd.vectors import BYTES
from ..threads import each, sequences
from .columns import first_of, workspace_for

__all__ = ["Chunks", "Group", "Message", "Pass"]

# Frames of a warm-up.
WARM_UP = 64
# Chunks that are filled into lanes together.
TOGETHER = 16

# Matrices (..., D, D) and vectors (..., D).
Message = tuple[Floats, Floats]


class Group(NamedTuple):
    """Chunks in the lanes of one call of a kernel; ``vectorized`` has its arguments."""

    chunks: list[int]
    places: Indices
    workspace: Floats
    write: bool


class Pass(NamedTuple):
    """Messages that chunks began with, and how often each ran again."""

    messages: Message
    reruns: Indices


class Chunk(NamedTuple):
    """Frames of a sequence."""

    sequence: int
    begin: int
    stop: int
    is_last: bool


class Chunks:
    """All chunks of sequences of ``lengths`` (B), whose frames are like ``vectors`` (B, T, D)."""

    def __init__(self, lengths: Tensor, vectors: Floats) -> None:
        self.frames, self.size = vectors.shape[1:]
        self.dtype, self.width = vectors.dtype, BYTES // vectors.itemsize
        self.tasks = sequences(lengths)
        self.all: list[Chunk] = []
        for i, length in self.tasks:
            places = cut(length, TOGETHER).tolist()
            for begin, stop in pairwise(places):
                self.all.append(Chunk(i, begin, stop, stop == length))

    def __len__(self) -> int:
        return len(self.all)

    def run(
        self,
        kernel: Callable[[Group], None],
        again: Callable[[int, Message], None],
        outgoing: Message,
        agree: Callable[[Message, Message, tuple[float, float]], Bools],
        *,
        backward: bool,
        without: Collection[int] = (),
    ) -> Pass:
        """Pass over all chunks of all sequences except some.

        Parameters
        ----------
        kernel : callable
            Passes over the chunks of one group.
        again : callable
            Passes over one chunk from its message.
        outgoing : (B, T, D, D) and (B, T, D)
            Where a pass leaves the message of every frame.
        agree : callable
            Compares messages with the true ones; also gets the largest entries of all true ones.
        """
        messages = (
            np.zeros((len(self), self.size, self.size), self.dtype),
            np.zeros((len(self), self.size), self.dtype),
        )
        reruns = np.zeros(len(self), np.int64)
        chunks = [k for k, chunk in enumerate(self.all) if chunk.sequence not in without]
        inner = [k for k in chunks if not self._is_edge(k, backward)]

        def warm_up(few: list[int]) -> None:
            group = self.group(few, None, backward=backward)
            kernel(group)
            for source, part in zip(first_of(self.size, group.workspace), messages, strict=True):
                part[few] = source[:, : len(few)].T.reshape(len(few), *part.shape[1:])

        self._in_groups(warm_up, inner)
        self._in_groups(lambda few: kernel(self.group(few, messages, backward=backward)), chunks)
        if not inner:
            return Pass(messages, reruns)
        # Sequence and frame of the neighbor's message, for every chunk.
        places = np.array(
            [(chunk.sequence, chunk.stop if backward else chunk.begin - 1) for chunk in self.all]
        )
        rows = np.array(inner)

        def left_by_neighbors(chunks: Indices) -> Message:
            sequence, frame = places[chunks].T
            return outgoing[0][sequence, frame], outgoing[1][sequence, frame]

        matrices, vectors = left_by_neighbors(rows)
        largest = float(abs(matrices).max(initial=0)), float(abs(vectors).max(initial=0))

        def fits(chunks: Indices) -> Bools:
            begun = messages[0][chunks], messages[1][chunks]
            return agree(begun, left_by_neighbors(chunks), largest)

        def run_again(k: int) -> None:
            reruns[k] += 1
            sequence, frame = places[k]
            messages[0][k], messages[1][k] = outgoing[0][sequence, frame], outgoing[1][sequence, frame]
            again(k, messages)

        threads = torch.get_num_threads()
        repair(rows, places[rows, 0], fits, run_again, backward=backward, threads=threads)
        return Pass(messages, reruns)

    def reruns_by_sequence(self, reruns: Indices) -> dict[int, int]:
        """How many chunks of each sequence ran again; only sequences with such chunks."""
        counts: dict[int, int] = {}
        for k in reruns.nonzero()[0].tolist():
            counts[self.all[k].sequence] = counts.get(self.all[k].sequence, 0) + int(reruns[k])
        return counts

    def group(self, chunks: list[int], messages: Message | None, *, backward: bool) -> Group:
        """Put chunks into lanes, or where there are no messages the frames of their warm-up."""
        places = np.zeros((4, self.width), np.int64)
        for lane, k in enumerate(chunks):
            i, begin, stop, _ = self.all[k]
            has_message = messages is not None and not self._is_edge(k, backward)
            if messages is None:
                begin, stop = (stop, stop + WARM_UP) if backward else (begin - WARM_UP, begin)
            pair = i * (self.frames - 1) + (begin if backward else begin - 1)
            places[:, lane] = i * self.frames + begin, pair, stop - begin, has_message
        workspace = workspace_for(self.size, self.dtype)
        if messages is not None:
            for target, part in zip(first_of(self.size, workspace), messages, strict=True):
                target[:, : len(chunks)] = part[chunks].reshape(len(chunks), -1).T
        return Group(chunks, places, workspace, messages is not None)

    def _is_edge(self, k: int, backward: bool) -> bool:
        """Whether a pass enters the sequence here: the chunk has no neighbor."""
        chunk = self.all[k]
        return chunk.is_last if backward else chunk.begin == 0

    def _in_groups(self, run: Callable[[list[int]], None], chunks: list[int]) -> None:
        """Run as many chunks at a time as there are lanes."""
        starts = [(start, 0) for start in range(0, len(chunks), self.width)]
        each(lambda start, _: run(chunks[start : start + self.width]), starts, torch.get_num_threads())
