"""The interface of a prior: what it is given, what it returns, and the functions that it offers.

A prior is a module of this folder whose functions satisfy ``Prior``. A module that offers more
satisfies ``Sticky``, ``Merging`` or ``NetworkPrior`` too, and those who need that ask with
``isinstance``. The records are the same for all priors:

- ``PointEvidence``, ``GaussianEvidence``: the latents of sequences, exact or with noise
- ``Local``: the posterior of latents and states of sequences, given the global parameters
- ``Cotangent``, ``Tangent``: a gradient by that posterior, and by what it was inferred from
- ``Filtered``, ``Sample``: one-step predictions, and a drawn sequence

Parameters and statistics differ between priors. They are NamedTuples of tensors
(``TensorRecord``), in the natural form of ``expfam``; ``GlobalParameters``, ``StickyParameters``,
``MixtureParameters`` and ``StartParameters`` name the fields that others may read.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, Protocol, Self, TypeAlias, TypeVar, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from .. import settings as settings_module
from ..expfam import dirichlet, mniw, niw
from ..messages import meanfield

__all__ = [
    "ChosenNetworkPrior",
    "ChosenPrior",
    "Cotangent",
    "Evidence",
    "Filtered",
    "GaussianEvidence",
    "GlobalParameters",
    "Local",
    "Merging",
    "MixtureParameters",
    "NetworkPrior",
    "PointEvidence",
    "Prior",
    "Sample",
    "StartParameters",
    "Sticky",
    "StickyParameters",
    "Tangent",
    "TensorRecord",
    "add",
    "rebuilt",
    "recordings",
    "scaled",
    "total",
]


class TensorRecord(Protocol):
    """A NamedTuple of tensors and of such records."""

    def _asdict(self) -> "dict[str, Tensor | TensorRecord]": ...


class GlobalParameters(TensorRecord, Protocol):
    """Posterior of a prior's global parameters, as far as every prior has them."""

    @property
    def dynamics(self) -> mniw.Natural:
        """(K, ...) of every state's regression."""

    @property
    def hyperprior(self) -> mniw.Natural:
        """Prior of every state's regression, unbatched."""

    def _replace(self, *, dynamics: mniw.Natural = ..., hyperprior: mniw.Natural = ...) -> Self: ...


@runtime_checkable
class StickyParameters(Protocol):
    """What the parameters of models with sticky transitions have besides."""

    @property
    def initial(self) -> dirichlet.Natural:
        """(K,) of the first state."""

    @property
    def transition(self) -> dirichlet.Natural:
        """(K, K) of the steps, rows from, columns to."""

    @property
    def dynamics(self) -> mniw.Natural:
        """(K, ...) of every state's regression."""

    @property
    def weights(self) -> Tensor:
        """(K,) beta, shares of the states."""

    @property
    def kappa(self) -> Tensor:
        """() pseudo-count of staying."""

    def _replace(
        self,
        *,
        initial: dirichlet.Natural = ...,
        transition: dirichlet.Natural = ...,
        dynamics: mniw.Natural = ...,
        weights: Tensor = ...,
        kappa: Tensor = ...,
    ) -> Self: ...


@runtime_checkable
class MixtureParameters(Protocol):
    """What the parameters of models of independent frames have besides."""

    @property
    def shares(self) -> dirichlet.Natural:
        """(K,) of the states."""


@runtime_checkable
class StartParameters(Protocol):
    """What the parameters of models with a distribution of the first frame have besides."""

    @property
    def start_hyperprior(self) -> niw.Natural:
        """Prior of the distribution of the first frame."""


P = TypeVar("P", bound=GlobalParameters)
P_contra = TypeVar("P_contra", bound=GlobalParameters, contravariant=True)
S = TypeVar("S", bound=TensorRecord)
S_contra = TypeVar("S_contra", bound=TensorRecord, contravariant=True)
E = TypeVar("E")
C = TypeVar("C", bound=settings_module.Settings)
C_contra = TypeVar("C_contra", bound=settings_module.Settings, contravariant=True)
R = TypeVar("R", bound=TensorRecord)


class PointEvidence(NamedTuple):
    """Latents that are exact where they are observed."""

    latents: Tensor
    """(..., T, D) float32 or float64; anything where not observed."""
    observed: Tensor
    """(..., T) bool."""

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


@runtime_checkable
class Prior(Protocol[P, S, E, C]):
    """A model of how latents move, by variational inference.

    ``P`` is the type of its global parameters, ``S`` of their expected statistics, ``E`` of the
    evidence that it takes, and ``C`` of its settings. Parameters are values: no function changes
    them in place. The bound of a data set is the sum of the bounds of its sequences, minus
    ``divergence``. No iteration of ``infer``, ``update`` and ``update_hyperparameters`` lowers it.
    """

    @property
    def TAKES_POINTS(self) -> bool:
        """Evidence is ``PointEvidence`` if true, otherwise ``GaussianEvidence``."""

    @property
    def Settings(self) -> type[C]:
        """Class of the settings, a section of the config."""

    @property
    def Parameters(self) -> type[P]:
        """Class of the global parameters, which model files store."""

    def initial(
        self,
        settings: C,
        latents: Iterable[Tensor],
        lengths: Sequence[int] | Tensor | None,
        rng: np.random.Generator,
    ) -> P:
        """Guess parameters from data.

        Parameters
        ----------
        settings : Settings
        latents : iterable of (T, D) float, or (B, T, D)
            One tensor per recording; NaN where missing. Iterated twice.
        lengths : (B,) int, optional
            Frames that count in each recording.
        rng : numpy Generator

        Raises
        ------
        BadInput
            No frame has all its predecessors.
        """

    def infer(
        self,
        parameters: P,
        evidence: E,
        lengths: Tensor | None = None,
        *,
        start: Tensor | None = None,
        max_iterations: int = ...,
        tolerance: float = ...,
        paths: bool = False,
        cache: bool = True,
    ) -> Local[S]:
        """Return the posterior of latents and states.

        Parameters
        ----------
        parameters : Parameters
        evidence : PointEvidence or GaussianEvidence
            (..., T, D); messages run in its dtype.
        lengths : (...) int, optional
            Frames that count in each sequence.
        start : (..., T, K), optional
            Probabilities of the states to begin with; by default those of the evidence's means
            taken as points.
        max_iterations : int
            Upper limit of iterations between latents and states.
        tolerance : float
            Rise of the bound per frame, nats, below which iterations end.
        paths : bool
            Return the most probable path of states too.
        cache : bool
            Keep what ``tangent`` needs, which is half of the memory.
        """

    def tangent(
        self,
        parameters: P,
        local: Local[S],
        cotangent: Cotangent,
        *,
        tolerance: float = 1e-2,
        iterations: int = 8,
        damping: float | None = None,
    ) -> Tangent[E, S]:
        """Return the gradient of a scalar by evidence and global parameters.

        Parameters
        ----------
        parameters : Parameters
            Those of ``infer``.
        local : Local
            Result of ``infer`` with its cache.
        cotangent : Cotangent
            Gradient of the scalar by ``local``, without the part that runs through the bound.
        tolerance, iterations, damping
            Of the solver, see ``meanfield.derivative``; 0 iterations hold the states fixed.
        """

    def filter(self, parameters: P, evidence: E, lengths: Tensor | None = None) -> Filtered:
        """Predict every frame from those before it, the parameters at their posterior means.

        Parameters
        ----------
        parameters : Parameters
        evidence : PointEvidence or GaussianEvidence
            (..., T, D)
        lengths : (...) int, optional
            Frames that count in each sequence.
        """

    def sample(
        self, parameters: P, rng: np.random.Generator, *, local: Local[S] | None = None, T: int
    ) -> Sample:
        """Draw a sequence, the parameters at their posterior means.

        Parameters
        ----------
        parameters : Parameters
        rng : numpy Generator
        local : Local, optional
            Posterior of one sequence to continue; otherwise the past is the mean pose.
        T : int
            Frames to draw.
        """

    def divergence(self, parameters: P, settings: C) -> Tensor:
        """Return the divergence of the global parameters from their prior, () nats."""

    def update(
        self,
        parameters: P,
        statistics: S,
        settings: C,
        *,
        rate: float = 1.0,
        cotangent: S | None = None,
    ) -> P:
        """Step along the natural gradient; a full step is the conjugate posterior.

        Parameters
        ----------
        parameters : Parameters
        statistics : Statistics
            Of all the data, or of a part scaled up to all.
        settings : Settings
        rate : float
            0 stays, 1 is the whole step.
        cotangent : Statistics, optional
            Gradient of the rest of the objective by the expected statistics, from ``tangent``.
        """

    def update_hyperparameters(self, parameters: P) -> P:
        """Return the parameters with the hyperprior that makes the states most probable."""

    def reorder(self, parameters: P, order: Tensor) -> P:
        """Renumber the states: the new state i is the old ``order[i]``, (K,) int64."""

    def dimensions(self, parameters: P) -> int:
        """Return the number of latent dimensions D."""


@runtime_checkable
class Sticky(Protocol[P]):
    """A prior whose transitions have a stickiness kappa."""

    def with_kappa(self, parameters: P, kappa: float) -> P:
        """Return the same posterior counts under another pseudo-count of staying."""

    def kappa_of(self, parameters: P) -> float:
        """Return the pseudo-count of staying."""


@runtime_checkable
class Merging(Protocol[P, S_contra, C_contra]):
    """A prior that proposes to merge redundant states."""

    def merge(
        self, parameters: P, statistics: S_contra, settings: C_contra, share: float = 1.0
    ) -> P | None:
        """Propose parameters with fewer states, or None if no merge raises the bound.

        Parameters
        ----------
        parameters : Parameters
        statistics : Statistics
            Of all the data.
        settings : Settings
        share : float
            Upper limit of merges, as a share of the states in use.
        """


@runtime_checkable
class NetworkPrior(Prior[P, S, GaussianEvidence, C], Protocol[P, S, C]):
    """A prior that networks can be trained with, on windows of recordings.

    It can start from an autoregressive model of one lag, whose states are found sooner.
    """

    def from_autoregression(self, parameters: GlobalParameters, /) -> P:
        """Return parameters that take over an AR-HMM of one lag; the first frame has no data."""

    def blank(
        self,
        settings: C,
        latents: Iterable[Tensor],
        lengths: Sequence[int] | Tensor | None,
        rng: np.random.Generator,
    ) -> P:
        """Return parameters without data: no state differs from another. See ``initial``."""

    def infer(
        self,
        parameters: P,
        evidence: GaussianEvidence,
        lengths: Tensor | None = None,
        *,
        start: Tensor | None = None,
        boundary: meanfield.BoundaryMessages | None = None,
        max_iterations: int = ...,
        tolerance: float = ...,
        paths: bool = False,
        cache: bool = True,
    ) -> Local[S]:
        """Return the posterior of latents and states, see ``Prior.infer``.

        ``boundary`` holds messages from beyond the ends of windows; they have one leading axis.
        """

    def boundary_messages(
        self, local: Local[S], begin: Tensor, stop: Tensor
    ) -> meanfield.BoundaryMessages:
        """Return the messages into windows of one sequence from beyond their ends.

        Parameters
        ----------
        local : Local
            Posterior of the whole sequence (T, D), with its cache.
        begin, stop : (n,) int64
            First frame of each window, and the frame after its last; two frames at least.
        """

    def update_from_windows(
        self,
        parameters: P,
        statistics: S,
        settings: C,
        *,
        rate: float,
        cotangent: S | None = None,
    ) -> P:
        """Step as ``update`` does, but keep how recordings begin: windows begin anywhere."""

    def rescale_latents(self, parameters: P, shift: Tensor, scale: Tensor) -> P:
        """Return the same model of latents x' = scale (x − shift); both (D,) float64."""


# A prior that a config names: its types are known as far as all priors share them. Parameters,
# statistics and evidence must be of the same prior.
ChosenPrior: TypeAlias = Prior[GlobalParameters, TensorRecord, Evidence, settings_module.Settings]
ChosenNetworkPrior: TypeAlias = NetworkPrior[GlobalParameters, TensorRecord, settings_module.Settings]


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
