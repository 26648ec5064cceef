"""Results for people: figures, crowd movies and a report that opens offline.

A figure is a file of this folder with ``TITLE``, ``CAPTION``, ``SCOPE`` ("study", "model" or
"recording"), ``NEEDS`` (the results it needs) and ``draw(data, settings)``, which returns a
matplotlib figure, or None if those results do not exist. ``RANK`` is its place in the report; a
figure without a rank comes last. To add a figure, add a file.

In reading order: ``settings``; ``colors`` (of syllables and groups), ``results`` (the data that are
drawn), ``coloring`` (one color for each behavior of a study), ``interface`` (what a figure file
has), ``_axes`` (style and saving); the figures, a file each; ``crowd`` (movies of many examples at
once), ``decoded`` (movies that a model generates); ``choices`` (which figures) and
``study`` (draws them), ``report`` (the
HTML pages).

An axis of numbers is labeled "quantity (unit)". Colors are RGB between 0 and 1; images are
``[row, column]``, arena positions mm, y downward.
"""

# Modules that serve the others; every other file of the folder is one that users name.
SHARED: tuple[str, ...] = (
    "choices",
    "coloring",
    "colors",
    "crowd",
    "decoded",
    "interface",
    "report",
    "results",
    "settings",
    "study",
)

__all__ = ["SHARED"]
