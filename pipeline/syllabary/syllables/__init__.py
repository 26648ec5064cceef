"""Posterior to syllables: labels, bouts, what they look like, how groups differ, how true they are.

In reading order: ``decode`` (posterior → a row per tick), ``bouts`` (unbroken runs of one
syllable), ``usage`` and ``transitions`` (counted within recordings), ``summary`` (a row per
syllable, in mm and s), ``names`` (syllables in words), ``statistics`` (groups compared, an
animal is the unit), ``changepoints`` (borders that need no model), ``scores`` and ``calibration``
(labels and their probability against the truth), ``queries`` (what to label next), ``selection``
(which of several models to use). Every
function takes and gives tables or arrays; files are the business of the steps.

A *tick* is a row of a recording's clock. Syllable -1 means that nothing is said of a tick;
such ticks are in no bout. ``stop_tick`` is exclusive.
"""

__all__ = [
    "bouts",
    "calibration",
    "changepoints",
    "decode",
    "names",
    "queries",
    "scores",
    "selection",
    "settings",
    "statistics",
    "summary",
    "transitions",
    "usage",
]
