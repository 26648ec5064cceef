"""From posteriors to syllables: labels, bouts, their statistics and their accuracy.

In reading order: ``settings``, ``tree`` (which states are one syllable), ``decode`` (posterior → a row
per tick), ``bouts`` (unbroken runs of one syllable), ``usage`` and ``transitions`` (counted within
recordings), ``summary`` (a row per syllable, in mm and s), ``names`` (syllables in words), ``design``
(what is compared, and what is a unit or a pair), ``statistics/`` (groups compared), ``changepoints``
(changes of behavior without a model), ``scores``, ``people``, ``score_text`` and ``calibration``
(labels and their probability against the truth, or against people), ``queries`` (clips to label next),
``selection`` (which of several models to use). Every function takes and returns tables or arrays; the
steps read and write the files.

A *tick* is a row of a recording's clock. A tick of syllable -1 is unlabeled and belongs to no
bout. ``stop_tick`` is exclusive.
"""

__all__ = [
    "bouts",
    "calibration",
    "changepoints",
    "decode",
    "design",
    "names",
    "people",
    "queries",
    "score_text",
    "scores",
    "selection",
    "settings",
    "statistics",
    "summary",
    "transitions",
    "tree",
    "usage",
]
