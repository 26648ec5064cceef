"""The shipped default with one thing changed, and with a minute of people's labels.

The networks of crops stay those of the PCA here: with a recognizer of states they change no label but
through the counts of transitions, and take most of the time. ``shipped`` shows the whole model.
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
    "no-coarsening": {"discovery": {"merge_threshold_nats": 0.0}},
    "no-self-training": {"discovery": {"rounds": 0}},
    "no-context": {"discovery": {"classifier": {"context_frames": 3}}},
}


def recover(folder: Path, setting: dict[str, Any], seed: int) -> _points.StatePrediction:
    changes = dict(setting)
    seconds = changes.pop("labeled_s", 0.0)
    labels = labels_of(Study(folder), seconds) if seconds else None
    return shipped.recover_with(folder, settings_of(changes), seed, labels)


def settings_of(changes: dict[str, Any]) -> ModelSettings:
    """Shipped default, labels only, with settings changed."""
    chosen = Config().models["slds"].model_dump(exclude_unset=True)
    chosen["network"] = "pca"
    discovery = dict(chosen["discovery"] or {})
    chosen["discovery"] = discovery | changes.pop("discovery", {})
    return ModelSettings(**(chosen | changes))


def labels_of(study: Study, seconds: float) -> dict[str, Annotations]:
    """Label one stretch in the middle of every training recording, so many seconds in all."""
    truths = {name: study.truth(name) for name in study.trained}
    known = sorted({int(k) for one in truths.values() for k in one["syllable"]})
    each = round(seconds * study.fps / len(truths))
    found = {}
    for name, truth in truths.items():
        syllable = truth["syllable"].to_numpy()
        weights = np.zeros((len(syllable), len(known)), np.float32)
        rows = np.arange(len(syllable) // 2, len(syllable) // 2 + each)
        weights[rows, np.searchsorted(known, syllable[rows])] = 1
        found[name] = Annotations(tuple(map(str, known)), weights)
    return found
