"""What is compared between groups: numbers of each animal, of a syllable or of its whole behavior."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..design import Design, conditions
from ..settings import PER_ANIMAL, PER_SYLLABLE

__all__ = ["Measure", "measured"]

KEYS = ["group", "subject"]


class Measure(NamedTuple):
    """A measure of every unit.

    Attributes
    ----------
    name : str
        One of ``settings.MEASURES``.
    table : DataFrame
        Rows (group, subject), NaN where a unit has none. Columns are syllables; or −1 for a number of
        the whole behavior; or the entries of a profile, which are compared at once.
    is_profile : bool
        The columns are square roots of shares, whose Euclidean distance is √2 times that of Hellinger.
    """

    name: str
    table: pd.DataFrame
    is_profile: bool = False


def measured(
    usage: pd.DataFrame,
    transitions: pd.DataFrame | None,
    chosen: Design,
    wanted: Iterable[str],
) -> list[Measure]:
    """Return the measures of every unit, in the order in which they are compared.

    Recordings of an animal in one group are pooled: ticks and bouts are added before anything is
    divided. A unit of several animals has their mean.

    Parameters
    ----------
    usage : DataFrame
        Result of ``usage.table`` by recording. Rates need ``bouts`` and ``total_s``, speeds
        ``speed_mm_s``.
    transitions : DataFrame, optional
        Result of ``transitions.table`` by recording, with the columns of the design.
    chosen : Design
        What is a group and what a unit.
    wanted : iterable of str
        Names of measures; those whose columns are missing are left out.
    """
    pooled = _pooled(usage, chosen)
    made: dict[str, pd.DataFrame] = {"usage": _shares(pooled["ticks"])}
    if {"bouts", "total_s"} <= set(pooled):
        minutes = pooled["total_s"].sum(axis=1) / 60
        made["bouts_per_min"] = pooled["bouts"].div(minutes.where(minutes > 0), axis=0)
        made["duration_s"] = pooled["total_s"] / pooled["bouts"].where(pooled["bouts"] > 0)
    if "way_mm" in pooled:
        made["speed_mm_s"] = pooled["way_mm"] / pooled["timed_ticks"].where(pooled["timed_ticks"] > 0)
    made["repertoire"] = made["usage"] ** 0.5
    if transitions is not None and len(transitions):
        counts = _counts(transitions, chosen)
        made["entropy_nats"] = _entropy_rate(counts)
        made["transitions"] = _shares(counts) ** 0.5
    return [
        Measure(name, _by_unit(made[name], chosen), name in ("repertoire", "transitions"))
        for name in (*PER_SYLLABLE, *PER_ANIMAL)
        if name in made and name in set(wanted)
    ]


def _pooled(usage: pd.DataFrame, chosen: Design) -> dict[str, pd.DataFrame]:
    """Sums of each quantity, by animal in each group and by syllable."""
    table = usage.reset_index(drop=True)
    quantities = [name for name in ("ticks", "bouts", "total_s") if name in table]
    if "speed_mm_s" in table:
        is_timed = table["speed_mm_s"].notna()
        table = table.assign(
            way_mm=(table["speed_mm_s"] * table["ticks"]).where(is_timed, 0.0),
            timed_ticks=table["ticks"].where(is_timed, 0),
        )
        quantities += ["way_mm", "timed_ticks"]
    of_animals = _of_animals(table, chosen)
    return {name: _sums(of_animals, "syllable", name) for name in quantities}


def _counts(transitions: pd.DataFrame, chosen: Design) -> pd.DataFrame:
    """Transitions of each animal in each group; columns (from, to)."""
    of_animals = _of_animals(transitions.reset_index(drop=True), chosen)
    return _sums(of_animals, ["from_syllable", "to_syllable"], "count")


def _sums(table: pd.DataFrame, columns: str | list[str], quantity: str) -> pd.DataFrame:
    return table.pivot_table(
        index=["group", "unit", "animal"],
        columns=columns,
        values=quantity,
        aggfunc="sum",
        fill_value=0,
    )


def _of_animals(table: pd.DataFrame, chosen: Design) -> pd.DataFrame:
    named = conditions(table, chosen).rename(columns={"condition": "group"})
    animal = table["recording" if chosen.unit == "recording" else "subject"]
    return table.drop(columns="group", errors="ignore").assign(**named, animal=animal)


def _shares(counts: pd.DataFrame) -> pd.DataFrame:
    total = counts.sum(axis=1)
    return counts.div(total.where(total > 0), axis=0)


def _entropy_rate(counts: pd.DataFrame) -> pd.DataFrame:
    """Entropy of the next syllable given this one, nats; too low where counts are few."""
    leaving = counts.T.groupby(level=0).transform("sum").T
    share = (counts / leaving.where(leaving > 0)).to_numpy(np.float64)
    surprise: npt.NDArray[np.float64] = -np.log(np.where(share > 0, share, 1.0))
    weight = _shares(counts).to_numpy(np.float64)
    return pd.DataFrame({-1: (weight * surprise).sum(axis=1)}, counts.index)


def _by_unit(values: pd.DataFrame, chosen: Design) -> pd.DataFrame:
    values = values.rename_axis(index=[*KEYS, "animal"])
    if chosen.unit in ("subject", "recording"):
        return values.droplevel("animal")
    return values.groupby(level=KEYS).mean()
