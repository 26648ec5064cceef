"""Confidence of labels against their accuracy, if the truth is known."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import _axes
from .colors import categories
from .results import FigureData
from .settings import DrawSettings

__all__ = ["draw"]

TITLE = "Confidence against accuracy"
SCOPE = "model"
RANK = 6
NEEDS = "the truth of simulated recordings"
CAPTION = (
    "Share of correct ticks among ticks of equal confidence. On the line confidence equals accuracy; "
    "below it the model is overconfident. A syllable counts as the behavior it overlaps most. Left: the "
    "probability of the labeled syllable. Right: the probability of its behavior, summed over "
    "syllables. A dot is about a tenth of the ticks."
)
PANELS = {"syllable": "the labeled syllable", "behavior": "its behavior"}


def draw(data: FigureData, settings: DrawSettings) -> Figure | None:
    """Draw the reliability diagrams of one model, over all recordings and held-out ones."""
    if data.model is None:
        return None
    calibrations = {role: scores.get("calibration") for role, scores in data.model.scores.items()}
    shown = {
        role: curves
        for role, curves in calibrations.items()
        if role in ("all", "held_out") and isinstance(curves, Mapping)
    }
    panels = [kind for kind in PANELS if any(_has(curves, kind) for curves in shown.values())]
    if not panels:
        return None
    figure = _axes.new(0.6 + 3.3 * len(panels), 4.5)
    colors = dict(zip(("all", "held_out"), categories(2), strict=True))
    for axes, kind in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        axes.plot([0, 1], [0, 1], color=_axes.MUTED, lw=0.8)
        for role, curves in shown.items():
            if _has(curves, kind):
                _curve(axes, curves[kind], role, colors[role])
        axes.set(xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=7)
        _axes.tidy(axes, x="confidence (0–1)", y="accuracy (0–1)", title=PANELS[kind])
    return figure


def _has(curves: Mapping[str, Mapping[str, float]], kind: str) -> bool:
    return bool((curves.get(kind) or {}).get("ticks"))


def _curve(axes: Axes, curve: Mapping[str, float], role: str, color: str) -> None:
    name = "all recordings" if role == "all" else "held-out animals"
    text = f"{name}: expected error {curve['expected_error']:.3f}, Brier {curve['brier']:.3f}"
    axes.plot(curve["confidence"], curve["accuracy"], "o-", color=color, ms=4, lw=1.2, label=text)
