"""Convergence of training, differences of restarts, and the gain by the networks."""

from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import _axes
from .colors import Color, categories
from .results import FigureData
from .settings import DrawSettings

__all__ = ["Gain", "draw", "gain"]

TITLE = "Training"
SCOPE = "model"
RANK = 8
NEEDS = "the history of training"
CAPTION = (
    "Bound on the log likelihood per frame, states in use and median bout over iterations, in order. "
    "Each restart has a color; vertical lines mark the beginning of a phase, where curves are "
    "interrupted. The bound of the networks is that of pixels, in a separate panel; its iteration 0 "
    "(dotted) is the PCA with the same prior. Bounds of different phases or models are comparable only "
    "if they are of the same pixels."
)
JOINT = "joint"
BOUNDS = ("bound_nats_per_frame", "bound_per_frame_nats", "bound_per_frame", "bound")
PANELS = (
    (BOUNDS, "bound of latents (nats per frame)"),
    (BOUNDS, "bound of pixels (nats per frame)"),
    (("states_used", "states"), "states in use (number)"),
    (("median_duration_s", "median_duration"), "median bout (s)"),
)


class Gain(NamedTuple):
    """Bound of pixels with the PCA (``before``) and with the trained networks, nats per frame."""

    before: float
    after: float


def gain(history: pd.DataFrame | None) -> Gain | None:
    """Return the gain by training the networks; None if none were trained.

    Parameters
    ----------
    history : DataFrame or None
        A row per iteration, with the columns ``phase`` and ``bound_nats_per_frame``.
    """
    if history is None or not {"phase", BOUNDS[0]} <= set(history):
        return None
    bounds = history.loc[history["phase"] == JOINT, BOUNDS[0]].dropna()
    return Gain(float(bounds.iloc[0]), float(bounds.max())) if len(bounds) else None


def draw(data: FigureData, settings: DrawSettings) -> Figure | None:
    """Draw the training of one model."""
    history = None if data.model is None else data.model.table("history")
    if history is None:
        return None
    history = history.reset_index(drop=True)
    phases = history["phase"].astype(str) if "phase" in history else pd.Series("", history.index)
    restarts = history["restart"] if "restart" in history else pd.Series(0, history.index)
    joint = phases == JOINT
    panels = []
    for (names, text), rows in zip(PANELS, (~joint, joint, joint | True, joint | True), strict=True):
        column = next((name for name in names if name in history), None)
        if column is not None and history.loc[rows, column].notna().any():
            panels.append((column, text, rows))
    if not panels:
        return None
    # Networks start from the best restart; their iterations belong to no restart.
    numbers = sorted(restarts[~joint].unique())
    colors = dict(zip(numbers, categories(len(numbers)), strict=True))
    figure = _axes.new(1.0 + 3.3 * len(panels), 2.7)
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (column, text, rows) in zip(all_axes, panels, strict=True):
        title = ""
        if rows is joint:
            brought = gain(history)
            _pixels(axes, history.loc[joint, column])
            title = "" if brought is None else f"{brought.after - brought.before:+.1f} nats over the PCA"
        else:
            _lines(axes, history.loc[rows, column], phases, restarts, colors)
            _marks(axes, phases[rows])
        if column in BOUNDS:
            # The first iterations are far lower and would flatten the curve.
            values = history.loc[rows, column].dropna()
            low = float(values.min() if rows is joint else values.quantile(0.05))
            axes.set_ylim(bottom=low - 0.05 * max(values.max() - low, 1e-6))
            axes.ticklabel_format(axis="y", useOffset=False)
        else:
            axes.set_ylim(bottom=0)
        _axes.tidy(axes, x="iteration (number)", y=text, title=title)
    if len(numbers) > 1:
        all_axes[-1].legend(fontsize=7)
    return figure


def _pixels(axes: Axes, bounds: pd.Series) -> None:
    """Draw the bound of each iteration over the crops, and of the PCA."""
    axes.axhline(bounds.iloc[0], color=_axes.MUTED, lw=0.8, ls=":")
    axes.plot(range(len(bounds)), bounds, color=_axes.INK, lw=1.4, marker="o", ms=3)
    axes.locator_params(axis="x", integer=True)


def _lines(
    axes: Axes, values: pd.Series, phases: pd.Series, restarts: pd.Series, colors: dict[int, Color]
) -> None:
    """Draw a curve over iterations, interrupted where a restart or a phase begins."""
    phase, restart = phases[values.index], restarts[values.index]
    new = (phase != phase.shift()) | (restart != restart.shift())
    labeled: set[int] = set()
    for _, run in values.groupby(new.cumsum()):
        number, is_joint = restart[run.index[0]], phase[run.index[0]] == JOINT
        color = _axes.INK if is_joint else colors[number]
        label = "_" if is_joint or number in labeled else f"restart {number}"
        labeled.add(number)
        marker = "o" if len(run) == 1 else ""
        axes.plot(run.index + 1, run, color=color, lw=1.4, label=label, marker=marker, ms=2.5)


def _marks(axes: Axes, phases: pd.Series) -> None:
    """Mark the beginning of each phase."""
    starts = phases.index[phases != phases.shift()]
    for i, start in enumerate(starts):
        if i:
            axes.axvline(start + 0.5, color=_axes.MUTED, lw=0.8, ls=":")
        if phases[start]:
            axes.text(
                start + 0.5, 1.02, phases[start], transform=axes.get_xaxis_transform(), fontsize=6.5,
                color=_axes.MUTED, rotation=40, ha="left", va="bottom",
            )  # fmt: skip
