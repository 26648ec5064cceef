"""A trained model in one file: all that segmenting a new recording needs."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..errors import BadInput
from ..priors.interface import GlobalParameters
from ..priors.lookup import find_prior
from ..priors.types import moved
from ..provenance import Provenance
from ..records.crops import Crops
from ..records.merge_tree import LINKAGE
from ..reduction.latents import LatentSeries
from ..reduction.pca import Pca
from ..reduction.reduction import Reduction, of_pca
from ..settings import read
from . import checkpoint
from .discovery.discovery import Discovered
from .networks.autoencoder import Networks, create
from .settings import ModelSettings
from .training.fitted import Fitted

__all__ = ["Model"]

KIND = "model"
SCHEMA = 7


AGREEMENT = "agreement"


def _no_tree() -> torch.Tensor:
    return torch.zeros(0, 4, dtype=torch.float64)


def _no_agreement() -> torch.Tensor:
    return torch.zeros(0, 0, dtype=torch.float64)


@dataclass(frozen=True)
class Model:
    """Settings, the way from crops to latents, and the prior's posterior parameters.

    Attributes
    ----------
    settings : ModelSettings
    reduction : mapping of name to tensor
        The map from crops to latents: ``Reduction.tensors``.
    weights : mapping of name to tensor
        Of encoder and decoder.
    parameters : NamedTuple of tensors
        Of the prior ``settings.prior``; states are numbered by usage in training.
    fps : float
        Ticks per second; recordings of another rate are read at this one.
    classes : tuple of str
        People's name of each state; empty where they gave none.
    linkage : (K - 1, 4) float64
        Merge tree of the states, as in ``scipy.cluster.hierarchy.linkage``: left, right, height
        and number of states. Heights are log evidence lost, nats per frame, and never fall.
        (0, 4) is no tree: every state is a syllable.
    agreement : (K, K) float64
        Probability of each state by a fit to other animals, by the state of this one; rows sum to
        one. (0, 0) if there was no other fit: then probabilities are those of this fit alone.
    """

    settings: ModelSettings
    reduction: Mapping[str, torch.Tensor]
    weights: Mapping[str, torch.Tensor]
    parameters: GlobalParameters
    fps: float
    classes: tuple[str, ...] = ()
    linkage: torch.Tensor = dataclasses.field(default_factory=_no_tree)
    agreement: torch.Tensor = dataclasses.field(default_factory=_no_agreement)

    @classmethod
    def of(
        cls,
        settings: ModelSettings,
        fitted: Fitted,
        reduction: Reduction | Pca,
        networks: Networks | None = None,
        *,
        fps: float,
        discovered: Discovered | None = None,
    ) -> "Model":
        """Return a model from the results of training and reduction.

        Parameters
        ----------
        settings : ModelSettings
        fitted : Fitted
        reduction : Reduction or Pca
        networks : Networks, optional
            By default those before the first step of training.
        fps : float
            Ticks per second.
        discovered : Discovered, optional
            Source of the names and of the tree of syllables.
        """
        reduction = of_pca(reduction) if isinstance(reduction, Pca) else reduction
        networks = networks or create(settings, reduction.pca, np.random.default_rng(0))
        tensors = {name: torch.as_tensor(value) for name, value in reduction.tensors().items()}
        model = cls(settings, tensors, networks.tensors(), fitted.parameters, fps)
        if discovered is None:
            return model
        return dataclasses.replace(
            model,
            classes=discovered.classes,
            linkage=discovered.linkage,
            agreement=discovered.agreement,
        )

    @property
    def device(self) -> torch.device:
        """Where its networks and its prior compute; the map from crops to latents is NumPy's."""
        return self.parameters.dynamics.observations.device

    def to(self, device: torch.device) -> "Model":
        """Return the model on a device."""
        return dataclasses.replace(
            self,
            weights={name: value.to(device) for name, value in self.weights.items()},
            parameters=moved(self.parameters, device),
            agreement=self.agreement.to(device),
        )

    def reducer(self) -> Reduction:
        """Return the map from crops to latents."""
        return Reduction.from_tensors({name: tensor.numpy() for name, tensor in self.reduction.items()})

    def latents(self, crops: Crops) -> LatentSeries:
        """Return the latents of a recording, made as in training."""
        return dataclasses.replace(self.reducer(), fps=self.fps).latents(crops)

    def pca(self) -> Pca:
        """Return the principal components that the networks start from."""
        return self.reducer().pca

    def networks(self) -> Networks:
        """Return encoder and decoder with their trained weights."""
        networks = create(self.settings, self.pca(), np.random.default_rng(0)).to(self.device)
        networks.load(self.weights)
        return networks

    def save(self, path: Path | str, provenance: Provenance) -> None:
        """Write the model whole or not at all; the same model makes the same bytes."""
        tensors = {f"reduction.{name}": value for name, value in self.reduction.items()}
        tensors |= {f"weights.{name}": value for name, value in self.weights.items()}
        tensors |= checkpoint.flatten(self.parameters, "parameters.")
        tensors[AGREEMENT] = self.agreement
        if len(self.linkage):
            tensors[LINKAGE] = self.linkage.to(torch.float64)
        metadata = {
            "kind": KIND,
            "schema": SCHEMA,
            "settings": self.settings.model_dump(mode="json"),
            "fps": self.fps,
            "classes": self.classes,
            "provenance": provenance.to_json(),
        }
        checkpoint.save(path, tensors, metadata)

    @classmethod
    def load(cls, path: Path | str) -> "Model":
        """Read a model.

        Raises
        ------
        BadInput
            The file is missing, truncated, no model, or of another version.
        """
        tensors, metadata = checkpoint.load(path)
        if metadata.get("kind") != KIND or metadata.get("schema") != SCHEMA:
            raise BadInput(
                f"{path}: holds {metadata.get('kind', 'something else')}, schema "
                f"{metadata.get('schema')}; wanted a model of schema {SCHEMA}, which 'syllabary fit' "
                "of this version writes."
            )
        settings = read(ModelSettings, metadata["settings"], str(path))
        kind = find_prior(settings.prior).Parameters
        reduction, weights = (
            {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            for prefix in ("reduction.", "weights.")
        )
        parameters = checkpoint.restore(kind, tensors, "parameters.")
        classes = tuple(metadata["classes"])
        return cls(
            settings,
            reduction,
            weights,
            parameters,
            metadata["fps"],
            classes,
            tensors.get(LINKAGE, _no_tree()),
            tensors.get(AGREEMENT, _no_agreement()),
        )

    @staticmethod
    def provenance_of(path: Path | str) -> Provenance:
        """Return the provenance of a model file."""
        return Provenance.from_json(checkpoint.load(path)[1]["provenance"])
