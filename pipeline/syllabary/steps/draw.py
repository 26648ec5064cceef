"""Step ``draw``: the results of a study to figures, crowd movies and the report."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..settings import read
from ._shared import TABLES, Rows, Section, made_by, read_json

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ..figures.results import ModelResults, StudyResults

__all__ = ["draw"]


def draw(
    *,
    results: Sequence[Path],
    figures: Path,
    report: Path,
    models: Sequence[str],
    recordings: Rows,
    settings: Section,
    seed: int,
) -> None:
    """Draw figures, crowd movies and the report of a study.

    Parameters
    ----------
    results
        The folder of results, or files in it, known by their places such as
        ``recordings/<recording>/crops.h5``.
    figures
        Folder to write.
    report
        Page to write, ``index.html``; its movies and data are written beside it.
    models
        Names of the models, in the order of the report.
    """
    from ..figures.report import write
    from ..figures.settings import DrawSettings
    from ..figures.study import draw_all

    chosen = read(DrawSettings, settings, "draw")
    files = _Results(results)
    study = _study(files, recordings, models)
    provenance = made_by("draw", chosen, files.recorded(), seed=seed)
    drawings = draw_all(figures, study, chosen, seed=seed)
    write(report.parent, study, chosen, provenance=provenance, drawings=drawings)


class _Results:
    """Files of a study by their places in the folder of results."""

    def __init__(self, results: Sequence[Path]) -> None:
        files = [
            file
            for path in results
            for file in (sorted(path.rglob("*")) if path.is_dir() else [path])
            if not file.is_dir()
        ]
        self.by_place = {file.parts[-depth:]: file for file in files for depth in (2, 3, 4)}
        self.used: list[Path] = []

    def find(self, *place: str) -> Path | None:
        """Return a file, or None where there is none."""
        path = self.by_place.get(place)
        if path is not None:
            self.used.append(path)
        return path

    def require(self, *place: str) -> Path:
        """Return a file that the report cannot do without."""
        from ..errors import BadInput

        path = self.find(*place)
        if path is None:
            name = "/".join(place)
            raise BadInput(f"draw needs {name}, which is not among the results; make it first.")
        return path

    def recorded(self) -> list[Path]:
        """Return the files whose digests the report keeps; movies and posteriors are left out."""
        return [path for path in self.used if path.suffix != ".mp4" and path.parent.name != "posterior"]


def _study(files: _Results, recordings: Rows, models: Sequence[str]) -> "StudyResults":
    """Describe a study for the figures and the report."""
    from ..figures.results import RecordingResults, StudyResults
    from ..syllables.bouts import KEYS

    return StudyResults(
        recordings=tuple(
            RecordingResults(
                name=row["recording"],
                subject=row["subject"],
                group=row["group"],
                role=row["role"],
                crops_path=files.require("recordings", row["recording"], "crops.h5"),
                preview_path=files.require("recordings", row["recording"], "preview.mp4"),
                truth_path=files.find("simulated", row["recording"], "truth.parquet"),
                quality=_quality(files, row["recording"]),
                covariates={name: value for name, value in row.items() if name not in KEYS},
            )
            for row in recordings
        ),
        models=tuple(_model(files, name, [row["recording"] for row in recordings]) for name in models),
        pca_path=files.require("models", "pca.h5"),
        changepoints=files.require("models", "changepoints.parquet"),
        compared=_compared(files, models),
    )


def _compared(files: _Results, models: Sequence[str]) -> str:
    """Return the column that the tables compare."""
    from ..records import tables

    made = [tables.provenance_of(files.require("tables", name, "statistics.parquet")) for name in models]
    return str(made[0].settings.get("compare", "group")) if made else "group"


def _quality(files: _Results, recording: str) -> Section:
    """Return the verdict on a recording."""
    from ..records import verdicts

    return verdicts.read(files.require("recordings", recording, "quality.json"))


def _model(files: _Results, name: str, recordings: Sequence[str]) -> "ModelResults":
    """Describe the results of one model."""
    from ..figures.results import ModelResults
    from ..records import tables

    history = files.find("models", name, "history.parquet")
    labels, states = f"{name}.parquet", f"{name}.h5"
    return ModelResults(
        name=name,
        settings=dict(tables.provenance_of(history).settings) if history else {},
        labels={key: files.require("recordings", key, "labels", labels) for key in recordings},
        posteriors={key: files.require("recordings", key, "posterior", states) for key in recordings},
        tables={table: files.require("tables", name, f"{table}.parquet") for table in TABLES},
        history=history,
        clips=files.find("models", name, "clips.h5"),
        scores=_scores(files, name),
        linkage=_linkage(files.find("models", name, "model.safetensors")),
    )


def _scores(files: _Results, model: str) -> dict[str, dict[str, object]]:
    """Return the scores of a model by role: against known syllables, and likelihoods."""
    from ..records import tables
    from ..syllables.selection import likelihoods

    scores = files.find("tables", model, "scores.json")
    by_role: dict[str, dict[str, object]] = (
        dict(read_json(scores, "score").get("scores", {})) if scores else {}
    )
    likelihood = files.find("tables", model, "likelihood.parquet")
    if likelihood is not None:
        table = tables.read(likelihood, tables.LIKELIHOOD)
        for role, rows in table[table["frames"] > 0].groupby("role"):
            by_role[str(role)] = by_role.get(str(role), {}) | likelihoods(rows)
    return by_role


def _linkage(model: Path | None) -> "npt.NDArray[np.float64] | None":
    """Return the merge tree (K - 1, 4) of a model file, or None without one."""
    from ..records.merge_tree import MergeTree

    return None if model is None else MergeTree.load(model).linkage
