"""The state of training, on which the next iteration or epoch depends, and its file."""

import dataclasses
import logging
import math
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor

from ...errors import BadInput
from ...priors.interface import GlobalParameters
from ...priors.lookup import find_prior
from ...priors.types import PROCESSOR
from .. import checkpoint
from .fitted import Row

__all__ = ["Checkpoint", "EMState", "JointState", "Place", "TrainingState"]

log = logging.getLogger(__name__)
Probe: TypeAlias = list[float]


@dataclasses.dataclass
class TrainingState:
    """State that every kind of training has."""

    prior: str
    """Name of the prior."""
    parameters: GlobalParameters
    best: GlobalParameters | None = None
    best_bound: float = -math.inf
    starts: list[Tensor] = dataclasses.field(default_factory=list)
    """Probabilities of the states of each recording, from which its next inference begins."""
    history: list[Row] = dataclasses.field(default_factory=list)

    def progress(self) -> str:
        """Return how far training is, for the log."""
        raise NotImplementedError


@dataclasses.dataclass
class EMState(TrainingState):
    """State of training a prior alone."""

    kappa: float = 0.0
    stage: str = ""
    phase: str = "search"
    restart: int = 0
    iteration: int = 0
    bound: float = -math.inf
    first: GlobalParameters | None = None
    """Parameters from which every probe of a stickiness starts."""
    probes: list[Probe] = dataclasses.field(default_factory=list)
    """Log kappa, and log of the duration over its target, of every probe."""
    unmerged: GlobalParameters | None = None
    """Parameters before the last merge, in case it lowers the bound."""
    merge_share: float = 0.0
    best_restart: int = 0

    def progress(self) -> str:
        """Return how far training is, for the log."""
        return f"iteration {self.iteration} of phase {self.phase}"


@dataclasses.dataclass
class JointState(TrainingState):
    """State of training networks and prior together."""

    weights: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    moments: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    """Of the optimizer."""
    epoch: int = 0
    steps: int = 0
    best_weights: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    best_epoch: int = 0
    best_usage: list[int] = dataclasses.field(default_factory=list)

    def progress(self) -> str:
        """Return how far training is, for the log."""
        return f"pass {self.epoch}"


State = TypeVar("State", bound=TrainingState)


class Checkpoint(NamedTuple):
    """The file in which the state of one training is kept."""

    path: Path
    identity: str = ""
    """Digest of all that decides the result; a file with another one is not used."""
    device: torch.device = PROCESSOR
    """Of the state; a file is of no device."""

    def keep(self, state: TrainingState) -> None:
        """Write the state whole or not at all."""
        values = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
        tensors = {f"starts.{i}": start for i, start in enumerate(values.pop("starts"))}
        records = [name for name, value in values.items() if isinstance(value, tuple)]
        groups = [name for name, value in values.items() if isinstance(value, dict)]
        for name in records:
            tensors |= checkpoint.flatten(values.pop(name), f"{name}.")
        for name in groups:
            tensors |= {f"{name}.{key}": tensor for key, tensor in values.pop(name).items()}
        layout = {"kind": type(state).__name__, "records": records, "groups": groups, "values": values}
        checkpoint.save(self.path, tensors, {"identity": self.identity, **layout})

    def resume(self, kind: type[State]) -> State | None:
        """Read the state of the same training if it was stopped, otherwise return None.

        Parameters
        ----------
        kind : subclass of TrainingState
        """
        if not self.path.is_file():
            return None
        try:
            tensors, metadata = checkpoint.load(self.path, self.device)
        except BadInput as error:
            log.warning("%s Training starts afresh.", error)
            return None
        if metadata.get("identity") != self.identity or metadata.get("kind") != kind.__name__:
            log.warning(
                "%s is of another training (data, settings, code, seed or device differ): not used.",
                self.path,
            )
            return None

        def group(name: str) -> dict[str, Tensor]:
            prefix = f"{name}."
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        values, starts = metadata["values"], group("starts")
        parameters = find_prior(values["prior"]).Parameters
        values["starts"] = [starts[str(i)] for i in range(len(starts))]
        values |= {name: group(name) for name in metadata["groups"]}
        for name in metadata["records"]:
            values[name] = checkpoint.restore(parameters, tensors, f"{name}.")
        state = kind(**values)
        log.info("training goes on after %s.", state.progress())
        return state


class Place(NamedTuple):
    """Where training runs, and where it keeps its checkpoints until the end."""

    device: torch.device = PROCESSOR
    folder: Path | None = None
    """No checkpoints without one."""
    identity: str = ""
    """Digest of all that decides the result."""

    def checkpoint(self, name: str) -> Checkpoint | None:
        """Return the checkpoint of a part of training."""
        if self.folder is None:
            return None
        return Checkpoint(self.folder / f"{name}.safetensors", self.identity, self.device)
