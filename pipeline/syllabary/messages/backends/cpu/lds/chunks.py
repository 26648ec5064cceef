"""Stretches of sequences in lanes, sixteen at a time, and the check of their seams.

First every stretch finds the message it begins with by an approach from frames outside; then all
are swept; then, in order, each one's message is compared with what its neighbor has really left.
Where they differ the stretch is swept again, alone, from the true one. What a message is, a matrix
and a vector of a frame, and what a sweep does with it, the caller knows.
"""

from collections.abc import Callable, Collection
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...compiled import Floats
from ..simd.vectors import BYTES
from ..threads import each, sequences
from .columns import first_of, work_for

__all__ = ["Lanes", "Message", "Stretches", "Swept"]

# Frames from which a message is found that is not known.
APPROACH = 64
# Frames of a stretch, at least and about at most, and lanes that are filled together.
SHORTEST, LONGEST, LANES = 512, 4096, 16

# Matrices (..., D, D) and vectors (..., D).
Message = tuple[Floats, Floats]


@cache
def cut(frames: int) -> NDArray[np.int64]:
    """First frame of every stretch, and the number of frames.

    Full lanes, and an even number of times: so that two threads have as much to do.
    """
    times = -(-frames // (LANES * LONGEST))
    times += times % 2 if times > 1 else 0
    number = LANES * times if frames >= LANES * SHORTEST else max(1, frames // SHORTEST)
    return np.arange(number + 1) * frames // number


class Lanes(NamedTuple):
    """What a kernel is told of the stretches in its lanes; see ``_gaussian_lanes``."""

    rows: list[int]
    places: NDArray[np.int64]
    work: Floats
    write: bool


class Swept(NamedTuple):
    """Messages that stretches began with, and how many were swept again in each sequence."""

    messages: Message
    repeated: dict[int, int]


class Stretch(NamedTuple):
    """Frames of a sequence."""

    sequence: int
    begin: int
    stop: int
    is_last: bool


class Stretches:
    """All stretches of sequences of ``lengths`` (B), whose frames are like ``vectors`` (B, T, D)."""

    def __init__(self, lengths: Tensor, vectors: Floats) -> None:
        self.frames, self.size = vectors.shape[1:]
        self.dtype, self.width = vectors.dtype, BYTES // vectors.itemsize
        self.tasks = sequences(lengths)
        self.all: list[Stretch] = []
        for i, length in self.tasks:
            places = cut(length).tolist()
            for begin, stop in pairwise(places):
                self.all.append(Stretch(i, begin, stop, stop == length))

    def __len__(self) -> int:
        return len(self.all)

    def sweep(
        self,
        work: Callable[[Lanes], None],
        again: Callable[[int, Message], None],
        left: Message,
        agree: Callable[[Message, Message, tuple[float, float]], Any],
        *,
        back: bool,
        without: Collection[int] = (),
    ) -> Swept:
        """Sweep all stretches of all sequences but some, forward or ``back``.

        Parameters
        ----------
        work : callable
            Sweeps the stretches of one set of lanes.
        again : callable
            Sweeps one stretch from its message.
        left : (B, T, D, D) and (B, T, D)
            Where a sweep leaves the message of every frame.
        agree : callable
            Compares messages with the true ones; also gets the largest entries of all true ones.
        """
        messages = (
            np.zeros((len(self), self.size, self.size), self.dtype),
            np.zeros((len(self), self.size), self.dtype),
        )
        rows = [k for k, one in enumerate(self.all) if one.sequence not in without]
        inner = [k for k in rows if not (self.all[k].is_last if back else self.all[k].begin == 0)]

        def approach(some: list[int]) -> None:
            lanes = self.lanes(some, None, back=back)
            work(lanes)
            for source, part in zip(first_of(self.size, lanes.work), messages, strict=True):
                found = source[:, : len(some)].T
                part[some] = found.reshape(len(some), *part.shape[1:])

        self._groups(approach, inner)
        self._groups(lambda some: work(self.lanes(some, messages, back=back)), rows)
        places = [
            (self.all[k].sequence, self.all[k].stop if back else self.all[k].begin - 1) for k in inner
        ]
        where = tuple(np.array(places, np.int64).reshape(-1, 2).T)
        true = tuple(part[where] for part in left)
        largest = tuple(float(abs(part).max(initial=0)) for part in true)
        begun = tuple(part[inner] for part in messages)
        good = agree(begun, true, (largest[0], largest[1]))  # type: ignore[arg-type]
        repeated: dict[int, int] = {}
        new = -1  # the stretch whose neighbor was swept again just now
        for n in [] if good.all() else range(len(inner))[:: -1 if back else 1]:
            k, place = inner[n], places[n]
            last = left[0][place], left[1][place]
            if k == new:
                good[n] = agree((messages[0][k], messages[1][k]), last, (largest[0], largest[1]))
            if not good[n]:
                repeated[place[0]] = repeated.get(place[0], 0) + 1
                messages[0][k], messages[1][k] = last
                again(k, messages)
                new = k - 1 if back else k + 1
        return Swept(messages, repeated)

    def lanes(self, rows: list[int], messages: Message | None, *, back: bool) -> Lanes:
        """Put stretches into lanes, or where there are no messages the frames that lead to them."""
        places = np.zeros((4, self.width), np.int64)
        for lane, k in enumerate(rows):
            i, begin, stop, is_last = self.all[k]
            known = messages is not None and not (is_last if back else begin == 0)
            if messages is None:
                begin, stop = (stop, stop + APPROACH) if back else (begin - APPROACH, begin)
            pair = i * (self.frames - 1) + (begin if back else begin - 1)
            places[:, lane] = i * self.frames + begin, pair, stop - begin, known
        work = work_for(self.size, self.dtype)
        if messages is not None:
            for target, part in zip(first_of(self.size, work), messages, strict=True):
                target[:, : len(rows)] = part[rows].reshape(len(rows), -1).T
        return Lanes(rows, places, work, messages is not None)

    def _groups(self, work: Callable[[list[int]], Any], rows: list[int]) -> None:
        """Run ``work`` for as many stretches at a time as there are lanes."""
        starts = [(start, 0) for start in range(0, len(rows), self.width)]
        each(lambda start, _: work(rows[start : start + self.width]), starts, torch.get_num_threads())
