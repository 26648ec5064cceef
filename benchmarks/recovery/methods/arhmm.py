"""Principal components and an AR-HMM, as in MoSeq."""

from pathlib import Path
from typing import Any

from recovery import latents
from recovery.methods import _points
from recovery.studies import Study

LATENTS = ("pca",)
SETTINGS = _points.scan() | {"auto-filled": {"kappa": None, "filled": True}}


def recover(folder: Path, setting: dict[str, Any], seed: int) -> _points.StatePrediction:
    return _points.recover(Study(folder), latents.load(folder, "pca"), setting, seed)
