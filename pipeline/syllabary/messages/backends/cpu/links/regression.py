"""How well regressions explain a frame."""

import math

import torch
from torch import Tensor

from ...compiled import Floats, kernel
from ..simd.tiles import columns_of, squares_of_four, squares_of_one
from ..simd.vectors import aligned_zeros
from ..threads import each

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
    # Squares are taken from the constant, so the half of each goes into its factor.
    parts = aligned_zeros(count * width, size, dtype)
    parts.reshape(count, width, -1)[:, :, :size] = whitener.permute(1, 0, 2).numpy() * math.sqrt(0.5)
    # A factor has zeros before its diagonal.
    first = (whitener != 0).any(-1).to(torch.uint8).argmax(0).numpy()
    offset = aligned_zeros(1, size, dtype)
    offset[:, :size] = constant.numpy()

    def span(start: int, stop: int) -> None:
        block = aligned_zeros(BLOCK, size, dtype)
        _fill(rows[start:stop], parts, first, offset, block, scores[start:stop])

    starts = range(0, len(rows), BLOCK * BLOCKS)
    tasks = [(start, min(start + BLOCK * BLOCKS, len(rows))) for start in starts]
    each(span, tasks, torch.get_num_threads())


@kernel
def _fill(
    joint: Floats, whitener: Floats, first: Floats, constant: Floats, block: Floats, scores: Floats
) -> None:
    """Score frames, a block at a time, and in it one row of all states' whiteners after the other."""
    frames, width = joint.shape
    padded, size = block.shape[1], scores.shape[1]
    columns = columns_of(size, block)
    for begin in range(0, frames, BLOCK):
        many = min(BLOCK, frames - begin)
        for r in range(many):
            block[r] = constant[0]
        for f in range(len(first)):
            depth, row = width - first[f], f * width + first[f]
            for r in range(0, many, 4):
                at = (begin + r) * width + first[f]
                if r + 4 <= many:
                    squares_of_four(
                        block, r * padded, joint, at, width, 1, depth,
                        whitener, row * padded, padded, columns,
                    )  # fmt: skip
                    continue
                for s in range(many - r):
                    squares_of_one(
                        block, (r + s) * padded, joint, at + s * width, width, 1, depth,
                        whitener, row * padded, padded, columns,
                    )  # fmt: skip
        for r in range(many):
            scores[begin + r] = block[r, :size]
