"""An AR-HMM on what the shipped model gets: registered crops, the mean pose taken out, and motion.

The rival on equal data. ``arhmm`` has principal components of crops as they are.
"""

from pathlib import Path
from typing import Any

from recovery import latents
from recovery.methods import _points
from recovery.studies import Study

LATENTS = ("reduction",)
SETTINGS = _points.scan()


def recover(folder: Path, setting: dict[str, Any], seed: int) -> _points.StatePrediction:
    study, components = Study(folder), latents.load(folder, "reduction")
    series = latents.registered(study)
    return _points.recover(study, components._replace(series=series), setting, seed)
