"""The latents of an ordinary autoencoder and an AR-HMM."""

from pathlib import Path
from typing import Any

from recovery import latents
from recovery.methods import _points
from recovery.studies import Study

LATENTS = ("autoencoder",)
SETTINGS = _points.scan() | {"auto-filled": {"kappa": None, "filled": True}}


def recover(folder: Path, setting: dict[str, Any], seed: int) -> _points.StatePrediction:
    return _points.recover(Study(folder), latents.load(folder, "autoencoder"), setting, seed)
