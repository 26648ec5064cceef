"""Results that figures and the report are drawn from: paths and tables, read on demand.

A study may have thousands of recordings. Crops, labels and truth therefore stay on disk and are
opened for one recording at a time; the tables of a model are read once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import BadInput
from ..records import files, tables, verdicts
from ..records.crops import Crops
from ..records.posterior import Posterior
from .colors import Colors

__all__ = ["FigureData", "ModelResults", "RecordingResults", "StudyResults", "paired", "syllable_name"]


@dataclass(frozen=True)
class RecordingResults:
    """Results of one recording.

    Attributes
    ----------
    name, subject, group, role : str
        As in ``recordings.tsv``.
    crops_path, preview_path, truth_path : Path or None
        ``crops.h5``, ``preview.mp4`` and, for a simulated recording, ``truth.parquet``.
    quality : mapping
        Content of ``quality.json``.
    covariates : mapping of name to text, number or None
        Further columns of ``recordings.tsv``.
    """

    name: str
    subject: str = ""
    group: str = ""
    role: str = "train"
    crops_path: Path | None = None
    preview_path: Path | None = None
    truth_path: Path | None = None
    quality: Mapping[str, object] = field(default_factory=dict)
    covariates: Mapping[str, str | float | None] = field(default_factory=dict)

    @property
    def is_used(self) -> bool:
        """The recording counts; otherwise it has its labels and its page, and no more."""
        return verdicts.is_used(self.quality)

    def value(self, column: str) -> str:
        """Return the value of a column of ``recordings.tsv`` as text, empty if it is missing."""
        columns = {"recording": self.name, "subject": self.subject, "group": self.group}
        return _text({**self.covariates, **columns}.get(column))

    def crops(self) -> Crops | None:
        """Open the crops, None without any; the caller closes them."""
        return None if self.crops_path is None else Crops(self.crops_path)

    def truth(self) -> pd.DataFrame | None:
        """Read the true syllables of a simulated recording, a row per tick."""
        return None if self.truth_path is None else tables.read(self.truth_path, tables.TRUTH)


@dataclass(frozen=True)
class ModelResults:
    """Results of one model on a study.

    Attributes
    ----------
    name : str
    settings : mapping
        Settings of the model.
    labels, posteriors : mappings of recording to Path
    tables : mapping of name to DataFrame or Path
        ``bouts, usage, transitions, syllables, statistics``; any may be absent.
    history : DataFrame, Path or None
        Training, a row per iteration.
    scores : mapping of mappings
        ``"all"`` and one entry per role, each a mapping of score to value.
    clips : Path or None
        Decoded movies, ``clips.h5``.
    linkage : (K - 1, 4) float64 or None
        Merge tree of the states, as in ``scipy.cluster.hierarchy.linkage``; without rows or None
        if the model has none. Heights are nats per frame.
    """

    name: str
    settings: Mapping[str, object] = field(default_factory=dict)
    labels: Mapping[str, Path] = field(default_factory=dict)
    posteriors: Mapping[str, Path] = field(default_factory=dict)
    tables: Mapping[str, pd.DataFrame | Path] = field(default_factory=dict)
    history: pd.DataFrame | Path | None = None
    scores: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    clips: Path | None = None
    linkage: npt.NDArray[np.float64] | None = None

    def table(self, name: str) -> pd.DataFrame | None:
        """Return the table of a name, or None if it is absent or empty."""
        return _table(self.history if name == "history" else self.tables.get(name))

    def labels_of(self, recording: RecordingResults) -> pd.DataFrame | None:
        """Read the labels of one recording, a row per tick."""
        path = self.labels.get(recording.name)
        return None if path is None else tables.read(path, tables.LABELS)

    def syllable_of_states(self) -> npt.NDArray[np.int64]:
        """Return the syllable (K,) of each state, as the labels have it.

        Raises
        ------
        BadInput
            There are no labels, or they do not have it.
        """
        if not self.labels:
            raise BadInput(f"model {self.name}: no labels; 'syllabary label' makes them.")
        return tables.syllable_of_states(next(iter(self.labels.values())))

    def posterior_of(self, recording: RecordingResults) -> Posterior | None:
        """Read the posterior of one recording; its states may be finer than syllables."""
        path = self.posteriors.get(recording.name)
        return None if path is None else Posterior.load(path)

    def fps(self) -> float | None:
        """Return the ticks per second of the model's clock, or None without readable clips."""
        if self.clips is None:
            return None
        try:
            with files.hdf5(self.clips, "fit", "clips") as h5:
                return float(h5.attrs["fps"])
        except BadInput:
            return None

    def names(self) -> dict[int, str]:
        """Return the name of each named syllable."""
        syllables = self.table("syllables")
        if syllables is None or "name" not in syllables:
            return {}
        named = syllables.dropna(subset=["name"])
        return dict(zip(named["syllable"].astype(int), named["name"].astype(str), strict=True))

    def syllables(self, max_count: int | None = None) -> list[int]:
        """Return the syllables that occur, commonest first, at most ``max_count`` of them."""
        table = self.table("syllables")
        if table is None:
            table = self.table("usage")
        if table is None:
            return []
        used = table.groupby("syllable")["usage"].max() if "usage" in table else None
        numbers = table["syllable"] if used is None else used.index[used > 0]
        return sorted({int(s) for s in numbers if s >= 0})[:max_count]


@dataclass(frozen=True)
class StudyResults:
    """Results of a study: its recordings and models.

    Attributes
    ----------
    title : str
    recordings : tuple of RecordingResults
    models : tuple of ModelResults
        In the order of the report.
    pca_path : Path or None
        ``pca.h5``.
    changepoints : DataFrame, Path or None
        Model-free change points, ``syllables.changepoints.COLUMNS``.
    compared : str
        Column of ``recordings.tsv`` whose values are compared.
    """

    title: str = "Behavioral syllables"
    recordings: tuple[RecordingResults, ...] = ()
    models: tuple[ModelResults, ...] = ()
    pca_path: Path | None = None
    changepoints: pd.DataFrame | Path | None = None
    compared: str = "group"

    def __post_init__(self) -> None:
        for what, names in (
            ("recordings", [r.name for r in self.recordings]),
            ("models", [m.name for m in self.models]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1}) if names else []
            if twice:
                raise BadInput(f"the study has two {what} named {twice[0]!r}; names must differ.")

    def changepoint_table(self) -> pd.DataFrame | None:
        """Return the change points, or None without any."""
        return _table(self.changepoints)

    def used(self) -> tuple[RecordingResults, ...]:
        """Return the recordings that count, see ``records.verdicts``."""
        return tuple(r for r in self.recordings if r.is_used)

    def groups(self) -> list[str]:
        """Return the values that are compared: numbers by size, text by the first recording."""
        numbers = {r.covariates.get(self.compared) for r in self.used()} - {None}
        if numbers and all(isinstance(number, float) for number in numbers):
            return [_text(number) for number in sorted(numbers, key=lambda number: float(number or 0))]
        return [g for g in dict.fromkeys(r.value(self.compared) for r in self.used()) if g]

    def grouped(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table by recording whose ``group`` is the value that is compared, as text.

        Parameters
        ----------
        table : DataFrame
            With the columns of ``recordings.tsv``; rows without a value are left out.
        """
        if self.compared not in table:
            return table
        values = table[self.compared].map(_text)
        return table.assign(group=values)[values != ""]

    def truths(self) -> Iterator[tuple[RecordingResults, pd.DataFrame]]:
        """Yield the recordings that count and whose truth is known, and their truth."""
        for recording in self.used():
            truth = recording.truth()
            if truth is not None:
                yield recording, truth


@dataclass(frozen=True)
class FigureData:
    """Data of one figure: the study, and one model or one recording if the figure is about it."""

    study: StudyResults
    colors: Colors
    model: ModelResults | None = None
    recording: RecordingResults | None = None


def paired(labels: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Return ``syllable`` and true ``behavior`` of every frame in both tables.

    Parameters
    ----------
    labels, truth : DataFrame
        Columns of ``records.tables.LABELS`` and ``TRUTH``.
    """
    labeled = labels.loc[labels["frame"] >= 0, ["frame", "syllable"]]
    true = truth.loc[truth["frame"] >= 0, ["frame", "behavior"]].dropna()
    return labeled.merge(true, on="frame")[["syllable", "behavior"]]


def syllable_name(syllable: int, names: Mapping[int, str]) -> str:
    """Return the text of a syllable on an axis: its number, and its name if it has one.

    Parameters
    ----------
    syllable : int
    names : mapping of syllable to name
    """
    return f"{syllable} {names[syllable]}" if syllable in names else str(syllable)


def _text(value: object) -> str:
    """Return a value of ``recordings.tsv`` as text, empty if it is missing."""
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _table(source: pd.DataFrame | Path | None) -> pd.DataFrame | None:
    if isinstance(source, Path):
        source = tables.read(source) if source.is_file() else None
    return None if source is None or source.empty else source
