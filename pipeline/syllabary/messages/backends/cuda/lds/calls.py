"""Gaussian chains on a GPU: how tensors are handed to the kernels of the files beside this one."""

import torch
from torch import Tensor

from ..block import WARP_SIZE, WARPS, Kernel
from ..chunks import Boundaries, Reruns, first_faults, in_chunks, length_for, max_chunks
from ..launch import NUMBERS, THREADS, launch, reporting, shared_memory, threads_for
from . import passes, tangent

__all__ = ["lds_marginals", "lds_sample", "lds_tangent"]

# Warps of passes that fit on a multiprocessor, at some 216 registers a thread; blocks of tangents.
FITTING, TANGENTS = 9, 4

Tensors = tuple[Tensor, ...]


@reporting
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
) -> Reruns | None:
    """Fill means, covariances and their sums; see ``messages.lds.marginals``."""
    if means.numel() == 0:
        return None
    count, _, size = means.shape
    if filtered is None or gain is None:
        filtered, gain = torch.empty_like(precision), torch.empty_like(lower)
    smooths = keep != "filter"
    if not smooths and covariances is not None:
        filtered = covariances
    partial = filtered, torch.empty_like(means) if smooths else means, gain
    plan = _kernels(means)
    forward = _filter(plan, (precision, lower, precision_mean, lengths), partial, totals, fault)
    if not smooths:
        return Reruns(forward.reruns)
    none = means.new_empty(count, 0, size, size)
    spread, pairs = (none if part is None else part for part in (covariances, cross))
    chunks = forward.reruns.shape[1] if sums is not None else 0
    parts = totals.new_empty(count, chunks, 2, size**2)
    inputs = (*_flat(partial[0]), partial[1], *_flat(partial[2]), lengths)
    target = ((*_flat(spread), means, *_flat(pairs)), parts, fault)
    backward = _launch_passes(plan.smooth_backward, plan, means, inputs, target)
    if sums is not None:
        spec, longest = ((count, size**2), THREADS, 0), _longest(plan, means)
        joined = parts, inputs[0], backward.ends[0], lengths, longest, fault
        launch(passes.add_chunks, spec, *joined, sums.flatten(2))
    return Reruns(forward.reruns, backward.reruns)


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
    size, kernels = centered.shape[2], tangent.passes(NUMBERS[centered.dtype])
    layout = _per_gaussian(centered, size**2 + size + 2)
    before, steps, spread, *changes = _flat(filtered, gain, covariances, d_precision, d_lower)
    partial = torch.empty_like(before), torch.empty_like(centered), torch.empty_like(steps)
    inputs = (before, steps, *changes, centered, lengths)
    in_chunks(kernels.forward, layout, centered, (inputs,), partial)
    inputs = (before, steps, spread, *partial, lengths)
    moved = (d_means, *_flat(d_covariances, d_cross))
    in_chunks(kernels.backward, layout, centered, (inputs,), moved)


@reporting
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
    partial = torch.empty_like(precision), means, torch.empty_like(lower)
    _filter(_kernels(samples), (precision, lower, precision_mean, lengths), partial, totals, fault)
    layout, kernels = (
        _per_gaussian(samples, 2 * samples.shape[2]),
        tangent.passes(NUMBERS[samples.dtype]),
    )
    faults = lengths.new_full((len(samples), max_chunks(samples.shape[1], layout[3])), -1)
    inputs = (means, *_flat(partial[0], partial[2]), normals, lengths, fault)
    in_chunks(kernels.draw, layout, samples, (inputs,), (samples, faults))
    fault.copy_(torch.where(fault < 0, first_faults(faults), fault))


def _filter(
    plan: passes.Kernels, chain: Tensors, partial: Tensors, totals: Tensor, fault: Tensor
) -> Boundaries:
    """Fill P⁻¹, m and W of every frame; return the messages at chunk boundaries."""
    precision, lower, precision_mean, lengths = chain
    count, frames, _ = precision_mean.shape
    number = max_chunks(frames, _longest(plan, precision_mean))
    parts = totals.new_empty(count, number, 2), lengths.new_empty(count, number)
    inputs = (*_flat(precision, lower), precision_mean, lengths)
    outputs = (*_flat(partial[0]), partial[1], *_flat(partial[2]))
    outcome = outputs, parts, totals, fault
    return _launch_passes(plan.filter_forward, plan, precision_mean, inputs, outcome)


def _kernels(means: Tensor) -> passes.Kernels:
    return passes.passes(means.shape[2], NUMBERS[means.dtype])


def _launch_passes(
    kernel: Kernel, plan: passes.Kernels, like: Tensor, inputs: Tensors, partial: tuple[object, ...]
) -> Boundaries:
    size, shared = like.shape[2], shared_memory(like.dtype, plan.numbers)
    layout = plan.threads, shared, size * (size + 1), _longest(plan, like)
    return in_chunks(kernel, layout, like, (inputs,), partial)


def _longest(plan: passes.Kernels, like: Tensor) -> int:
    """Frames of a chunk of a pass at most."""
    return length_for(like, plan.threads, max(1, FITTING * WARP_SIZE // plan.threads))


def _per_gaussian(means: Tensor, numbers: int) -> tuple[int, int, int, int]:
    """Layout of tangents and samples, whose messages have so many ``numbers``; see ``in_chunks``."""
    size, threads = means.shape[2], threads_for(means.shape[2] ** 2)
    wanted = WARPS + tangent.MATRICES * size**2 + tangent.VECTORS * size
    shared = shared_memory(means.dtype, wanted)
    return threads, shared, numbers, length_for(means, threads, TANGENTS)


def _flat(*matrices: Tensor) -> tuple[Tensor, ...]:
    """Matrices with one axis of entries, on the same memory."""
    return tuple(part.flatten(-2) for part in matrices)
