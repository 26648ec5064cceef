"""All that the next epoch of joint training depends on, and its file."""

import dataclasses
import logging
import math
from pathlib import Path
from typing import Any

from torch import Tensor

from .. import checkpoint as files

__all__ = ["State", "keep", "resume"]

log = logging.getLogger(__name__)


@dataclasses.dataclass
class State:
    """All that the next epoch depends on."""

    parameters: Any
    weights: dict[str, Tensor]
    moments: dict[str, Tensor]
    epoch: int = 0
    steps: int = 0
    starts: list[Tensor] = dataclasses.field(default_factory=list)
    best: Any = None
    best_weights: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    best_bound: float = -math.inf
    best_epoch: int = 0
    best_usage: list[int] = dataclasses.field(default_factory=list)
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)


def keep(path: Path, identity: str, state: State) -> None:
    """Write the state whole or not at all."""
    tensors = files.flatten(state.parameters, "parameters.")
    if state.best is not None:
        tensors |= files.flatten(state.best, "best.")
    for name in ("weights", "moments", "best_weights"):
        tensors |= {f"{name}.{key}": value for key, value in getattr(state, name).items()}
    tensors |= {f"starts.{i}": start for i, start in enumerate(state.starts)}
    plain = ("epoch", "steps", "best_bound", "best_epoch", "best_usage", "history")
    values = {name: getattr(state, name) for name in plain}
    files.save(path, tensors, {"identity": identity, "joint": values})


def resume(path: Path | None, identity: str, kind: Any) -> State | None:
    """Read the state of the same training that was stopped, if there is one."""
    if path is None or not path.is_file():
        return None
    tensors, metadata = files.load(path)
    if metadata.get("identity") != identity or "joint" not in metadata:
        return None

    def named(prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

    starts = named("starts.")
    log.info("training goes on after pass %d.", metadata["joint"]["epoch"])
    return State(
        parameters=files.restore(kind, tensors, "parameters."),
        weights=named("weights."),
        moments=named("moments."),
        best=files.restore(kind, tensors, "best."),
        best_weights=named("best_weights."),
        starts=[starts[str(i)] for i in range(len(starts))],
        **metadata["joint"],
    )
