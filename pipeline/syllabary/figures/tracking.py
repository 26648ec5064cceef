"""Tracking over time: height, confidence of the heading, and missing frames."""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from . import _axes
from .results import FigureData
from .settings import DrawSettings

__all__ = ["draw"]

TITLE = "Tracking over time"
SCOPE = "recording"
NEEDS = "crops of the recording"
CAPTION = (
    "Highest point of the animal; confidence of its heading, in orange below 0.9; ticks without a "
    "frame, and frames without an animal. Each column of pixels shows the extremes of an interval of "
    "time."
)
COLUMNS = 1500
UNSURE = 0.9


def draw(data: FigureData, settings: DrawSettings) -> Figure | None:
    """Draw one recording's tracking."""
    crops = None if data.recording is None else data.recording.crops()
    if crops is None:
        return None
    with crops:
        tracking, times, frame = crops.tracking, crops.time_s, crops.frame
        height = crops.scalars["height_max_mm"].to_numpy(float)
    if len(times) < 2:
        return None
    confidence = tracking["heading_confidence"].to_numpy(float)
    dropped = frame < 0
    lost = ~dropped & ~tracking["detected"].to_numpy(bool)
    figure = _axes.new(10, 3.6)
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=[3, 2, 1])
    at, low, high = _extremes(times, height)
    top.fill_between(at, low, high, color=_axes.INK, lw=0.4)
    _axes.tidy(top, x="", y="height (mm)")
    at, low, high = _extremes(times, confidence)
    middle.fill_between(at, low, high, color="#3b6c9c", lw=0.4)
    middle.fill_between(at, 0, 1, where=low < UNSURE, color="#d99a2b", alpha=0.6, lw=0)
    middle.set_ylim(0.45, 1.02)
    _axes.tidy(middle, x="", y="confidence (0–1)")
    for row, (flags, color) in enumerate(((dropped, "#c8473d"), (lost, "#7b4fa3"))):
        at, _, some = _extremes(times, flags.astype(float))
        bottom.vlines(at[some > 0], row - 0.4, row + 0.4, color=color, lw=0.8)
    bottom.set_yticks([0, 1], [f"dropped ({dropped.mean():.1%})", f"lost ({lost.mean():.1%})"])
    bottom.set_ylim(1.6, -0.6)
    _axes.tidy(bottom, x="time (s)", y="missing")
    return figure


def _extremes(
    times: npt.NDArray[np.float64], values: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return middle time, minimum and maximum of at most ``COLUMNS`` intervals; NaN without values."""
    width = -(-len(times) // COLUMNS)
    pad = (0, -len(times) % width)
    at = np.pad(times, pad, mode="edge").reshape(-1, width).mean(1)
    blocks = np.pad(values, pad, constant_values=np.nan).reshape(-1, width)
    low = np.fmin.reduce(blocks, 1)
    return at, low, np.fmax.reduce(blocks, 1)
