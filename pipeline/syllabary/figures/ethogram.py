"""Ethogram of a recording: a row per model, the truth if it is known, and the confidence."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from . import _axes
from .colors import MISSING, Color
from .results import FigureData, syllable_name
from .settings import DrawSettings

__all__ = ["draw"]

TITLE = "Ethogram"
SCOPE = "recording"
NEEDS = "labels of the recording"
CAPTION = (
    "Syllable of every tick, one row per model; equal colors are the same behavior. Below: the "
    "probability of the labeled syllable and the entropy over all syllables, averaged over 0.5 s."
)
SMOOTH_S = 0.5
PIXELS = 2400
LEGEND = 18


def draw(data: FigureData, settings: DrawSettings) -> Figure | None:
    """Draw one recording."""
    recording = data.recording
    if recording is None:
        return None
    read = {m.name: m.labels_of(recording) for m in data.study.models}
    labels = {name: table for name, table in read.items() if table is not None and len(table)}
    if not labels:
        return None
    truth = recording.truth()
    rows = len(labels) + (truth is not None)
    figure = _axes.new(10, 2.6 + 0.42 * rows)
    panels = figure.subplots(rows + 2, 1, sharex=True, height_ratios=[1] * rows + [2, 2], squeeze=False)[
        :, 0
    ]
    handles: list[Patch] = []
    if truth is not None and len(truth):
        behaviors = list(data.colors.truth)
        number = {b: i for i, b in enumerate(behaviors)}
        codes = np.array([number.get(b, -1) for b in truth["behavior"]])
        _stripe(panels[0], truth["time_s"], codes, [data.colors.truth[b] for b in behaviors], "truth")
        present = set(codes.tolist())
        handles = [Patch(color=data.colors.truth[b], label=b) for b in behaviors if number[b] in present]
    for panel, (name, table) in zip(panels[rows - len(labels) :], labels.items(), strict=False):
        syllables = table["syllable"].to_numpy()
        colors = [data.colors.of(name, s) for s in range(int(syllables.max(initial=-1)) + 1)]
        _stripe(panel, table["time_s"], syllables, colors, name)
        for column, trace in (("probability", panels[rows]), ("entropy_nats", panels[rows + 1])):
            times, values = _smooth(table["time_s"].to_numpy(float), table[column].to_numpy(float))
            trace.plot(times, values, lw=0.9, label=name)
    if not handles:
        name, table = next(iter(labels.items()))
        names = data.study.models[0].names()
        shown = sorted({int(s) for s in table["syllable"] if s >= 0})
        handles = [Patch(color=data.colors.of(name, s), label=syllable_name(s, names)) for s in shown]
    panels[rows].set_ylim(0, 1.03)
    panels[rows + 1].set_ylim(bottom=0)
    _axes.tidy(panels[rows], x="", y="probability\n(0–1)")
    _axes.tidy(panels[rows + 1], x="time (s)", y="entropy\n(nats)")
    for panel in panels[:-1]:
        panel.xaxis.label.set_visible(False)
    if len(labels) > 1:
        panels[rows].legend(loc="lower right", ncols=len(labels), fontsize=7)
    figure.legend(
        handles=handles[:LEGEND], loc="outside lower center", ncols=min(9, len(handles)), fontsize=7.5
    )
    figure.suptitle(
        f"{recording.name}   {recording.subject} · {recording.group}", x=0.01, ha="left", fontsize=10
    )
    return figure


def _stripe(
    axes: Axes,
    time_s: "pd.Series[float]",
    codes: npt.NDArray[np.integer],
    colors: list[Color],
    name: str,
) -> None:
    """Draw a row of colored ticks; codes below 0 are gray."""
    at = np.linspace(0, len(codes) - 1, min(len(codes), PIXELS)).round().astype(int)
    image = np.clip(codes[at], -1, len(colors) - 1)[None] + 1
    times = time_s.to_numpy(float)
    axes.imshow(
        image,
        aspect="auto",
        interpolation="nearest",
        cmap=ListedColormap([MISSING, *colors]),
        vmin=-0.5,
        vmax=len(colors) + 0.5,
        extent=(times[0], max(times[-1], times[0] + 1e-3), 0, 1),
    )
    axes.set_yticks([0.5], [name])
    axes.tick_params(length=0)
    axes.tick_params(axis="x", bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    axes.set_ylabel("model").set_visible(False)


def _smooth(
    times: npt.NDArray[np.float64], values: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Average over bins of half a second, or wider ones if there would be too many."""
    span = times[-1] - times[0]
    width = max(SMOOTH_S, span / PIXELS * 2)
    bins = ((times - times[0]) // width).astype(int)
    finite = np.isfinite(values)
    sums = np.bincount(bins[finite], values[finite], minlength=bins[-1] + 1)
    counts = np.bincount(bins[finite], minlength=bins[-1] + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return times[0] + (np.arange(len(sums)) + 0.5) * width, sums / counts
