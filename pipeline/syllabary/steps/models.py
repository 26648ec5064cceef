"""Models: training crops to a model, a model and crops to labels, and what the crops think of it."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..settings import read
from ._shared import Rows, Section, made_by, write_json

__all__ = ["evaluate", "fit", "reduce", "segment"]

log = logging.getLogger(__name__)


def reduce(
    *,
    crops: Sequence[Path],
    quality: Sequence[Path],
    pca: Path,
    changepoints: Path,
    settings: Section,
    seed: int,
) -> None:
    """Fit what makes latents of the training crops, and find model-free change points.

    Parameters
    ----------
    crops, quality
        ``crops.h5`` and ``quality.json`` of the training recordings; rejected ones are
        left out.
    pca, changepoints
        Files to write: ``pca.h5``, with a reduction of crops as they are and one of registered
        crops, and ``changepoints.parquet``, found in the latter's pose.
    """
    from ..records import tables
    from ..records.crops import Crops
    from ..reduction import reduction
    from ..reduction.settings import ReduceSettings
    from ..syllables import changepoints as borders
    from ..syllables.settings import ChangepointSettings

    own = {key: value for key, value in settings.items() if key != "changepoints"}
    chosen = read(ReduceSettings, own, "reduce")
    finding = read(ChangepointSettings, settings.get("changepoints"), "reduce.changepoints")
    used = accepted(crops, quality)
    provenance = made_by("reduce", settings, used, seed=seed)
    fitted = reduction.fit(used, chosen, seed=seed)
    reduction.save(pca, fitted, provenance)
    found = []
    for path in used:
        with Crops(path) as recording:
            series = fitted[reduction.REGISTERED].latents(recording)
            found.append(
                borders.find(
                    series.values[:, : series.pose],
                    series.observed,
                    recording.time_s,
                    finding,
                    recording=recording.recording,
                    seed=seed,
                )
            )
    tables.write(changepoints, borders.join(found), provenance)


def fit(
    *,
    crops: Sequence[Path],
    quality: Sequence[Path],
    pca: Path,
    changepoints: Path,
    model: Path,
    settings_used: Path,
    history: Path,
    clips: Path,
    settings: Section,
    seed: int,
    annotations: Path | None = None,
) -> None:
    """Train a model on the training recordings; a killed fit goes on where it was.

    Parameters
    ----------
    crops, quality, pca, changepoints
        Results of ``extract``, ``check`` and ``reduce``; rejected recordings are left out.
    model, settings_used, history, clips
        Files to write: ``model.safetensors``, ``settings.json``, ``history.parquet``, ``clips.h5``.
    annotations
        Optional table of behaviors that people labeled (``labels.csv``, or an export of BORIS).
    """
    from ..records import annotations as human
    from ..records import tables
    from ..records.crops import Crops
    from ..reduction import reduction as ways
    from ..svae import clips as movies
    from ..svae import fitting
    from ..svae.settings import ModelSettings
    from ..syllables import changepoints as borders

    chosen = read(ModelSettings, settings, "model")
    used = accepted(crops, quality)
    inputs = [*used, pca, changepoints, *([annotations] if annotations else [])]
    provenance = made_by("fit", chosen, inputs, seed=seed)
    reduction = ways.load(
        pca,
        registration=chosen.registration,
        kinematics=chosen.kinematics,
        subject_offset=chosen.subject_offset,
    )
    latents, places, times = {}, {}, {}
    frames_per_s = []
    for path in used:
        with Crops(path) as recording:
            places[recording.recording] = path
            latents[recording.recording] = reduction.latents(recording)
            times[recording.recording] = recording.time_s
            frames_per_s.append(tick_rate(recording.time_s))
    fps = sum(frames_per_s) / len(frames_per_s)
    labeled = human.read(annotations, times, strict=False) if annotations else {}
    for name, said in labeled.items():
        log.info("%s: people labeled %d ticks", name, said.labeled.sum())
    found, rows = fitting.learn(
        latents,
        places,
        chosen,
        reduction,
        target_duration_s=borders.median_duration_s(tables.read(changepoints)),
        fps=fps,
        seed=seed,
        labels=labeled,
        folder=model.parent,
        identity=provenance.to_json(),
    )
    movies.decode(found, seed=seed).save(clips, provenance)
    found.save(model, provenance)
    tables.write(history, rows, provenance)
    write_json(settings_used, {"provenance": provenance._asdict()})
    for name in ("checkpoint.safetensors", "joint.safetensors"):
        model.with_name(name).unlink(missing_ok=True)


def segment(
    *, crops: Path, model: Path, posterior: Path, labels: Path, names: Path | None = None
) -> None:
    """Label every tick of a recording with a syllable and its posterior.

    Parameters
    ----------
    crops, model
        ``crops.h5`` of the recording and ``model.safetensors``.
    posterior, labels
        Files to write: posterior ``.h5`` and labels ``.parquet``.
    names
        Optional table of syllable names (``names.tsv``).
    """
    from ..records import tables
    from ..records.crops import Crops
    from ..records.posterior import Posterior
    from ..svae import segmentation
    from ..svae.model import Model
    from ..syllables import decode
    from ..syllables import names as naming

    known = naming.read(names) if names else None
    provenance = made_by("segment", {}, [crops, model, *([names] if names else [])])
    fitted = Model.load(model)
    with Crops(crops) as recording:
        series = fitted.latents(recording)
        found = segmentation.segment(fitted, series, recording)
        table = decode.labels(
            recording.frame,
            recording.time_s,
            path=found.path,
            states=found.states,
            surprise_nats=found.surprise_nats,
            names={k: name for k, name in enumerate(fitted.classes) if name} | (known or {}),
        )
    Posterior(found.mean, found.sd, found.states).save(posterior, provenance)
    tables.write(labels, table, provenance, tables.LABELS)


def evaluate(
    *,
    crops: Sequence[Path],
    model: Path,
    likelihood: Path,
    recordings: Rows,
    settings: Section,
    seed: int,
) -> None:
    """Score a model by the log likelihood of recordings, in the same units for every model.

    Parameters
    ----------
    crops, model
        ``crops.h5`` of the recordings, in their order, and ``model.safetensors``.
    likelihood
        Table to write: ``likelihood.parquet``.
    """
    import pandas as pd

    from ..progress import track
    from ..provenance import generator
    from ..records import tables
    from ..records.crops import Crops
    from ..svae import scores
    from ..svae.model import Model
    from ..svae.settings import EvaluateSettings

    chosen = read(EvaluateSettings, settings, "evaluate")
    provenance = made_by("evaluate", chosen, [*crops, model], seed=seed)
    fitted = Model.load(model)
    found = []
    pairs = list(zip(crops, recordings, strict=True))
    for path, row in track(pairs, "evaluate", unit="recordings"):
        with Crops(path) as recording:
            rng = generator(seed, "evaluate", row["recording"])
            part = scores.table(fitted, recording, chosen, rng)
        found.append(part.assign(**{name: row[name] for name in ("recording", "subject", "role")}))
    tables.write(likelihood, pd.concat(found, ignore_index=True), provenance, tables.LIKELIHOOD)


def accepted(crops: Sequence[Path], quality: Sequence[Path]) -> list[Path]:
    """Return the crops whose quality is not ``reject``."""
    from ..errors import BadInput

    verdicts = [json.loads(path.read_text(encoding="utf-8")) for path in quality]
    kept = [path for path, v in zip(crops, verdicts, strict=True) if v["verdict"] != "reject"]
    if not kept:
        reasons = "; ".join(f"{v['recording']}: {', '.join(v['reasons'])}" for v in verdicts)
        raise BadInput(
            f"every training recording was rejected ({reasons}); mend the recordings, or the "
            "thresholds in the section 'check'."
        )
    return kept


def tick_rate(time_s: Any) -> float:
    """Return ticks per second of a recording's clock."""
    import numpy as np

    return float(1 / np.median(np.diff(time_s))) if len(time_s) > 1 else 30.0
