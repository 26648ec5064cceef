"""The design of a study: what is compared, what is a unit of statistics, and what is a pair.

The unit is the animal. An animal may be in several conditions (before and after, crossover), and is then
its own pair. ``summarize.pair_by`` makes units of several animals, such as litters.
"""

import difflib
import itertools
from typing import NamedTuple

import pandas as pd

from ..errors import BadSetting
from .settings import SummarizeSettings

__all__ = ["Design", "conditions", "design", "require", "require_control"]

# Columns whose values are no conditions.
NOT_COMPARED = ("recording", "path", "role", "verdict")
# Values of a column other than ``group`` that are compared; more are a measurement.
MAX_CONDITIONS = 20
NAMED = 5


class Design(NamedTuple):
    """Column of the conditions, and column of the units."""

    compare: str = "group"
    unit: str = "subject"


def design(recordings: pd.DataFrame, settings: SummarizeSettings) -> Design:
    """Return what is compared and what is a unit.

    Parameters
    ----------
    recordings : DataFrame
        Any table with the columns of ``recordings.tsv``: ``subject``, ``group`` and covariates.
    settings : SummarizeSettings

    Raises
    ------
    BadSetting
        There is no such column, or conditions and pairs are in the same one.
    """
    compare, pair_by = settings.compare, settings.pair_by
    for name, column in (("compare", compare), ("pair_by", pair_by)):
        if column is not None:
            _require_column(recordings, name, column)
    if pair_by is None:
        return Design(compare, "recording" if compare == "subject" else "subject")
    if pair_by == compare or compare == "subject":
        raise BadSetting(
            f"summarize.pair_by = {pair_by!r} does not go with summarize.compare = {compare!r}: a pair "
            "has one unit in each condition; set pair_by: null."
        )
    return Design(compare, pair_by)


def require(recordings: pd.DataFrame, settings: SummarizeSettings) -> Design:
    """Return the design of a whole study, if units are pairs or are not, but nothing in between.

    Parameters
    ----------
    recordings : DataFrame
        All recordings of the study, also those that ``check`` will reject.
    settings : SummarizeSettings

    Raises
    ------
    BadSetting
        As ``design``; or the values of a column are no conditions or no pairs; or some units are in
        two conditions and others in one of them alone, on both sides; or the control is no condition.
    """
    chosen = design(recordings, settings)
    _require_values(recordings, chosen)
    units = conditions(recordings, chosen).drop_duplicates()
    if settings.control is not None:
        require_control(list(units["condition"].unique()), settings.control)
    units_of = {name: set(rows) for name, rows in units.groupby("condition", sort=False)["unit"]}
    has_pair = False
    for a, b in itertools.combinations(units_of, 2):
        both, alone_a, alone_b = (
            sorted(map(str, names))
            for names in (
                units_of[a] & units_of[b],
                units_of[a] - units_of[b],
                units_of[b] - units_of[a],
            )
        )
        has_pair |= bool(both)
        if both and alone_a and alone_b and settings.pair_by is None:
            raise BadSetting(
                f"summarize.compare = {chosen.compare!r}: in recordings.tsv, {_counted(both)} in both "
                f"{a!r} and {b!r}, {_counted(alone_a)} in {a!r} alone, and {_counted(alone_b)} in {b!r} "
                "alone, which are neither pairs nor different animals; set summarize.pair_by: subject "
                "to compare pairs and leave the others out, or compare another column."
            )
    several = len(_values(recordings, chosen.compare).unique()) > 1
    if settings.pair_by is not None and several and not has_pair:
        raise BadSetting(
            f"summarize.pair_by = {settings.pair_by!r}: no value of this column is in two values of "
            f"{chosen.compare!r}, so there is no pair; set pair_by: null or name another column."
        )
    return chosen


def require_control(groups: list[str], control: str) -> None:
    """Require a group that others can be compared with.

    Parameters
    ----------
    groups : list of str
        Names of all groups.
    control : str

    Raises
    ------
    BadSetting
        It is none of them.
    """
    if control not in groups:
        near = difflib.get_close_matches(control, groups, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the groups are {', '.join(groups)}."
        raise BadSetting(f"summarize.control = {control!r} is none of the groups compared; {hint}")


def conditions(recordings: pd.DataFrame, chosen: Design) -> pd.DataFrame:
    """Return ``condition`` (text) and ``unit`` of each row, in the order of the conditions.

    Rows without a condition or a unit are left out. Numbers are in the order of their values.

    Parameters
    ----------
    recordings : DataFrame
        Any table with the columns of the design.
    chosen : Design
    """
    values = recordings[chosen.compare].replace("", pd.NA)
    is_number = pd.api.types.is_numeric_dtype(values)
    text = values.map(lambda value: f"{value:.15g}" if is_number else str(value), na_action="ignore")
    table = pd.DataFrame({"condition": text, "unit": recordings[chosen.unit].replace("", pd.NA)})
    order = values.reset_index(drop=True).sort_values(kind="stable").index
    return table.iloc[order].dropna()


def _values(recordings: pd.DataFrame, column: str) -> pd.Series:
    return recordings[column].replace("", pd.NA).dropna()


def _require_values(recordings: pd.DataFrame, chosen: Design) -> None:
    """Require conditions that can be compared, and units that are whole animals."""
    count = _values(recordings, chosen.compare).nunique()
    if not count:
        raise BadSetting(
            f"summarize.compare = {chosen.compare!r}: no recording has a value in this column; fill it "
            "in, or compare another one."
        )
    if chosen.compare not in ("group", "subject") and count > MAX_CONDITIONS:
        raise BadSetting(
            f"summarize.compare = {chosen.compare!r}: the column has {count} values, which are too "
            f"many to compare in pairs; name a column with at most {MAX_CONDITIONS}."
        )
    if chosen.unit not in ("subject", "recording"):
        values = _values(recordings, chosen.unit)
        per_animal = values.groupby(recordings["subject"].loc[values.index]).nunique()
        if (per_animal > 1).any():
            raise BadSetting(
                f"summarize.pair_by = {chosen.unit!r}: animal {per_animal.idxmax()!r} has "
                f"{per_animal.max()} values; a pair consists of whole animals, such as a litter."
            )


def _require_column(recordings: pd.DataFrame, setting: str, column: str) -> None:
    columns = [str(name) for name in recordings if name not in NOT_COMPARED]
    if column not in columns:
        near = difflib.get_close_matches(column, columns, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(columns)}."
        raise BadSetting(
            f"summarize.{setting} = {column!r}: recordings.tsv has no such column to compare; {hint}"
        )


def _counted(names: list[str]) -> str:
    shown = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
    return f"{len(names)} ({shown}) {'is' if len(names) == 1 else 'are'}"
