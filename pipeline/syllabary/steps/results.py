"""Results: labels to tables, scores, clips to label, exports, figures and the report."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..settings import read
from ._shared import Rows, Section, made_by, write_json

__all__ = ["draw", "export", "score", "suggest", "summarize"]


def summarize(
    *,
    labels: Sequence[Path],
    crops: Sequence[Path],
    bouts: Path,
    usage: Path,
    transitions: Path,
    syllables: Path,
    statistics: Path,
    recordings: Rows,
    settings: Section,
    seed: int,
) -> None:
    """Summarize labels as tables: bouts, usage, transitions, syllables, group statistics.

    Parameters
    ----------
    labels, crops
        Labels of one model and ``crops.h5``, in the order of the recordings.
    bouts, usage, transitions, syllables, statistics
        Tables to write (.parquet).
    """
    from ..provenance import generator
    from ..records import tables
    from ..records.crops import Crops
    from ..syllables import bouts as runs
    from ..syllables import statistics as groups
    from ..syllables import summary
    from ..syllables import transitions as sequences
    from ..syllables import usage as shares
    from ..syllables.settings import SummarizeSettings

    chosen = read(SummarizeSettings, settings, "summarize")
    provenance = made_by("summarize", chosen, labels, seed=seed)
    found = runs.join(
        runs.table(
            tables.read(path, tables.LABELS),
            recording=row["recording"],
            subject=row["subject"],
            group=row["group"],
            role=row["role"],
            min_probability=chosen.min_probability,
        )
        for path, row in zip(labels, recordings, strict=True)
    )

    def ticks() -> Iterator[tuple[Any, Any]]:
        for path, where in zip(labels, crops, strict=True):
            with Crops(where) as recording:
                yield tables.read(path, tables.LABELS), recording.scalars

    share = shares.table(found)
    tables.write(bouts, found, provenance)
    tables.write(usage, share, provenance)
    by = ("recording", "subject", "group")
    tables.write(transitions, sequences.table(found, by=by), provenance)
    tables.write(syllables, summary.table(ticks(), found), provenance)
    compared = groups.compare(share, chosen, rng=generator(seed, "summarize"))
    tables.write(statistics, compared, provenance)


def score(
    *,
    labels: Sequence[Path],
    truth: Sequence[Path],
    scores: Path,
    recordings: Rows,
    posteriors: Sequence[Path] = (),
) -> None:
    """Score the labels of a model against known syllables, in all and by role.

    Parameters
    ----------
    labels, truth
        Labels of one model and ``truth.parquet``, in the order of the recordings.
    scores
        File to write: ``scores.json``.
    posteriors
        Optional posteriors of the model, in the same order: confidence in a behavior is then
        summed over its syllables too.
    """
    from ..records import tables
    from ..records.posterior import Posterior
    from ..syllables import calibration
    from ..syllables.scores import score_many

    def pairs(role: str | None) -> Iterator[tuple[Any, Any]]:
        for said, known, row in zip(labels, truth, recordings, strict=True):
            if role in (None, row["role"]):
                yield tables.read(said, tables.LABELS), tables.read(known, tables.TRUTH)

    def states(role: str | None) -> Iterator[Any]:
        for path, row in zip(posteriors, recordings, strict=True):
            if role in (None, row["role"]):
                yield Posterior.load(path).states

    roles = sorted({row["role"] for row in recordings})
    learned_on = "train" if "train" in roles else None
    mostly = calibration.mapping(pairs(learned_on))

    def scored(role: str | None) -> Any:
        reliability = {"syllable": calibration.of_labels(pairs(role), mostly)}
        if posteriors:
            triples = ((a, p, b) for (a, b), p in zip(pairs(role), states(role), strict=True))
            reliability["behavior"] = calibration.of_posteriors(triples, mostly)
        told = {kind: calibration.to_json(found) for kind, found in reliability.items()}
        return {
            **score_many(pairs(role)),
            "calibration_error": told.get("behavior", told["syllable"])["expected_error"],
            "calibration": {"mapped_on": learned_on or "all", **told},
        }

    found = {"all": scored(None), **{role: scored(role) for role in roles}}
    provenance = made_by("score", {}, [*labels, *truth, *posteriors])
    write_json(scores, {"scores": found, "provenance": provenance._asdict()})


def suggest(
    *,
    labels: Sequence[Path],
    posteriors: Sequence[Path],
    queries: Path,
    recordings: Rows,
    settings: Section,
    quality: Sequence[Path] = (),
    annotations: Path | None = None,
) -> None:
    """Propose clips that a human should label next, of the training recordings.

    Parameters
    ----------
    labels
        Labels of one model or several, known by ``<recording>/labels/<model>.parquet``; where
        models disagree there is more to learn.
    posteriors
        Posteriors of one model, known by ``<recording>/posterior/<model>.h5``.
    queries
        Table to write (``.tsv``); with its column behavior filled in it is a table of labels.
    quality
        Optional ``quality.json`` of the recordings; rejected ones are left out.
    annotations
        Optional table of behaviors that people labeled already (``labels.csv``).
    """
    import numpy as np

    from ..records import annotations as human
    from ..records import files, tables
    from ..records.posterior import Posterior
    from ..syllables import queries as clips
    from ..syllables.settings import SuggestSettings

    chosen = read(SuggestSettings, settings, "suggest")
    inputs = [*labels, *posteriors, *([annotations] if annotations else [])]
    provenance = made_by("suggest", chosen, inputs)
    verdicts = {path.parent.name: json.loads(path.read_text("utf-8"))["verdict"] for path in quality}
    places = {path.parts[-3]: path for path in posteriors}
    names = [row["recording"] for row in recordings if row["role"] == "train"]
    names = [name for name in names if name in places and verdicts.get(name) != "reject"]
    said: dict[str, dict[str, Any]] = {}
    for path in labels:
        if path.parts[-3] in names:
            said.setdefault(path.stem, {})[path.parts[-3]] = tables.read(path, tables.LABELS)
    everywhere = [of for of in said.values() if set(of) == set(names)]
    clock = everywhere[0] if everywhere else {}
    apart = clips.disagreement([{n: of[n]["syllable"].to_numpy() for n in names} for of in everywhere])
    times = {name: clock[name]["time_s"].to_numpy() for name in clock}
    known = human.read(annotations, times, strict=False) if annotations else {}
    nobody = {name: np.zeros(len(time_s), bool) for name, time_s in times.items()}
    found = clips.propose(
        (
            clips.RecordingPosterior(
                name,
                times[name],
                Posterior.load(places[name]).states,
                clock[name]["frame"].to_numpy() >= 0,
                known[name].labeled if known else nobody[name],
                apart[name] if len(everywhere) > 1 else None,
            )
            for name in clock
        ),
        clips=chosen.clips,
        clip_s=chosen.clip_s,
    )
    with files.create(queries) as temporary:
        text = found.to_csv(None, sep="\t", index=False, lineterminator="\n")
        temporary.write_text(f"{text}# {provenance.to_json()}\n", encoding="utf-8")


def export(
    *,
    labels: Sequence[Path],
    crops: Sequence[Path],
    results: Sequence[Path],
    folder: Path,
    format: str,
    recordings: Rows,
    settings: Section,
) -> None:
    """Write labels and tables for other programs.

    Parameters
    ----------
    labels, crops
        Labels of one model and ``crops.h5``, in the order of the recordings.
    results
        The model's tables (.parquet), known by their names.
    folder
        Folder to write.
    format
        Name of a file in ``export/``, such as ``csv``.
    """
    from .. import registry
    from ..records import tables
    from ..records.crops import Crops

    def frames() -> Iterator[Any]:
        for path, where, row in zip(labels, crops, recordings, strict=True):
            with Crops(where) as recording:
                table = tables.read(path, tables.LABELS)
                for at, (column, value) in enumerate(row.items()):
                    table.insert(at, column, value)
                place = recording.tracking[["x_px", "y_px"]].assign(px_mm=recording.px_mm())
                yield table.join(place).join(recording.scalars)

    room = registry.find("syllabary.export", format)
    provenance = made_by("export", settings, [*labels, *results])
    room.write(folder, {"frames": frames(), **{p.stem: tables.read(p) for p in results}}, provenance)


def draw(
    *,
    crops: Sequence[Path],
    previews: Sequence[Path],
    quality: Sequence[Path],
    pca: Path,
    changepoints: Path,
    labels: Sequence[Path],
    posteriors: Sequence[Path],
    results: Sequence[Path],
    histories: Sequence[Path],
    figures: Path,
    report: Path,
    models: Sequence[str],
    recordings: Rows,
    settings: Section,
    seed: int,
    clips: Sequence[Path] = (),
    truth: Sequence[Path] = (),
    scores: Sequence[Path] = (),
    likelihoods: Sequence[Path] = (),
) -> None:
    """Draw figures, crowd movies and the report of a study.

    Parameters
    ----------
    crops, previews, quality
        Results of ``extract`` and ``check``, in the order of the recordings.
    pca, changepoints
        Results of ``reduce``.
    labels, posteriors
        Results of ``segment`` for every model and recording; models and recordings are
        known by the paths ``<recording>/labels/<model>.parquet``.
    results, histories, clips, scores, likelihoods
        Tables, training histories, decoded movies, scores and likelihoods, in a folder named after
        their model.
    truth
        Known syllables, in a folder named after their recording.
    models
        Names of the models, in the order in which they are shown.
    figures
        Folder to write.
    report
        Page to write, ``index.html``; what belongs to it lies beside it.
    """
    from ..figures import report as pages
    from ..figures import study as drawings
    from ..figures.settings import DrawSettings

    chosen = read(DrawSettings, settings, "draw")
    known = {path.parent.name: path for path in truth}
    shown = tuple(
        drawings.RecordingResults(
            name=row["recording"],
            subject=row["subject"],
            group=row["group"],
            role=row["role"],
            crops_path=where,
            preview_path=preview,
            truth_path=known.get(row["recording"]),
            quality=json.loads(verdict.read_text(encoding="utf-8")),
        )
        for row, where, preview, verdict in zip(recordings, crops, previews, quality, strict=True)
    )
    fitted = tuple(
        drawings.ModelResults(
            name=name,
            settings=settings_of(histories, name),
            labels={p.parts[-3]: p for p in labels if p.stem == name},
            posteriors={p.parts[-3]: p for p in posteriors if p.stem == name},
            tables={p.stem: p for p in results if p.parent.name == name},
            history=next((p for p in histories if p.parent.name == name), None),
            clips=next((p for p in clips if p.parent.name == name), None),
            scores=scores_of(scores, likelihoods, name),
        )
        for name in models
    )
    study = drawings.StudyResults(
        recordings=shown, models=fitted, pca_path=pca, changepoints=changepoints
    )
    inputs = [*crops, *labels, *results, *histories, *clips, *truth, *scores, *likelihoods]
    provenance = made_by("draw", chosen, inputs, seed=seed)
    drawn = drawings.draw_all(figures, study, chosen, seed=seed)
    pages.write(report.parent, study, chosen, provenance=provenance, drawings=drawn)


def settings_of(histories: Sequence[Path], model: str) -> dict[str, Any]:
    """Return the settings a model was fitted with, from the provenance of its history."""
    from ..records import tables

    found = next((path for path in histories if path.parent.name == model), None)
    return dict(tables.provenance_of(found).settings) if found else {}


def scores_of(scores: Sequence[Path], likelihoods: Sequence[Path], model: str) -> dict[str, Any]:
    """Return the scores of a model by role: against the truth where it is known, and likelihoods."""
    from ..records import tables
    from ..syllables.selection import likelihoods as likelihoods_of

    found: dict[str, Any] = {}
    for path in scores:
        if path.parent.name == model:
            found |= json.loads(path.read_text(encoding="utf-8"))["scores"]
    for path in likelihoods:
        if path.parent.name == model:
            table = tables.read(path, tables.LIKELIHOOD)
            for role, rows in table[table["frames"] > 0].groupby("role"):
                found[str(role)] = found.get(str(role), {}) | likelihoods_of(rows)
    return found
