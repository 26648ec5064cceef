"""Rows of frames times one matrix: potentials that one chain gives the other."""

import torch
from torch import Tensor

from ._compiled import Floats, kernel
from ._lanes import lanes_of, load, product_of_four, product_of_one, room, store
from ._threads import each

__all__ = ["add_products"]

# Frames that one thread takes at a time.
SPAN = 4096


def add_products(out: Tensor, skipped: int, rows: Tensor, unread: int, matrix: Tensor) -> None:
    """Add ``rows_{t+unread} @ matrix`` to ``out_{t+skipped}`` of every sequence.

    Parameters
    ----------
    out : (B, T, F)
    skipped, unread : int
        First of ``out`` and of the rows that count; the shorter ones say how many.
    rows : (B, T', W)
        Same dtype.
    matrix : (W, F)
        Same dtype.
    """
    depth, width = matrix.shape
    factor = room(depth, width, matrix.numpy().dtype)
    factor[:, :width] = matrix.numpy()
    flat = out.numpy().reshape(-1, width), rows.numpy().reshape(-1, depth)
    lengths = out.shape[1], rows.shape[1]
    frames = min(lengths[0] - skipped, lengths[1] - unread)

    places = lengths[0], skipped, lengths[1], unread

    def some(start: int, stop: int) -> None:
        _add(*flat, places, frames, start, stop, factor, room(4, width, factor.dtype))

    total = len(out) * frames
    tasks = [(start, min(start + SPAN, total)) for start in range(0, total, SPAN)]
    each(some, tasks, torch.get_num_threads())


@kernel
def _add(
    out: Floats,
    rows: Floats,
    places: tuple[int, int, int, int],
    frames: int,
    start: int,
    stop: int,
    matrix: Floats,
    product: Floats,
) -> None:
    """Four frames of a sequence after the other; what is left of it one by one."""
    (depth, across), width, lanes = matrix.shape, out.shape[1], lanes_of(out)
    n = start
    while n < stop:
        i, t = n // frames, n % frames
        many = 4 if min(stop - n, frames - t) >= 4 else 1
        at = (i * places[2] + places[3] + t) * depth
        if many == 4:
            product_of_four(product, 0, rows, at, depth, 1, depth, matrix, 0, across, across)
        else:
            product_of_one(product, 0, rows, at, depth, 1, depth, matrix, 0, across, across)
        for r in range(many):
            place = i * places[0] + places[1] + t + r
            for c in range(0, across, lanes):
                added = load(out, place, c, width - c, 0.0) + load(product, r, c, lanes, 0.0)
                store(out, place, c, width - c, added)
        n += many
