"""Step ``fit``: training crops to a model."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from ..settings import read
from ._shared import Rows, Section, accepted, made_by, write_json

__all__ = ["fit"]

log = logging.getLogger(__name__)


def fit(
    *,
    crops: Sequence[Path],
    quality: Sequence[Path],
    pca: Path,
    changepoints: Path,
    folder: Path | str,
    settings: Section,
    seed: int,
    human_labels: Path | None = None,
    recordings: Rows = (),
    device: str = "auto",
) -> None:
    """Train a model on the training recordings; a killed fit resumes at its last checkpoint.

    Parameters
    ----------
    crops
        ``crops.h5`` of the training recordings.
    quality
        ``quality.json`` of the same recordings, in the same order; recordings that it leaves out are
        not trained on.
    pca
        ``pca.h5`` of the training recordings.
    changepoints
        ``changepoints.parquet`` of the training recordings.
    folder
        Folder to write ``model.safetensors``, ``settings.json``, ``history.parquet`` and
        ``clips.h5`` into.
    human_labels
        Optional table of behaviors that people labeled (``labels.csv``, or an export of BORIS).
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; by default ``machine.device`` of the config.
    """
    from .. import devices
    from ..records import annotations, clock, files, tables
    from ..records.crops import Crops
    from ..reduction import reduction
    from ..svae import clips, fitting
    from ..svae.settings import ModelSettings
    from ..svae.training.state import Place
    from ..syllables.changepoints import median_duration_s

    folder, chosen_device = Path(folder), devices.use(device)
    chosen = read(ModelSettings, settings, "model")
    used = accepted(crops, quality)
    inputs = [*used, pca, changepoints, *([human_labels] if human_labels else [])]
    provenance = made_by("fit", chosen, inputs, seed=seed, device=devices.describe(chosen_device))
    fitted = reduction.load(
        pca, registration=chosen.registration, kinematics=chosen.kinematics,
        subject_offset=chosen.subject_offset,
    )  # fmt: skip
    latents, places, times = {}, {}, {}
    subjects = {row["recording"]: row["subject"] for row in recordings}
    for path in used:
        with Crops(path) as recording:
            places[recording.recording] = path
            times[recording.recording] = clock.on_clock(recording, fitted.fps).time_s
    labeled = annotations.read(human_labels, times, strict=False) if human_labels else {}
    for name, path in places.items():
        with Crops(path) as recording:
            latents[name] = fitted.latents(recording)._replace(subject=subjects.get(name, ""))
    for name, labels in labeled.items():
        log.info("%s: people labeled %d ticks", name, labels.labeled.sum())
    identity = provenance.to_json() + json.dumps([series.subject for series in latents.values()])
    model, history = fitting.learn(
        latents, places, chosen, fitted, labels=labeled, fps=fitted.fps, seed=seed,
        target_duration_s=median_duration_s(tables.read(changepoints, {"duration_s": "float64"})),
        place=Place(chosen_device, folder, identity),
    )  # fmt: skip
    with files.together():
        clips.decode(model, seed=seed).save(folder / "clips.h5", provenance)
        model.save(folder / "model.safetensors", provenance)
        tables.write(folder / "history.parquet", history, provenance)
        write_json(folder / "settings.json", {"provenance": provenance._asdict()})
    for name in ("checkpoint", "joint", "without-0", "without-1"):
        (folder / f"{name}.safetensors").unlink(missing_ok=True)
