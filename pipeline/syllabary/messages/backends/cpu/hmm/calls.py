"""The discrete chain on the processor: from tensors to passes, and what happens where a pass fails.

Messages are probabilities, normalized at every frame, so a step costs K² multiplications and
no more than 2 K exponentials. A state far less probable than the others underflows to zero. That is
harmless unless later frames bring it back, which the passes detect. The sequence then runs
again in float64, and if that is not enough, slowly and exactly in logs. (A derivative goes to
logs at once, for it starts from the messages that lost the state.)
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import DTypeLike
from torch import Tensor

from ...compiled import Floats, Indices
from ..simd.vectors import aligned_zeros
from ..threads import each, sequences, without_subnormals
from . import logs
from . import paths as path_kernels
from . import tangent as tangent_kernels
from .chunks import FLOOR, Chain, Passes

__all__ = ["hmm_marginals", "hmm_path", "hmm_sample", "hmm_tangent"]

Tasks = list[tuple[int, int]]


class Chains:
    """Potentials of sequence i, as logs and as numbers of a dtype."""

    def __init__(self, initial: Tensor, transition: Tensor) -> None:
        self._initial, self._transition = initial.numpy(), transition.numpy()
        self.shared = len(transition) == 1
        # The last that was used: sequences share it, or run one after the other.
        self._steps: dict[tuple[int, DTypeLike], Chain] = {}

    def logs(self, i: int) -> tuple[Floats, Floats]:
        """Initial and transition log potentials."""
        return self._initial[i % len(self._initial)], self._transition[i % len(self._transition)]

    def initial(self, numbers: Indices, dtype: DTypeLike) -> tuple[Floats, Floats]:
        """Potentials of first states of sequences, and the logs that were taken out."""
        logs = self._initial[numbers % len(self._initial)]
        shifts = logs.max(1)
        shifts[~np.isfinite(shifts)] = 0
        return np.exp(logs - shifts[:, None]).astype(dtype), shifts

    def steps(self, i: int, dtype: DTypeLike) -> Chain:
        """Transitions."""
        key = i % len(self._transition), dtype
        chain = self._steps.get(key)
        if chain is None:
            logs = self._transition[key[0]]
            shift = float(logs.max())
            shift = shift if math.isfinite(shift) else 0.0
            matrix = np.exp(logs - shift).astype(dtype)
            chain = Chain(_pad(matrix), _pad(matrix.T), shift)
            self._steps = {key: chain}
        return chain


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

    def attempt(tasks: Tasks, dtype: DTypeLike, threads: int) -> Tasks:
        """Pass over sequences of one chain; return those in which too much was lost."""
        which, observed, passes = _begin(chains, frames, tasks, dtype, threads)
        size = observed.shape[-1]
        none = np.empty((0, size), dtype)

        def target(part: Floats | None) -> Floats:
            if part is None:
                return none
            same = part.dtype == dtype
            return part[which].reshape(-1, size) if same else np.empty((len(observed), size), dtype)

        smoothed, before = target(kept), target(cached)
        before = before if len(before) else smoothed
        flat = scales[which].reshape(-1)
        if sums is None or starts is None:
            _filter(passes, before, flat)
        else:
            floor, rows = FLOOR[observed.dtype], which[:1]
            passes.forward(before, flat, floor)
            passes.backward(before, smoothed, flat, sums[rows], starts[rows], floor)
        for part, messages in ((kept, smoothed), (cached, before)):
            if part is not None and part.dtype != dtype and not passes.failed.any():
                part[which] = messages.reshape(part[which].shape)
        return _failed(tasks, passes)

    def in_logs(i: int, length: int) -> None:
        observed = frames[i, :length].astype(np.float64, copy=False)
        messages = np.empty(observed.shape)
        faults[i] = logs.forward(*chains.logs(i), observed, messages, scales[i])
        if faults[i] >= 0:
            return
        if cached is not None:
            np.exp(messages, out=cached[i, :length], casting="same_kind")
        if sums is None or starts is None:
            np.exp(messages, out=messages)
        else:
            logs.backward(chains.logs(i)[1], observed, messages, sums[i])
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

    def attempt(tasks: Tasks, dtype: DTypeLike, threads: int) -> Tasks:
        _, observed, passes = _begin(chains, frames, tasks, dtype, threads)
        messages = np.empty_like(observed)
        _filter(passes, messages, np.empty(len(observed)))
        failed = _failed(tasks, passes)
        at = {task: begin for task, begin in zip(tasks, passes.begins, strict=True)}

        def draw(i: int, length: int) -> None:
            filtered = messages[at[i, length] : at[i, length] + length]
            path_kernels.draw(passes.chain.transposed, filtered, numbers[i], paths[i])

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

    def run(i: int, length: int) -> None:
        observed, scores = frames[i, :length], np.empty((length, size), frames.dtype)
        matrix, transposed = padded(i % len(transition))
        space = aligned_zeros(1, size, frames.dtype)
        faults[i] = path_kernels.best(chains.logs(i)[0], matrix, observed, scores, space)
        if faults[i] < 0:
            path_kernels.trace(transposed, scores, paths[i])

    each(run, sequences(lengths), torch.get_num_threads())


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

    def run(i: int, length: int) -> None:
        parts = [part[i, :length] for part in (before, marginals, change)]
        chain, size = chains.steps(i, before.dtype), before.shape[-1]
        ratio = np.empty_like(parts[0])
        space = aligned_zeros(tangent_kernels.WORKSPACE_ROWS, size, before.dtype)
        inputs = chain.matrix, chain.transposed, *parts, *bounds
        if tangent_kernels.tangent(*inputs, moved[i, :length], sums[i], ratio, space):
            sums[i] *= chain.matrix[:, :size]
            return
        w, dl = (part.astype(np.float64) for part in parts[1:])
        ahead, back = np.empty((2, *w.shape))
        observed = frames[i, :length].astype(np.float64)
        logs.tangent(*chains.logs(i), observed, w, dl, ahead, back, sums[i])
        change_of_log = ahead + back - dl
        moved[i, :length] = w * (change_of_log - (w * change_of_log).sum(1, keepdims=True))

    each(run, sequences(lengths), torch.get_num_threads())


def _attempts(
    attempt: Callable[[Tasks, DTypeLike, int], Tasks],
    in_logs: Callable[[int, int], None],
    dtype: DTypeLike,
    tasks: Tasks,
    *,
    shared: bool,
) -> None:
    """Run sequences together if they share a chain; where that fails, alone in float64, then in logs."""
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
    chains: Chains, frames: Floats, tasks: Tasks, dtype: DTypeLike, threads: int
) -> tuple[tuple[slice, slice], Floats, Passes]:
    """Part of the arrays that holds the sequences, their frames (N, K), and passes over them."""
    (i, length), alone = tasks[0], len(tasks) == 1
    which = (slice(i, i + 1), slice(0, length)) if alone else (slice(None), slice(None))
    observed = frames[which].astype(dtype, copy=False)
    ids = np.array([number for number, _ in tasks])
    numbers = np.zeros(1, np.int64) if alone else ids
    spans = numbers, numbers * observed.shape[1], np.array([length for _, length in tasks])
    observed = observed.reshape(-1, observed.shape[-1])
    passes = Passes(chains.steps(i, dtype), chains.initial(ids, dtype), observed, *spans, threads)
    return which, observed, passes


def _failed(tasks: Tasks, passes: Passes) -> Tasks:
    """Sequences in which too much was lost."""
    return [task for task, number in zip(tasks, passes.numbers, strict=True) if passes.failed[number]]


def _filter(passes: Passes, messages: Floats, log_scales: Floats) -> None:
    """Filter, where the result can be trusted.

    A pass loses what is below the smallest normal number, relative to the largest term.
    Smoothing compares that with the normalizer of every pair of frames, which counts all that
    is later brought back. A filter has not reached later frames; it is safe where every state can
    follow every other with a probability that dwarfs what was lost.
    """
    floor, size = FLOOR[messages.dtype], messages.shape[1]
    smallest = float(passes.chain.matrix[:, :size].min()) if passes.lengths.max() > 1 else 1.0
    if smallest < floor:
        passes.failed[:] = True
    else:
        passes.forward(messages, log_scales, floor / smallest)


def _pad(matrix: Floats) -> Floats:
    """Rows of whole vectors, filled up with zeros."""
    wide = aligned_zeros(len(matrix), matrix.shape[1], matrix.dtype)
    wide[:, : matrix.shape[1]] = matrix
    return wide
