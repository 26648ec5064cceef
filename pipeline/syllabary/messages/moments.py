"""Second moments of frames, summed under each state's probability."""

import torch
from torch import Tensor

from .front import backend_for

__all__ = ["weighted_moments"]


@torch.no_grad()
def weighted_moments(
    joint: Tensor, weights: Tensor, *, negligible: float = 0.0, backend: str = "auto"
) -> Tensor:
    """Sum ``weights_tk joint_t joint_tᵀ`` over frames, in float64.

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
        joint.contiguous(), weights.contiguous(), negligible, totals
    )
    return (totals + totals.mT) / 2
