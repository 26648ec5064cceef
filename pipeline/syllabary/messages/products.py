"""Frames' rows times one matrix, added up in place."""

import torch
from torch import Tensor

from .front import backend_for

__all__ = ["add_products"]


@torch.no_grad()
def add_products(
    out: Tensor,
    rows: Tensor,
    matrix: Tensor,
    *,
    skipped: tuple[int, int] = (0, 0),
    backend: str = "auto",
) -> Tensor:
    """Add ``rows @ matrix`` to ``out``, frame by frame, without a room for the product.

    Parameters
    ----------
    out : (B, T, ...) float32 or float64, contiguous
        Inner axes of F numbers.
    rows : (B, T', ...)
        Inner axes of W numbers.
    matrix : (W, F)
    skipped : (int, int)
        First frames of ``out`` and first rows that are left out; of what remains the shorter says how
        many frames there are.
    backend : str
        As for ``hmm.marginals``.
    """
    target, given = out.view(*out.shape[:2], matrix.shape[1]), rows.flatten(2).contiguous()
    backend_for(backend, out).add_products(
        target, skipped[0], given, skipped[1], matrix.to(out.dtype).contiguous()
    )
    return out
