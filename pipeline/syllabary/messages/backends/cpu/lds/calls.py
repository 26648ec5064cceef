"""The Gaussian chain on the processor: from tensors to passes over chunks.

The smoother overwrites what the filter left. So a chunk that runs backward again is filtered
again first, and a sequence that forgets slowly on the way forward runs backward as a whole.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...compiled import Bools, Floats, Indices, kernel
from ..chunking import ROUNDINGS
from ..threads import each
from . import scalar, tangent, vectorized
from .chunks import Chunks, Group, Message, Pass

__all__ = ["Reruns", "lds_marginals", "lds_sample", "lds_tangent"]

# A sequence runs backward as a whole if so many of its chunks had to be filtered again.
SLOW = 4

every = np.logical_and.reduce
Arrays = tuple[Floats, ...]
Kernel = Callable[[int, Arrays, Indices, Floats, Arrays, bool], None]


class Reruns(NamedTuple):
    """How many chunks ran again because their message was not the one that the neighbor left."""

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
) -> Reruns:
    """Fill means, covariances and their sums; see ``messages.lds.marginals``."""
    chain = tuple(part.numpy() for part in (precision, lower, precision_mean))
    spread, pairs = (
        np.empty(like.shape, like.dtype) if part is None else part.numpy()
        for part, like in ((covariances, chain[0]), (cross, chain[1]))
    )
    results = spread, means.numpy(), pairs
    chunks = Chunks(lengths, chain[2])
    forward = _filter(chunks, chain, results, totals.numpy(), fault.numpy())
    if keep == "filter" or bool((fault >= 0).any()):
        return Reruns(int(forward.reruns.sum()), 0)
    if filtered is not None and gain is not None:
        for i, length in chunks.tasks:
            filtered[i, :length] = torch.from_numpy(spread[i, :length])
            gain[i, : length - 1] = torch.from_numpy(pairs[i, : length - 1])
    backward = _smooth(chunks, chain, results, forward)
    if sums is not None:
        for i, length in chunks.tasks:
            _add_up(spread[i, :length], pairs[i, : length - 1], sums[i].numpy())
    return Reruns(int(forward.reruns.sum()), int(backward.reruns.sum()))


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
) -> Reruns:
    """Fill derivatives of means and covariances; see ``messages.lds.tangent``."""
    cached = [part.numpy() for part in (filtered, gain)]
    change = [part.numpy() for part in (d_precision, d_lower, centered)]
    # dP, c and dW of the forward pass, which the backward pass reads.
    partial = tuple(np.empty(part.shape, part.dtype) for part in (change[0], change[2], change[1]))
    results = tuple(part.numpy() for part in (d_covariances, d_means, d_cross))
    chunks = Chunks(lengths, change[2])

    def run(kernel: Kernel, inputs: list[Floats], outputs: Arrays, *, backward: bool) -> int:
        source, target = tuple(map(np.ravel, inputs)), tuple(map(np.ravel, outputs))

        def run_group(group: Group) -> None:
            kernel(chunks.size, source, group.places, group.workspace, target, group.write)

        def again(k: int, messages: Message) -> None:
            run_group(chunks.group([k], messages, backward=backward))

        outgoing = outputs[0], outputs[1]
        return int(chunks.run(run_group, again, outgoing, _near, backward=backward).reruns.sum())

    return Reruns(
        run(tangent.tangent_forward, [*cached, *change], partial, backward=False),
        run(tangent.tangent_backward, [*cached, covariances.numpy(), *partial], results, backward=True),
    )


def lds_sample(
    precision: Tensor,
    lower: Tensor,
    precision_mean: Tensor,
    lengths: Tensor,
    normals: Tensor,
    samples: Tensor,
    fault: Tensor,
) -> Reruns:
    """Fill a joint posterior sample; see ``messages.lds.sample``."""
    numbers, drawn, faults = normals.numpy(), samples.numpy(), fault.numpy()
    chain = tuple(part.numpy() for part in (precision, lower, precision_mean))
    spread, pairs, center = (np.empty(part.shape, part.dtype) for part in chain)
    chunks = Chunks(lengths, chain[2])
    filtered = spread, center, pairs
    forward = _filter(chunks, chain, filtered, np.empty((len(faults), 2)), faults)
    without = _slow(chunks, forward) | {i for i, _ in chunks.tasks if faults[i] >= 0}
    flat, flat_numbers, flat_drawn = tuple(map(np.ravel, filtered)), np.ravel(numbers), np.ravel(drawn)
    wrong_steps = np.full(len(chunks), -1)

    def run_group(group: Group) -> None:
        wrong = np.full(chunks.width, -1)
        vectorized.draw_backward(
            chunks.size,
            flat,
            flat_numbers,
            group.places,
            group.workspace,
            flat_drawn,
            wrong,
            group.write,
        )
        if group.write:
            wrong_steps[group.chunks] = wrong[: len(group.chunks)]

    def again(k: int, messages: Message) -> None:
        run_group(chunks.group([k], messages, backward=True))

    backward = chunks.run(run_group, again, (spread, drawn), _near_by, backward=True, without=without)
    for k, chunk in enumerate(chunks.all):
        if wrong_steps[k] >= 0:  # the last of a sequence counts: what lies before was drawn from it
            faults[chunk.sequence] = chunk.stop - 1 - wrong_steps[k]

    def whole(i: int, length: int) -> None:
        parts = center[i, :length], spread[i, :length], pairs[i, : length - 1]
        faults[i] = scalar.draw(*parts, numbers[i, :length], drawn[i, :length])

    rest = [task for task in chunks.tasks if task[0] in without and faults[task[0]] < 0]
    each(whole, rest, torch.get_num_threads())
    return Reruns(int(forward.reruns.sum()), int(backward.reruns.sum()))


def _filter(chunks: Chunks, chain: Arrays, results: Arrays, totals: Floats, fault: Indices) -> Pass:
    """Fill P⁻¹, m and W, the totals and the faults."""
    source, target = tuple(map(np.ravel, chain)), tuple(map(np.ravel, results))
    parts, faults = np.zeros((len(chunks), 2)), np.full(len(chunks), -1)

    def run_group(group: Group) -> None:
        sums, wrong = np.zeros((chunks.width, 2)), np.full(chunks.width, -1)
        vectorized.filter_forward(
            chunks.size, source, group.places, group.workspace, target, sums, wrong, group.write
        )
        if group.write:
            number = len(group.chunks)
            parts[group.chunks], faults[group.chunks] = sums[:number], wrong[:number]

    def again(k: int, messages: Message) -> None:
        i, begin, stop, _ = chunks.all[k]
        rows, pairs = slice(begin - 1, stop), slice(begin - 1, stop - 1)
        sources = chain[0][i, rows], chain[1][i, pairs], chain[2][i, rows]
        targets = results[1][i, rows], results[0][i, rows], results[2][i, pairs]
        step = scalar.filter_forward(*sources, *targets, parts[k], 1)
        faults[k] = step if step < 0 else step - 1

    forward = chunks.run(run_group, again, (results[0], results[1]), _agree, backward=False)
    totals[:] = 0
    for k, chunk in enumerate(chunks.all):
        totals[chunk.sequence] += parts[k]
        if faults[k] >= 0 and fault[chunk.sequence] < 0:
            fault[chunk.sequence] = chunk.begin + faults[k]
    return forward


def _smooth(chunks: Chunks, chain: Arrays, results: Arrays, forward: Pass) -> Pass:
    """Turn the results of ``_filter`` into S, μ and S_{t+1,t}."""
    spread, means, gain = results
    target = tuple(map(np.ravel, results))
    slow = _slow(chunks, forward)

    def run_group(group: Group) -> None:
        vectorized.smooth_backward(chunks.size, group.places, group.workspace, target, group.write)

    def again(k: int, messages: Message) -> None:
        i, begin, stop, _ = chunks.all[k]
        start = max(begin - 1, 0)
        rows, pairs, first = slice(start, stop + 1), slice(start, stop), begin - start
        spreads, centers, gains = (
            np.empty_like(part) for part in (spread[i, rows], means[i, rows], gain[i, pairs])
        )
        if first:
            spreads[0], centers[0] = forward.messages[0][k], forward.messages[1][k]
        sources = chain[0][i, rows], chain[1][i, pairs], chain[2][i, rows]
        scalar.filter_forward(*sources, centers, spreads, gains, np.zeros(2), first)
        spreads[-1], centers[-1] = spread[i, stop], means[i, stop]
        scalar.smooth_backward(centers[first:], spreads[first:], gains[first:])
        spread[i, begin:stop], means[i, begin:stop] = spreads[first:-1], centers[first:-1]
        gain[i, begin:stop] = gains[first:]

    def whole(i: int, length: int) -> None:
        scalar.smooth_backward(means[i, :length], spread[i, :length], gain[i, : length - 1])

    outgoing = results[0], results[1]
    backward = chunks.run(run_group, again, outgoing, _agree, backward=True, without=slow)
    each(whole, [task for task in chunks.tasks if task[0] in slow], torch.get_num_threads())
    return backward


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


def _slow(chunks: Chunks, forward: Pass) -> set[int]:
    """Sequences that run backward as a whole."""
    counts = chunks.reruns_by_sequence(forward.reruns)
    return {i for i, number in counts.items() if number >= SLOW}


def _deviations(message: Message) -> Floats:
    """Standard deviation of every entry of a frame, (..., D)."""
    deviations: Floats = np.sqrt(np.diagonal(message[0], axis1=-2, axis2=-1))
    return deviations


def _agree(message: Message, true: Message, largest: tuple[float, float]) -> Bools:
    """Whether messages agree to rounding, beside the deviations that they hold: (...)."""
    (spread, mean), (true_spread, true_mean) = message, true
    allowed = ROUNDINGS * float(np.finfo(mean.dtype).eps)
    scale = _deviations(true)
    near = abs(spread - true_spread) <= allowed * scale[..., None] * scale[..., None, :]
    near_mean = abs(mean - true_mean) <= allowed * (scale + abs(true_mean))
    return every(near, (-2, -1)) & every(near_mean, -1)


def _near_by(message: Message, true: Message, largest: tuple[float, float]) -> Bools:
    """Whether samples agree to rounding, beside the deviations of their frame: (...)."""
    scale = _deviations(true) + abs(true[1])
    allowed = ROUNDINGS * float(np.finfo(scale.dtype).eps)
    return every(abs(message[1] - true[1]) <= allowed * scale, -1)


def _near(message: Message, true: Message, largest: tuple[float, float]) -> Bools:
    """Whether derivatives agree to rounding, beside the largest at any chunk boundary: (...)."""
    allowed = ROUNDINGS * float(np.finfo(message[0].dtype).eps)
    spread, mean = (
        abs(part - expected) <= allowed * limit
        for part, expected, limit in zip(message, true, largest, strict=True)
    )
    return every(spread, (-2, -1)) & every(mean, -1)
