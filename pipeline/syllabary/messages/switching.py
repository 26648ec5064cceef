"""The filter of a switching model: states and latents given the frames so far.

    z_t ~ rows[z_{t-1}],   x_t ~ N(W_z [x_{t-1}, ..., x_{t-L}] + b_z, Q_z)

The exact filter has K^t terms. Here the latents given the past are one Gaussian N(m, P) with the
mixture's mean and covariance ("generalized pseudo-Bayes of first order"). A frame is a potential

    exp(−½ (x − y)ᵀ C Cᵀ (x − y) + gᵀ (x − y)),

and with m' = m + P g, L Lᵀ = I + Cᵀ P C, u = L⁻¹ Cᵀ (y − m') and S = L⁻¹ Cᵀ P its evidence for a
state is gᵀ (m − y) + ½ gᵀ P g − ½ |u|² − log |L|. After it the mean is m' + Sᵀ u and the covariance
P − Sᵀ S. Neither P nor C Cᵀ is inverted. ``backends/filter_reference.py`` is this as plain code.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import ImpossibleEvidence, ShapeError
from .dispatch import Array, as_lengths, as_tensor, backend_for, flatten, name_of, no_fault, zeros

__all__ = ["Start", "SwitchingBelief", "SwitchingModel", "filter"]


class Start(NamedTuple):
    """Gaussian of the first frame of a sequence, before which nothing moved."""

    mean: Array
    """(D,)"""
    covariance: Array
    """(D, D)"""


class SwitchingModel(NamedTuple):
    """Parameters of a switching model; used as float64."""

    first: Array
    """(K,) probabilities of the first state."""
    rows: Array
    """(K, K) probabilities of the steps."""
    weights: Array
    """(K, D, L D), the latest frame first; not read without a start."""
    offsets: Array
    """(K, D)"""
    noise: Array
    """(K, D, D) covariances."""
    start: Start | None
    """None: every frame is drawn by its state alone, N(b_z, Q_z)."""


class SwitchingBelief(NamedTuple):
    """Evidence of every frame given those before, and the filtered distribution of the last."""

    states: Tensor
    """(..., K) probabilities."""
    means: Tensor
    """(..., L D), the latest frame first; L is 1 without a start."""
    covariances: Tensor
    """(..., L D, L D)"""
    nodes: Tensor
    """(..., T, K) log integral of every frame's potential, given its state and the frames before."""
    log_density: Tensor
    """(..., T) the same, given the frames before alone."""


@torch.no_grad()
def filter(
    model: SwitchingModel,
    root: Array,
    means: Array,
    linear: Array | None = None,
    *,
    lengths: Array | None = None,
    backend: str = "auto",
) -> SwitchingBelief:
    """Filter sequences, in O(T K (L² D³)) time; all float64.

    Parameters
    ----------
    model : SwitchingModel
    root : (..., T, D, r), or (..., T, D) for a diagonal matrix
        C, of r ≤ D columns, any of them zero. A frame whose C and g are zeros is missing.
    means : (..., T, D)
        y; finite everywhere but in padding.
    linear : (..., T, D), optional
        g; zeros by default. The smaller it is the better for the last digits, where C is large.
    lengths : (...) int, optional
        Frames that count in each sequence; all T by default. Padding may hold anything, and of the
        results it holds zeros. A sequence without a frame keeps the first frame's probabilities.
    backend : str
        ``"auto"`` works where the arrays live; otherwise a name in ``backends/``.

    Raises
    ------
    ShapeError, ImpossibleEvidence
        The arrays disagree about T, D or K; the density of a frame is no finite number (says which).

    References
    ----------
    doi:10.1109/TAC.1970.1099359 (generalized pseudo-Bayes of first order).
    """
    means = as_tensor(means).double()
    leading, (frames, size) = tuple(means.shape[:-2]), means.shape[-2:]
    root = as_tensor(root).double()
    if root.ndim == means.ndim:
        root = root[..., None]
    parts = _as_float64(model, size, means.device)
    if tuple(root.shape[:-1]) != tuple(means.shape) or not 1 <= root.shape[-1] <= size:
        raise ShapeError(
            f"root has shape {tuple(root.shape)} but means {tuple(means.shape)}; wanted (..., T, D, r) "
            "with 1 ≤ r ≤ D, or (..., T, D) for diagonal matrices."
        )
    linear = torch.zeros_like(means) if linear is None else as_tensor(linear).double()
    evidence = (
        flatten(root, leading, 3, "root"),
        flatten(means, leading, 2, "means"),
        flatten(linear.expand_as(means), leading, 2, "linear"),
    )
    count, states, reach = math.prod(leading), len(parts[0]), len(parts[5])
    counts = as_lengths(lengths, leading, frames, means.device)
    results = (
        zeros((count, frames, states), means),
        zeros((count, frames), means),
        parts[0].repeat(count, 1),
        zeros((count, reach), means),
        zeros((count, reach, reach), means),
    )
    fault = no_fault(len(counts))
    if count:
        backend_for(backend, means).switching_filter(parts, evidence, counts, results, fault)
    if bool((fault >= 0).any()):
        i = int((fault >= 0).nonzero()[0])
        raise ImpossibleEvidence(
            f"{name_of(i, leading)}frame {int(fault[i])}: its density given the frames before is no "
            "finite number; look for NaN or infinite evidence, and for states without a possible step."
        )
    nodes, log_density, belief, mean, covariance = (
        part.reshape(*leading, *part.shape[1:]) for part in results
    )
    return SwitchingBelief(belief, mean, covariance, nodes, log_density)


def _as_float64(model: SwitchingModel, size: int, device: torch.device) -> tuple[Tensor, ...]:
    """First, rows, weights, offsets, noise, and the moments of all that a first frame's past holds."""
    first, rows, weights, offsets, noise = (
        as_tensor(part).to(device, torch.float64) for part in model[:5]
    )
    states = len(first)
    mean, covariance = (first.new_zeros(shape) for shape in ((size,), (size, size)))
    lags = 1
    if model.start is None:
        weights = first.new_zeros((states, size, 0))
    else:
        lags = max(weights.shape[-1] // size, 1)
        mean, covariance = (as_tensor(part).to(device, torch.float64) for part in model.start)
    width = 0 if model.start is None else lags * size
    for name, part, wanted in (
        ("rows", rows, (states, states)),
        ("weights", weights, (states, size, width)),
        ("offsets", offsets, (states, size)),
        ("noise", noise, (states, size, size)),
        ("the mean of the start", mean, (size,)),
        ("the covariance of the start", covariance, (size, size)),
    ):
        if tuple(part.shape) != wanted:
            raise ShapeError(
                f"{name} has shape {tuple(part.shape)}; wanted {wanted}, for K={states} first "
                f"probabilities and evidence of D={size} latents."
            )
    noise, covariance = ((part + part.mT) / 2 for part in (noise, covariance))
    parts = (first, rows, weights, offsets, noise, mean.repeat(lags), covariance.repeat(lags, lags))
    return tuple(part.contiguous() for part in parts)
