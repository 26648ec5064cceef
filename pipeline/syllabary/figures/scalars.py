"""Height, length, speed and turning of the animal during each syllable."""

import numpy as np
from matplotlib.figure import Figure

from . import _axes
from .results import FigureData, syllable_name
from .settings import DrawSettings

__all__ = ["draw"]

TITLE = "Syllables in millimeters and seconds"
SCOPE = "model"
RANK = 4
NEEDS = "the table 'syllables'"
CAPTION = (
    "Means over the ticks of each syllable; positive turning is clockwise seen from above. Rears are "
    "tall, darts are fast, and pauses are slow and flat."
)
COLUMNS = {
    "height_mm": "height (mm)",
    "height_max_mm": "highest point (mm)",
    "length_mm": "length (mm)",
    "speed_mm_s": "speed (mm/s)",
    "turning_rad_s": "turning (rad/s)",
    "median_duration_s": "median bout (s)",
}


def draw(data: FigureData, settings: DrawSettings) -> Figure | None:
    """Draw the mean scalars of one model's syllables."""
    model = data.model
    table = None if model is None else model.table("syllables")
    if model is None or table is None:
        return None
    shown = table[table["syllable"].isin(model.syllables(settings.max_syllables))]
    shown = shown.sort_values("syllable")
    columns = [c for c in COLUMNS if c in shown and shown[c].notna().any()]
    if shown.empty or not columns:
        return None
    names = model.names()
    figure = _axes.new(1.4 + 1.5 * len(columns), 1.0 + 0.2 * len(shown))
    panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    at = np.arange(len(shown))
    colors = [data.colors.of(model.name, int(s)) for s in shown["syllable"]]
    for axes, column in zip(panels, columns, strict=True):
        values = shown[column].to_numpy(float)
        axes.hlines(at, 0, values, color=colors, lw=2, alpha=0.6)
        axes.scatter(values, at, c=colors, s=26, zorder=3)
        axes.axvline(0, color=_axes.MUTED, lw=0.7)
        axes.grid(axis="y", color="#eceef0", lw=0.7)
        axes.set_axisbelow(True)
        _axes.tidy(axes, x=COLUMNS[column], y="syllable")
        axes.yaxis.label.set_visible(axes is panels[0])
    panels[0].set_yticks(at, [syllable_name(int(s), names) for s in shown["syllable"]])
    _axes.swatches(panels[0], colors, axis="y")
    panels[0].set_ylim(len(shown) - 0.4, -0.6)
    return figure
