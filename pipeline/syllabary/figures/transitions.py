"""Transitions between syllables in each group, and their difference between two groups."""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from . import _axes
from .results import FigureData, syllable_name
from .settings import DrawSettings

__all__ = ["draw", "probabilities"]

TITLE = "Transitions"
SCOPE = "model"
RANK = 3
NEEDS = "the table 'transitions'"
CAPTION = (
    "Probability of the next syllable (column) after a bout (row), pooled over the animals of a group. "
    "With two groups or more, the last panel is the second group minus the first."
)
SHOWN_GROUPS = 4


def probabilities(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return row-wise probabilities (K, K); NaN on the diagonal and in rows without counts.

    Parameters
    ----------
    counts : (K, K) float64
        Numbers of transitions from row to column.
    """
    counts = counts * (1 - np.eye(len(counts)))
    totals = counts.sum(1, keepdims=True)
    result = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
    np.fill_diagonal(result, np.nan)
    return result


def draw(data: FigureData, settings: DrawSettings) -> Figure | None:
    """Draw the transition matrices of one model."""
    model = data.model
    table = None if model is None else model.table("transitions")
    if model is None or table is None:
        return None
    syllables = model.syllables(settings.max_syllables)
    table = data.study.grouped(table)
    groups = [g for g in data.study.groups() if (table["group"] == g).any()][:SHOWN_GROUPS]
    if not syllables or not groups:
        return None
    matrices = {}
    for group in groups:
        wide = table[table["group"] == group].pivot_table(
            index="from_syllable", columns="to_syllable", values="count", aggfunc="sum", fill_value=0
        )
        wide = wide.reindex(index=syllables, columns=syllables, fill_value=0)
        matrices[group] = probabilities(wide.to_numpy(float))
    panels = len(groups) + (len(groups) > 1)
    side = min(4.6, max(2.6, 0.17 * len(syllables) + 1))
    figure = _axes.new(side * panels + 1.2, side + 0.6)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    names = model.names()
    labels = [syllable_name(s, names) for s in syllables]
    # A percentile, so that one bout of a rare syllable does not set the scale.
    highest = float(np.percentile(np.nan_to_num(np.stack(list(matrices.values()))), 98)) or 1.0
    for panel, (group, matrix) in zip(axes, matrices.items(), strict=False):
        image = panel.imshow(matrix, cmap="Blues", vmin=0, vmax=highest)
        panel.set_facecolor("#eceef0")
        _axes.tidy(panel, x="to syllable", y="from syllable", title=str(group))
    figure.colorbar(image, ax=list(axes[: len(groups)]), label="probability (0–1)", shrink=0.7)
    if len(groups) > 1:
        difference = matrices[groups[1]] - matrices[groups[0]]
        limit = float(np.percentile(np.abs(np.nan_to_num(difference)), 98)) or 1.0
        axes[-1].set_facecolor("#eceef0")
        image = axes[-1].imshow(difference, cmap="RdBu_r", vmin=-limit, vmax=limit)
        _axes.tidy(axes[-1], x="to syllable", y="from syllable", title=f"{groups[1]} minus {groups[0]}")
        figure.colorbar(image, ax=axes[-1], label="difference of probability (−1 to 1)", shrink=0.7)
    step = 1 if len(syllables) <= 24 else 5
    at = range(0, len(syllables), step)
    for panel in axes:
        panel.set_xticks(at, labels[::step], rotation=90, fontsize=6.5)
        panel.set_yticks(at, labels[::step], fontsize=6.5)
        panel.spines[:].set_visible(False)
    return figure
