"""Records that pass through a prior: its evidence, the posterior, gradients, and drawn sequences."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

import torch
from torch import Tensor

__all__ = [
    "PROCESSOR",
    "Cotangent",
    "Evidence",
    "Filtered",
    "GaussianEvidence",
    "Local",
    "PointEvidence",
    "Sample",
    "Tangent",
    "TensorRecord",
    "add",
    "moved",
    "pinned",
    "placed",
    "rebuilt",
    "recordings",
    "scaled",
    "total",
]


class TensorRecord(Protocol):
    """A NamedTuple of tensors and of such records."""

    def _asdict(self) -> "dict[str, Tensor | TensorRecord]": ...


PROCESSOR = torch.device("cpu")
S = TypeVar("S", bound=TensorRecord)
E = TypeVar("E")
R = TypeVar("R", bound=TensorRecord)


class PointEvidence(NamedTuple):
    """Latents that are exact where they are observed."""

    latents: Tensor
    """(..., T, D) float32 or float64; anything where not observed."""
    observed: Tensor
    """(..., T) bool."""
    states: Tensor | None = None
    """(..., T, K) further log evidence of the states, nats."""

    @property
    def values(self) -> Tensor:
        """(..., T, D) latents; anything where not observed."""
        return self.latents


class GaussianEvidence(NamedTuple):
    """Latents with noise: a factor N(mean; x, 1 / precision) of each coordinate."""

    mean: Tensor
    """(..., T, D) float32 or float64; anything where the precision is zero."""
    precision: Tensor
    """(..., T, D) >= 0; zero is missing."""
    states: Tensor | None = None
    """(..., T, K) log evidence of the states, nats. If given, states follow from it alone."""

    @property
    def values(self) -> Tensor:
        """(..., T, D) latents; anything where not observed."""
        return self.mean

    @property
    def observed(self) -> Tensor:
        """(..., T) bool: some coordinate is observed."""
        return (self.precision > 0).any(-1)


Evidence: TypeAlias = PointEvidence | GaussianEvidence


class Local(NamedTuple, Generic[S]):
    """Posterior of the latents and states of sequences, given the global parameters."""

    means: Tensor
    """(..., T, D) of the latents."""
    covariances: Tensor | None
    """(..., T, D, D), or None where the latents are points."""
    cross: Tensor | None
    """(..., T - 1, D, D) covariance of x_{t+1} with x_t, or None."""
    states: Tensor
    """(..., T, K) probabilities."""
    statistics: S
    """Expected sufficient statistics, summed over all sequences: input of ``update``."""
    log_normalizer: Tensor
    """(...) of the chain of states, nats."""
    divergence: Tensor
    """(...) of latents and states from the prior, nats; without their entropy for points."""
    bound: Tensor
    """(...) mean log density of the evidence minus the divergence, nats."""
    converged: Tensor
    """(...) bool."""
    path: Tensor | None
    """(..., T) int64, the most probable path of states if requested; -1 in padding."""
    iterations: Tensor
    """(...) iterations between latents and states."""
    residual: Tensor
    """(...) largest change of a state's probability in the last iteration."""
    cache: object
    """Intermediate results that the prior's own ``tangent`` and ``boundary_messages`` reuse."""


class Cotangent(NamedTuple):
    """Gradient of a scalar by the marginals of ``Local``, without the part through their bound."""

    means: Tensor
    """(..., T, D)"""
    covariances: Tensor | None
    """(..., T, D, D), symmetric, or None."""
    states: Tensor | None = None
    """(..., T, K), or None."""


class Tangent(NamedTuple, Generic[E, S]):
    """The same gradient by the evidence and the global parameters."""

    evidence: E
    """Evidence of cotangents: (..., T, D) each."""
    statistics: S
    """By the expected statistics of the global parameters: the cotangent of ``update``."""
    iterations: Tensor
    """(...) steps of the solver."""
    residual: Tensor
    """(...) relative residual of the solver's equation."""
    indefinite: Tensor
    """(...) bool: the marginals were no strict optimum, and the solver stopped early."""


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
    """Return the evidence of each recording (T, D), cut to its length; NaN is missing.

    Parameters
    ----------
    latents : iterable of (T, D), or (B, T, D)
    lengths : (B,) int, optional
    """
    series = []
    for index, values in enumerate(latents):
        counted = values if lengths is None else values[: int(lengths[index])]
        series.append(PointEvidence(counted, torch.isfinite(counted).all(-1)))
    return series


def rebuilt(kind: type[R], parts: "Iterable[Tensor | TensorRecord]") -> R:
    """Return a record of a type, a NamedTuple, with these parts in the order of its fields."""
    make: Callable[..., R] = kind
    return make(*parts)


def moved(record: R, device: torch.device) -> R:
    """Return a record of tensors, and of records inside it, on a device; what is None stays None."""
    return rebuilt(type(record), (_moved(part, device) for part in record._asdict().values()))


def _moved(part: Any, device: torch.device) -> Any:
    if isinstance(part, Tensor):
        return placed(part, device)
    return part if part is None else moved(part, device)


def placed(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device; a GPU copies while the processor goes on.

    Parameters
    ----------
    tensor : (...)
    device : torch.device
    """
    return pinned(tensor, device).to(device, non_blocking=device.type == "cuda")


def pinned(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor in memory that a GPU reads by itself, if it is to go to one.

    Parameters
    ----------
    tensor : (...)
    device : torch.device
        Where it is to go.
    """
    is_pageable = device.type == "cuda" and tensor.device.type == "cpu" and not tensor.is_pinned()
    return tensor.pin_memory() if is_pageable else tensor


def add(left: R, right: R) -> R:
    """Add two records of tensors, and records inside them, field by field."""
    pairs = zip(left._asdict().values(), right._asdict().values(), strict=True)
    return rebuilt(type(left), (_sum(a, b) for a, b in pairs))


def _sum(left: Tensor | TensorRecord, right: Tensor | TensorRecord) -> Tensor | TensorRecord:
    if isinstance(left, Tensor) or isinstance(right, Tensor):
        assert isinstance(left, Tensor) and isinstance(right, Tensor)
        return left + right
    return add(left, right)


def scaled(record: R, factor: float) -> R:
    """Multiply every tensor of a record, and of records inside it, by a number."""
    parts = record._asdict().values()
    return rebuilt(
        type(record),
        (factor * part if isinstance(part, Tensor) else scaled(part, factor) for part in parts),
    )


def total(parts: Iterable[R]) -> R:
    """Add up records in their order; there is at least one."""
    rest = iter(parts)
    result = next(rest)
    for part in rest:
        result = add(result, part)
    return result
