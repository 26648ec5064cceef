"""Rows of frames times matrices: potentials that one chain gives the other."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...compiled import Floats, kernel
from ..simd.tiles import added_of_four, added_of_one, columns_of
from ..simd.vectors import aligned_zeros, lanes_of, load, store
from ..threads import each

__all__ = ["TERMS", "add_products"]

# Products that are added up at once.
TERMS = 3
# Frames whose sums stay in the nearest cache beside a matrix, and those that one thread takes at a time.
BLOCK, SPAN = 32, 4096


def add_products(out: Tensor, terms: Sequence[tuple[Tensor, Tensor, tuple[int, int]]]) -> None:
    """Add ``rows_{t+unread} @ matrix`` to ``out_{t+skipped}`` of every sequence, for all terms.

    Parameters
    ----------
    out : (B, T, F)
    terms : sequence of at most ``TERMS``
        ``rows (B, T', W)``, ``matrix (W, F)``, both of the same dtype, and ``(skipped, unread)``: first
        of ``out`` and of the rows that count; the shorter ones say how many.
    """
    width, target = out.shape[2], out.numpy().reshape(-1, out.shape[2])
    rows, factors, spans = [], [], np.zeros((TERMS, 4), np.int64)
    for span, (source, matrix, (skipped, unread)) in zip(spans, terms, strict=False):
        rows.append(source.numpy().reshape(-1, source.shape[2]))
        factors.append(aligned_zeros(len(matrix), width, target.dtype))
        factors[-1][:, :width] = matrix.numpy()
        frames = min(out.shape[1] - skipped, source.shape[1] - unread)
        span[:] = skipped, skipped + max(0, frames), unread, source.shape[1]
    for _ in range(TERMS - len(rows)):
        rows.append(rows[0])
        factors.append(factors[0])
    inputs = tuple(rows), tuple(factors), spans

    def some(sequence: int, start: int) -> None:
        places = sequence, out.shape[1], start, min(start + SPAN, out.shape[1])
        _add(target, *inputs, places, aligned_zeros(BLOCK, width, target.dtype))

    tasks = [(i, start) for i in range(len(out)) for start in range(0, out.shape[1], SPAN)]
    each(some, tasks, torch.get_num_threads())


@kernel
def _add(
    out: Floats,
    rows: tuple[Floats, Floats, Floats],
    matrices: tuple[Floats, Floats, Floats],
    spans: Floats,
    places: tuple[int, int, int, int],
    sums: Floats,
) -> None:
    """A block of frames after the other; in it one term after the other."""
    width, across, lanes = out.shape[1], sums.shape[1], lanes_of(out)
    columns = columns_of(width, sums)
    sequence, frames, start, stop = places
    for begin in range(start, stop, BLOCK):
        end = min(begin + BLOCK, stop)
        sums[:] = 0
        for n in range(len(rows)):
            skipped, last, unread, length = spans[n]
            depth = rows[n].shape[1]
            t, last = max(begin, skipped), min(end, last)
            while t < last:
                many = 4 if last - t >= 4 else 1
                place = (sequence * length + unread + t - skipped) * depth
                at = (t - begin) * across
                if many == 4:
                    added_of_four(
                        sums, at, rows[n], place, depth, 1, depth, matrices[n], 0, across, columns
                    )
                else:
                    added_of_one(
                        sums, at, rows[n], place, depth, 1, depth, matrices[n], 0, across, columns
                    )
                t += many
        for t in range(begin, end):
            place = sequence * frames + t
            for c in range(0, across, lanes):
                added = load(out, place, c, width - c, 0.0) + load(sums, t - begin, c, lanes, 0.0)
                store(out, place, c, width - c, added)
