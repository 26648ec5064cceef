"""Discrete chains on a GPU: how tensors are handed to the kernels of the files beside this one."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ... import cpu
from ...cpu.hmm import tangent as cpu_tangent
from .. import strips
from ..block import WARPS
from ..chunks import Reruns, first_faults, in_chunks, length_for, max_chunks
from ..launch import NUMBERS, THREADS, launch, reporting, shared_memory, threads_for
from . import logs, paths, scaled, tangent
from . import pairs as pair_kernels

__all__ = ["hmm_marginals", "hmm_path", "hmm_sample", "hmm_tangent"]

# Blocks that fit on a multiprocessor: of tangents, and of walks back along a path. Threads of passes
# that do, whose registers hold a matrix of float32, or half as many of float64.
TANGENTS, WALKS, HOLDING = 4, 16, 512


class Outputs(NamedTuple):
    """Where passes over discrete chains leave their results; zeros in padding."""

    filtered: Tensor
    """(B, T, K)"""
    log_scales: Tensor
    """(B, T) float64"""
    states: Tensor | None
    """(B, T, K), or (B, 1, K) where the first frame is enough; None to filter only."""
    transitions: Tensor | None
    """(B, K, K) float64"""


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
) -> Reruns | None:
    """Fill marginals, pair sums, first states and log scales; see ``messages.hmm.marginals``."""
    if evidence.numel() == 0:
        return None
    if states is None:
        states = torch.zeros_like(evidence[:, :1])
    if keep == "filter":
        outputs = Outputs(states, log_scales, None, None)
    else:
        messages = torch.zeros_like(evidence) if filtered is None else filtered
        outputs = Outputs(messages, log_scales, states, transitions)
    reruns = _in_rising_precision(initial, transition, evidence, lengths, outputs, fault)
    if first is not None:
        first.copy_(states[:, 0])
    return reruns


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
    if states.numel() == 0:
        return
    step, _ = _exponential(transition, states.dtype)
    # Zeros, for padding is read when pairs are added.
    ahead, back, ratio = (torch.zeros_like(states) for _ in range(3))
    numbers, kernels = torch.finfo(states.dtype), tangent.passes(NUMBERS[states.dtype])
    _, threads, shared = _per_chain(states, tangent.WORKSPACE)
    longest = length_for(states, threads, TANGENTS)
    layout = threads, shared, states.shape[2] + 1, longest
    inputs, floor = (filtered, states, direction, lengths), 1e9 * numbers.tiny
    in_chunks(kernels.forward, layout, states, (step, *inputs, floor), (ahead, ratio))
    missed = states.new_zeros(len(states), max_chunks(states.shape[1], longest))
    back_inputs = step.mT.contiguous(), (*inputs, ahead, ratio)
    in_chunks(kernels.backward, layout, states, back_inputs, (back, d_states, missed))
    lost = missed.amax(1)
    # Pairs a_t(j) P(j, k) r_{t+1}(k), each times f_t(j) + h_{t+1}(k).
    for before, after in ((filtered * ahead, ratio), (filtered, ratio * back)):
        _add_pairs(before.double(), after.double(), lengths, step.double(), d_transitions)
    left = (~(lost <= cpu_tangent.LOST * numbers.eps)).nonzero()[:, 0]  # NaN too
    if len(left):
        # They are so few and so rare that the processor runs them, instead of a kernel in logs.
        start, matrix = (part if len(part) == 1 else part[left] for part in (initial, transition))
        many = (part[left] for part in (evidence, *inputs, d_states, d_transitions))
        again = [part.cpu() for part in (start, matrix, *many)]
        cpu.hmm_tangent(*again)
        d_states[left], d_transitions[left] = (part.to(states.device) for part in again[-2:])


@reporting
def hmm_path(
    initial: Tensor,
    transition: Tensor,
    evidence: Tensor,
    lengths: Tensor,
    path: Tensor,
    fault: Tensor,
) -> None:
    """Fill the most probable path; see ``messages.hmm.path``."""
    if evidence.numel() == 0:
        return
    start, step = (part.to(evidence.dtype) for part in (initial, transition))
    plan, size = strips.layout(evidence.shape[2]), evidence.shape[2]
    shared = shared_memory(evidence.dtype, WARPS + plan.numbers)
    longest = length_for(evidence, plan.threads, _blocks(plan, evidence.dtype))
    scores = torch.empty_like(evidence)
    faults = torch.full_like(lengths, -1)[:, None].repeat(1, max_chunks(evidence.shape[1], longest))
    chain = start, _padded(step, plan.width, -math.inf), evidence, lengths
    kernel = paths.best(plan, NUMBERS[evidence.dtype])
    in_chunks(kernel, (plan.threads, shared, size, longest), evidence, chain, (scores, faults))
    fault.copy_(first_faults(faults))
    none = evidence.new_empty(len(evidence), 0)
    _walk(paths.likeliest, (step.mT.contiguous(), scores, none, lengths, fault), WARPS, path)


@reporting
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
    if evidence.numel() == 0:
        return
    log_scales = torch.zeros_like(evidence[..., 0], dtype=torch.float64)
    outputs = Outputs(torch.zeros_like(evidence), log_scales, None, None)
    _in_rising_precision(initial, transition, evidence, lengths, outputs, fault, in_logs=True)
    inputs = transition.mT.contiguous(), outputs.filtered, uniform, lengths, fault
    _walk(paths.drawn, inputs, evidence.shape[2], path, torch.float64)


def _walk(
    choose: Callable[..., int],
    inputs: tuple[Tensor, ...],
    numbers: int,
    path: Tensor,
    dtype: torch.dtype | None = None,
) -> None:
    """Choose states from the last to the first; ``inputs`` are those of ``paths.walk``."""
    messages = inputs[1]
    shared = shared_memory(dtype or messages.dtype, numbers)
    layout = paths.WALKERS, shared, 1, length_for(messages, paths.WALKERS, WALKS)
    in_chunks(paths.walk(choose), layout, messages, inputs, (path,))


def _in_rising_precision(
    initial: Tensor,
    transition: Tensor,
    evidence: Tensor,
    lengths: Tensor,
    outputs: Outputs,
    fault: Tensor,
    in_logs: bool = False,
) -> Reruns:
    """Run in probabilities; run sequences that lost too much again in float64, and then in logs.

    ``in_logs`` makes ``outputs.filtered`` logs, which do not underflow.
    """
    first, reruns = _scaled(initial, transition, evidence, lengths, outputs, in_logs)
    fault.copy_(first)  # the one read of a call, where ``fault`` lies on the processor
    for attempt in (_logs,) if evidence.dtype == torch.float64 else (_scaled, _logs):
        left = (fault >= 0).nonzero()[:, 0]
        if not len(left):
            break
        start, step = (part if len(part) == 1 else part[left] for part in (initial, transition))
        again = Outputs._make(
            None if part is None else torch.zeros_like(part[left], dtype=torch.float64)
            for part in outputs
        )
        fault[left], _ = attempt(start, step, evidence[left].double(), lengths[left], again, in_logs)
        for source, target in zip(again, outputs, strict=True):
            if source is not None and target is not None:
                target[left] = source.to(target.dtype)
    return reruns


def _scaled(
    initial: Tensor,
    transition: Tensor,
    evidence: Tensor,
    lengths: Tensor,
    outputs: Outputs,
    in_logs: bool,
) -> tuple[Tensor, Reruns]:
    """Run in probabilities; −1 for each sequence that lost too little to matter.

    ``_filter`` of ``cpu.hmm.calls`` explains why a filter's floor depends on the transitions.
    """
    count, dtype = len(evidence), evidence.dtype
    start, log_start = _exponential(initial, dtype)
    step, log_step = _exponential(transition, dtype)
    shifts = torch.stack([log_start.expand(count), log_step.expand(count)], 1)
    floor = 1e9 * torch.finfo(dtype).tiny
    floors = torch.full_like(shifts[:, 0], floor)
    if outputs.states is None:
        smallest = step.flatten(1).amin(1).double().expand(count)
        needed = torch.where(smallest < floor, math.inf, floor / smallest)
        floors = torch.where(lengths > 1, needed, floors)
    first, plan = torch.ones_like(floors), strips.layout(evidence.shape[2])
    forward, backward = scaled.passes(plan, NUMBERS[dtype])
    observed = evidence.flatten(1), evidence.amax(2), lengths
    there = start, _padded(step, plan.width), shifts, floors, observed
    left = outputs.filtered.flatten(1), outputs.log_scales, first
    shared = shared_memory(dtype, WARPS + plan.numbers)
    longest = length_for(evidence, plan.threads, _blocks(plan, dtype))
    layout = plan.threads, shared, evidence.shape[2], longest
    passes = [in_chunks(forward, layout, evidence, there, left)]
    if outputs.states is not None and outputs.transitions is not None:
        # Zeros, for the pass leaves out sequences that were lost, and their sums must not overflow.
        weights, back = torch.zeros_like(evidence), _padded(step.mT, plan.width)
        flat = (part.flatten(1) for part in (outputs.filtered, outputs.states, weights))
        back_inputs = back, floor, observed
        passes.append(in_chunks(backward, layout, evidence, back_inputs, (*flat, first)))
        _add_pairs(outputs.filtered, weights, lengths, step, outputs.transitions)
    if in_logs:
        outputs.filtered.log_()
    return -(first > 0).long(), Reruns(*(part.reruns for part in passes))


def _logs(
    initial: Tensor,
    transition: Tensor,
    evidence: Tensor,
    lengths: Tensor,
    outputs: Outputs,
    in_logs: bool,
) -> tuple[Tensor, None]:
    """Run in logs; the fault of each sequence, or −1."""
    messages, fault = torch.full_like(evidence, -math.inf), torch.full_like(lengths, -1)
    spec = _per_chain(evidence, logs.WORKSPACE)
    chain = (transition, evidence, lengths)
    launch(logs.forward, spec, initial, *chain, messages, outputs.log_scales, fault)
    if outputs.states is not None:
        launch(logs.backward, spec, *chain, fault, messages, outputs.states, outputs.transitions)
    outputs.filtered.copy_(messages if in_logs else messages.exp())
    return fault, None


def _add_pairs(before: Tensor, after: Tensor, lengths: Tensor, step: Tensor, pairs: Tensor) -> None:
    """Add ``P(j, k) Σ_t before_t(j) after_{t+1}(k)`` of every sequence to its sums."""
    count, frames, size = before.shape
    tiles, number = -(-size // pair_kernels.TILE), max(1, -(-(frames - 1) // pair_kernels.PART))
    parts = pairs.new_empty((count, number, size, size))
    spec = (
        (count, number, tiles**2),
        pair_kernels.SIDE**2,
        shared_memory(before.dtype, 2 * pair_kernels.CELLS),
    )
    launch(pair_kernels.sum_parts, spec, before, after, lengths, parts)
    each = (count, -(-size * size // THREADS)), THREADS, 0
    launch(pair_kernels.add_parts, each, parts, lengths, step, pairs)


def _exponential(log: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Exponential over its largest entry, and the log of that entry, (B or 1)."""
    shift = log.flatten(1).amax(1).nan_to_num(0.0, 0.0, 0.0)
    return (log - shift.reshape(-1, *(1,) * (log.ndim - 1))).exp().to(dtype), shift


def _padded(matrices: Tensor, width: int, value: float = 0.0) -> Tensor:
    """Flat matrices of so many rows and columns, filled up."""
    more = width - matrices.shape[-1]
    pad = torch.nn.functional.pad
    whole = pad(matrices, (0, more, 0, more), value=value) if more else matrices
    return whole.flatten(1)


def _blocks(plan: strips.Layout, dtype: torch.dtype) -> int:
    """Blocks of a pass on a multiprocessor at a time."""
    return max(1, min(16, HOLDING * 4 // dtype.itemsize // plan.threads))


def _per_chain(evidence: Tensor, vectors: int, dtype: torch.dtype | None = None) -> tuple[int, int, int]:
    """Blocks, threads and bytes of shared memory where a block has a chain of K states."""
    count, _, size = evidence.shape
    return count, threads_for(size), shared_memory(dtype or evidence.dtype, WARPS + vectors * size)
