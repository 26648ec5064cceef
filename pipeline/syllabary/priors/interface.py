"""The interface of a prior: the functions that it offers, with their documentation.

A prior is a module of this folder whose functions satisfy ``Prior``. A module that offers more
satisfies ``Sticky``, ``Merging`` or ``NetworkPrior`` too, and callers that need that check it with
``isinstance``. The records that pass through the functions are in ``types``.

Parameters and statistics differ between priors. They are NamedTuples of tensors
(``TensorRecord``), in the natural form of ``expfam``; ``GlobalParameters``, ``StickyParameters``,
``MixtureParameters`` and ``StartParameters`` name the fields that others may read.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol, Self, TypeAlias, TypeVar, runtime_checkable

import numpy as np
from torch import Tensor

from .. import settings as settings_module
from ..expfam import dirichlet, mniw, niw
from ..messages import meanfield
from .types import (
    Cotangent,
    Evidence,
    Filtered,
    GaussianEvidence,
    Local,
    Sample,
    Tangent,
    TensorRecord,
)

__all__ = [
    "ChosenNetworkPrior",
    "ChosenPrior",
    "GlobalParameters",
    "Merging",
    "MixtureParameters",
    "NetworkPrior",
    "Prior",
    "StartParameters",
    "Sticky",
    "StickyParameters",
]


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
S = TypeVar("S", bound=TensorRecord)
S_contra = TypeVar("S_contra", bound=TensorRecord, contravariant=True)
E = TypeVar("E")
C = TypeVar("C", bound=settings_module.Settings)
C_contra = TypeVar("C_contra", bound=settings_module.Settings, contravariant=True)


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
