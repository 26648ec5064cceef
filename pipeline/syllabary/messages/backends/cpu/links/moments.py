"""Sums over frames of second moments, weighted by each state's probability.

The moments of a frame, those on and above the diagonal in one row, are the same for all states. So
all states' sums are one product, of the weights with a run of such rows. It is added up in the
precision of the frames, in registers, and runs are added up in float64. Four neighboring states
without a share in a run are skipped. Threads share states, not frames, four at a time, so that no sum
depends on them.
"""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ...compiled import Floats, kernel
from ..simd.tiles import product_of_four
from ..simd.vectors import BYTES, add_exactly, aligned_zeros, lanes_of, load, load_between, splat, store
from ..threads import each

__all__ = ["weighted_moments"]

# Frames of a run: float32 loses no more by it than by what rounded the rows.
RUN = 128
# States that are summed together, and vectors of a run's moments, which stay in the nearest cache
# while all states pass.
ROWS, COLUMNS = 4, 4


def weighted_moments(
    joint: Tensor,
    weights: Tensor,
    negligible: float,
    covariances: Tensor | None,
    cross: Tensor | None,
    totals: Tensor,
) -> None:
    """Add ``Σ_t weights_tk E[joint_t joint_tᵀ]`` to the totals: the diagonal and the entries above it.

    Parameters
    ----------
    joint : (B, N, W)
        Means. ``covariances`` belong to the first D numbers. With ``cross`` the next D numbers are the
        first of the frame before.
    weights : (B, T, K)
        Same dtype; the last N frames count. Where those of a run of frames are together no larger than
        ``negligible`` they may be left out.
    covariances : (B, T, D, D), or None for certain numbers
    cross : (B, N, D, D) or None
        Covariance of the first D (rows) with the next D; N is T − 1.
    totals : (K, W, W) float64
    """
    count, frames, width = joint.shape
    rows, shares = joint.numpy().reshape(-1, width), weights.numpy()
    spread, pairs = (
        np.empty((0, 0), rows.dtype) if part is None else part.numpy().reshape(-1, part.shape[-1] ** 2)
        for part in (covariances, cross)
    )
    spans = count, frames, weights.shape[1] - frames
    size = 0 if covariances is None else covariances.shape[-1]
    lanes = BYTES // rows.itemsize
    # A row of moments is written a vector at a time, past its end. An odd number of vectors keeps rows
    # from getting into each other's way in the cache.
    vectors = (width * (width + 1) // 2 // lanes + 2) | 1
    flat, results = shares.reshape(-1, shares.shape[2]), totals.numpy()

    def some(first: int, stop: int) -> None:
        left = aligned_zeros(RUN, stop - first, rows.dtype)
        right, product = (aligned_zeros(many, vectors * lanes, rows.dtype) for many in (RUN, ROWS))
        mean, sums = (
            aligned_zeros(1, width + lanes, rows.dtype),
            np.zeros((stop - first, vectors * lanes)),
        )
        inputs = (rows, spread, pairs, size), (flat, spans, negligible, first, stop)
        _add(*inputs, mean, left, right, product, sums)
        _unpack(sums, results[first:stop])

    threads = torch.get_num_threads()
    groups = -(-len(results) // ROWS)
    bounds = [min(ROWS * (groups * i // threads), len(results)) for i in range(threads)] + [len(results)]
    each(some, [task for task in pairwise(bounds) if task[0] < task[1]], threads)


@kernel
def _add(
    frames: tuple[Floats, Floats, Floats, int],
    shares: tuple[Floats, tuple[int, int, int], float, int, int],
    mean: Floats,
    left: Floats,
    right: Floats,
    product: Floats,
    sums: Floats,
) -> None:
    """A run of frames after the other: its weights, its moments, their product."""
    weights, (count, length, unweighted), negligible, first, stop = shares
    lanes, share = lanes_of(weights), np.empty(left.shape[1], left.dtype)
    for i in range(count):
        for begin in range(0, length, RUN):
            many = min(RUN, length - begin)
            here = i * length + begin
            frame = i * (length + unweighted) + unweighted + begin
            share[:] = 0
            for r in range(many):
                for c in range(0, left.shape[1], lanes):
                    value = load(weights, frame + r, first + c, stop - first - c, 0.0)
                    store(left, r, c, lanes, value)
                for k in range(left.shape[1]):
                    share[k] += abs(left[r, k])
            if share.sum() <= negligible:
                continue
            _second_moments(frames, here, frame, many, mean, right)
            _add_products(left, share, negligible, right, many, product, sums)


@kernel
def _second_moments(
    frames: tuple[Floats, Floats, Floats, int],
    first: int,
    frame: int,
    many: int,
    mean: Floats,
    right: Floats,
) -> None:
    """Write the moments of each frame to a row: the upper half of their matrix, row by row."""
    joint, covariances, cross, size = frames
    width, lanes = joint.shape[1], lanes_of(joint)
    for r in range(many):
        for c in range(0, width, lanes):
            store(mean, 0, c, lanes, load(joint, first + r, c, width - c, 0.0))
        at = 0
        for i in range(width):
            factor = splat(mean, mean[0, i])
            for c in range(i, width, lanes):
                moment = load(mean, 0, c, lanes, 0.0) * factor
                if i < size:
                    place = i * size + c
                    moment = moment + load_between(covariances, frame + r, place, 0, size - c)
                    if len(cross) > 0:
                        place = i * size + c - size
                        moment = moment + load_between(cross, first + r, place, size - c, 2 * size - c)
                elif i < 2 * size and len(cross) > 0:
                    place = (i - size) * size + c - size
                    moment = moment + load_between(covariances, frame + r - 1, place, 0, 2 * size - c)
                # The next store overwrites the numbers after the last of them.
                store(right, r, at + c - i, lanes, moment)
            at += width - i


@kernel
def _add_products(
    left: Floats,
    share: Floats,
    negligible: float,
    right: Floats,
    many: int,
    product: Floats,
    sums: Floats,
) -> None:
    """Add ``leftᵀ right``, some columns after the other; in them four states after the other."""
    row_width, lanes, states = right.shape[1], lanes_of(right), len(sums)
    columns = COLUMNS * lanes
    for c in range(0, row_width, columns):
        several = min(columns, row_width - c)
        for a in range(0, states, ROWS):
            if share[a : a + ROWS].sum() <= negligible:
                continue
            product_of_four(product, c, left, a, 1, left.shape[1], many, right, c, row_width, several)
            for k in range(a, min(a + ROWS, states)):
                for e in range(c, c + several, lanes):
                    add_exactly(sums, k, e, load(product, k - a, e, lanes, 0.0))


@kernel
def _unpack(sums: Floats, totals: Floats) -> None:
    """Add rows of moments to matrices, from their diagonal on."""
    for k in range(len(totals)):
        at = 0
        for i in range(totals.shape[1]):
            for j in range(i, totals.shape[1]):
                totals[k, i, j] += sums[k, at]
                at += 1
