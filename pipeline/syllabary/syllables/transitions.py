"""Transitions between syllables, counted between touching bouts of one recording."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

__all__ = ["table"]


def table(bouts: pd.DataFrame, *, by: Sequence[str] = ("group",)) -> pd.DataFrame:
    """Count transitions between bouts.

    Parameters
    ----------
    bouts : DataFrame
        Bouts of the whole study, in order of time within each recording. Bouts with unlabeled
        ticks between them do not touch.
    by : sequence of str
        Columns of ``bouts`` whose values are counted separately: ``("group",)``,
        ``("recording",)``, or none for the whole study.

    Returns
    -------
    DataFrame
        ``by``, then ``from_syllable, to_syllable, count`` and ``probability``, the share of
        the transitions from ``from_syllable``; pairs that never occur have no row.
    """
    same = bouts["recording"].to_numpy()[1:] == bouts["recording"].to_numpy()[:-1]
    touch = bouts["start_tick"].to_numpy()[1:] == bouts["stop_tick"].to_numpy()[:-1]
    first = np.flatnonzero(np.asarray(same, bool) & touch)
    syllable = bouts["syllable"].to_numpy()
    pairs = bouts[list(by)].iloc[first].reset_index(drop=True)
    pairs["from_syllable"], pairs["to_syllable"] = syllable[first], syllable[first + 1]
    keys = [*by, "from_syllable", "to_syllable"]
    counts = pairs.groupby(keys, sort=True, dropna=False).size().rename("count").reset_index()
    leaving = counts.groupby([*by, "from_syllable"], dropna=False)["count"].transform("sum")
    return counts.assign(probability=counts["count"] / leaving)
