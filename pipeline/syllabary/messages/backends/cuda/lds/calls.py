"""Gaussian chains on a GPU: how tensors are handed to the kernels of the files beside this one."""

import torch
from torch import Tensor

from ..block import Kernel
from ..chunks import Boundaries, Reruns, in_chunks, max_chunks
from ..launch import NUMBERS, launch, reporting, shared_memory, threads_for
from . import passes, tangent

__all__ = ["lds_marginals", "lds_sample", "lds_tangent"]

# Frames of a chunk at most: as many as fill a large GPU once with an hour of one recording.
LONGEST = 128

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
    added = totals.new_empty(count, 0, size**2) if sums is None else sums.flatten(2)
    inputs = (*_flat(partial[0]), partial[1], *_flat(partial[2]), lengths)
    target = ((*_flat(spread), means, *_flat(pairs)), parts, added, fault)
    backward = _launch_passes(plan.smooth_backward, plan, means, inputs, target)
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
    spec = _per_gaussian(centered)
    before, steps, spread, *changes = _flat(filtered, gain, covariances, d_precision, d_lower)
    moved = (d_means, *_flat(d_covariances, d_cross))
    launch(tangent.tangent_forward, spec, before, steps, *changes, centered, lengths, *moved)
    launch(tangent.tangent_backward, spec, before, steps, spread, lengths, *moved)


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
    flat = _flat(partial[0], partial[2])
    launch(tangent.draw, _per_gaussian(samples), means, *flat, normals, lengths, fault, samples)


def _filter(
    plan: passes.Kernels, chain: Tensors, partial: Tensors, totals: Tensor, fault: Tensor
) -> Boundaries:
    """Fill P⁻¹, m and W of every frame; return the messages at chunk boundaries."""
    precision, lower, precision_mean, lengths = chain
    count, frames, _ = precision_mean.shape
    number = max_chunks(frames, LONGEST)
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
    layout = plan.threads, shared, size * (size + 1), LONGEST
    return in_chunks(kernel, layout, like, (inputs,), partial)


def _per_gaussian(means: Tensor) -> tuple[int, int, int]:
    """Blocks, threads and bytes of shared memory where a block has a chain of D dimensions."""
    count, _, size = means.shape
    numbers = tangent.MATRICES * size**2 + tangent.VECTORS * size
    return count, threads_for(size**2), shared_memory(means.dtype, numbers)


def _flat(*matrices: Tensor) -> tuple[Tensor, ...]:
    """Matrices with one axis of entries, on the same memory."""
    return tuple(part.flatten(-2) for part in matrices)
