"""``index.html``: scores, then the figures, syllables and crowd movies of each model."""

import json
from collections.abc import Mapping
from pathlib import Path

from .. import training
from ..colors import hexadecimal
from ..results import ModelResults, StudyResults
from ..settings import DrawSettings
from ..study import Drawing, Drawings, file_stem
from . import _assets, _comparison, _tables

__all__ = ["render"]

LARGEST_TABLE = 5000


def render(
    folder: Path,
    study: StudyResults,
    drawings: Drawings,
    settings: DrawSettings,
    *,
    provenance: Mapping[str, object],
) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    folder : Path
        Folder of the page; files beyond its size limit are placed there.
    study : StudyResults
    drawings : Drawings
    settings : DrawSettings
    provenance : mapping
    """
    page = _assets.template("index.html.j2")
    rows = _tables.recording_rows(study)
    columns, scores = _tables.score_table(study.models)
    context = {
        "title": study.title,
        "facts": _facts(study, rows),
        "score_columns": columns,
        "score_rows": scores,
        "recordings": [{**row, "page": f"recordings/{file_stem(row['name'])}.html"} for row in rows],
        "most_recordings": LARGEST_TABLE,
        "covariates": list(dict.fromkeys(name for r in study.recordings for name in r.covariates)),
        "left_out": [row for row in rows if not row["is_used"]],
        "kept": [row for row in rows if row["is_used"] and row["verdict"] == "reject"],
        "missing": _missing(drawings),
        "provenance": provenance,
        "record": json.dumps(provenance, indent=2, sort_keys=True),
    }
    bare = page.render(**context, **_parts(study, drawings, None, settings))
    limit = int(settings.inline_mb * 1e6)
    inliner = _assets.Inliner(folder, limit - len(bare.encode()))
    return page.render(**context, **_parts(study, drawings, inliner, settings))


def _facts(study: StudyResults, rows: list[_tables.RecordingRow]) -> list[tuple[str, str]]:
    used = [row for row in rows if row["is_used"]]
    seconds = sum(row["duration_s"] for row in used)
    subjects = {row["subject"] for row in used}
    groups = study.groups()
    left_out = len(rows) - len(used)
    compared = "group" if study.compared == "group" else f"value of {study.compared}"
    plural = compared + "s" if compared == "group" else f"values of {study.compared}"
    return [
        (
            str(len(used)),
            "recording" + "s" * (len(used) != 1) + (f", {left_out} more left out" if left_out else ""),
        ),
        (str(len(subjects)), "animal" + "s" * (len(subjects) != 1)),
        (_tables.duration(seconds), "recorded"),
        (
            str(len(groups)),
            (compared if len(groups) == 1 else plural) + (f": {', '.join(groups)}" if groups else ""),
        ),
        (str(len(study.models)), "model" + "s" * (len(study.models) != 1)),
    ]


def _parts(
    study: StudyResults, drawings: Drawings, inliner: _assets.Inliner | None, settings: DrawSettings
) -> dict[str, object]:
    """Return the values with figures and movies; without an inliner all are linked."""
    # Figures use the budget before movies; the movies of all models share the rest.
    study_figures = _figures([d for d in drawings.figures if d.scope == "study"], inliner)
    figures = {
        m.name: _figures([d for d in drawings.figures if d.model == m.name], inliner)
        for m in study.models
    }
    # The sampled sequences of each model are inlined before movies of syllables.
    sequences = {}
    for name, movie in drawings.simulated.items():
        beside = f"movies/{file_stem(name)}/{movie.name}"
        sequences[name] = beside if inliner is None else inliner.source(movie, beside)
    gallery: dict[str, dict[int, dict[str, str]]] = {m.name: {} for m in study.models}
    for kind in ("arena", "decoded", "aligned"):
        for rank in range(settings.max_syllables):
            for model in study.models:
                made = drawings.movies.get(model.name, {})
                syllable = sorted(made)[rank] if rank < len(made) else -1
                path = made.get(syllable, {}).get(kind)
                if path is not None:
                    beside = f"movies/{file_stem(model.name)}/{path.name}"
                    source = beside if inliner is None else inliner.source(path, beside)
                    gallery[model.name].setdefault(syllable, {})[kind] = source
    return {
        "study_figures": study_figures,
        "models": [
            _model(i, model, drawings, figures[model.name], gallery[model.name])
            | {"simulated": sequences.get(model.name, ""), "training": _training(model)}
            for i, model in enumerate(study.models)
        ],
    }


def _training(model: ModelResults) -> str:
    """Describe how much training the networks raised the bound over the PCA, as text."""
    history = model.table("history")
    if history is None or "phase" not in history:
        return ""
    gain = training.gain(history)
    if gain is None:
        return "No networks were trained; the PCA maps crops to latents."
    before, after = (f"{value:.1f}".replace("-", "−") for value in gain)
    if gain.after <= gain.before:
        return (
            "Training the networks did not raise the bound above that of the PCA, "
            f"{before} nats per frame, and the PCA is kept."
        )
    return (
        f"Training the networks raised the bound by {gain.after - gain.before:.1f} nats per frame, "
        f"from {before} (PCA and the same prior) to {after}. The bound is that of pixels; it does not "
        "measure the quality of labels."
    )


def _model(
    index: int,
    model: ModelResults,
    drawings: Drawings,
    figures: list[dict[str, str]],
    gallery: Mapping[int, Mapping[str, str]],
) -> dict[str, object]:
    columns, cells = _tables.syllable_table(model)
    names = model.names()
    syllables = [
        {
            "number": s,
            "name": names.get(s, ""),
            "color": hexadecimal(drawings.colors.of(model.name, s)),
            "cells": cells[s],
            "movies": gallery.get(s, {}),
        }
        for s in sorted(cells)
    ]
    score_columns, score_rows = _tables.score_table([model])
    truth_columns, truth_rows = _tables.truth_table(model)
    compared_columns, compared_rows = _comparison.table_of(model)
    return {
        "id": f"model-{index}",
        "name": model.name,
        "settings": json.dumps(dict(model.settings), indent=2, sort_keys=True, default=str),
        "figures": figures,
        "crowds": any({"arena", "aligned"} & set(movies) for movies in gallery.values()),
        "decoded": any("decoded" in movies for movies in gallery.values()),
        "columns": columns,
        "syllables": syllables,
        "score_columns": score_columns[1:],
        "score_rows": [row[1:] for row in score_rows],
        "truth_columns": truth_columns,
        "truth_rows": truth_rows,
        "compared_columns": compared_columns,
        "compared_rows": compared_rows,
        "compared_note": _comparison.note(model),
    }


def _figures(drawings: list[Drawing], inliner: _assets.Inliner | None) -> list[dict[str, str]]:
    figures = []
    for drawing in sorted(drawings, key=lambda d: (d.rank, d.name)):
        if drawing.paths:
            place = f"figures/{file_stem(drawing.model) + '/' if drawing.model else ''}{drawing.name}"
            source = f"{place}.svg" if inliner is None else inliner.figure(drawing.paths, place)
            figures.append(
                {"name": drawing.name, "title": drawing.title, "caption": drawing.caption, "src": source}
            )
    return figures


def _missing(drawings: Drawings) -> list[dict[str, str]]:
    """Return the figures that could not be drawn, and the results that each needs."""
    places: dict[tuple[str, str], list[str]] = {}
    for d in drawings.figures:
        if d.missing:
            places.setdefault((d.title, d.missing), []).append(d.model or d.recording)
    return [
        {"title": title, "needs": needs, "where": ", ".join(w for w in where if w)[:300]}
        for (title, needs), where in places.items()
    ]
