"""The empty arena, its floor, and positions of the animal."""

import numpy as np
from matplotlib.figure import Figure

from . import _axes
from .results import FigureData
from .settings import DrawSettings

__all__ = ["draw"]

TITLE = "Arena"
SCOPE = "recording"
NEEDS = "crops of the recording"
CAPTION = (
    "Depth of the empty arena (white = unknown), the outline of its floor, and positions of the animal "
    "from the beginning (dark) to the end (bright). If the animal is part of the background, or the "
    "outline leaves the floor, or positions lie outside it, adjust extract.background or extract.arena."
)
POINTS = 4000
# Shown range of depth on both sides of the floor's median.
SPAN_MM = 150.0


def draw(data: FigureData, settings: DrawSettings) -> Figure | None:
    """Draw one recording's arena."""
    crops = None if data.recording is None else data.recording.crops()
    if crops is None:
        return None
    with crops:
        arena, tracking, times = crops.arena, crops.tracking, crops.time_s
    background, mask = arena.get("background_mm"), arena.get("mask")
    if background is None or mask is None or not np.any(mask):
        return None
    figure = _axes.new(5.4, 4.2)
    axes = figure.subplots()
    depth = np.where(background > 0, background, np.nan)
    middle = float(np.nanmedian(np.where(mask, depth, np.nan)))
    if not np.isfinite(middle):
        return None
    image = axes.imshow(
        depth, cmap="gray", vmin=middle - SPAN_MM, vmax=middle + SPAN_MM, interpolation="nearest"
    )
    figure.colorbar(image, ax=axes, label="depth (mm)", shrink=0.8)
    axes.contour(np.asarray(mask, float), [0.5], colors=["#d99a2b"], linewidths=1.2)
    xy = tracking[["x_px", "y_px"]].to_numpy(float)
    located = np.flatnonzero(np.isfinite(xy).all(1))
    located = located[:: max(1, len(located) // POINTS)]
    axes.scatter(
        xy[located, 0],
        xy[located, 1],
        c=times[located],
        s=2,
        cmap="plasma",
        linewidths=0,
        rasterized=True,
    )
    _axes.tidy(axes, x="column (px)", y="row (px)")
    return figure
