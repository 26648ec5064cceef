"""Confusion of labels with the true syllables of simulated recordings."""

from collections import Counter

import numpy as np
from matplotlib.figure import Figure

from . import _axes
from .colors import MISSING
from .results import FigureData, paired, syllable_name
from .settings import DrawSettings

__all__ = ["draw"]

TITLE = "Syllables against the truth"
SCOPE = "model"
RANK = 5
NEEDS = "the truth of simulated recordings"
CAPTION = (
    "True behaviors during each syllable; a column adds up to 100 %. A perfect model has one dark cell "
    "per column. Several dark cells in a row are a behavior that is split into syllables."
)


def draw(data: FigureData, settings: DrawSettings) -> Figure | None:
    """Draw the confusion of one model's syllables with the true behaviors."""
    model = data.model
    if model is None:
        return None
    counts: Counter[tuple[str, int]] = Counter()
    for recording, truth in data.study.truths():
        labels = model.labels_of(recording)
        if labels is not None:
            both = paired(labels, truth)
            counts.update(zip(both["behavior"].astype(str), both["syllable"].tolist(), strict=True))
    syllables = [s for s in sorted({s for _, s in counts}) if s >= 0][: settings.max_syllables]
    if not syllables:
        return None
    behaviors = sorted({b for b, _ in counts})
    matrix = np.array([[counts[b, s] for s in syllables] for b in behaviors], float)
    share = 100 * matrix / np.maximum(matrix.sum(0), 1)
    # Behaviors are ordered by their main syllable, so that a good model is a diagonal.
    order = np.lexsort((np.arange(len(behaviors)), np.argmax(share, 1)))
    figure = _axes.new(max(4.4, 2.4 + 0.3 * len(syllables)), max(2.6, 1.4 + 0.24 * len(behaviors)))
    axes = figure.subplots()
    image = axes.imshow(share[order], cmap="Blues", vmin=0, vmax=100, aspect="auto")
    names = model.names()
    labels_shown = [syllable_name(s, names) for s in syllables]
    axes.set_xticks(range(len(syllables)), labels_shown, rotation=90, fontsize=7)
    axes.set_yticks(range(len(behaviors)), [behaviors[i] for i in order], fontsize=7.5)
    _axes.swatches(axes, [data.colors.truth.get(behaviors[i], MISSING) for i in order], axis="y")
    _axes.swatches(axes, [data.colors.of(model.name, s) for s in syllables])
    if share.size <= 400:
        for (i, j), value in np.ndenumerate(share[order]):
            if value >= 5:
                tone = "white" if value > 55 else _axes.INK
                axes.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=6, color=tone)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, label="share (% of the syllable)", shrink=0.8)
    _axes.tidy(axes, x="syllable", y="true behavior")
    return figure
