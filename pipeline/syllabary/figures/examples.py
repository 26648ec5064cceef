"""Crops spread over a recording."""

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from . import _axes
from .results import FigureData
from .settings import DrawSettings

__all__ = ["draw"]

TITLE = "Example crops"
SCOPE = "recording"
NEEDS = "crops of the recording"
CAPTION = (
    "Crops at equal distances in time, with their time in s. The animal should face right. Gray pixels "
    "were not measured. Correct crops that face left in config/flips."
)
ACROSS, DOWN = 12, 4


def draw(data: FigureData, settings: DrawSettings) -> Figure | None:
    """Draw crops of one recording."""
    crops = None if data.recording is None else data.recording.crops()
    if crops is None:
        return None
    with crops:
        detected = np.flatnonzero((crops.frame >= 0) & crops.tracking["detected"].to_numpy(bool))
        if not len(detected):
            return None
        chosen = detected[
            np.linspace(0, len(detected) - 1, min(len(detected), ACROSS * DOWN)).round().astype(int)
        ]
        images = [
            np.ma.masked_where(
                ~crops.observed(int(i), int(i) + 1)[0], crops.heights(int(i), int(i) + 1)[0]
            )
            for i in chosen
        ]
        step_mm, times = crops.height_step_mm, crops.time_s
    top = max(1.0, float(np.percentile([image.max() for image in images], 90))) * step_mm
    figure = _axes.new(10, 3.9)
    panels = figure.subplots(DOWN, ACROSS).ravel()
    scale = ScalarMappable(Normalize(0, top), "cubehelix")
    for panel in panels:
        panel.set_axis_off()
    for panel, image, tick in zip(panels, images, chosen, strict=False):
        panel.set_facecolor("#b8bdc2")
        panel.set_axis_on()
        panel.set(xticks=[], yticks=[])
        panel.imshow(image * step_mm, cmap=scale.cmap, norm=scale.norm)
        panel.set_xlabel(f"{times[tick]:.1f} s", fontsize=6.5, labelpad=1)
        for side in panel.spines.values():
            side.set_visible(False)
    figure.colorbar(scale, ax=panels.tolist(), label="height (mm)", shrink=0.7, pad=0.01)
    return figure
