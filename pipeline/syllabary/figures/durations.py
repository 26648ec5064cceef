"""Durations of bouts, compared with change points and the truth."""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from . import _axes
from .results import FigureData, StudyResults
from .settings import DrawSettings

__all__ = ["draw"]

TITLE = "Durations of bouts"
SCOPE = "model"
RANK = 2
NEEDS = "the table 'bouts'"
CAPTION = (
    "Distribution of the durations of bouts, of the intervals between model-free change points, and of "
    "the true bouts if they are known. Triangles mark the medians. If the median of a model is far from "
    "that of the change points, its syllables are too short or too long."
)
BINS = 36


def draw(data: FigureData, settings: DrawSettings) -> Figure | None:
    """Draw the durations of one model's bouts."""
    model = data.model
    bouts = None if model is None else model.table("bouts")
    if model is None or bouts is None:
        return None
    samples = {
        f"bouts of {model.name}": (bouts["duration_s"].to_numpy(float), "#2f6fb2"),
        "between change points": (_between_changepoints(data.study), _axes.MUTED),
        "true bouts": (_true_durations(data.study), "#c2563b"),
    }
    samples = {n: (v[v > 0], c) for n, (v, c) in samples.items() if (v > 0).any()}
    if not samples:
        return None
    everything = np.concatenate([values for values, _ in samples.values()])
    low, high = np.percentile(everything, [0.1, 99.9])
    edges = np.geomspace(max(low, 1e-3) * 0.9, max(high, low * 1.5) * 1.1, BINS)
    figure = _axes.new(5.2, 3.2)
    axes = figure.subplots()
    highest = 0.0
    for name, (values, color) in samples.items():
        share = 100 * np.histogram(values, edges)[0] / len(values)
        highest = max(highest, float(share.max()))
        median = float(np.median(values))
        axes.stairs(share, edges, color=color, lw=1.5, label=f"{name} (median {median:.2f} s)")
        axes.plot(median, 0, "^", color=color, ms=7, clip_on=False)
    axes.set_xscale("log")
    ticks = [t for t in (0.03, 0.1, 0.3, 1, 3, 10, 30, 100) if edges[0] <= t <= edges[-1]]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    _axes.tidy(axes, x="duration (s)", y="share (% of bouts)")
    axes.set_ylim(0, 1.1 * highest + 0.075 * highest * len(samples))
    axes.legend(loc="upper right", fontsize=7.5)
    return figure


def _between_changepoints(study: StudyResults) -> npt.NDArray[np.float64]:
    table = study.changepoint_table()
    if table is None:
        return np.zeros(0)
    ordered = table.sort_values(["recording", "time_s"])
    return ordered.groupby("recording")["time_s"].diff().dropna().to_numpy(float)


def _true_durations(study: StudyResults) -> npt.NDArray[np.float64]:
    """Return the durations of true bouts, without the cut ones at the ends."""
    durations = [np.zeros(0)]
    for _, truth in study.truths():
        changed = np.flatnonzero(np.diff(truth["syllable"].to_numpy())) + 1
        durations.append(np.diff(truth["time_s"].to_numpy(float)[changed]))
    return np.concatenate(durations)
