"""Principal components and a switching linear dynamical system: shipped ``pca-slds``, any stickiness."""

from pathlib import Path
from typing import Any

from recovery.methods import _points, shipped
from syllabary.svae.settings import ModelSettings

LATENTS = ("reduction",)
SETTINGS = _points.scan((1e4, 1e5, 1e6))


def recover(folder: Path, setting: dict[str, Any], seed: int) -> _points.StatePrediction:
    chosen = ModelSettings(prior="slds", prior_settings={"kappa": setting["kappa"]})
    return shipped.recover_with(folder, chosen, seed)
