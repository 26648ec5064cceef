"""Models of the shipped configuration, trained and applied as in the workflow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recovery import latents
from recovery.methods._points import StatePrediction
from recovery.studies import Study
from syllabary.records.annotations import Annotations
from syllabary.reduction import reduction
from syllabary.study import Config
from syllabary.svae import fitting, segmentation
from syllabary.svae.model import Model
from syllabary.svae.settings import ModelSettings
from syllabary.syllables import tree

LATENTS = ("reduction",)
# The rivals are methods of their own.
RIVALS = ("pca-arhmm", "pca-slds")
SETTINGS = {name: {"model": name} for name in Config().models if name not in RIVALS}


def recover(folder: Path, setting: dict[str, Any], seed: int) -> StatePrediction:
    return recover_with(folder, Config().models[setting["model"]], seed)


def recover_with(
    folder: Path,
    settings: ModelSettings,
    seed: int,
    labels: Mapping[str, Annotations] | None = None,
) -> StatePrediction:
    """Train a model of any settings; return labels (T,) and their probabilities (T, S) by recording."""
    model = learn(folder, settings, seed, labels)
    study, predicted = Study(folder), {}
    for name in study.recordings:
        with study.crops(name) as recording:
            result = segmentation.segment(model, model.latents(recording), recording)
        syllable_of = tree.syllable_of_states(result.states.shape[1], model.linkage.numpy())
        probabilities = tree.summed(result.states, syllable_of)
        predicted[name] = probabilities.argmax(1), probabilities
    return predicted


def learn(
    folder: Path,
    settings: ModelSettings,
    seed: int,
    labels: Mapping[str, Annotations] | None = None,
) -> Model:
    """Train a model of any settings on the training animals."""
    study, stored = Study(folder), latents.load(folder, "reduction")
    chosen = reduction.load(
        folder / "reduction.h5",
        registration=settings.registration,
        kinematics=settings.kinematics,
        subject_offset=settings.subject_offset,
    )
    series = {}
    for name in study.trained:
        with study.crops(name) as recording:
            series[name] = chosen.latents(recording)
    paths = {name: study.path(name) for name in study.trained}
    return fitting.learn(
        series, paths, settings, chosen,
        target_duration_s=stored.target_s, fps=study.fps, seed=seed, labels=labels,
    )[0]  # fmt: skip
