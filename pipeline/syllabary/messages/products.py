"""Rows of frames times matrices, added in place."""

from typing import NamedTuple

import torch
from torch import Tensor

from .dispatch import backend_for

__all__ = ["Term", "add_products"]


class Term(NamedTuple):
    """Rows of frames, and the matrix that multiplies each."""

    rows: Tensor
    """(B, T', ...), inner axes of W numbers."""
    matrix: Tensor
    """(W, F)"""
    skipped: tuple[int, int] = (0, 0)
    """Numbers of frames of the sum and of rows that are left out at the beginning. Of the remaining
    frames and rows, the smaller number is used."""


@torch.no_grad()
def add_products(out: Tensor, *terms: Term, backend: str = "auto") -> Tensor:
    """Add ``rows @ matrix`` of three terms at most to ``out``, without memory for products.

    Parameters
    ----------
    out : (B, T, ...) float32 or float64, contiguous
        Inner axes of F numbers.
    terms
    backend : str
        As for ``hmm.marginals``.
    """
    inputs = [
        (term.rows.flatten(2).contiguous(), term.matrix.to(out).contiguous(), term.skipped)
        for term in terms
    ]
    target = out.view(*out.shape[:2], inputs[0][1].shape[1])
    backend_for(backend, out).add_products(target, inputs)
    return out
