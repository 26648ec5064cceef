"""Sums over frames, weighted by each state's probability: of rows, and of their outer products.

A frame belongs to few states: of a block of frames those that a state has any share in are looked
at, and no others. A run of them is added up in the precision of the rows, in registers, and runs are
added up in float64. States, not frames, are shared out among threads, so that no sum depends on them.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ._compiled import Floats, kernel
from ._lanes import lanes_of, load, product_of_four, room, splat, store
from ._threads import each

__all__ = ["weighted_moments", "weighted_sums"]

# Frames that are looked through at a time, which stay in the second nearest cache with their weights,
# and those of one run: float32 loses no more by it than by what rounded the rows.
BLOCK, RUN = 1024, 64
# Rows of a product that are summed together.
ROWS = 4


def weighted_moments(joint: Tensor, weights: Tensor, negligible: float, totals: Tensor) -> None:
    """Add ``Σ_t weights_tk joint_t joint_tᵀ`` to the totals: the diagonal and what is above it.

    Parameters
    ----------
    joint : (N, W)
    weights : (N, K)
        Same dtype. Those of no larger size than ``negligible`` are left out.
    totals : (K, W, W) float64
    """
    rows, shares, found = joint.numpy(), weights.numpy(), totals.numpy()
    height = -(-rows.shape[1] // ROWS) * ROWS

    def some(first: int, stop: int) -> None:
        left, right = room(RUN, height, rows.dtype), room(RUN, rows.shape[1], rows.dtype)
        product = room(height, rows.shape[1], rows.dtype)
        _add_moments(rows, shares, negligible, first, stop, left, right, product, found)

    _share_out(some, len(found))


def weighted_sums(
    rows: Tensor, skipped: int, weights: Tensor, unweighted: int, negligible: float, totals: Tensor
) -> None:
    """Add ``Σ weights_{t+unweighted,k} rows_{t+skipped}`` to the totals, of all sequences.

    Parameters
    ----------
    rows : (B, T, W)
    skipped, unweighted : int
        First of the rows and of the weights that count; the shorter ones say how many.
    weights : (B, T', K)
        Same dtype. Where those of a run of frames are together no larger than ``negligible`` they are
        left out.
    totals : (K, W) float64
    """
    values, shares, found = rows.numpy(), weights.numpy(), totals.numpy()
    flat = values.reshape(-1, values.shape[2]), shares.reshape(-1, shares.shape[2])
    frames = min(values.shape[1] - skipped, shares.shape[1] - unweighted)
    starts = tuple(
        np.arange(len(values)) * part.shape[1] + gone
        for part, gone in ((values, skipped), (shares, unweighted))
    )

    def some(first: int, stop: int) -> None:
        left, right = room(RUN, stop - first, values.dtype), room(RUN, values.shape[2], values.dtype)
        product = room(ROWS, values.shape[2], values.dtype)
        _add_sums(*flat, starts, frames, negligible, first, stop, left, right, product, found)

    _share_out(some, len(found))


def _share_out(work: Callable[[int, int], None], states: int) -> None:
    """Run ``work(first, stop)`` for as many groups of states as there are threads."""
    threads = torch.get_num_threads()
    bounds = np.linspace(0, states, min(threads, states) + 1).astype(int).tolist()
    each(work, list(pairwise(bounds)), threads)


@kernel
def _add_moments(
    joint: Floats,
    weights: Floats,
    negligible: float,
    first: int,
    stop: int,
    left: Floats,
    right: Floats,
    product: Floats,
    totals: Floats,
) -> None:
    """A block of frames after the other; in it one state after the other."""
    frames, width = joint.shape
    lanes, row_width = lanes_of(joint), right.shape[1]
    its = np.empty(BLOCK, np.int64)
    for begin in range(0, frames, BLOCK):
        for k in range(first, stop):
            count = 0
            for t in range(begin, min(begin + BLOCK, frames)):
                its[count] = t  # stays if the share counts; a branch would be foreseen badly
                count += not abs(weights[t, k]) <= negligible
            for start in range(0, count, RUN):
                many = min(RUN, count - start)
                for r in range(many):
                    t = its[start + r]
                    share = splat(left, weights[t, k])
                    for c in range(0, row_width, lanes):
                        values = load(joint, t, c, width - c, 0.0)
                        store(right, r, c, lanes, values)
                        store(left, r, c, left.shape[1] - c, values * share)
                _add_run(left, right, many, product, totals[k])


@kernel
def _add_run(left: Floats, right: Floats, count: int, product: Floats, total: Floats) -> None:
    """Add ``leftᵀ right`` from its diagonal on, of which whole vectors are found."""
    width, row_width, lanes = len(total), right.shape[1], lanes_of(right)
    for i in range(0, width, ROWS):
        # Rows of a product are as far apart as those of ``right``, whose first columns are left out.
        skipped = i // lanes * lanes
        product_of_four(
            product, i * row_width + skipped, left, i, 1, left.shape[1], count,
            right, skipped, row_width, row_width - skipped,
        )  # fmt: skip
    for i in range(width):
        for j in range(i, width):
            total[i, j] += product[i, j]


@kernel
def _add_sums(
    rows: Floats,
    weights: Floats,
    starts: tuple[Floats, Floats],
    frames: int,
    negligible: float,
    first: int,
    stop: int,
    left: Floats,
    right: Floats,
    product: Floats,
    totals: Floats,
) -> None:
    """A run of frames after the other; in it four states after the other, if they have a share."""
    width, row_width, lanes = rows.shape[1], right.shape[1], lanes_of(rows)
    share = np.empty(left.shape[1], left.dtype)
    for i in range(len(starts[0])):
        for begin in range(0, frames, RUN):
            many = min(RUN, frames - begin)
            share[:] = 0
            for r in range(many):
                t = starts[0][i] + begin + r
                for c in range(0, row_width, lanes):
                    store(right, r, c, lanes, load(rows, t, c, width - c, 0.0))
                t = starts[1][i] + begin + r
                for c in range(0, left.shape[1], lanes):
                    store(left, r, c, lanes, load(weights, t, first + c, stop - first - c, 0.0))
                for k in range(left.shape[1]):
                    share[k] += abs(left[r, k])
            for a in range(0, stop - first, ROWS):
                if not share[a : a + ROWS].sum() <= negligible:
                    product_of_four(
                        product, 0, left, a, 1, left.shape[1], many, right, 0, row_width, row_width
                    )
                    for k in range(a, min(a + ROWS, stop - first)):
                        for e in range(width):
                            totals[first + k, e] += product[k - a, e]
