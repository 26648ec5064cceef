"""The shipped default with one setting changed, and with a minute of people's labels.

The networks of crops are those of the PCA. Other networks take most of the time, and syllables are
found before they are trained. ``shipped`` has the whole model.
"""

from pathlib import Path
from typing import Any

import numpy as np

from recovery.methods import _points, shipped
from recovery.studies import Study
from syllabary.records.annotations import Annotations
from syllabary.study import Config
from syllabary.svae.settings import ModelSettings

LATENTS = ("reduction",)
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "pose": {"kinematics": False},
    "labels": {"labeled_s": 60.0},
    "no-registration": {"registration": False},
    "no-build": {"subject_offset": False},
    "no-merging": {"discovery": {"syllables": 50}},
    "one-lag": {"discovery": {"lags": 1}},
}


def recover(folder: Path, setting: dict[str, Any], seed: int) -> _points.StatePrediction:
    changes = dict(setting)
    seconds = changes.pop("labeled_s", 0.0)
    labels = labels_of(Study(folder), seconds) if seconds else None
    return shipped.recover_with(folder, settings_of(changes), seed, labels)


def settings_of(changes: dict[str, Any]) -> ModelSettings:
    """Return the shipped default with the network of the PCA and with changed settings."""
    chosen = Config().models["slds"].model_dump(exclude_unset=True)
    chosen["network"] = "pca"
    discovery = dict(chosen["discovery"] or {})
    chosen["discovery"] = discovery | changes.pop("discovery", {})
    return ModelSettings(**(chosen | changes))


def labels_of(study: Study, seconds: float) -> dict[str, Annotations]:
    """Label an interval in the middle of every training recording, ``seconds`` in all."""
    truths = {name: study.truth(name) for name in study.trained}
    classes = sorted({int(k) for table in truths.values() for k in table["syllable"]})
    each = round(seconds * study.fps / len(truths))
    labels = {}
    for name, truth in truths.items():
        syllable = truth["syllable"].to_numpy()
        weights = np.zeros((len(syllable), len(classes)), np.float32)
        rows = np.arange(len(syllable) // 2, len(syllable) // 2 + each)
        weights[rows, np.searchsorted(classes, syllable[rows])] = 1
        labels[name] = Annotations(tuple(map(str, classes)), weights)
    return labels
