"""One function per rule of the workflow: paths in, paths out.

A step reads its settings, calls the rooms that do the work, and records what made each
file. Rooms are imported inside the steps that need them, so that ``code_of`` can tell which
code a step depends on, and so that importing this module is quick.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import SyllabaryError
from .provenance import Provenance, code_of, digest
from .settings import Settings, read

__all__ = [
    "SyllabaryError",
    "check",
    "code_of",
    "draw",
    "export",
    "extract",
    "fit",
    "open_study",
    "reduce",
    "score",
    "segment",
    "simulate",
    "source_files",
    "summarize",
]

Section = Mapping[str, Any]
Rows = Sequence[Mapping[str, str]]


def made_by(
    step: str,
    settings: Settings | Section,
    inputs: Sequence[Path] = (),
    *,
    seed: int | None = None,
) -> Provenance:
    """Describe what a step is about to make; inputs are known by folder and file name."""
    values = settings.model_dump(mode="json") if isinstance(settings, Settings) else dict(settings)
    digests = {"/".join(path.parts[-2:]): digest(path) for path in inputs}
    return Provenance(step, values, seed, digests, code_of(step))


def open_study(config: Mapping[str, Any], *, look: bool = True) -> tuple[Any, Any]:
    """Check a study before any work starts.

    Parameters
    ----------
    config : mapping
        The parsed ``config.yaml``.
    look : bool
        Look at every raw recording and behind every name too; once per run is enough.

    Returns
    -------
    study.Config, DataFrame
        The checked settings and the table of recordings with their roles.

    Raises
    ------
    SyllabaryError
        One sentence for each thing that is wrong.
    """
    from . import study

    checked = study.read_config(config)
    recordings = study.read_recordings(checked.recordings)
    if look:
        study.check_choices(checked)
        study.require_sources(recordings)
    return checked, recordings


def source_files(source: Path | str) -> list[Path]:
    """Return the files that make up a raw recording."""
    from .depth import sources

    return sources.files(Path(source))


def simulate(
    *,
    depth: Path,
    timestamps: Path,
    metadata: Path,
    truth: Path,
    recording: str,
    subject: str,
    group: str,
    settings: Section,
    seed: int,
) -> None:
    """Write raw depth video of a mouse of known syllables, as an acquisition program does.

    Parameters
    ----------
    depth, timestamps, metadata, truth
        Files to write, all in one folder: ``depth.dat``, ``depth_ts.txt``,
        ``metadata.json``, ``truth.parquet``.
    recording, subject, group
        Name of the recording; the animal, which sets size and build; what it was given.
    """
    from .simulate import acquisition
    from .simulate.settings import SimulateSettings

    chosen = read(SimulateSettings, settings, "simulate")
    acquisition.record(
        depth.parent,
        chosen,
        recording=recording,
        subject=subject,
        group=group,
        seed=seed,
        provenance=made_by("simulate", chosen, seed=seed),
    )


def extract(
    *, source: Path | str, crops: Path, preview: Path, recording: str, settings: Section
) -> None:
    """Turn raw depth video into upright crops of the mouse, with scalars and tracking.

    Parameters
    ----------
    source
        Session folder, depth video, or a MoSeq2 ``results_00.h5``.
    crops, preview
        Files to write: ``crops.h5`` and an H.264 movie with the overlay.
    recording
        Name of the recording.
    """
    from .depth import extraction, sources
    from .depth.settings import ExtractSettings

    chosen = read(ExtractSettings, settings, "extract")
    source = Path(source)
    sources.require(source)
    extraction.extract(
        source,
        crops,
        preview,
        chosen,
        recording=recording,
        provenance=made_by("extract", chosen, sources.files(source)),
    )


def check(*, crops: Path, quality: Path, settings: Section) -> None:
    """Judge a recording: good, warn or reject, with reasons.

    Parameters
    ----------
    crops
        ``crops.h5`` of the recording.
    quality
        File to write: ``quality.json``.
    """
    from .depth import quality as room
    from .depth.settings import CheckSettings

    chosen = read(CheckSettings, settings, "check")
    verdict = room.assess(crops, chosen)
    write_json(quality, {**verdict, "provenance": made_by("check", chosen, [crops])._asdict()})


def reduce(
    *,
    crops: Sequence[Path],
    quality: Sequence[Path],
    pca: Path,
    changepoints: Path,
    settings: Section,
    seed: int,
) -> None:
    """Fit principal components to the training crops, and find model-free change points.

    Parameters
    ----------
    crops, quality
        ``crops.h5`` and ``quality.json`` of the training recordings; rejected ones are
        left out.
    pca, changepoints
        Files to write: ``pca.h5`` and ``changepoints.parquet``.
    """
    from .records import tables
    from .records.crops import Crops
    from .svae import pca as components
    from .svae.settings import ReduceSettings
    from .syllables import changepoints as borders
    from .syllables.settings import ChangepointSettings

    own = {key: value for key, value in settings.items() if key != "changepoints"}
    chosen = read(ReduceSettings, own, "reduce")
    finding = read(ChangepointSettings, settings.get("changepoints"), "reduce.changepoints")
    used = accepted(crops, quality)
    provenance = made_by("reduce", settings, used, seed=seed)
    fitted = components.fit(used, chosen, seed=seed)
    components.save(pca, fitted, provenance)
    found = []
    for path in used:
        with Crops(path) as recording:
            series = components.scores(fitted, recording)
            found.append(
                borders.find(
                    series.values,
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
    settings: Section,
    seed: int,
) -> None:
    """Train a model on the training recordings; a killed fit goes on where it was.

    Parameters
    ----------
    crops, quality, pca, changepoints
        Results of ``extract``, ``check`` and ``reduce``; rejected recordings are left out.
    model, settings_used, history
        Files to write: ``model.safetensors``, ``settings.json``, ``history.parquet``.
    """
    from .records import tables
    from .records.crops import Crops
    from .svae import pca as components
    from .svae import training
    from .svae.model import Model
    from .svae.settings import ModelSettings
    from .syllables import changepoints as borders

    chosen = read(ModelSettings, settings, "model")
    used = accepted(crops, quality)
    provenance = made_by("fit", chosen, [*used, pca, changepoints], seed=seed)
    reduction = components.load(pca)
    latents = {}
    frames_per_s = []
    for path in used:
        with Crops(path) as recording:
            latents[recording.recording] = components.scores(reduction, recording)
            frames_per_s.append(tick_rate(recording.time_s))
    fps = sum(frames_per_s) / len(frames_per_s)
    fitted = training.fit(
        latents,
        chosen,
        target_duration_s=borders.median_duration_s(tables.read(changepoints)),
        fps=fps,
        seed=seed,
        checkpoint=model.with_name("checkpoint.safetensors"),
        identity=provenance.to_json(),
    )
    Model.of(chosen, fitted, components.tensors(reduction), fps=fps).save(model, provenance)
    tables.write(history, fitted.history, provenance)
    write_json(settings_used, {"provenance": provenance._asdict()})
    model.with_name("checkpoint.safetensors").unlink(missing_ok=True)


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
    from .records import tables
    from .records.crops import Crops
    from .records.posterior import Posterior
    from .svae import inference
    from .svae import pca as components
    from .svae.model import Model
    from .syllables import decode
    from .syllables import names as naming

    known = naming.read(names) if names else None
    provenance = made_by("segment", {}, [crops, model, *([names] if names else [])])
    fitted = Model.load(model)
    with Crops(crops) as recording:
        series = components.scores(components.from_tensors(fitted.reduction), recording)
        found = inference.segment(fitted, series)
        table = decode.labels(
            recording.frame,
            recording.time_s,
            path=found.path,
            states=found.states,
            surprise_nats=found.surprise_nats,
            names=known,
        )
    Posterior(found.mean, found.sd, found.states).save(posterior, provenance)
    tables.write(labels, table, provenance, tables.LABELS)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write sorted, indented JSON whole or not at all."""
    from .records import files

    with files.create(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def accepted(crops: Sequence[Path], quality: Sequence[Path]) -> list[Path]:
    """Return the crops whose quality is not ``reject``."""
    from .errors import BadInput

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


def parameters(config: Path, section: str, *, wanted: Sequence[str]) -> dict[str, Any]:
    """Return those of ``settings``, ``seed`` and ``recordings`` that a step wants by hand."""
    import yaml

    from . import study
    from .errors import BadInput, UnknownName

    if not config.is_file():
        raise BadInput(f"{config}: no such file; give the study's settings with --config.")
    checked = study.read_config(yaml.safe_load(config.read_text(encoding="utf-8")) or {})
    found: dict[str, Any] = {}
    if "settings" in wanted:
        chosen = checked.models.get(section, getattr(checked, section, None))
        if chosen is None:
            raise UnknownName(f"{config}: no model {section!r}; it has {', '.join(checked.models)}.")
        found["settings"] = chosen.model_dump(mode="json")
    if "seed" in wanted:
        found["seed"] = checked.seed
    if "recordings" in wanted:
        table = study.read_recordings(checked.recordings)
        columns = ["recording", "subject", "group", "role"]
        found["recordings"] = table[columns].to_dict("records")
    return found


def new_study(folder: Path, template: Path) -> None:
    """Make a study folder from the shipped config."""
    import shutil

    from .errors import BadInput

    if folder.exists() and any(folder.iterdir()):
        raise BadInput(f"{folder}: is not empty; name a new folder for the study.")
    shutil.copytree(template, folder / "config")
