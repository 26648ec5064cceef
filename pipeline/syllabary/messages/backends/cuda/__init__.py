"""An NVIDIA GPU (extra ``gpu``): how tensors are handed to the kernels of ``_cuda_*`` beside this.

A block of threads has a chain to itself and loops over its frames: states, or the entries of a
matrix, are handed out to its threads, and what a frame passes to the next stays in shared
memory. The arithmetic is that of ``cpu``: a discrete chain runs in probabilities, and the
sequences of a batch that lost too much run again in float64 and, if that is not enough, in logs
(a derivative's at once in logs, on the processor).

Kernels run on torch's current stream and see the tensors' own memory. With
``NUMBA_ENABLE_CUDASIM=1`` they run in numba's simulator, on tensors of the processor.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ....errors import BadInput
from .. import cpu
from ..cpu.hmm import tangent
from . import chunks, strips
from .block import LANES, SIMULATED, WARPS
from .hmm import logs, paths, scaled
from .hmm import pairs as pair_kernels
from .hmm import tangent as hmm_tangents
from .launch import available
from .launch import launch as _launch
from .lds import sweeps
from .lds import tangent as _tangent
from .links.products import add_products, ar_log_likelihood, weighted_moments

__all__ = [
    "add_products",
    "ar_log_likelihood",
    "available",
    "hmm_marginals",
    "hmm_path",
    "hmm_sample",
    "hmm_tangent",
    "lds_marginals",
    "lds_sample",
    "lds_tangent",
    "weighted_moments",
]

# Threads of a block at most; the simulator's cost milliseconds each, and two show what sharing breaks.
THREADS = 2 if SIMULATED else 256
# Shared memory that every device grants a block, less what the kernels' fixed arrays take, bytes.
SHARED_BYTES = 48 * 1024 - 1024
# Frames of a stretch at most: as many as fill a large GPU once with an hour of one recording.
DISCRETE_STRETCH, GAUSSIAN_STRETCH = 384, 128
NUMBERS = {torch.float32: np.float32, torch.float64: np.float64}


class Found(NamedTuple):
    """Where sweeps over discrete chains leave what they find; zeros in padding."""

    filtered: Tensor
    """(B, T, K)"""
    log_scales: Tensor
    """(B, T) float64"""
    states: Tensor | None
    """(B, T, K), or (B, 1, K) where the first frame is enough; None to filter only."""
    transitions: Tensor | None
    """(B, K, K) float64"""


class Repeated(NamedTuple):
    """How often each stretch was swept again, (B, S), numbered in the direction of travel."""

    forward: Tensor
    backward: Tensor | None = None


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
) -> Repeated | None:
    """Fill marginals, pair sums, first states and log scales; see ``messages.hmm.marginals``."""
    if evidence.numel() == 0:
        return None
    if states is None:
        states = torch.zeros_like(evidence[:, :1])
    if keep == "filter":
        found = Found(states, log_scales, None, None)
    else:
        messages = torch.zeros_like(evidence) if filtered is None else filtered
        found = Found(messages, log_scales, states, transitions)
    repeated = _settle(initial, transition, evidence, lengths, found, fault)
    if first is not None:
        first.copy_(states[:, 0])
    return repeated


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
    ahead, behind, ratio = (torch.zeros_like(states) for _ in range(3))
    lost, numbers = torch.zeros_like(states[:, 0, 0]), torch.finfo(states.dtype)
    spec = _per_chain(states, hmm_tangents.ROOM)
    given, floor = (filtered, states, direction, lengths), 1e9 * numbers.tiny
    _launch(hmm_tangents.forward, spec, step, *given, ahead, ratio, floor)
    _launch(
        hmm_tangents.backward,
        spec,
        step.mT.contiguous(),
        *(*given, ahead, ratio, behind, d_states, lost),
    )
    # Pairs a_t(j) P(j, k) r_{t+1}(k), each times f_t(j) + h_{t+1}(k).
    for before, after in ((filtered * ahead, ratio), (filtered, ratio * behind)):
        _add_pairs(before.double(), after.double(), lengths, step.double(), d_transitions)
    left = (lost > tangent.LOST * numbers.eps).nonzero()[:, 0]
    if len(left):
        # So few, and so rarely, that the processor may do them: a launch in logs is not worth its text.
        start, matrix = (part if len(part) == 1 else part[left] for part in (initial, transition))
        many = (part[left] for part in (evidence, *given, d_states, d_transitions))
        again = [part.cpu() for part in (start, matrix, *many)]
        cpu.hmm_tangent(*again)
        d_states[left], d_transitions[left] = (part.to(states.device) for part in again[-2:])


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
    potentials = (part.to(evidence.dtype) for part in (initial, transition))
    spec = _per_chain(evidence, paths.BEST_ROOM)
    scores = torch.empty_like(evidence)
    _launch(paths.best, spec, *potentials, evidence, lengths, scores, path, fault)


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
    found = Found(torch.zeros_like(evidence), log_scales, None, None)
    _settle(initial, transition, evidence, lengths, found, fault, in_logs=True)
    spec = _per_chain(evidence, paths.DRAW_ROOM, torch.float64)
    _launch(paths.draw, spec, transition, found.filtered, uniform, lengths, fault, path)


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
) -> Repeated | None:
    """Fill means, covariances and their sums; see ``messages.lds.marginals``."""
    if means.numel() == 0:
        return None
    count, _, size = means.shape
    if filtered is None or gain is None:
        filtered, gain = torch.empty_like(precision), torch.empty_like(lower)
    smooths = keep != "filter"
    if not smooths and covariances is not None:
        filtered = covariances
    left = filtered, torch.empty_like(means) if smooths else means, gain
    plan = _gaussian_sweeps(means)
    forward = _filter(plan, (precision, lower, precision_mean, lengths), left, totals, fault)
    if not smooths:
        return Repeated(forward.repeated)
    none = means.new_empty(count, 0, size, size)
    spread, pairs = (none if part is None else part for part in (covariances, cross))
    stretches = forward.repeated.shape[1] if sums is not None else 0
    parts = totals.new_empty(count, stretches, 2, size**2)
    added = totals.new_empty(count, 0, size**2) if sums is None else sums.flatten(2)
    given = (*_flat(left[0]), left[1], *_flat(left[2]), lengths)
    target = ((*_flat(spread), means, *_flat(pairs)), parts, added, fault)
    backward = _gaussian_stretches(plan.smooth_backward, plan, means, given, target)
    return Repeated(forward.repeated, backward.repeated)


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
) -> None:
    """Fill derivatives of means and covariances; see ``messages.lds.tangent``."""
    if centered.numel() == 0:
        return
    spec = _per_gaussian(centered)
    before, steps, spread, *changes = _flat(filtered, gain, covariances, d_precision, d_lower)
    moved = (d_means, *_flat(d_covariances, d_cross))
    _launch(_tangent.tangent_forward, spec, before, steps, *changes, centered, lengths, *moved)
    _launch(_tangent.tangent_backward, spec, before, steps, spread, lengths, *moved)


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
    if samples.numel() == 0:
        return
    means, totals = torch.empty_like(samples), samples.new_empty(len(samples), 2, dtype=torch.float64)
    left = torch.empty_like(precision), means, torch.empty_like(lower)
    _filter(_gaussian_sweeps(samples), (precision, lower, precision_mean, lengths), left, totals, fault)
    flat = _flat(left[0], left[2])
    _launch(_tangent.draw, _per_gaussian(samples), means, *flat, normals, lengths, fault, samples)


def _filter(plan: sweeps.Sweeps, chain: Any, left: Any, totals: Tensor, fault: Tensor) -> Any:
    """Leave P⁻¹, m and W of every frame; the seams."""
    precision, lower, precision_mean, lengths = chain
    count, frames, _ = precision_mean.shape
    number = chunks.most(frames, GAUSSIAN_STRETCH)
    parts = totals.new_empty(count, number, 2), lengths.new_empty(count, number)
    given = (*_flat(precision, lower), precision_mean, lengths)
    found = (*_flat(left[0]), left[1], *_flat(left[2]))
    outcome = found, parts, totals, fault
    return _gaussian_stretches(plan.filter_forward, plan, precision_mean, given, outcome)


def _gaussian_sweeps(means: Tensor) -> sweeps.Sweeps:
    return sweeps.sweeps(means.shape[2], NUMBERS[means.dtype])


def _gaussian_stretches(kernel: Any, plan: Any, like: Tensor, given: Any, left: Any) -> Any:
    size, shared = like.shape[2], _shared(like.dtype, plan.numbers)
    layout = plan.threads, shared, size * (size + 1), GAUSSIAN_STRETCH
    return _in_stretches(kernel, layout, like, (given,), left)


def _settle(
    initial: Tensor,
    transition: Tensor,
    evidence: Tensor,
    lengths: Tensor,
    found: Found,
    fault: Tensor,
    in_logs: bool = False,
) -> Repeated:
    """Sweep in probabilities; what lost too much again in float64, and then in logs.

    ``in_logs`` makes ``found.filtered`` logs, which hold what would underflow.
    """
    first, repeated = _scaled(initial, transition, evidence, lengths, found, in_logs)
    fault.copy_(first)
    for sweep in (_logs,) if evidence.dtype == torch.float64 else (_scaled, _logs):
        left = (fault >= 0).nonzero()[:, 0]
        if not len(left):
            break
        start, step = (part if len(part) == 1 else part[left] for part in (initial, transition))
        again = Found._make(
            None if part is None else torch.zeros_like(part[left], dtype=torch.float64) for part in found
        )
        fault[left], _ = sweep(start, step, evidence[left].double(), lengths[left], again, in_logs)
        for source, target in zip(again, found, strict=True):
            if source is not None and target is not None:
                target[left] = source.to(target.dtype)
    return repeated


def _scaled(
    initial: Tensor, transition: Tensor, evidence: Tensor, lengths: Tensor, found: Found, in_logs: bool
) -> tuple[Tensor, Repeated]:
    """Sweep in probabilities; −1 for each sequence that lost too little to matter.

    The CPU's ``_sweep`` says what is lost, and why a filter's floor depends on the transitions.
    """
    count, dtype = len(evidence), evidence.dtype
    start, log_start = _exponential(initial, dtype)
    step, log_step = _exponential(transition, dtype)
    shifts = torch.stack([log_start.expand(count), log_step.expand(count)], 1)
    floor = 1e9 * torch.finfo(dtype).tiny
    floors = torch.full_like(shifts[:, 0], floor)
    if found.states is None:
        smallest = step.flatten(1).amin(1).double().expand(count)
        needed = torch.where(smallest < floor, math.inf, floor / smallest)
        floors = torch.where(lengths > 1, needed, floors)
    first, plan = torch.zeros_like(floors), strips.layout(evidence.shape[2])
    forward, backward = scaled.sweeps(plan, NUMBERS[dtype])
    seen = evidence.flatten(1), evidence.amax(2), lengths
    there = start, _padded(step, plan.width), shifts, floors, seen
    left = found.filtered.flatten(1), found.log_scales, first
    shared = _shared(dtype, WARPS + plan.numbers)
    layout = plan.threads, shared, evidence.shape[2], DISCRETE_STRETCH
    seams = [_in_stretches(forward, layout, evidence, there, left)]
    if found.states is not None and found.transitions is not None:
        weights, back = torch.empty_like(evidence), _padded(step.mT, plan.width)
        flat = (part.flatten(1) for part in (found.filtered, found.states, weights))
        back_given = back, floor, seen
        seams.append(_in_stretches(backward, layout, evidence, back_given, (*flat, first)))
        _add_pairs(found.filtered, weights, lengths, step, found.transitions)
    if in_logs:
        found.filtered.log_()
    return torch.where(first > 0, -1, 0), Repeated(*(part.repeated for part in seams))


def _in_stretches(
    kernel: Any, layout: tuple[int, int, int, int], like: Tensor, given: Any, left: Any
) -> chunks.Seams:
    """Launch a sweep over (B, T, ...) as often as its stretches may need.

    ``layout`` has threads, bytes of shared memory, numbers of a message, and frames of a stretch.
    """
    threads, shared, numbers, longest = layout
    seams = chunks.seams_for(like, numbers, longest)
    for blocks, messages, approach in seams.turns():
        spec = (len(like), blocks), threads, shared
        _launch(kernel, spec, *given, messages, (approach, longest), *left)
    return seams


def _logs(
    initial: Tensor, transition: Tensor, evidence: Tensor, lengths: Tensor, found: Found, in_logs: bool
) -> tuple[Tensor, None]:
    """Sweep in logs; the fault of each sequence, or −1."""
    messages, fault = torch.full_like(evidence, -math.inf), torch.full_like(lengths, -1)
    spec = _per_chain(evidence, logs.ROOM)
    chain = (transition, evidence, lengths)
    _launch(logs.forward, spec, initial, *chain, messages, found.log_scales, fault)
    if found.states is not None:
        _launch(logs.backward, spec, *chain, fault, messages, found.states, found.transitions)
    found.filtered.copy_(messages if in_logs else messages.exp())
    return fault, None


def _add_pairs(before: Tensor, after: Tensor, lengths: Tensor, step: Tensor, pairs: Tensor) -> None:
    """Add ``P(j, k) Σ_t before_t(j) after_{t+1}(k)`` of every sequence to its sums."""
    count, frames, size = before.shape
    tiles, number = -(-size // pair_kernels.TILE), max(1, -(-(frames - 1) // pair_kernels.PIECE))
    pieces = pairs.new_empty((count, number, size, size))
    spec = (count, number, tiles**2), pair_kernels.SIDE**2, _shared(before.dtype, 2 * pair_kernels.CELLS)
    _launch(pair_kernels.sum_pieces, spec, before, after, lengths, pieces)
    each = (count, -(-size * size // THREADS)), THREADS, 0
    _launch(pair_kernels.add_pieces, each, pieces, lengths, step, pairs)


def _exponential(log: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Exponential over its largest entry, and the log of that entry, (B or 1)."""
    shift = log.flatten(1).amax(1)
    shift = torch.where(shift.isfinite(), shift, 0.0)
    return (log - shift.reshape(-1, *(1,) * (log.ndim - 1))).exp().to(dtype), shift


def _padded(matrices: Tensor, width: int) -> Tensor:
    """Flat matrices of so many rows and columns, with zeros behind."""
    more = width - matrices.shape[-1]
    return torch.nn.functional.pad(matrices, (0, more, 0, more)).flatten(1)


def _per_chain(evidence: Tensor, vectors: int, dtype: torch.dtype | None = None) -> tuple[int, int, int]:
    """Blocks, threads and bytes of shared memory where a block has a chain of K states."""
    count, _, size = evidence.shape
    return count, _threads(size), _shared(dtype or evidence.dtype, WARPS + vectors * size)


def _per_gaussian(means: Tensor) -> tuple[int, int, int]:
    """Blocks, threads and bytes of shared memory where a block has a chain of D dimensions."""
    count, _, size = means.shape
    numbers = _tangent.MATRICES * size**2 + _tangent.VECTORS * size
    return count, _threads(size**2), _shared(means.dtype, numbers)


def _threads(entries: int) -> int:
    """Threads for so many entries: whole warps."""
    return min(THREADS, -(-entries // LANES) * LANES)


def _shared(dtype: torch.dtype, numbers: int) -> int:
    """Bytes of so many numbers, if a block can have them."""
    wanted = numbers * dtype.itemsize
    if wanted > SHARED_BYTES:
        raise BadInput(
            f"a chain of this size needs {wanted} bytes of a GPU's shared memory, which grants a block "
            f"{SHARED_BYTES}; move the arrays to the CPU."
        )
    return wanted


def _flat(*matrices: Tensor) -> tuple[Tensor, ...]:
    """Matrices with one axis of entries, on the same memory."""
    return tuple(part.flatten(-2) for part in matrices)
