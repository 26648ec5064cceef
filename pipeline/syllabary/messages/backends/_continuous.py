"""The Gaussian chain on the processor: how sequences are handed to the kernels.

Long sequences are cut into stretches (``_stretches``), and the stretches of all sequences go into
lanes, sixteen at a time. First every stretch finds the message it begins with by an approach from
frames outside; then all are swept; then, in order, each one's message is compared with what its
neighbour has really left. Where they differ the stretch is swept again, alone, from the true one.
The way back is the same; but what it writes over, it has to filter again first. So a sequence that
was found to forget slowly on the way forward goes back in one piece.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from . import _gaussian, _gaussian_lanes
from ._compiled import Floats
from ._lanes import BYTES, padded, room
from ._stretches import ROUNDINGS, cut
from ._threads import each, sequences

__all__ = ["Repeated", "lds_marginals", "lds_sample", "lds_tangent"]

# Frames from which a message is found that is not known.
APPROACH = 64
# A sequence goes back in one piece if so many of its stretches had to be filtered again.
SLOW = 4


class Repeated(NamedTuple):
    """Stretches that were swept again because they began with a message that was not their neighbour's."""

    forward: int
    backward: int


def lds_marginals(
    precision: Tensor,
    lower: Tensor,
    precision_mean: Tensor,
    lengths: Tensor,
    keep: str,
    means: Tensor,
    covariances: Tensor | None,
    cross: Tensor | None,
    filtered: Tensor | None,
    gain: Tensor | None,
    sums: Tensor | None,
    totals: Tensor,
    fault: Tensor,
) -> Repeated:
    """Fill means, covariances and their sums; see ``messages.lds.marginals``."""
    spread, pairs = (
        np.empty(like.shape, means.numpy().dtype) if part is None else part.numpy()
        for part, like in ((covariances, precision), (cross, lower))
    )
    chain = _Chain((precision, lower, precision_mean), lengths, (spread, means.numpy(), pairs))
    forward = chain.filter(totals.numpy(), fault.numpy())
    if keep == "filter" or (fault >= 0).any():
        return Repeated(forward, 0)
    if filtered is not None and gain is not None:
        for i, length in chain.tasks:
            filtered[i, :length] = torch.from_numpy(spread[i, :length])
            gain[i, : length - 1] = torch.from_numpy(pairs[i, : length - 1])
    backward = chain.smooth()
    if sums is not None:
        for i, length in chain.tasks:
            own, steps = spread[i, :length], pairs[i, : length - 1]
            for k, part in enumerate((own[:-1], own[1:], steps, own[:1])):
                sums[i, k] = torch.from_numpy(part.sum(0, dtype=np.float64))
    return Repeated(forward, backward)


def lds_tangent(
    filtered: Tensor,
    gain: Tensor,
    covariances: Tensor,
    d_precision: Tensor,
    d_lower: Tensor,
    centred: Tensor,
    lengths: Tensor,
    d_means: Tensor,
    d_covariances: Tensor,
    d_cross: Tensor,
) -> None:
    """Fill derivatives of means and covariances; see ``messages.lds.tangent``."""
    frames = [part.numpy() for part in (filtered, covariances, d_precision, centred)]
    pairs = [part.numpy() for part in (gain, d_lower, d_cross)]
    moved = [part.numpy() for part in (d_means, d_covariances)]

    def one(i: int, length: int) -> None:
        before, spread, change, center = (part[i, :length] for part in frames)
        steps, d_steps, d_pairs = (part[i, : length - 1] for part in pairs)
        own = [part[i, :length] for part in moved]
        _gaussian.tangent(before, steps, spread, change, d_steps, center, *own, d_pairs)

    each(one, sequences(lengths), torch.get_num_threads())


def lds_sample(
    precision: Tensor,
    lower: Tensor,
    precision_mean: Tensor,
    lengths: Tensor,
    normals: Tensor,
    samples: Tensor,
    fault: Tensor,
) -> None:
    """Fill a joint posterior sample; see ``messages.lds.sample``."""
    numbers, drawn, faults = normals.numpy(), samples.numpy(), fault.numpy()
    spread, center, pairs = (
        np.empty(part.shape, drawn.dtype) for part in (precision, precision_mean, lower)
    )
    chain = _Chain((precision, lower, precision_mean), lengths, (spread, center, pairs))
    chain.filter(np.empty((len(faults), 2)), faults)

    def one(i: int, length: int) -> None:
        if faults[i] < 0:
            found = center[i, :length], spread[i, :length], pairs[i, : length - 1]
            faults[i] = _gaussian.draw(*found, numbers[i, :length], drawn[i, :length])

    each(one, chain.tasks, torch.get_num_threads())


class _Stretch(NamedTuple):
    """Frames of a sequence."""

    sequence: int
    begin: int
    stop: int
    is_last: bool


class _Chain:
    """Potentials, what is found of them, and the stretches that they are cut into."""

    def __init__(
        self, given: tuple[Tensor, Tensor, Tensor], lengths: Tensor, found: tuple[Floats, Floats, Floats]
    ) -> None:
        self.precision, self.lower, self.linear = (part.numpy() for part in given)
        self.spread, self.means, self.gain = found
        self.frames, self.size = self.linear.shape[1:]
        self.lanes = BYTES // self.linear.itemsize
        self.tasks = sequences(lengths)
        self.stretches: list[_Stretch] = []
        for i, length in self.tasks:
            places = cut(length).tolist()
            for begin, stop in zip(places[:-1], places[1:], strict=True):
                self.stretches.append(_Stretch(i, begin, stop, stop == length))
        count = len(self.stretches)
        # Message that every stretch begins with, on the way forward and on the way back.
        self.before = self._messages(count)
        self.behind = self._messages(count)
        self.slow: set[int] = set()

    def _messages(self, count: int) -> tuple[Floats, Floats]:
        shapes = (count, self.size, self.size), (count, self.size)
        spread, mean = (np.zeros(shape, self.linear.dtype) for shape in shapes)
        return spread, mean

    def filter(self, totals: Floats, fault: Floats) -> int:
        """Fill P⁻¹, m, W, totals and faults; the number of stretches that were swept twice."""
        count = len(self.stretches)
        own, faults = np.zeros((count, 2)), np.full(count, -1)
        inner = [k for k, one in enumerate(self.stretches) if one.begin]

        def approach(rows: list[int]) -> None:
            self._forward(rows, APPROACH, None, None)

        def sweep(rows: list[int]) -> None:
            self._forward(rows, 0, own, faults)

        self._groups(approach, inner)
        self._groups(sweep, list(range(count)))
        totals[:] = 0
        repeated = 0
        again: dict[int, int] = {}
        for k, one in enumerate(self.stretches):
            i, begin = one.sequence, one.begin
            if fault[i] >= 0:
                continue
            if begin:
                true = self.spread[i, begin - 1], self.means[i, begin - 1]
                if not _agree((self.before[0][k], self.before[1][k]), true):
                    repeated += 1
                    again[i] = again.get(i, 0) + 1
                    self.before[0][k], self.before[1][k] = true
                    rows = slice(begin - 1, one.stop)
                    faults[k] = _gaussian.filter_forward(
                        self.precision[i, rows], self.lower[i, begin - 1 : one.stop - 1],
                        self.linear[i, rows], self.means[i, rows], self.spread[i, rows],
                        self.gain[i, begin - 1 : one.stop - 1], own[k], 1,
                    ) - 1  # fmt: skip
                    faults[k] = max(faults[k], -1)
            if faults[k] >= 0:
                fault[i] = begin + faults[k]
            totals[i] += own[k]
        self.slow = {i for i, times in again.items() if times >= SLOW}
        return repeated

    def smooth(self) -> int:
        """Turn what ``filter`` found into S, μ and S_{t+1,t}; the number of stretches swept twice."""
        chosen = [k for k, one in enumerate(self.stretches) if one.sequence not in self.slow]
        whole = [(i, length) for i, length in self.tasks if i in self.slow]
        self._groups(self._approach_back, [k for k in chosen if not self.stretches[k].is_last])
        self._groups(self._sweep_back, chosen)

        def in_one_piece(i: int, length: int) -> None:
            _gaussian.smooth_backward(
                self.means[i, :length], self.spread[i, :length], self.gain[i, : length - 1]
            )

        each(in_one_piece, whole, torch.get_num_threads())
        repeated = 0
        for k in reversed(chosen):
            one = self.stretches[k]
            if one.is_last:
                continue
            true = self.spread[one.sequence, one.stop], self.means[one.sequence, one.stop]
            if not _agree((self.behind[0][k], self.behind[1][k]), true):
                repeated += 1
                self._back_again(k)
        return repeated

    def _groups(self, work: Callable[[list[int]], None], rows: list[int]) -> None:
        """Run ``work`` for as many stretches at a time as there are lanes."""
        starts = [(start, 0) for start in range(0, len(rows), self.lanes)]
        each(
            lambda start, _: work(rows[start : start + self.lanes]), starts, torch.get_num_threads()
        )

    def _forward(
        self, rows: list[int], approach: int, totals: Floats | None, faults: Floats | None
    ) -> None:
        """Sweep stretches, or the frames before them for the message that they begin with."""
        places = np.zeros((4, self.lanes), np.int64)
        for lane, k in enumerate(rows):
            i, begin, stop, _ = self.stretches[k]
            first, last = (begin - approach, begin) if approach else (begin, stop)
            known = begin > 0 and not approach
            places[:, lane] = (
                i * self.frames + first, i * (self.frames - 1) + first - 1, last - first, known
            )  # fmt: skip
        work = self._work()
        if not approach:
            _into_columns(work, self.before, rows)
        own, found = np.zeros((self.lanes, 2)), np.full(self.lanes, -1)
        chain = tuple(part.reshape(-1) for part in (self.precision, self.lower, self.linear))
        _gaussian_lanes.filter_forward(
            self.size, chain, places, work, self._flat(), own, found, not approach
        )
        if totals is None or faults is None:
            _out_of_columns(work, self.before, rows)
        else:
            totals[rows], faults[rows] = own[: len(rows)], found[: len(rows)]

    def _approach_back(self, rows: list[int]) -> None:
        self._backward(rows, approach=True)

    def _sweep_back(self, rows: list[int]) -> None:
        self._backward(rows, approach=False)

    def _backward(self, rows: list[int], *, approach: bool) -> None:
        """Smooth stretches, or the frames behind them for the message that they begin with."""
        places = np.zeros((4, self.lanes), np.int64)
        for lane, k in enumerate(rows):
            i, begin, stop, is_last = self.stretches[k]
            first, last = (stop, stop + APPROACH) if approach else (begin, stop)
            known = not is_last and not approach
            places[:, lane] = i * self.frames + first, i * (self.frames - 1) + first, last - first, known
        work = self._work()
        if not approach:
            _into_columns(work, self.behind, rows)
        _gaussian_lanes.smooth_backward(self.size, places, work, self._flat(), not approach)
        if approach:
            _out_of_columns(work, self.behind, rows)

    def _back_again(self, k: int) -> None:
        """Filter and smooth a stretch alone, from what its neighbours have really left."""
        i, begin, stop, _ = self.stretches[k]
        start = max(begin - 1, 0)
        rows, pairs = slice(start, stop + 1), slice(start, stop)
        spread, means, gain = (
            np.empty_like(part) for part in (self.spread[i, rows], self.means[i, rows], self.gain[i, pairs])
        )
        first = begin - start
        if first:
            spread[0], means[0] = self.before[0][k], self.before[1][k]
        _gaussian.filter_forward(
            self.precision[i, rows], self.lower[i, pairs], self.linear[i, rows],
            means, spread, gain, np.zeros(2), first,
        )  # fmt: skip
        spread[-1], means[-1] = self.spread[i, stop], self.means[i, stop]
        _gaussian.smooth_backward(means[first:], spread[first:], gain[first:])
        self.spread[i, begin:stop], self.means[i, begin:stop] = spread[first:-1], means[first:-1]
        self.gain[i, begin:stop] = gain[first:]

    def _flat(self) -> tuple[Floats, ...]:
        return tuple(part.reshape(-1) for part in (self.spread, self.means, self.gain))

    def _work(self) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
        """Room for six matrices and five vectors of a frame, in columns; zeros.

        Sums are taken four columns at a time, so that some entries behind the last are read.
        """
        dtype, spare = self.linear.dtype, 4 * self.size

        def rows(size: int) -> Floats:
            return room(padded(size + spare, dtype), self.lanes, dtype)

        matrices = tuple(rows(self.size**2) for _ in range(6))
        return matrices, tuple(rows(self.size) for _ in range(5))


def _into_columns(work: tuple[tuple[Floats, ...], tuple[Floats, ...]], messages: tuple[Floats, Floats], rows: list[int]) -> None:
    for target, part in zip((work[0][0], work[1][0]), messages, strict=True):
        flat = part[rows].reshape(len(rows), -1).T
        target[: len(flat), : len(rows)] = flat


def _out_of_columns(work: tuple[tuple[Floats, ...], tuple[Floats, ...]], messages: tuple[Floats, Floats], rows: list[int]) -> None:
    for source, part in zip((work[0][0], work[1][0]), messages, strict=True):
        width = part[0].size
        part[rows] = source[:width, : len(rows)].T.reshape(len(rows), *part.shape[1:])


def _agree(found: tuple[Floats, Floats], true: tuple[Floats, Floats]) -> bool:
    """Whether two messages are one but for rounding, by the deviations they tell of."""
    (spread, mean), (true_spread, true_mean) = found, true
    allowed = ROUNDINGS * float(np.finfo(mean.dtype).eps)
    scale = np.sqrt(np.diagonal(true_spread))
    near = abs(spread - true_spread) <= allowed * scale[:, None] * scale
    return bool(near.all() and (abs(mean - true_mean) <= allowed * (scale + abs(true_mean))).all())
