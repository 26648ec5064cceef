"""Results for people: figures, crowd movies and one report that opens offline.

A figure is a file of this folder with ``TITLE``, ``CAPTION``, ``SCOPE`` (is it about the
study, a model or a recording), ``NEEDS`` (what must exist) and ``draw(view, settings)``, which
returns a matplotlib figure, or None where what it needs is absent. Adding a figure is adding
a file.

In reading order: ``settings``; ``_data`` (what is drawn), ``_axes`` (one style, same bytes),
``_colors`` (one color per behavior); the figures ``ethogram, usage, transitions, durations,
scalars, scores, comparison, training, components, trajectories, quality``; ``crowd`` (movies
of many examples at once), ``decoded`` (of what a model itself shows); ``study`` (draw everything),
``report`` (the pages).

Every axis is labeled "quantity (unit)". Colors are RGB between 0 and 1; images are
``[row, column]``, arena positions mm, y downward.
"""

# Modules that serve the others; every other file of the folder is one that users name.
SHARED: tuple[str, ...] = (
    "crowd",
    "decoded",
    "report",
    "settings",
    "study",
)

__all__ = ["SHARED"]
