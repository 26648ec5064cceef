"""Posterior of a Gaussian chain: marginals, their derivative, samples.

The chain is any Gaussian over T latents of D dimensions whose precision is block tridiagonal,
given by its potentials in information form (J and h of the textbooks). No block need be
invertible; a frame without evidence is a block to which nothing was added. Frames are eliminated from
the first to the last, and then found again from the last to the first:

    P_1 = J_11                 W_t = J_{t+1,t} P_t⁻¹         P_{t+1} = J_{t+1,t+1} − W_t J_{t+1,t}ᵀ
    P_1 m_1 = h_1              P_{t+1} m_{t+1} = h_{t+1} − J_{t+1,t} m_t

    μ_T = m_T                  μ_t = m_t − W_tᵀ μ_{t+1}
    S_T = P_T⁻¹                S_t = P_t⁻¹ + W_tᵀ S_{t+1} W_t        Cov(x_{t+1}, x_t) = −S_{t+1} W_t

``backends/reference.py`` is this recursion, its derivative and the sampler as plain code;
``backends/cpu`` and ``backends/cuda`` are the fast ones.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import IndefinitePrecision, ShapeError, UnknownName
from .dispatch import (
    KEEP,
    Array,
    as_lengths,
    as_tensor,
    backend_for,
    flatten,
    has_padding,
    name_of,
    no_fault,
    zeros,
)

__all__ = ["GaussianMarginals", "GaussianSums", "GaussianTangent", "marginals", "sample", "tangent"]


class GaussianSums(NamedTuple):
    """Covariances summed over frames, (..., D, D) float64."""

    before: Tensor
    """Σ S_t over all frames but the last."""
    after: Tensor
    """Σ S_t over all frames but the first."""
    cross: Tensor
    """Σ Cov(x_{t+1}, x_t)."""
    first: Tensor
    """S_1."""


class GaussianMarginals(NamedTuple):
    """Results of the forward and backward pass; padding holds zeros."""

    means: Tensor
    """(..., T, D) given all frames ("all", "sums"), or of the chain cut after each frame ("filter")."""
    covariances: Tensor | None
    """(..., T, D, D)."""
    cross: Tensor | None
    """(..., T - 1, D, D) covariance of x_{t+1} (rows) with x_t."""
    log_normalizer: Tensor
    """(...) float64, log of the integral over all latents, nats."""
    entropy: Tensor
    """(...) float64, nats."""
    sums: GaussianSums | None
    """With "sums"."""
    filtered: Tensor | None
    """(..., T, D, D) covariances of the chain cut after each frame, if ``cache``."""
    gain: Tensor | None
    """(..., T - 1, D, D) W_t = J_{t+1,t} times them, if ``cache``."""


class GaussianTangent(NamedTuple):
    """Derivative of the marginals; padding holds zeros."""

    means: Tensor
    """(..., T, D)"""
    covariances: Tensor
    """(..., T, D, D)"""
    cross: Tensor
    """(..., T - 1, D, D)"""


@torch.no_grad()
def marginals(
    precision: Array,
    lower: Array,
    precision_mean: Array,
    *,
    lengths: Array | None = None,
    keep: str = "all",
    cache: bool = False,
    backend: str = "auto",
) -> GaussianMarginals:
    """Posterior marginals of a Gaussian chain, in O(T D³) time and O(T D²) memory.

    Parameters
    ----------
    precision : (..., T, D, D) float32 or float64
        Blocks of the precision on its diagonal, symmetric; only their lower halves are read.
    lower : (..., T - 1, D, D)
        Blocks below the diagonal: entry t couples x_{t+1} (rows) to x_t.
    precision_mean : (..., T, D)
        Precision times mean.
    lengths : (...) int, optional
        Frames that count in each sequence; all T by default. Padding may hold anything.
    keep : {"all", "filter", "sums"}
        "all" smooths; "filter" runs forward only; "sums" sums the smoothed covariances.
    cache : bool
        Keep what ``tangent`` needs ("all" only).
    backend : str
        ``"auto"`` works where the arrays live; otherwise a name in ``backends/``.

    Raises
    ------
    ShapeError, IndefinitePrecision
        The potentials disagree about T or D; the precision is not positive definite or holds
        NaN (says where).

    References
    ----------
    Block-bidiagonal Cholesky and the selected inverse of doi:10.1145/360680.360704.
    """
    if keep not in KEEP:
        raise UnknownName(f"no keep {keep!r}. Known: {', '.join(KEEP)}.")
    chain = _checked(precision, lower, precision_mean, lengths)
    count, frames, size = chain.precision_mean.shape
    pairs = max(frames - 1, 0)
    like = chain.precision_mean

    padded = has_padding(lengths, frames)

    def zeros_of(*shape: int) -> Tensor:
        return zeros((count, *shape), like, padded=padded)

    means = zeros_of(frames, size)
    covariances = zeros_of(frames, size, size) if keep != "sums" else None
    cross = zeros_of(pairs, size, size) if keep == "all" else None
    sums = like.new_zeros((count, 4, size, size), dtype=torch.float64) if keep == "sums" else None
    cached = cache and keep == "all"
    filtered, gain = (
        (zeros_of(frames, size, size), zeros_of(pairs, size, size)) if cached else (None, None)
    )
    totals, fault = like.new_zeros((count, 2), dtype=torch.float64), no_fault(count)
    backend_for(backend, like).lds_marginals(
        *chain[:4], keep, means, covariances, cross, filtered, gain, sums, totals, fault
    )
    _refuse(fault, chain.leading)
    dimensions = chain.lengths.double() * size

    def unflatten(part: Tensor) -> Tensor:
        return part.reshape(*chain.leading, *part.shape[1:])

    def shaped(part: Tensor | None) -> Tensor | None:
        return None if part is None else unflatten(part)

    return GaussianMarginals(
        means=means.reshape(*chain.leading, frames, size),
        covariances=shaped(covariances),
        cross=shaped(cross),
        log_normalizer=(
            0.5 * (totals[:, 0] - totals[:, 1] + dimensions * math.log(2 * math.pi))
        ).reshape(chain.leading),
        entropy=(0.5 * (dimensions * (1 + math.log(2 * math.pi)) - totals[:, 1])).reshape(chain.leading),
        sums=None if sums is None else GaussianSums(*map(unflatten, sums.unbind(1))),
        filtered=shaped(filtered),
        gain=shaped(gain),
    )


@torch.no_grad()
def tangent(
    posterior: GaussianMarginals,
    d_precision: Array,
    d_lower: Array,
    centered: Array,
    *,
    lengths: Array | None = None,
    backend: str = "auto",
) -> GaussianTangent:
    """Derivative of the marginals along a change (dJ, dh) of the potentials, in O(T D³) time.

    The map from (dh, −½ dJ) to the derivatives of (μ, S + μ μᵀ) is symmetric and positive: it is
    the covariance of the statistics. So it is its own transpose, and what it returns is the
    vector-Jacobian product too.

    Parameters
    ----------
    posterior : GaussianMarginals
        Of ``marginals(..., cache=True)``.
    d_precision : (..., T, D, D)
        dJ on the diagonal, symmetric.
    d_lower : (..., T - 1, D, D)
        dJ below the diagonal.
    centered : (..., T, D)
        dh − dJ μ, with the whole dJ; given so, because forming it here would cancel.
    lengths, backend
        As for ``marginals``.

    References
    ----------
    docs/mathematics.md, "Derivatives of the chains".
    """
    if posterior.filtered is None or posterior.gain is None or posterior.covariances is None:
        raise ShapeError("the marginals were found without cache=True, which their tangent needs.")
    leading, (frames, size) = tuple(posterior.means.shape[:-2]), posterior.means.shape[-2:]
    like = posterior.means
    count = math.prod(leading)

    def flat(array: Array, *shape: int, name: str) -> Tensor:
        tensor = as_tensor(array).to(like)
        if tuple(tensor.shape) != (*leading, *shape):
            raise ShapeError(f"{name} has shape {tuple(tensor.shape)}; wanted {(*leading, *shape)}.")
        return tensor.reshape(count, *shape).contiguous()

    pairs = max(frames - 1, 0)
    parts = (
        flat(posterior.filtered, frames, size, size, name="filtered"),
        flat(posterior.gain, pairs, size, size, name="gain"),
        flat(posterior.covariances, frames, size, size, name="covariances"),
        flat(d_precision, frames, size, size, name="d_precision"),
        flat(d_lower, pairs, size, size, name="d_lower"),
        flat(centered, frames, size, name="centered"),
    )
    result = GaussianTangent(
        zeros((count, frames, size), like),
        zeros((count, frames, size, size), like),
        zeros((count, pairs, size, size), like),
    )
    spans = as_lengths(lengths, leading, frames, like.device)
    backend_for(backend, like).lds_tangent(*parts, spans, *result)
    return GaussianTangent(*(part.reshape(*leading, *part.shape[1:]) for part in result))


@torch.no_grad()
def sample(
    precision: Array,
    lower: Array,
    precision_mean: Array,
    rng: np.random.Generator,
    *,
    lengths: Array | None = None,
    backend: str = "auto",
) -> Tensor:
    """Draw all latents of every sequence from their joint posterior.

    Parameters
    ----------
    precision, lower, precision_mean
        As for ``marginals``.
    rng : numpy Generator
        Gives D normal numbers per frame, padding included.
    lengths, backend
        As for ``marginals``.

    Returns
    -------
    (..., T, D)
        Zeros in padding.

    Raises
    ------
    ShapeError, IndefinitePrecision
        As for ``marginals``.
    """
    chain = _checked(precision, lower, precision_mean, lengths)
    like = chain.precision_mean
    normals = torch.from_numpy(rng.standard_normal(tuple(like.shape))).to(like)
    samples = torch.zeros_like(like)
    fault = no_fault(len(like))
    backend_for(backend, like).lds_sample(*chain[:4], normals, samples, fault)
    _refuse(fault, chain.leading)
    return samples.reshape(*chain.leading, *samples.shape[1:])


class _Chain(NamedTuple):
    """Checked potentials with one leading axis, and the leading axes they had."""

    precision: Tensor
    lower: Tensor
    precision_mean: Tensor
    lengths: Tensor
    leading: tuple[int, ...]


def _checked(precision: Array, lower: Array, precision_mean: Array, lengths: Array | None) -> _Chain:
    mean = as_tensor(precision_mean)
    if mean.ndim < 2 or mean.shape[-1] == 0:
        raise ShapeError(f"precision_mean has shape {tuple(mean.shape)}; it is (..., T, D) with D ≥ 1.")
    frames, size = mean.shape[-2:]
    leading = tuple(mean.shape[:-2])
    flat = []
    for name, array, wanted in (
        ("precision", precision, (frames, size, size)),
        ("lower", lower, (max(frames - 1, 0), size, size)),
    ):
        tensor = as_tensor(array).to(mean)
        if tensor.ndim < 3 or tuple(tensor.shape[-3:]) != wanted:
            raise ShapeError(
                f"{name} has shape {tuple(tensor.shape)} but precision_mean is {tuple(mean.shape)}; "
                f"wanted (..., {', '.join(map(str, wanted))})."
            )
        part = flatten(tensor, leading, 3, name)
        flat.append(part.expand(math.prod(leading), *wanted).contiguous())
    return _Chain(
        flat[0],
        flat[1],
        mean.reshape(math.prod(leading), frames, size).contiguous(),
        as_lengths(lengths, leading, frames, mean.device),
        leading,
    )


def _refuse(fault: Tensor, leading: tuple[int, ...]) -> None:
    """Raise if a kernel met a precision that is not positive definite."""
    if fault.numel() and int(fault.max()) >= 0:
        sequence = int((fault >= 0).nonzero()[0, 0])
        raise IndefinitePrecision(
            f"{name_of(sequence, leading)}frame {int(fault[sequence])}: the precision given the frames "
            "before it is not positive definite; check the potentials for NaN, and that each state's "
            "noise covariance is positive definite."
        )
