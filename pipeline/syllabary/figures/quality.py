"""Quality of recordings: missing data of each, worst first."""

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.figure import Figure

from . import _axes
from .results import FigureData, RecordingResults
from .settings import DrawSettings

__all__ = ["VERDICTS", "draw"]

TITLE = "Quality of recordings"
SCOPE = "study"
NEEDS = "quality.json of the recordings"
CAPTION = (
    "Dropped frames, frames without a mouse or with an uncertain heading, the frame rate and the "
    "animal's median length; worst first. Rejected recordings (red) are left out of training, "
    "tables and figures, unless check.use_rejected is set; quality.json has the reasons."
)
VERDICTS = {"good": "#3b9c6b", "warn": "#d99a2b", "reject": "#c8473d"}
SHOWN = 60


def draw(data: FigureData, settings: DrawSettings) -> Figure | None:
    """Draw the quality of a study's recordings."""
    recordings = [r for r in data.study.recordings if r.quality]
    if not recordings:
        return None
    rank = {"reject": 0, "warn": 1}
    recordings = sorted(
        recordings,
        key=lambda r: (
            rank.get(str(r.quality.get("verdict", "")), 2),
            -float(np.nansum(_shares(r))),
            r.name,
        ),
    )[:SHOWN]
    figure = _axes.new(10.5, 1.2 + 0.2 * len(recordings))
    panels = figure.subplots(1, len(MEASURES), sharey=True)
    at = np.arange(len(recordings))
    colors = [VERDICTS.get(str(r.quality.get("verdict")), _axes.MUTED) for r in recordings]
    for axes, (text, measure) in zip(panels, MEASURES.items(), strict=True):
        values = np.array([measure(r) for r in recordings])
        axes.barh(at, values, color=colors, height=0.7)
        axes.set_xlim(0, max(1.0, 1.1 * np.nanmax(values, initial=0.0)))
        _axes.tidy(axes, x=text, y="recording")
        axes.yaxis.label.set_visible(axes is panels[0])
    panels[0].set_yticks(at, [r.name[:40] for r in recordings], fontsize=7)
    panels[0].set_ylim(len(recordings) - 0.4, -0.6)
    return figure


def _shares(recording: RecordingResults) -> tuple[float, float]:
    """Return the shares of dropped frames and of frames without a mouse, percent."""
    quality = recording.quality
    ticks = _value(quality, "ticks")
    dropped = 100 * _value(quality, "dropped") / ticks if ticks > 0 else np.nan
    return dropped, 100 * _value(quality, "missing_mouse_fraction")


def _value(quality: Mapping[str, object], key: str) -> float:
    """Return a number, NaN if it is missing."""
    value = quality.get(key)
    return float(value) if isinstance(value, int | float) else np.nan


MEASURES: dict[str, Callable[[RecordingResults], float]] = {
    "dropped (% of ticks)": lambda r: _shares(r)[0],
    "no mouse (% of frames)": lambda r: _shares(r)[1],
    "head unsure (% of frames)": lambda r: 100 * _value(r.quality, "uncertain_heading_fraction"),
    "frame rate (frames/s)": lambda r: _value(r.quality, "median_fps"),
    "animal's length (mm)": lambda r: _value(r.quality, "median_length_mm"),
}
