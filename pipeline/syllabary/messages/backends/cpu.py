"""The processor: how sequences are handed to the kernels of the files beside this one.

Messages are probabilities, normalised at every frame, so a step costs K² multiplications and
no more than 2 K exponentials. A state far behind the others underflows to zero. That is
harmless unless later frames bring it back, and then the sweeps notice: the sequence is done
again in float64, and if that is not enough, slowly and exactly in logs. (A derivative goes to
logs at once, for it starts from the messages that lost it.)

Sequences run in parallel on ``torch.get_num_threads()`` threads; each is computed in the same
order whatever their number, so that no answer depends on it.
"""

import math
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from . import _derivative, _logs, _paths, _regression, _scaled
from ._compiled import Floats
from ._continuous import lds_marginals, lds_sample, lds_tangent

__all__ = [
    "ar_log_likelihood",
    "available",
    "hmm_marginals",
    "hmm_path",
    "hmm_sample",
    "hmm_tangent",
    "lds_marginals",
    "lds_sample",
    "lds_tangent",
]

# Frames whitened by one matrix product, and frames that one thread takes at a time.
REGRESSION_BLOCK = 128
REGRESSION_SPAN = 2048
# Below the smallest normal number a term counts as zero, and no sum from here on misses it.
FLOOR = {np.dtype(kind): 1e9 * float(np.finfo(kind).tiny) for kind in (np.float32, np.float64)}


class Chain(NamedTuple):
    """Potentials of a chain as numbers in 0..1, and the logs that were taken out."""

    initial: Floats
    transition: Floats
    transposed: Floats
    log_initial: float
    log_transition: float


def available() -> bool:
    """Whether this machine can run the kernels: always."""
    return True


def hmm_marginals(
    initial: Tensor,
    transition: Tensor,
    evidence: Tensor,
    lengths: Tensor,
    keep: str,
    states: Tensor | None,
    filtered: Tensor | None,
    transitions: Tensor | None,
    first: Tensor | None,
    log_scales: Tensor,
    fault: Tensor,
) -> None:
    """Fill marginals, pair sums, first states and log scales; see ``messages.hmm.marginals``."""
    logs, chain = _chains(initial, transition)
    frames, scales, faults = evidence.numpy(), log_scales.numpy(), fault.numpy()
    kept = None if states is None else states.numpy()
    cached = None if filtered is None else filtered.numpy()
    sums = None if transitions is None else transitions.numpy()
    starts = None if first is None else first.numpy()

    def one(i: int, length: int) -> None:
        seen = frames[i, :length]
        target = np.empty_like(seen) if kept is None else kept[i, :length]
        pairs = None if sums is None else sums[i]
        cache = None if cached is None else cached[i, :length]
        for messages, parts in _attempts(chain, i, target):
            if _sweep(parts, seen.astype(messages.dtype, copy=False), messages, scales[i], pairs, cache):
                break
        else:
            messages = np.empty(seen.shape)
            faults[i] = _logs.forward(*logs(i), seen, messages, scales[i])
            if faults[i] >= 0:
                return
            if cache is not None:
                np.exp(messages, out=cache, casting="same_kind")
            if pairs is None:
                np.exp(messages, out=messages)
            else:
                _logs.backward(logs(i)[1], seen, messages, pairs)
        if messages is not target:
            target[:] = messages
        if starts is not None:
            starts[i] = messages[0]

    _each(one, _sequences(lengths), torch.get_num_threads())


def hmm_tangent(
    initial: Tensor,
    transition: Tensor,
    evidence: Tensor,
    filtered: Tensor,
    states: Tensor,
    direction: Tensor,
    lengths: Tensor,
    d_states: Tensor,
    d_transitions: Tensor,
) -> None:
    """Fill derivatives of marginals and pair sums; see ``messages.hmm.tangent``."""
    logs, chain = _chains(initial, transition)
    before, marginals, change = (part.numpy() for part in (filtered, states, direction))
    frames, moved, sums = (part.numpy() for part in (evidence, d_states, d_transitions))

    def one(i: int, length: int) -> None:
        a, w, dl = before[i, :length], marginals[i, :length], change[i, :length]
        parts = chain(i, a.dtype)
        ahead, behind, ratio = np.empty((3, *a.shape), a.dtype)
        own, bounds = (a, w, dl), (FLOOR[a.dtype], _derivative.LOST * float(np.finfo(a.dtype).eps))
        if _derivative.sweep(*parts[1:3], *own, ahead, behind, ratio, *bounds):
            # Pairs a_t(j) P(j, k) r_{t+1}(k), each times f_t(j) + h_{t+1}(k).
            pairs = (a * ahead)[:-1], a[:-1], ratio[1:], behind[1:]
            came, stayed, went, gone = (torch.from_numpy(part).double() for part in pairs)
            sums[i] = parts.transition * (came.T @ went + stayed.T @ (went * gone)).numpy()
        else:
            given = [part.astype(np.float64) for part in (frames[i, :length], w, dl)]
            ahead, behind = np.empty((2, *a.shape))
            _logs.tangent(*logs(i), *given, ahead, behind, sums[i])
        change_of_log = ahead + behind - dl
        moved[i, :length] = w * (change_of_log - (w * change_of_log).sum(1, keepdims=True))

    with _one_thread_each() as threads:
        _each(one, _sequences(lengths), threads)


def hmm_sample(
    initial: Tensor,
    transition: Tensor,
    evidence: Tensor,
    lengths: Tensor,
    uniform: Tensor,
    path: Tensor,
    fault: Tensor,
) -> None:
    """Fill a joint posterior sample; see ``messages.hmm.sample``."""
    logs, chain = _chains(initial, transition)
    frames, numbers, paths, faults = (part.numpy() for part in (evidence, uniform, path, fault))

    def one(i: int, length: int) -> None:
        seen, scales = frames[i, :length], np.empty(length)
        for messages, parts in _attempts(chain, i, np.empty_like(seen)):
            if _sweep(parts, seen.astype(messages.dtype, copy=False), messages, scales, None):
                _paths.draw(parts.transposed, messages, numbers[i], paths[i])
                return
        messages = np.empty(seen.shape)
        faults[i] = _logs.forward(*logs(i), seen, messages, scales)
        if faults[i] < 0:
            _paths.log_draw(logs(i)[1], messages, numbers[i], paths[i])

    _each(one, _sequences(lengths), torch.get_num_threads())


def hmm_path(
    initial: Tensor,
    transition: Tensor,
    evidence: Tensor,
    lengths: Tensor,
    path: Tensor,
    fault: Tensor,
) -> None:
    """Fill the most probable path; see ``messages.hmm.path``."""
    logs, _ = _chains(initial.to(evidence.dtype), transition.to(evidence.dtype))
    frames, paths, faults = evidence.numpy(), path.numpy(), fault.numpy()

    def one(i: int, length: int) -> None:
        scores = np.empty_like(frames[i, :length])
        faults[i] = _paths.best(*logs(i), frames[i, :length], scores)
        if faults[i] < 0:
            _paths.trace(logs(i)[1], scores, paths[i])

    _each(one, _sequences(lengths), torch.get_num_threads())


def ar_log_likelihood(joint: Tensor, whitener: Tensor, constant: Tensor, log_likelihood: Tensor) -> None:
    """Fill ``constant − ½ Σ_f (joint · whitener_f)²``, one row per frame.

    Parameters
    ----------
    joint : (N, p + D)
        Regressors and latents side by side.
    whitener : (p + D, F, K)
        Same dtype; the state is the fastest axis.
    constant : (K) float64
    log_likelihood : (N, K)
        Same dtype; filled.
    """
    width, rows, size = whitener.shape
    flat, offset = whitener.reshape(width, rows * size), constant.numpy()

    def span(start: int, stop: int) -> None:
        buffer = joint.new_empty((REGRESSION_BLOCK, rows * size))
        for begin in range(start, stop, REGRESSION_BLOCK):
            block = joint[begin : min(begin + REGRESSION_BLOCK, stop)]
            whitened = torch.mm(block, flat, out=buffer[: len(block)])
            _regression.sum_squares(
                whitened.numpy().reshape(len(block), rows, size),
                offset,
                log_likelihood[begin : begin + len(block)].numpy(),
            )

    starts = range(0, len(joint), REGRESSION_SPAN)
    with _one_thread_each() as threads:
        _each(span, [(start, min(start + REGRESSION_SPAN, len(joint))) for start in starts], threads)


def _chains(
    initial: Tensor, transition: Tensor
) -> tuple[Callable[[int], tuple[Floats, Floats]], Callable[[int, Any], Chain]]:
    """Potentials of sequence i, as logs and as numbers of a dtype."""
    starts, steps = initial.numpy(), transition.numpy()

    def logs(i: int) -> tuple[Floats, Floats]:
        return starts[i % len(starts)], steps[i % len(steps)]

    @lru_cache(maxsize=4)
    def convert(start: int, step: int, dtype: Any) -> Chain:
        first, log_initial = _exponential(starts[start], dtype)
        matrix, log_transition = _exponential(steps[step], dtype)
        return Chain(first, matrix, np.ascontiguousarray(matrix.T), log_initial, log_transition)

    return logs, lambda i, dtype: convert(i % len(starts), i % len(steps), dtype)


def _exponential(log: Floats, dtype: Any) -> tuple[Floats, float]:
    """Exponential over its largest entry, and the log of that entry."""
    shift = float(log.max())
    shift = shift if math.isfinite(shift) else 0.0
    return np.exp(log - shift).astype(dtype), shift


def _attempts(
    chain: Callable[[int, Any], Chain], i: int, target: Floats
) -> Iterator[tuple[Floats, Chain]]:
    """Room for messages, and the chain, in the precision asked for and then in float64."""
    yield target, chain(i, target.dtype)
    if target.dtype != np.float64:
        yield np.empty(target.shape), chain(i, np.dtype(np.float64))


def _sweep(
    chain: Chain,
    evidence: Floats,
    messages: Floats,
    log_scales: Floats,
    pairs: Floats | None,
    cache: Floats | None = None,
) -> bool:
    """Filter into ``messages``, or smooth if ``pairs`` are wanted; false if too much was lost.

    ``cache`` receives the filtered messages before they are smoothed.

    A sweep loses what is below the smallest normal number, relative to the largest term.
    Smoothing compares that with the normaliser of every pair of frames, which counts all that
    is later brought back. A filter has not seen what comes; it is safe where every state can
    follow every other with a probability that dwarfs what was lost.
    """
    floor = FLOOR[messages.dtype]
    smallest = float(chain.transition.min()) if pairs is None and len(messages) > 1 else 1.0
    if smallest < floor:
        return False
    first = _scaled.forward(*chain[:2], *chain[3:], evidence, messages, log_scales, floor / smallest)
    if cache is not None:
        cache[:] = messages
    if pairs is None or not first:
        return bool(first)
    return bool(_scaled.backward(*chain[1:3], evidence, messages, pairs, first, floor))


def _sequences(lengths: Tensor) -> list[tuple[int, int]]:
    """Number and length of every sequence that has frames."""
    return [(i, length) for i, length in enumerate(lengths.tolist()) if length > 0]


def _each(work: Callable[[int, int], None], tasks: list[tuple[int, int]], threads: int) -> None:
    """Run ``work`` for every task, on as many threads as there are, at most one for each task."""
    workers = min(threads, len(tasks))
    queue = iter(tasks)  # shared: whoever is free takes the next

    def drain(_: int) -> None:
        with _without_subnormals():
            for task in queue:
                work(*task)

    if workers <= 1:
        drain(0)
        return
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(drain, range(workers)):
            pass


@contextmanager
def _one_thread_each() -> Iterator[int]:
    """Yield the number of threads, with products inside them held to one.

    Threads below ours, inside a product, would wait for one another at every block.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _without_subnormals() -> Iterator[None]:
    """Let this thread's processor treat subnormal numbers as zero: each costs it 100 cycles.

    Evidence of some tens of nats fills messages with them, and a sweep takes eight times as long.
    """
    before = sys.float_info.min / 2 == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
