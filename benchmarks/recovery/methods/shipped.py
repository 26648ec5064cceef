"""Models of the shipped configuration, trained and asked as the workflow does."""

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

LATENTS = ("reduction",)
# These are rivals, and run as such.
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
    """Train a model of any settings; return path (T,) and states (T, K) of every recording."""
    model = learn(folder, settings, seed, labels)
    study, said = Study(folder), {}
    for name in study.recordings:
        with study.crops(name) as recording:
            found = segmentation.segment(model, model.latents(recording), recording)
            said[name] = found.path, found.states
    return said


def learn(
    folder: Path,
    settings: ModelSettings,
    seed: int,
    labels: Mapping[str, Annotations] | None = None,
) -> Model:
    """Train a model of any settings on the training animals."""
    study, given = Study(folder), latents.load(folder, "reduction")
    way = reduction.load(
        folder / "reduction.h5",
        registration=settings.registration,
        kinematics=settings.kinematics,
        subject_offset=settings.subject_offset,
    )
    series = {}
    for name in study.trained:
        with study.crops(name) as recording:
            series[name] = way.latents(recording)
    paths = {name: study.path(name) for name in study.trained}
    return fitting.learn(
        series, paths, settings, way,
        target_duration_s=given.target_s, fps=study.fps, seed=seed, labels=labels,
    )[0]  # fmt: skip
