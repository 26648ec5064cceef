"""How well regressions explain a frame."""

import numpy as np
import torch
from torch import Tensor

from ._compiled import Floats, kernel
from ._lanes import BYTES, load, product_of_four, product_of_one, room, store
from ._threads import each

__all__ = ["ar_log_likelihood"]

# Frames whose sums stay beside one row of the whitener in the nearest cache, and such blocks that one
# thread takes at a time.
BLOCK, BLOCKS = 32, 64


def ar_log_likelihood(joint: Tensor, whitener: Tensor, constant: Tensor, log_likelihood: Tensor) -> None:
    """Fill ``constant − ½ Σ_f (joint · whitener_f)²``, one row per frame.

    Parameters
    ----------
    joint : (N, D + p)
        Latents and regressors side by side.
    whitener : (D + p, F, K)
        Same dtype; the state is the fastest axis.
    constant : (K) float64
    log_likelihood : (N, K)
        Same dtype; filled.
    """
    rows, scores = joint.numpy(), log_likelihood.numpy()
    width, count, size = whitener.shape
    dtype = rows.dtype
    parts = room(count * width, size, dtype)
    parts.reshape(count, width, -1)[:, :, :size] = whitener.permute(1, 0, 2).numpy()
    # A factor has zeros before its diagonal.
    first = (whitener != 0).any(-1).to(torch.uint8).argmax(0).numpy()
    offset = constant.numpy().astype(dtype)

    def span(start: int, stop: int) -> None:
        product, total = (room(BLOCK, size, dtype) for _ in range(2))
        _fill(rows[start:stop], parts, first, offset, product, total, scores[start:stop])

    starts = range(0, len(rows), BLOCK * BLOCKS)
    tasks = [(start, min(start + BLOCK * BLOCKS, len(rows))) for start in starts]
    each(span, tasks, torch.get_num_threads())


@kernel
def _fill(
    joint: Floats,
    whitener: Floats,
    first: Floats,
    constant: Floats,
    product: Floats,
    total: Floats,
    scores: Floats,
) -> None:
    """Score frames, a block at a time, and in it one row of all states' whiteners after the other."""
    frames, width = joint.shape
    padded, size = total.shape[1], scores.shape[1]
    lanes = BYTES // total.itemsize
    for begin in range(0, frames, BLOCK):
        many = min(BLOCK, frames - begin)
        total[:] = 0
        for f in range(len(first)):
            depth, row = width - first[f], f * width + first[f]
            for r in range(0, many, 4):
                at = (begin + r) * width + first[f]
                if r + 4 <= many:
                    product_of_four(
                        product, r * padded, joint, at, width, 1, depth,
                        whitener, row * padded, padded, padded,
                    )  # fmt: skip
                    continue
                for s in range(many - r):
                    product_of_one(
                        product, (r + s) * padded, joint, at + s * width, width, 1, depth,
                        whitener, row * padded, padded, padded,
                    )  # fmt: skip
            for r in range(many):
                for k in range(0, padded, lanes):
                    one = load(product, r, k, lanes, 0.0)
                    store(total, r, k, lanes, load(total, r, k, lanes, 0.0) + one * one)
        for r in range(many):
            for k in range(size):
                scores[begin + r, k] = constant[k] - total[r, k] * np.float32(0.5)
