"""Usage of each syllable by group; the unit is the animal."""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from ..provenance import generator
from . import _axes
from .colors import categories
from .results import FigureData, ModelResults, StudyResults, syllable_name
from .settings import DrawSettings

__all__ = ["draw", "subject_usage"]

TITLE = "Usage by group"
SCOPE = "model"
RANK = 1
NEEDS = "the table 'usage'"
CAPTION = (
    "Share of time in each syllable. A dot is an animal (all of its recordings in the group), a bar the "
    "mean of the group, a line its 95 % bootstrap interval over animals. Stars: adjusted p (q) of the "
    "usage test below 0.05, 0.01, 0.001."
)
STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))


def subject_usage(
    model: ModelResults, syllables: list[int], study: StudyResults | None = None
) -> dict[str, npt.NDArray[np.float64]]:
    """Return for each group the usage of its animals, (animals, syllables).

    Parameters
    ----------
    model : ModelResults
    syllables : list of int
        Syllables of the columns; a syllable that is never used has usage 0.
    study : StudyResults, optional
        Has the column that is compared, by default ``group``.
    """
    usage = model.table("usage")
    if usage is None:
        return {}
    if study is not None:
        usage = study.grouped(usage)
    # Recordings of an animal are weighted by their length if it is known.
    counts = usage.assign(ticks=usage["ticks"] if "ticks" in usage else usage["usage"])
    per_subject = counts.pivot_table(
        index=["group", "subject"],
        columns="syllable",
        values="ticks",
        aggfunc="sum",
        fill_value=0.0,
        sort=False,
    )
    if "ticks" in usage:
        per_subject = per_subject.div(per_subject.sum(axis=1), axis=0)
    else:
        recordings = usage.groupby(["group", "subject"], sort=False)["recording"].nunique()
        per_subject = per_subject.div(recordings, axis=0)
    per_subject = per_subject.reindex(columns=syllables, fill_value=0.0)
    groups = per_subject.index.get_level_values("group")
    return {str(g): per_subject[groups == g].to_numpy(float) for g in dict.fromkeys(groups)}


def draw(data: FigureData, settings: DrawSettings) -> Figure | None:
    """Draw the usage of one model's syllables."""
    model = data.model
    if model is None or not (syllables := model.syllables(settings.max_syllables)):
        return None
    usage = subject_usage(model, syllables, data.study)
    if not usage:
        return None
    order = [g for g in data.study.groups() if g in usage] or list(usage)
    figure = _axes.new(max(5.0, 1.6 + 0.42 * len(syllables)), 3.2)
    axes = figure.subplots()
    width = 0.8 / len(order)
    top = np.zeros(len(syllables))
    for i, (group, color) in enumerate(zip(order, categories(len(order)), strict=True)):
        values = 100 * usage[group]
        rng = generator(0, "usage", model.name, group)
        picks = rng.integers(len(values), size=(settings.bootstrap_samples, len(values)))
        low, high = np.percentile(values[picks].mean(1), [2.5, 97.5], axis=0)
        mean = values.mean(0)
        at = np.arange(len(syllables)) + (i - (len(order) - 1) / 2) * width
        axes.bar(at, mean, width * 0.92, color=color, alpha=0.5, label=f"{group} (n={len(values)})")
        axes.vlines(at, low, high, color=color, lw=1.6)
        spread = width * 0.28 * np.linspace(-1, 1, len(values)) if len(values) > 1 else np.zeros(1)
        axes.plot(
            (at + spread[:, None]).ravel(),
            values.ravel(),
            ".",
            color=color,
            ms=6,
            mec="white",
            mew=0.6,
        )
        top = np.maximum(top, np.maximum(high, values.max(0)))
    for i, stars in enumerate(_stars(model, syllables)):
        axes.text(i, top[i], stars, ha="center", va="bottom", fontsize=10)
    names = model.names()
    labels = [syllable_name(s, names) for s in syllables]
    slanted = any(len(text) > 3 for text in labels)
    axes.set_xticks(
        range(len(syllables)), labels, rotation=45 if slanted else 0, ha="right" if slanted else "center"
    )
    _axes.swatches(axes, [data.colors.of(model.name, s) for s in syllables])
    axes.set_xlim(-0.6, len(syllables) - 0.4)
    axes.set_ylim(0, 1.1 * max(top.max(), 1e-3))
    _axes.tidy(axes, x="syllable", y="usage (% of time)")
    axes.legend(loc="upper right", title=None if data.study.compared == "group" else data.study.compared)
    return figure


def _stars(model: ModelResults, syllables: list[int]) -> list[str]:
    """Return the stars of each syllable, by its smallest q over comparisons."""
    table = model.table("statistics")
    if table is None or not {"measure", "syllable", "q"} <= set(table):
        return [""] * len(syllables)
    smallest = table[table["measure"] == "usage"].groupby("syllable")["q"].min()
    q_values = [float(smallest.get(s, np.nan)) for s in syllables]
    return [next((mark for limit, mark in STARS if q < limit), "") for q in q_values]
