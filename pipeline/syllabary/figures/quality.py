"""Which recordings can be trusted: what is missing in each, worst first."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from . import _axes
from ._data import Recording, View
from .settings import DrawSettings

__all__ = ["VERDICTS", "draw"]

TITLE = "Quality of recordings"
SCOPE = "study"
NEEDS = "quality.json of the recordings"
CAPTION = (
    "Frames that the camera dropped, frames in which no mouse was found, and the frame rate; worst "
    "first. Rejected recordings are neither fitted nor segmented."
)
VERDICTS = {"good": "#3b9c6b", "warn": "#d99a2b", "reject": "#c8473d"}
SHOWN = 60


def draw(view: View, settings: DrawSettings) -> Figure | None:
    """Draw the quality of a study's recordings."""
    recordings = [r for r in view.study.recordings if r.quality]
    if not recordings:
        return None
    rank = {"reject": 0, "warn": 1}
    recordings = sorted(
        recordings,
        key=lambda r: (rank.get(r.quality.get("verdict", ""), 2), -sum(_shares(r)), r.name),
    )[:SHOWN]
    figure = _axes.new(8.6, 1.2 + 0.2 * len(recordings))
    panels = figure.subplots(1, 3, sharey=True)
    at = np.arange(len(recordings))
    colors = [VERDICTS.get(str(r.quality.get("verdict")), _axes.MUTED) for r in recordings]
    dropped, missing = np.array([_shares(r) for r in recordings]).T
    fps = np.array([_value(r.quality, "median_fps") for r in recordings])
    for axes, values, text in zip(
        panels,
        (dropped, missing, np.nan_to_num(fps)),
        ("dropped (% of ticks)", "no mouse found (% of frames)", "frame rate (frames/s)"),
        strict=True,
    ):
        axes.barh(at, values, color=colors, height=0.7)
        axes.set_xlim(0, max(1.0, 1.1 * values.max()))
        _axes.tidy(axes, x=text, y="recording")
        axes.yaxis.label.set_visible(axes is panels[0])
    panels[0].set_yticks(at, [r.name[:40] for r in recordings], fontsize=7)
    panels[0].set_ylim(len(recordings) - 0.4, -0.6)
    return figure


def _shares(recording: Recording) -> tuple[float, float]:
    """Return dropped frames and missing mice, percent."""
    quality = recording.quality
    ticks = _value(quality, "ticks")
    dropped = 100 * _value(quality, "dropped") / ticks if ticks else 0.0
    return dropped, 100 * _value(quality, "missing_mouse_fraction")


def _value(quality: Any, key: str) -> float:
    value = quality.get(key)
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else 0.0
