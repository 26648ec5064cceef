"""Principal components of the crops, and the share of variance that they explain."""

import h5py
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from ..records import hdf5
from . import _axes
from .results import FigureData
from .settings import DrawSettings

__all__ = ["draw"]

TITLE = "Principal components"
SCOPE = "study"
NEEDS = "pca.h5"
CAPTION = (
    "Left: the mean crop and the components of the training animals' registered crops, in order of "
    "variance. Red pixels rise while blue pixels sink. Right: the share of variance that the first "
    "components explain."
)
SHOWN = 15


def draw(data: FigureData, settings: DrawSettings) -> Figure | None:
    """Draw the components of a study."""
    if data.study.pca_path is None or not data.study.pca_path.is_file():
        return None
    with hdf5.open_to_read(data.study.pca_path) as h5:
        group = h5.get("registered/pca", h5)
        if "components" not in group:
            return None
        components = _images(group["components"][()])
        mean = _images(group["mean"][()][None])[0] if "mean" in group else None
        ratio = _ratio(group)
    pictures = ([] if mean is None else [mean]) + list(components[:SHOWN])
    columns = 8
    rows = -(-len(pictures) // columns)
    figure = _axes.new(10.5, max(2.4, 0.5 + 1.15 * rows))
    left, right = figure.subfigures(1, 2, width_ratios=[2.4, 1], squeeze=False)[0]
    for i, axes in enumerate(left.subplots(rows, columns, squeeze=False).ravel()):
        axes.set_axis_off()
        if i >= len(pictures):
            continue
        is_mean = mean is not None and i == 0
        limit = float(np.abs(pictures[i]).max()) or 1.0
        axes.imshow(
            pictures[i],
            cmap="gray" if is_mean else "RdBu_r",
            vmin=0 if is_mean else -limit,
            vmax=limit,
        )
        axes.set_title("mean" if is_mean else str(i + (mean is None)), fontsize=7.5)
    axes = right.subplots()
    if ratio is not None:
        held = 100 * np.cumsum(ratio)
        axes.plot(np.arange(1, len(held) + 1), held, ".-", color="#2f6fb2", lw=1.2, ms=4)
        axes.annotate(
            f"{held[-1]:.1f} % in {len(held)}",
            (len(held), held[-1]),
            xytext=(-4, -14),
            textcoords="offset points",
            ha="right",
            fontsize=8,
        )
        axes.set_ylim(0, 103)
        _axes.tidy(axes, x="component (number)", y="explained variance (%)")
    else:
        axes.set_axis_off()
    return figure


def _images(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return (n, H, W) images from images or from flattened square ones."""
    flat = values.reshape(len(values), -1).astype(np.float64)
    height = int(np.sqrt(flat.shape[1])) if values.ndim == 2 else values.shape[1]
    return flat.reshape(len(flat), height, -1)


def _ratio(h5: "h5py.Group") -> npt.NDArray[np.float64] | None:
    for name in ("explained_variance_ratio", "explained", "explained_variance"):
        if name in h5:
            values: npt.NDArray[np.float64] = np.asarray(h5[name][()], np.float64)
            total = float(h5["total_variance"][()]) if "total_variance" in h5 else values.sum()
            return values if name != "explained_variance" else values / total
    return None
