"""Style and saving of figures: no global state, and the same bytes in every run."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..records import files

__all__ = ["INK", "MUTED", "new", "save", "style", "swatches", "tidy"]

INK = "#22262b"
MUTED = "#8a929b"
STYLE: dict[str, object] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"],
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.labelsize": 8.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    # Names come from users and may contain dollar signs.
    "text.parse_math": False,
    "legend.frameon": False,
    "savefig.facecolor": "white",
    # Text stays text in SVG, so that it can be edited; ids depend on the content alone.
    "svg.fonttype": "none",
    "svg.hashsalt": "syllabary",
}
METADATA: dict[str, dict[str, str | None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}


def new(width_in: float, height_in: float) -> Figure:
    """Return an empty figure with its own canvas.

    Parameters
    ----------
    width_in, height_in : float
        Size, inches.
    """
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def style() -> AbstractContextManager[None]:
    """Return a context in which figures are drawn and saved in one style."""
    return mpl.rc_context(STYLE)  # type: ignore[arg-type]


def tidy(axes: Axes, *, x: str, y: str, title: str = "") -> None:
    """Label both axes and set the title of the panel.

    Parameters
    ----------
    axes : Axes
    x, y : str
        "quantity (unit)" for an axis of numbers.
    title : str
    """
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if title:
        axes.set_title(title)


def swatches(axes: Axes, colors: Iterable[tuple[float, float, float]], *, axis: str = "x") -> None:
    """Draw a small colored square between each tick 0, 1, 2 ... and its label.

    Parameters
    ----------
    axes : Axes
    colors : iterable of (float, float, float)
        RGB, 0 to 1.
    axis : str
        ``"x"`` or ``"y"``.
    """
    for i, color in enumerate(colors):
        x, y = (i, -0.025) if axis == "x" else (-0.012, i)
        place = axes.get_xaxis_transform() if axis == "x" else axes.get_yaxis_transform()
        axes.plot(x, y, "s", color=color, ms=5, transform=place, clip_on=False, zorder=5)
    axes.tick_params(axis="x" if axis == "x" else "y", length=0, pad=8)


def save(figure: Figure, stem: Path, formats: Iterable[str], dpi: int) -> list[Path]:
    """Write ``stem.png``, ``stem.svg`` ... whole or not at all.

    Parameters
    ----------
    figure : Figure
    stem : Path
        Path without a suffix.
    formats : iterable of str
        Suffixes without a dot.
    dpi : int
        Resolution of pixel formats, dots per inch.

    Returns
    -------
    list of Path
        The files written.
    """
    paths = []
    for suffix in formats:
        path = stem.with_name(f"{stem.name}.{suffix}")
        with files.create(path) as temporary, style():
            figure.savefig(temporary, format=suffix, dpi=dpi, metadata=METADATA.get(suffix))
        paths.append(path)
    return paths
