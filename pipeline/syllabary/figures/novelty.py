"""Surprise of a model over time: where a recording differs from the training recordings."""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from . import _axes
from .results import FigureData, ModelResults, RecordingResults, StudyResults
from .settings import DrawSettings
from .study import shown_recordings

__all__ = ["draw"]

TITLE = "Surprise over time"
SCOPE = "model"
RANK = 7
NEEDS = "labels with a surprise in every tick that has evidence"
CAPTION = (
    "Surprise of the model, as a rank among the ticks of the training recordings. A rank of 50 is "
    "ordinary; dark parts contain movement or artifacts that the model has not learned. The percentage "
    "is the share of ticks that are more surprising than 99 % of the training ticks; 1 % is ordinary."
)
RANKS = 1000
LARGEST_SAMPLE = 100_000  # ticks of a training recording whose surprise is ranked
COLUMNS = 400
SHORTEST_S = 1.0


def draw(data: FigureData, settings: DrawSettings) -> Figure | None:
    """Draw the surprise of one model in every shown recording, a row each."""
    model = data.model
    if model is None:
        return None
    cuts = _training_quantiles(model, data.study)
    if cuts is None:
        return None
    rows = []
    for recording in shown_recordings(data.study, settings):
        if not recording.is_used:
            continue
        surprise, time_s = _surprise(model, recording)
        if len(surprise):
            rank = 100 * np.searchsorted(cuts, surprise) / len(cuts)
            rows.append((recording, rank, time_s, 100 * np.mean(surprise > cuts[RANKS * 99 // 100 - 1])))
    if not rows:
        return None
    end_s = max(time_s[-1] for _, _, time_s, _ in rows) + 1e-9
    columns = max(1, min(COLUMNS, int(end_s / SHORTEST_S)))
    image = np.full((len(rows), columns), np.nan)
    for line, (_, rank, time_s, _) in zip(image, rows, strict=True):
        place = np.minimum((time_s / end_s * columns).astype(int), columns - 1)
        count = np.bincount(place, minlength=columns)
        np.divide(np.bincount(place, rank, columns), count, out=line, where=count > 0)
    figure = _axes.new(7.6, 1.3 + 0.24 * len(rows))
    axes = figure.subplots()
    shown = axes.imshow(
        image, cmap="Blues", vmin=0, vmax=100, aspect="auto", extent=(0, end_s, len(rows) - 0.5, -0.5)
    )
    names = [f"{r.name}, {r.role.replace('_', ' ')}: {share:.1f} %" for r, _, _, share in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=7)
    axes.spines[:].set_visible(False)
    figure.colorbar(shown, ax=axes, label="surprise\n(rank in training, %)", shrink=0.9)
    _axes.tidy(axes, x="time (s)", y="recording")
    return figure


def _training_quantiles(model: ModelResults, study: StudyResults) -> npt.NDArray[np.float64] | None:
    """Return quantiles of the surprise in training ticks, or None without any."""
    parts = []
    for recording in study.used():
        if recording.role == "train":
            surprise, _ = _surprise(model, recording)
            parts.append(surprise[:: max(1, len(surprise) // LARGEST_SAMPLE)])
    pooled = np.concatenate(parts) if parts else np.zeros(0)
    return np.quantile(pooled, np.arange(1, RANKS + 1) / RANKS) if len(pooled) else None


def _surprise(
    model: ModelResults, recording: RecordingResults
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return surprise, nats, and time, s, of the ticks that have a surprise."""
    labels = model.labels_of(recording)
    if labels is None:
        return np.zeros(0), np.zeros(0)
    surprise = labels["surprise_nats"].to_numpy(np.float64)
    is_finite = np.isfinite(surprise)
    return surprise[is_finite], labels["time_s"].to_numpy(np.float64)[is_finite]
