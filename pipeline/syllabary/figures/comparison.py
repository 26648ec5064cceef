"""Scores of the models of a study, side by side."""

import numpy as np
from matplotlib.figure import Figure

from . import _axes
from .colors import categories
from .results import FigureData
from .settings import DrawSettings

__all__ = ["SCORES", "draw"]

TITLE = "Models side by side"
SCOPE = "study"
NEEDS = "scores against the truth of simulated recordings"
CAPTION = (
    "Agreement with the true syllables over all recordings; 1 is perfect. The line is the level of "
    "chance for boundaries. The diamond is the score on held-out animals, which were not in training."
)
# Scores between 0 and 1, with their names in the figure.
SCORES = {
    "ami": "adjusted mutual\ninformation",
    "nmi": "normalized mutual\ninformation",
    "ari": "adjusted\nRand index",
    "macro_f1": "macro F1",
    "boundary_f1": "boundary F1",
}


def draw(data: FigureData, settings: DrawSettings) -> Figure | None:
    """Draw the scores of every model."""
    scored = [
        m for m in data.study.models if any(_number(s, k) for s in m.scores.values() for k in SCORES)
    ]
    if not scored:
        return None
    figure = _axes.new(7.6, 2.9)
    axes = figure.subplots()
    width = 0.8 / len(scored)
    held_label = "held-out animals"
    for i, (model, color) in enumerate(zip(scored, categories(len(scored)), strict=True)):
        at = np.arange(len(SCORES)) + (i - (len(scored) - 1) / 2) * width
        pooled = model.scores.get("all") or next(iter(model.scores.values()))
        values = [_number(pooled, key) for key in SCORES]
        axes.bar(at, [v or 0.0 for v in values], width * 0.9, color=color, label=model.name)
        for x, value in zip(at, values, strict=True):
            text = "–" if value is None else f"{value:.2f}"
            axes.text(x, (value or 0) + 0.01, text, ha="center", va="bottom", fontsize=7)
        held_out = model.scores.get("held_out", {})
        for x, key in zip(at, SCORES, strict=True):
            held = _number(held_out, key)
            if held is not None:
                axes.plot(x, held, "D", color="white", mec=_axes.INK, mew=0.8, ms=5, label=held_label)
                held_label = "_held-out animals"
        chance = _number(pooled, "boundary_f1_chance")
        if chance is not None:
            axes.hlines(chance, at[-1] - width / 2, at[-1] + width / 2, color=_axes.INK, lw=1.2)
    axes.set_xticks(range(len(SCORES)), list(SCORES.values()))
    axes.set_ylim(0, 1.18)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    _axes.tidy(axes, x="score", y="agreement (0–1)")
    axes.legend(loc="upper right", ncols=len(scored) + 1)
    return figure


def _number(scores: object, key: str) -> float | None:
    value = scores.get(key) if hasattr(scores, "get") else None
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else None
