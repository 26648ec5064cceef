"""Whether training has converged, and how much restarts differ."""

from matplotlib.figure import Figure

from . import _axes
from ._colors import categories
from ._data import View
from .settings import DrawSettings

__all__ = ["draw"]

TITLE = "Training"
SCOPE = "model"
NEEDS = "the history of training"
CAPTION = (
    "The bound on the log likelihood per frame, the states in use and the median bout over sweeps "
    "through the data; a line per restart, a vertical line where a phase of training begins. Bounds "
    "of different phases or models are comparable only where they score the same pixels."
)
PANELS = (
    (
        ("bound_nats_per_frame", "bound_per_frame_nats", "bound_per_frame", "bound"),
        "bound of latents (nats per frame)",
    ),
    (("pixel_bound",), "bound of pixels (nats per frame)"),
    (("states_used", "states"), "states in use (number)"),
    (("median_duration_s", "median_duration"), "median bout (s)"),
)  # fmt: skip


def draw(view: View, settings: DrawSettings) -> Figure | None:
    """Draw the training of one model."""
    history = None if view.model is None else view.model.table("history")
    if history is None:
        return None
    if "phase" in history:
        # Networks are scored by pixels, on a scale of their own.
        joint = history["phase"] == "joint"
        history = history.assign(
            pixel_bound=history["bound_nats_per_frame"].where(joint),
            bound_nats_per_frame=history["bound_nats_per_frame"].where(~joint),
        )
    found = [(next((c for c in names if c in history), None), text) for names, text in PANELS]
    panels = [(column, text) for column, text in found if column and history[column].notna().any()]
    if not panels:
        return None
    figure = _axes.new(1.0 + 3.3 * len(panels), 2.7)
    restarts = sorted(history["restart"].unique()) if "restart" in history else [0]
    for axes, (column, text) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        for restart, color in zip(restarts, categories(len(restarts)), strict=True):
            rows = history[history["restart"] == restart] if "restart" in history else history
            shown = rows[column] if column != "pixel_bound" else rows[column].dropna()
            first = 1 if column != "pixel_bound" else 0
            axes.plot(
                range(first, len(shown) + first), shown, color=color, lw=1.4, label=f"restart {restart}"
            )
        rows = history[history["restart"] == restarts[0]] if "restart" in history else history
        if "phase" in rows and column != "pixel_bound":
            phases = rows["phase"].astype(str).tolist()
            for i in range(1, len(phases)):
                if phases[i] != phases[i - 1]:
                    axes.axvline(i + 0.5, color=_axes.MUTED, lw=0.8, ls=":")
                    axes.text(
                        i + 0.6, 0.02, phases[i], transform=axes.get_xaxis_transform(), fontsize=7,
                        color=_axes.MUTED,
                    )  # fmt: skip
        if "bound" in column:
            # The first sweeps fall far below the rest and would flatten it.
            values = history[column].dropna()
            low = float(values.quantile(0.05))
            axes.set_ylim(bottom=low - 0.05 * max(values.max() - low, 1e-6))
        else:
            axes.set_ylim(bottom=0)
        _axes.tidy(axes, x="sweep", y=text)
    if len(restarts) > 1:
        axes.legend(fontsize=7)
    return figure
