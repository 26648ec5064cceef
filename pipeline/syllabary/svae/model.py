"""A trained model in one file: all that segmenting a new recording needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from .. import registry
from ..errors import BadInput
from ..provenance import Provenance
from ..settings import read
from . import checkpoint
from .settings import ModelSettings
from .training import Fitted

__all__ = ["Model"]

KIND = "model"
SCHEMA = 1


@dataclass(frozen=True)
class Model:
    """Settings, the way from crops to latents, and the prior's posterior parameters.

    Attributes
    ----------
    settings : ModelSettings
    reduction : mapping of name to tensor
        What makes latents of crops, named by the room that made it.
    parameters : NamedTuple of tensors
        Of the prior ``settings.prior``; states are numbered by usage in training.
    fps : float
        Ticks per second of the training recordings.
    """

    settings: ModelSettings
    reduction: Mapping[str, torch.Tensor]
    parameters: Any
    fps: float

    @classmethod
    def of(
        cls,
        settings: ModelSettings,
        fitted: Fitted,
        reduction: Mapping[str, torch.Tensor | npt.NDArray[Any]],
        *,
        fps: float,
    ) -> "Model":
        """Put together what training and reduction found."""
        tensors = {name: torch.as_tensor(value) for name, value in reduction.items()}
        return cls(settings, tensors, fitted.parameters, fps)

    def save(self, path: Path | str, provenance: Provenance) -> None:
        """Write the model whole or not at all; the same model makes the same bytes."""
        tensors = {f"reduction.{name}": value for name, value in self.reduction.items()}
        tensors |= checkpoint.flatten(self.parameters, "parameters.")
        metadata = {
            "kind": KIND,
            "schema": SCHEMA,
            "settings": self.settings.model_dump(mode="json"),
            "fps": self.fps,
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
        prior = registry.find("syllabary.priors", settings.prior)
        reduction = {
            name.removeprefix("reduction."): value
            for name, value in tensors.items()
            if name.startswith("reduction.")
        }
        parameters = checkpoint.restore(prior.Parameters, tensors, "parameters.")
        return cls(settings, reduction, parameters, metadata["fps"])

    @staticmethod
    def provenance_of(path: Path | str) -> Provenance:
        """Return what made a model file."""
        return Provenance.from_json(checkpoint.load(path)[1]["provenance"])
