"""Path and speed of the animal, and its time in each part of the arena."""

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from . import _axes
from .results import FigureData
from .settings import DrawSettings

__all__ = ["draw"]

TITLE = "Trajectory and occupancy"
SCOPE = "recording"
NEEDS = "crops of the recording"
CAPTION = (
    "Left: the path of the animal's middle, colored by speed. Right: the time spent in each square of "
    "20 mm. The origin is the middle of the arena; y points downward, as in the image."
)
BIN_MM = 20.0
POINTS = 6000


def draw(data: FigureData, settings: DrawSettings) -> Figure | None:
    """Draw one recording's path."""
    crops = None if data.recording is None else data.recording.crops()
    if crops is None:
        return None
    with crops:
        scalars, times = crops.scalars, crops.time_s
    xy = scalars[["x_mm", "y_mm"]].to_numpy(float)
    located = np.isfinite(xy).all(1)
    if located.sum() < 2:
        return None
    low, high = xy[located].min(0), xy[located].max(0)
    edges = [np.arange(np.floor(lo / BIN_MM), np.ceil(hi / BIN_MM) + 1.5) * BIN_MM
             for lo, hi in zip(low, high, strict=True)]  # fmt: skip
    tick_s = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    stay_s = np.histogram2d(xy[located, 0], xy[located, 1], edges)[0] * tick_s
    step = max(1, len(xy) // POINTS)
    path = xy[::step]
    speed = scalars["speed_mm_s"].to_numpy(float)[::step]
    figure = _axes.new(8.4, 3.7)
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    joined = np.stack([path[:-1], path[1:]], 1)
    whole = np.isfinite(joined).all((1, 2))
    lines = LineCollection(list(joined[whole]), cmap="viridis", lw=0.9)
    lines.set_array(np.nan_to_num(speed[:-1][whole]))
    lines.set_clim(0, max(1.0, float(np.nanpercentile(speed, 98)) if np.isfinite(speed).any() else 1.0))
    left.add_collection(lines)
    figure.colorbar(lines, ax=left, label="speed (mm/s)", shrink=0.8)
    image = right.pcolormesh(
        edges[0], edges[1], np.ma.masked_equal(stay_s.T, 0), cmap="magma_r", rasterized=True
    )
    figure.colorbar(image, ax=right, label="time spent (s)", shrink=0.8)
    for axes in (left, right):
        _axes.tidy(axes, x="x (mm)", y="y (mm)")
        axes.set_aspect("equal")
    right.set_xlim(edges[0][0], edges[0][-1])
    right.set_ylim(edges[1][-1], edges[1][0])
    return figure
