"""Products and sums over frames on a GPU: dense ones, which torch's own library is made for."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

__all__ = ["add_products", "ar_log_likelihood", "weighted_moments"]

# That one product may write: in float64 what a large GPU's cache holds.
NUMBERS = 2**22


def ar_log_likelihood(joint: Tensor, whitener: Tensor, constant: Tensor, log_likelihood: Tensor) -> None:
    """Fill ``constant − ½ Σ_f (joint · whitener_f)²``, one row per frame; see the CPU's."""
    width, rows, size = whitener.shape
    flat, block = whitener.reshape(width, rows * size), max(1, NUMBERS // (rows * size))
    with _full_precision():
        for begin in range(0, len(joint), block):
            whitened = torch.mm(joint[begin : begin + block], flat).reshape(-1, rows, size)
            squares = whitened.square_().sum(1)
            log_likelihood[begin : begin + block] = constant.to(squares.dtype) - 0.5 * squares


def add_products(out: Tensor, terms: Sequence[tuple[Tensor, Tensor, tuple[int, int]]]) -> None:
    """Add ``rows_{t+unread} @ matrix`` to ``out_{t+skipped}`` of every sequence, for all terms."""
    for rows, matrix, (skipped, unread) in terms:
        frames = min(out.shape[1] - skipped, rows.shape[1] - unread)
        with _full_precision():
            out[:, skipped : skipped + frames].baddbmm_(
                rows[:, unread : unread + frames], matrix.expand(len(out), -1, -1)
            )


def weighted_moments(
    joint: Tensor,
    weights: Tensor,
    negligible: float,
    covariances: Tensor | None,
    cross: Tensor | None,
    totals: Tensor,
) -> None:
    """Add ``Σ_t weights_tk E[joint_t joint_tᵀ]`` to the totals, by dense products."""
    count, frames, width = joint.shape
    unweighted, block = weights.shape[1] - frames, max(1, NUMBERS // max(1, count * width**2))
    for begin in range(0, frames, block):
        stop = min(begin + block, frames)
        now, before = (slice(begin + skip, stop + skip) for skip in (unweighted, unweighted - 1))
        rows = joint[:, begin:stop].double()
        products = rows[..., :, None] * rows[..., None, :]
        if covariances is not None:
            size = covariances.shape[-1]
            products[..., :size, :size] += covariances[:, now]
            if cross is not None:
                products[..., :size, size : 2 * size] += cross[:, begin:stop]
                products[..., size : 2 * size, size : 2 * size] += covariances[:, before]
        share = weights[:, now].flatten(0, 1).double()
        totals += (share.mT @ products.flatten(0, 1).flatten(1)).view_as(totals)


@contextmanager
def _full_precision() -> Iterator[None]:
    """Keep matrix products from rounding float32 to the 10 bits of TF32."""
    settings: Any = torch.backends.cuda.matmul
    # Where torch has the newer setting, the older must not be read once a program has used the newer.
    name, full = (
        ("fp32_precision", "ieee") if hasattr(settings, "fp32_precision") else ("allow_tf32", False)
    )
    before = getattr(settings, name)
    setattr(settings, name, full)
    try:
        yield
    finally:
        setattr(settings, name, before)
