"""Models of the shipped configuration, trained and asked as the workflow does."""

from pathlib import Path
from typing import Any

from recovery import latents
from recovery.methods._points import Said
from recovery.studies import Study
from syllabary.study import Config
from syllabary.svae import inference, joint, pca, training
from syllabary.svae.model import Model
from syllabary.svae.settings import ModelSettings

LATENTS = ("pca",)
# These are rivals, and run as such.
RIVALS = ("pca-arhmm", "pca-slds")
SETTINGS = {name: {"model": name} for name in Config().models if name not in RIVALS}


def recover(folder: Path, setting: dict[str, Any], seed: int) -> Said:
    return recover_with(folder, Config().models[setting["model"]], seed)


def recover_with(folder: Path, settings: ModelSettings, seed: int) -> Said:
    """Train a model of any settings; return path (T,) and states (T, K) of every recording."""
    study, given = Study(folder), latents.load(folder, "pca")
    reduction, fps = pca.load(folder / "pca.h5"), study.fps
    series = {name: given.series[name] for name in study.trained}
    paths = {name: study.path(name) for name in study.trained}
    fitted = training.fit(series, settings, target_duration_s=given.target_s, fps=fps, seed=seed)
    fitted, networks = joint.fit(fitted, paths, series, settings, reduction, fps=fps, seed=seed)
    model, said = Model.of(settings, fitted, reduction, networks, fps=fps), {}
    for name in study.recordings:
        with study.crops(name) as recording:
            found = inference.segment(model, given.series[name], recording)
            said[name] = found.path, found.states
    return said
