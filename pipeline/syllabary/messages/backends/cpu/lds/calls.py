"""The Gaussian chain on the processor: what is asked of it, by sweeps over stretches in lanes.

The smoother writes over what the filter left. So a stretch that has to go back again is filtered
again first; and a sequence that was found to forget slowly on the way forward goes back in one
piece.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...compiled import Floats, kernel
from ..threads import each
from . import scalar, tangent, vectorized
from .chunks import Lanes, Message, Stretches, Swept

__all__ = ["Repeated", "lds_marginals", "lds_sample", "lds_tangent"]

# A sequence goes back in one piece if so many of its stretches had to be filtered again.
SLOW = 4
# Roundings by which two messages may differ that are one.
ROUNDINGS = 64

Arrays = tuple[Floats, ...]


class Repeated(NamedTuple):
    """Stretches that were swept again because their message was not what the neighbor left."""

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
    given = tuple(part.numpy() for part in (precision, lower, precision_mean))
    spread, pairs = (
        np.empty(like.shape, like.dtype) if part is None else part.numpy()
        for part, like in ((covariances, given[0]), (cross, given[1]))
    )
    found = spread, means.numpy(), pairs
    stretches = Stretches(lengths, given[2])
    forward = _filter(stretches, given, found, totals.numpy(), fault.numpy())
    if keep == "filter" or bool((fault >= 0).any()):
        return Repeated(sum(forward.repeated.values()), 0)
    if filtered is not None and gain is not None:
        for i, length in stretches.tasks:
            filtered[i, :length] = torch.from_numpy(spread[i, :length])
            gain[i, : length - 1] = torch.from_numpy(pairs[i, : length - 1])
    backward = _smooth(stretches, given, found, forward)
    if sums is not None:
        for i, length in stretches.tasks:
            _add_up(spread[i, :length], pairs[i, : length - 1], sums[i].numpy())
    return Repeated(sum(forward.repeated.values()), backward)


def lds_tangent(
    filtered: Tensor,
    gain: Tensor,
    covariances: Tensor,
    d_precision: Tensor,
    d_lower: Tensor,
    centered: Tensor,
    lengths: Tensor,
    d_means: Tensor,
    d_covariances: Tensor,
    d_cross: Tensor,
) -> Repeated:
    """Fill derivatives of means and covariances; see ``messages.lds.tangent``."""
    known = [part.numpy() for part in (filtered, gain)]
    change = [part.numpy() for part in (d_precision, d_lower, centered)]
    # dP, c and dW of the way forward, which the way back reads.
    left = tuple(np.empty(part.shape, part.dtype) for part in (change[0], change[2], change[1]))
    found = tuple(part.numpy() for part in (d_covariances, d_means, d_cross))
    stretches = Stretches(lengths, change[2])
    sweeps = (
        (tangent.tangent_forward, [*known, *change], left, False),
        (tangent.tangent_backward, [*known, covariances.numpy(), *left], found, True),
    )
    counts = []
    for run, given, target, back in sweeps:
        source, into = tuple(map(np.ravel, given)), tuple(map(np.ravel, target))

        def sweep(lanes: Lanes, run: Any = run, source: Any = source, into: Any = into) -> None:
            run(stretches.size, source, lanes.places, lanes.work, into, lanes.write)

        def again(k: int, messages: Message, sweep: Any = sweep, back: bool = back) -> None:
            sweep(stretches.lanes([k], messages, back=back))

        swept = stretches.sweep(sweep, again, (target[0], target[1]), _near, back=back)
        counts.append(sum(swept.repeated.values()))
    return Repeated(*counts)


def lds_sample(
    precision: Tensor,
    lower: Tensor,
    precision_mean: Tensor,
    lengths: Tensor,
    normals: Tensor,
    samples: Tensor,
    fault: Tensor,
) -> Repeated:
    """Fill a joint posterior sample; see ``messages.lds.sample``."""
    numbers, drawn, faults = normals.numpy(), samples.numpy(), fault.numpy()
    given = tuple(part.numpy() for part in (precision, lower, precision_mean))
    spread, pairs, center = (np.empty(part.shape, part.dtype) for part in given)
    stretches = Stretches(lengths, given[2])
    found = spread, center, pairs
    forward = _filter(stretches, given, found, np.empty((len(faults), 2)), faults)
    without = _slow(forward) | {i for i, _ in stretches.tasks if faults[i] >= 0}
    flat, into = tuple(map(np.ravel, found)), (np.ravel(numbers), np.ravel(drawn))
    bad = np.full(len(stretches), -1)

    def sweep(lanes: Lanes) -> None:
        where = np.full(stretches.width, -1)
        vectorized.draw_backward(
            stretches.size, flat, into[0], lanes.places, lanes.work, into[1], where, lanes.write
        )
        if lanes.write:
            bad[lanes.rows] = where[: len(lanes.rows)]

    def again(k: int, messages: Message) -> None:
        sweep(stretches.lanes([k], messages, back=True))

    swept = stretches.sweep(sweep, again, (spread, drawn), _near_by, back=True, without=without)
    for k, one in enumerate(stretches.all):
        if bad[k] >= 0:  # the last of a sequence counts: what lies before was drawn from it
            faults[one.sequence] = one.stop - 1 - bad[k]

    def alone(i: int, length: int) -> None:
        own = center[i, :length], spread[i, :length], pairs[i, : length - 1]
        faults[i] = scalar.draw(*own, numbers[i, :length], drawn[i, :length])

    rest = [task for task in stretches.tasks if task[0] in without and faults[task[0]] < 0]
    each(alone, rest, torch.get_num_threads())
    return Repeated(*(sum(one.repeated.values()) for one in (forward, swept)))


def _filter(stretches: Stretches, given: Arrays, found: Arrays, totals: Floats, fault: Floats) -> Swept:
    """Fill P⁻¹, m and W, the totals and the faults."""
    chain, into = tuple(map(np.ravel, given)), tuple(map(np.ravel, found))
    own, faults = np.zeros((len(stretches), 2)), np.full(len(stretches), -1)

    def sweep(lanes: Lanes) -> None:
        sums, where = np.zeros((stretches.width, 2)), np.full(stretches.width, -1)
        vectorized.filter_forward(
            stretches.size, chain, lanes.places, lanes.work, into, sums, where, lanes.write
        )
        if lanes.write:
            own[lanes.rows], faults[lanes.rows] = sums[: len(lanes.rows)], where[: len(lanes.rows)]

    def again(k: int, messages: Message) -> None:
        i, begin, stop, _ = stretches.all[k]
        rows, pairs = slice(begin - 1, stop), slice(begin - 1, stop - 1)
        sources = given[0][i, rows], given[1][i, pairs], given[2][i, rows]
        targets = found[1][i, rows], found[0][i, rows], found[2][i, pairs]
        step = scalar.filter_forward(*sources, *targets, own[k], 1)
        faults[k] = step if step < 0 else step - 1

    swept = stretches.sweep(sweep, again, (found[0], found[1]), _agree, back=False)
    totals[:] = 0
    for k, one in enumerate(stretches.all):
        totals[one.sequence] += own[k]
        if faults[k] >= 0 and fault[one.sequence] < 0:
            fault[one.sequence] = one.begin + faults[k]
    return swept


def _smooth(stretches: Stretches, given: Arrays, found: Arrays, forward: Swept) -> int:
    """Turn what ``_filter`` found into S, μ and S_{t+1,t}; the number of stretches swept again."""
    spread, means, gain = found
    into = tuple(map(np.ravel, found))
    slow = _slow(forward)

    def sweep(lanes: Lanes) -> None:
        vectorized.smooth_backward(stretches.size, lanes.places, lanes.work, into, lanes.write)

    def again(k: int, messages: Message) -> None:
        i, begin, stop, _ = stretches.all[k]
        start = max(begin - 1, 0)
        rows, pairs, first = slice(start, stop + 1), slice(start, stop), begin - start
        own = [np.empty_like(part) for part in (spread[i, rows], means[i, rows], gain[i, pairs])]
        if first:
            own[0][0], own[1][0] = forward.messages[0][k], forward.messages[1][k]
        sources = given[0][i, rows], given[1][i, pairs], given[2][i, rows]
        scalar.filter_forward(*sources, own[1], own[0], own[2], np.zeros(2), first)
        own[0][-1], own[1][-1] = spread[i, stop], means[i, stop]
        scalar.smooth_backward(own[1][first:], own[0][first:], own[2][first:])
        spread[i, begin:stop], means[i, begin:stop] = own[0][first:-1], own[1][first:-1]
        gain[i, begin:stop] = own[2][first:]

    def in_one_piece(i: int, length: int) -> None:
        scalar.smooth_backward(means[i, :length], spread[i, :length], gain[i, : length - 1])

    swept = stretches.sweep(sweep, again, (found[0], found[1]), _agree, back=True, without=slow)
    each(in_one_piece, [task for task in stretches.tasks if task[0] in slow], torch.get_num_threads())
    return sum(swept.repeated.values())


def _add_up(covariances: Floats, cross: Floats, sums: Floats) -> None:
    """Fill the sums of one sequence: before, after, cross, first."""
    if len(covariances):
        total = _total(covariances.reshape(len(covariances), -1)).reshape(sums.shape[1:])
        sums[0], sums[1], sums[3] = total - covariances[-1], total - covariances[0], covariances[0]
        sums[2] = _total(cross.reshape(len(cross), sums[2].size)).reshape(sums.shape[1:])


@kernel
def _total(values: Floats) -> Floats:
    """Sum over the first axis in float64, many times as fast as NumPy's."""
    total = np.zeros(values.shape[1])
    for t in range(len(values)):
        for e in range(values.shape[1]):
            total[e] += values[t, e]
    return total


def _slow(forward: Swept) -> set[int]:
    """Sequences that go back in one piece."""
    return {i for i, times in forward.repeated.items() if times >= SLOW}


def _deviations(true: Message) -> Any:
    """Of every entry of a frame: (..., D)."""
    return np.sqrt(np.diagonal(true[0], axis1=-2, axis2=-1))


def _agree(found: Message, true: Message, largest: Any) -> Any:
    """Whether messages are one but for rounding, by the deviations they tell of: (...)."""
    (spread, mean), (true_spread, true_mean) = found, true
    allowed = ROUNDINGS * float(np.finfo(mean.dtype).eps)
    scale = _deviations(true)
    near = abs(spread - true_spread) <= allowed * scale[..., None] * scale[..., None, :]
    return near.all((-2, -1)) & (abs(mean - true_mean) <= allowed * (scale + abs(true_mean))).all(-1)


def _near_by(found: Message, true: Message, largest: Any) -> Any:
    """Whether samples are one but for rounding, by the deviations of their frame: (...)."""
    scale = _deviations(true) + abs(true[1])
    allowed = ROUNDINGS * float(np.finfo(scale.dtype).eps)
    return (abs(found[1] - true[1]) <= allowed * scale).all(-1)


def _near(found: Message, true: Message, largest: tuple[float, float]) -> Any:
    """Whether derivatives are one but for rounding, beside the largest at any seam: (...)."""
    allowed = ROUNDINGS * float(np.finfo(found[0].dtype).eps)
    spread, mean = (
        abs(one - other) <= allowed * most for one, other, most in zip(found, true, largest, strict=True)
    )
    return spread.all((-2, -1)) & mean.all(-1)
