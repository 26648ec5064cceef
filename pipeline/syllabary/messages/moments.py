"""Sums over frames under each state's probability: of second moments, and of what a frame tells."""

import torch
from torch import Tensor

from .front import backend_for

__all__ = ["NEGLIGIBLE", "weighted_moments", "weighted_sums"]

# A smaller share of a frame than this cannot be seen in the bound.
NEGLIGIBLE = 1e-12


@torch.no_grad()
def weighted_moments(
    joint: Tensor, weights: Tensor, *, negligible: float = NEGLIGIBLE, backend: str = "auto"
) -> Tensor:
    """Sum ``weights_tk joint_t joint_tᵀ`` over frames.

    Some tens of frames are summed in their own precision, and such sums in float64.

    Parameters
    ----------
    joint : (N, W) float32 or float64
    weights : (N, K) float32 or float64
    negligible : float
        Weights of no larger size are left out; what is left decides how much work there is.
    backend : str
        As for ``hmm.marginals``.

    Returns
    -------
    (K, W, W) float64
        Symmetric.
    """
    totals = joint.new_zeros((weights.shape[1], *joint.shape[1:], joint.shape[1]), dtype=torch.float64)
    backend_for(backend, joint).weighted_moments(
        joint.contiguous(), weights.to(joint.dtype).contiguous(), negligible, totals
    )
    return totals.triu() + totals.triu(1).mT


@torch.no_grad()
def weighted_sums(
    rows: Tensor,
    weights: Tensor,
    *,
    skipped: tuple[int, int] = (0, 0),
    negligible: float = NEGLIGIBLE,
    backend: str = "auto",
) -> Tensor:
    """Sum ``weights_tk rows_t`` over frames and sequences, as ``weighted_moments`` does.

    Parameters
    ----------
    rows : (B, T, ...) float32 or float64
    weights : (B, T', K) float32 or float64
    skipped : (int, int)
        First rows and first weights that are left out; of what remains the shorter says how many pairs
        of them there are.
    negligible, backend
        As there.

    Returns
    -------
    (K, ...) float64
    """
    inner = rows.shape[2:]
    flat = rows.flatten(2).contiguous()
    totals = rows.new_zeros((weights.shape[2], flat.shape[2]), dtype=torch.float64)
    backend_for(backend, rows).weighted_sums(
        flat, skipped[0], weights.to(rows.dtype).contiguous(), skipped[1], negligible, totals
    )
    return totals.reshape(-1, *inner)
