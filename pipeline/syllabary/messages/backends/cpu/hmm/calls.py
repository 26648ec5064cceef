"""The discrete chain on the processor: from tensors to sweeps, and what is done where one fails.

Messages are probabilities, normalized at every frame, so a step costs K² multiplications and
no more than 2 K exponentials. A state far behind the others underflows to zero. That is
harmless unless later frames bring it back, and then the sweeps notice: the sequence is done
again in float64, and if that is not enough, slowly and exactly in logs. (A derivative goes to
logs at once, for it starts from the messages that lost it.)
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...compiled import Floats
from ..simd.vectors import room
from ..threads import each, sequences, without_subnormals
from . import logs
from . import paths as path_kernels
from . import tangent as tangent_kernels
from .chunks import FLOOR, Chain, Indices, Sweep

__all__ = ["hmm_marginals", "hmm_path", "hmm_sample", "hmm_tangent"]

Tasks = list[tuple[int, int]]


class Chains:
    """Potentials of sequence i, as logs and as numbers of a dtype."""

    def __init__(self, initial: Tensor, transition: Tensor) -> None:
        self._initial, self._transition = initial.numpy(), transition.numpy()
        self.shared = len(transition) == 1
        # The last that was asked for: sequences share it, or are done one after the other.
        self._steps: dict[Any, Chain] = {}

    def logs(self, i: int) -> tuple[Floats, Floats]:
        """Initial and transition log potentials."""
        return self._initial[i % len(self._initial)], self._transition[i % len(self._transition)]

    def openings(self, numbers: Indices, dtype: Any) -> tuple[Floats, Floats]:
        """First states of sequences, and the logs that were taken out."""
        logs = self._initial[numbers % len(self._initial)]
        shifts = logs.max(1)
        shifts[~np.isfinite(shifts)] = 0
        return np.exp(logs - shifts[:, None]).astype(dtype), shifts

    def steps(self, i: int, dtype: Any) -> Chain:
        """Transitions."""
        key = i % len(self._transition), dtype
        found = self._steps.get(key)
        if found is None:
            logs = self._transition[key[0]]
            shift = float(logs.max())
            shift = shift if math.isfinite(shift) else 0.0
            matrix = np.exp(logs - shift).astype(dtype)
            found = Chain(_pad(matrix), _pad(matrix.T), shift)
            self._steps = {key: found}
        return found


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
    chains = Chains(initial, transition)
    frames, scales, faults = evidence.numpy(), log_scales.numpy(), fault.numpy()
    kept, cached, sums, starts = (
        None if part is None else part.numpy() for part in (states, filtered, transitions, first)
    )

    def attempt(tasks: Tasks, dtype: Any, threads: int) -> Tasks:
        """Sweep over sequences of one chain; return those in which too much was lost."""
        which, seen, sweep = _begin(chains, frames, tasks, dtype, threads)
        size = seen.shape[-1]
        none = np.empty((0, size), dtype)

        def target(part: Floats | None) -> Floats:
            if part is None:
                return none
            same = part.dtype == dtype
            return part[which].reshape(-1, size) if same else np.empty((len(seen), size), dtype)

        smoothed, before = target(kept), target(cached)
        before = before if len(before) else smoothed
        flat = scales[which].reshape(-1)
        if sums is None or starts is None:
            _filter(sweep, before, flat)
        else:
            sweep.forward(before, flat, FLOOR[seen.dtype])
            rows = which[:1]
            sweep.backward(before, smoothed, flat, sums[rows], starts[rows], FLOOR[seen.dtype])
        for part, found in ((kept, smoothed), (cached, before)):
            if part is not None and part.dtype != dtype and not sweep.failed.any():
                part[which] = found.reshape(part[which].shape)
        return [task for task, number in zip(tasks, sweep.numbers, strict=True) if sweep.failed[number]]

    def in_logs(i: int, length: int) -> None:
        seen = frames[i, :length].astype(np.float64, copy=False)
        messages = np.empty(seen.shape)
        faults[i] = logs.forward(*chains.logs(i), seen, messages, scales[i])
        if faults[i] >= 0:
            return
        if cached is not None:
            np.exp(messages, out=cached[i, :length], casting="same_kind")
        if sums is None or starts is None:
            np.exp(messages, out=messages)
        else:
            logs.backward(chains.logs(i)[1], seen, messages, sums[i])
            starts[i] = messages[0]
        if kept is not None:
            kept[i, :length] = messages

    _attempts(attempt, in_logs, frames.dtype, sequences(lengths), shared=chains.shared)


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
    chains = Chains(initial, transition)
    frames, numbers, paths, faults = (part.numpy() for part in (evidence, uniform, path, fault))

    def attempt(tasks: Tasks, dtype: Any, threads: int) -> Tasks:
        _, seen, sweep = _begin(chains, frames, tasks, dtype, threads)
        messages = np.empty_like(seen)
        _filter(sweep, messages, np.empty(len(seen)))
        failed = [t for t, number in zip(tasks, sweep.numbers, strict=True) if sweep.failed[number]]
        at = {task: begin for task, begin in zip(tasks, sweep.begins, strict=True)}

        def draw(i: int, length: int) -> None:
            own = messages[at[i, length] : at[i, length] + length]
            path_kernels.draw(sweep.chain.transposed, own, numbers[i], paths[i])

        each(draw, [task for task in tasks if task not in failed], threads)
        return failed

    def in_logs(i: int, length: int) -> None:
        messages = np.empty((length, frames.shape[-1]))
        faults[i] = logs.forward(*chains.logs(i), frames[i, :length], messages, np.empty(length))
        if faults[i] < 0:
            path_kernels.log_draw(chains.logs(i)[1], messages, numbers[i], paths[i])

    _attempts(attempt, in_logs, frames.dtype, sequences(lengths), shared=chains.shared)


def hmm_path(
    initial: Tensor,
    transition: Tensor,
    evidence: Tensor,
    lengths: Tensor,
    path: Tensor,
    fault: Tensor,
) -> None:
    """Fill the most probable path; see ``messages.hmm.path``."""
    chains = Chains(initial.to(evidence.dtype), transition.to(evidence.dtype))
    frames, paths, faults = evidence.numpy(), path.numpy(), fault.numpy()
    size = frames.shape[-1]

    @lru_cache(maxsize=4)
    def padded(i: int) -> tuple[Floats, Floats]:
        steps = chains.logs(i)[1]
        return _pad(steps), _pad(steps.T)

    def one(i: int, length: int) -> None:
        seen, scores = frames[i, :length], np.empty((length, size), frames.dtype)
        forth, back = padded(i % len(transition))
        work = room(1, size, frames.dtype)
        faults[i] = path_kernels.best(chains.logs(i)[0], forth, seen, scores, work)
        if faults[i] < 0:
            path_kernels.trace(back, scores, paths[i])

    each(one, sequences(lengths), torch.get_num_threads())


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
    chains = Chains(initial, transition)
    before, marginals, change = (part.numpy() for part in (filtered, states, direction))
    frames, moved, sums = (part.numpy() for part in (evidence, d_states, d_transitions))
    bounds = FLOOR[before.dtype], tangent_kernels.LOST * float(np.finfo(before.dtype).eps)

    def one(i: int, length: int) -> None:
        own = [part[i, :length] for part in (before, marginals, change)]
        parts, size = chains.steps(i, before.dtype), before.shape[-1]
        ratio, work = np.empty_like(own[0]), room(tangent_kernels.ROOMS, size, before.dtype)
        given = parts.matrix, parts.transposed, *own, *bounds
        if tangent_kernels.sweep(*given, moved[i, :length], sums[i], ratio, work):
            sums[i] *= parts.matrix[:, :size]
            return
        w, dl = (part.astype(np.float64) for part in own[1:])
        ahead, behind = np.empty((2, *w.shape))
        seen = frames[i, :length].astype(np.float64)
        logs.tangent(*chains.logs(i), seen, w, dl, ahead, behind, sums[i])
        change_of_log = ahead + behind - dl
        moved[i, :length] = w * (change_of_log - (w * change_of_log).sum(1, keepdims=True))

    each(one, sequences(lengths), torch.get_num_threads())


def _attempts(
    attempt: Callable[[Tasks, Any, int], Tasks],
    in_logs: Callable[[int, int], None],
    dtype: Any,
    tasks: Tasks,
    *,
    shared: bool,
) -> None:
    """Do sequences together if they share a chain; alone in float64, then in logs, where that fails."""
    threads = torch.get_num_threads()
    precisions = dict.fromkeys([dtype, np.dtype(np.float64)])
    if shared and tasks:
        precisions.pop(dtype)
        with without_subnormals():
            tasks = attempt(tasks, dtype, threads)

    def alone(i: int, length: int) -> None:
        left = [(i, length)]
        for precision in precisions:
            left = left and attempt(left, precision, 1)
        if left:
            in_logs(i, length)

    if tasks:
        each(alone, tasks, threads)


def _begin(
    chains: Chains, frames: Floats, tasks: Tasks, dtype: Any, threads: int
) -> tuple[Any, Floats, Sweep]:
    """Part of the arrays that holds the sequences, their frames (N, K), and a sweep over them."""
    (i, length), alone = tasks[0], len(tasks) == 1
    which = (slice(i, i + 1), slice(0, length)) if alone else (slice(None), slice(None))
    seen = frames[which].astype(dtype, copy=False)
    own = np.array([number for number, _ in tasks])
    numbers = np.zeros(1, np.int64) if alone else own
    spans = numbers, numbers * seen.shape[1], np.array([length for _, length in tasks])
    seen = seen.reshape(-1, seen.shape[-1])
    sweep = Sweep(chains.steps(i, dtype), chains.openings(own, dtype), seen, *spans, threads)
    return which, seen, sweep


def _filter(sweep: Sweep, messages: Floats, log_scales: Floats) -> None:
    """Filter, where that can be trusted.

    A sweep loses what is below the smallest normal number, relative to the largest term.
    Smoothing compares that with the normalizer of every pair of frames, which counts all that
    is later brought back. A filter has not seen what comes; it is safe where every state can
    follow every other with a probability that dwarfs what was lost.
    """
    floor, size = FLOOR[messages.dtype], messages.shape[1]
    smallest = float(sweep.chain.matrix[:, :size].min()) if sweep.lengths.max() > 1 else 1.0
    if smallest < floor:
        sweep.failed[:] = True
    else:
        sweep.forward(messages, log_scales, floor / smallest)


def _pad(matrix: Floats) -> Floats:
    """Rows of whole vectors, behind whose numbers are zeros."""
    wide = room(len(matrix), matrix.shape[1], matrix.dtype)
    wide[:, : matrix.shape[1]] = matrix
    return wide
