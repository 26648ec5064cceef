"""What a prior is shown of the latents, and what it makes of them."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

__all__ = [
    "Cotangent",
    "Filtered",
    "GaussianEvidence",
    "Local",
    "PointEvidence",
    "Sample",
    "Tangent",
    "add",
    "recordings",
    "scaled",
    "total",
]

Record = TypeVar("Record", bound=tuple[Any, ...])


class PointEvidence(NamedTuple):
    """Latents that are known exactly where they are known at all."""

    latents: Tensor
    """(..., T, D) float32 or float64; anything where not observed."""
    observed: Tensor
    """(..., T) bool."""


class GaussianEvidence(NamedTuple):
    """Latents that are seen with noise: a factor N(mean; x, 1 / precision) of each coordinate."""

    mean: Tensor
    """(..., T, D) float32 or float64; anything where the precision is zero."""
    precision: Tensor
    """(..., T, D) >= 0; zero is missing."""
    states: Tensor | None = None
    """(..., T, K) log evidence of the states, nats: then they are found from it alone."""


class Local(NamedTuple):
    """Posterior of the latents and states of sequences, given the global parameters."""

    means: Tensor
    """(..., T, D) of the latents."""
    covariances: Tensor | None
    """(..., T, D, D), or None where the latents are points."""
    cross: Tensor | None
    """(..., T - 1, D, D) covariance of x_{t+1} with x_t, or None."""
    states: Tensor
    """(..., T, K) probabilities."""
    statistics: Any
    """What ``update`` needs, summed over all sequences."""
    log_normalizer: Tensor
    """(...) of the chain of states, nats."""
    divergence: Tensor
    """(...) of latents and states from the prior, nats; their entropy left out for points."""
    bound: Tensor
    """(...) mean log density of the evidence minus the divergence, nats."""
    converged: Tensor
    """(...) bool."""
    path: Tensor | None
    """(..., T) int64, the most probable path of states, where asked for; -1 in padding."""
    iterations: Tensor
    """(...) turns between latents and states."""
    cache: Any
    """What ``tangent`` goes on from."""


class Cotangent(NamedTuple):
    """Gradient of a scalar by the marginals of ``Local``, beside what runs through their bound."""

    means: Tensor
    """(..., T, D)"""
    covariances: Tensor | None
    """(..., T, D, D), symmetric, or None."""
    states: Tensor | None = None
    """(..., T, K), or None."""


class Tangent(NamedTuple):
    """The same gradient by what the marginals were found from."""

    evidence: Any
    """Evidence of cotangents: (..., T, D) each."""
    statistics: Any
    """By the expected statistics of the global parameters: what ``update`` takes as cotangent."""
    iterations: Tensor
    """(...) steps of the solver."""
    residual: Tensor
    """(...) what is left of its equation, relative."""
    indefinite: Tensor
    """(...) bool: the marginals were no strict optimum, and the solver stopped short."""


class Filtered(NamedTuple):
    """One-step predictions."""

    log_density: Tensor
    """(..., T) log p(x_t | x_1..x_{t-1}), nats; 0 where a frame is no evidence."""
    usable: Tensor
    """(..., T) bool, frames that are evidence: observed, and so are all their regressors."""


class Sample(NamedTuple):
    """A sequence drawn from a prior."""

    states: Tensor
    """(T,) int64."""
    latents: Tensor
    """(T, D) float64."""


def recordings(latents: Iterable[Tensor], lengths: Sequence[int] | Tensor | None) -> list[PointEvidence]:
    """Return the evidence of each recording (T, D), cut to its length; NaN is missing."""
    found = []
    for index, values in enumerate(latents):
        own = values if lengths is None else values[: int(lengths[index])]
        found.append(PointEvidence(own, torch.isfinite(own).all(-1)))
    return found


def add(left: Record, right: Record) -> Record:
    """Add two records of tensors, and records inside them, field by field."""
    return type(left)(
        *(add(a, b) if isinstance(a, tuple) else a + b for a, b in zip(left, right, strict=True))
    )


def scaled(record: Record, factor: float) -> Record:
    """Multiply every tensor of a record, and of records inside it, by a number."""
    return type(record)(
        *(scaled(part, factor) if isinstance(part, tuple) else factor * part for part in record)
    )


def total(parts: Iterable[Record]) -> Record:
    """Add up records in their order; there is at least one."""
    rest = iter(parts)
    found = next(rest)
    for part in rest:
        found = add(found, part)
    return found
