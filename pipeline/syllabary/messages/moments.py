"""Sums of second moments over frames, weighted by the probability of each state."""

import torch
from torch import Tensor

from .dispatch import backend_for

__all__ = ["NEGLIGIBLE", "weighted_moments"]

# A smaller share of some frames than this does not change the bound visibly.
NEGLIGIBLE = 1e-12


@torch.no_grad()
def weighted_moments(
    joint: Tensor,
    weights: Tensor,
    *,
    covariances: Tensor | None = None,
    cross: Tensor | None = None,
    negligible: float = NEGLIGIBLE,
    backend: str = "auto",
) -> Tensor:
    """Sum ``weights_tk E[joint_t joint_tᵀ]`` over frames and sequences.

    Short runs of frames are summed in their own precision, and these sums in float64.

    Parameters
    ----------
    joint : (B, N, W) float32 or float64
        Means. Finite, whatever their weight.
    weights : (B, T, K) float32 or float64
        The first T − N frames do not count.
    covariances : (B, T, D, D), optional
        Of the first D numbers of ``joint``; they are certain by default.
    cross : (B, T - 1, D, D), optional
        Of the first D numbers (rows) with the next D, which then are the first D of the frame before;
        N is T − 1.
    negligible : float
        Frames whose weights are together no larger may be left out, which saves time.
    backend : str
        As for ``hmm.marginals``.

    Returns
    -------
    (K, W, W) float64
        Symmetric.
    """
    width = joint.shape[2]
    totals = joint.new_zeros((weights.shape[2], width, width), dtype=torch.float64)
    spread, pairs = (None if part is None else part.contiguous() for part in (covariances, cross))
    backend_for(backend, joint).weighted_moments(
        joint.contiguous(), weights.to(joint).contiguous(), negligible, spread, pairs, totals
    )
    return totals.triu() + totals.triu(1).mT
