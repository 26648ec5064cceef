"""Comparison of groups; the unit is the animal, or as ``design`` has it.

Every measure (``measures``) is tested for every syllable, and between all groups and each pair of them
(``group_tests``). All tests of the table are adjusted together, because all of them are looked at
(Benjamini-Hochberg, doi:10.1111/j.2517-6161.1995.tb02031.x).
"""

import itertools
import logging
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.stats

from ..design import conditions, design, require_control
from ..settings import PER_SYLLABLE, SummarizeSettings
from . import group_tests, permutations
from .measures import Measure, measured

__all__ = ["COLUMNS", "compare", "group_means"]

log = logging.getLogger(__name__)

COLUMNS = {
    "compared": "string",
    "measure": "string",
    "comparison": "string",
    "test": "string",
    "unit": "string",
    "syllable": "Int16",
    "name": "string",
    "group_a": "string",
    "group_b": "string",
    "subjects_a": "Int32",
    "subjects_b": "Int32",
    "subjects_left_out": "int64",
    "mean_a": "float64",
    "low_a": "float64",
    "high_a": "float64",
    "mean_b": "float64",
    "low_b": "float64",
    "high_b": "float64",
    "difference": "float64",
    "effect_size": "float64",
    "detectable_effect": "float64",
    "statistic": "float64",
    "p": "float64",
    "p_smallest": "float64",
    "q": "float64",
    "q_alone": "float64",
}

Array = npt.NDArray[np.float64]


def compare(
    usage: pd.DataFrame,
    settings: SummarizeSettings,
    *,
    rng: np.random.Generator,
    transitions: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Compare every measure of every syllable, and of the whole behavior, between groups.

    Parameters
    ----------
    usage : DataFrame
        Result of ``usage.table`` by recording; recordings of an animal in one group are pooled.
    settings : SummarizeSettings
        What is a group (``compare``), what is a pair (``pair_by``), and what is compared.
    rng : Generator
        Draws resamplings and, if there are too many to enumerate, permutations.
    transitions : DataFrame, optional
        Result of ``transitions.table`` by recording.

    Returns
    -------
    DataFrame
        ``COLUMNS``: a row per measure, comparison and syllable that reaches ``min_usage`` in a group
        (missing for a measure of the whole behavior); no rows for a single group. Means and intervals
        are of all animals of a group, the other columns of the compared animals: ``subjects_left_out``
        counts those without a partner or without the measure. ``difference`` is b minus a, or the
        distance of profiles; ``effect_size`` as in ``group_tests``. ``detectable_effect`` is what so
        many units find four times in five at p < 0.05. For "all groups" the groups' columns are missing.
        ``q`` is p adjusted over the whole table. ``p_smallest`` is the smallest p that the design
        allows, and ``q_alone`` its q if no other test of the table finds anything.

    Raises
    ------
    BadSetting
        The settings name a column or a control that is not there.
    """
    chosen = design(usage, settings)
    if conditions(usage, chosen).empty:
        return _empty()
    shares, *_ = measured(usage, None, chosen, ["usage"])
    present = set(shares.table.index.unique("group"))
    groups = [name for name in conditions(usage, chosen)["condition"].unique() if name in present]
    pairs = _pairs(groups, settings.control)
    common = shares.table.columns[
        (shares.table.groupby(level="group").mean() >= settings.min_usage).any()
    ]
    if len(groups) < 2 or common.empty:
        return _empty()
    names = usage.drop_duplicates("syllable").set_index("syllable")["name"]
    tables = []
    for measure in measured(usage, transitions, chosen, settings.measures):
        if measure.name in PER_SYLLABLE:
            measure = measure._replace(table=measure.table[common])
        compared = [groups] if len(groups) > 2 else []
        for together in [*compared, *map(list, pairs)]:
            parts = list(_tested(measure, together, settings, rng))
            tables += (
                [pd.concat(parts).sort_values("syllable").assign(measure=measure.name)] if parts else []
            )
    if not tables:
        return _empty()
    table = pd.concat(tables, ignore_index=True)
    table["name"] = table["syllable"].map(names)
    table["compared"], table["unit"] = chosen
    table["q"] = scipy.stats.false_discovery_control(table["p"])
    table["q_alone"] = (table["p_smallest"] * len(table)).clip(upper=1)
    return table.reindex(columns=list(COLUMNS)).astype(COLUMNS)


def group_means(
    values: pd.DataFrame, settings: SummarizeSettings, *, rng: np.random.Generator
) -> pd.DataFrame:
    """Return ``group, column, subjects, mean, low, high`` over the animals of each group.

    Intervals are percentiles of bootstrap means over animals. They are missing for a single animal
    and too narrow for a few.

    Parameters
    ----------
    values : DataFrame
        Of a ``Measure``: rows (group, subject); NaN does not count.
    settings : SummarizeSettings
    rng : Generator
        Draws the resamplings.
    """
    tables = []
    for group, rows in values.groupby(level="group", sort=True):
        numbers = rows.to_numpy(np.float64)
        has_value = np.isfinite(numbers)
        filled, count = np.where(has_value, numbers, 0.0), has_value.sum(0)
        draws = rng.multinomial(
            len(numbers), np.full(len(numbers), 1 / len(numbers)), settings.bootstrap_samples
        )
        tail = 50 * (1 - settings.confidence)
        means = _divided(draws @ filled, draws @ has_value)
        # A resampling without an animal that has the measure has no mean.
        low, high = np.nanpercentile(np.where(count > 0, means, 0.0), [tail, 100 - tail], axis=0)
        several = count > 1
        columns = {
            "subjects": count,
            "mean": _divided(filled.sum(0), count),
            "low": np.where(several, low, np.nan),
            "high": np.where(several, high, np.nan),
        }
        tables.append(pd.DataFrame({"group": group, "column": list(rows.columns), **columns}))
    return pd.concat(tables, ignore_index=True)


def _pairs(groups: list[str], control: str | None) -> list[tuple[str, str]]:
    if control is None:
        return list(itertools.combinations(groups, 2))
    require_control(groups, control)
    return [(control, group) for group in groups if group != control]


def _tested(
    measure: Measure, groups: list[str], settings: SummarizeSettings, rng: np.random.Generator
) -> Iterator[pd.DataFrame]:
    """Yield tables of a measure's tests; each has the columns that are known of the same units."""
    by_group = {group: measure.table.loc[group] for group in groups}
    units = [set(rows.index) for rows in by_group.values()]
    paired = len(set().union(*units)) < sum(map(len, units))
    everyone = set.intersection(*units) if paired else set().union(*units)
    title = "all groups" if len(groups) > 2 else " vs ".join(groups)
    if paired and len(everyone) < (2 if len(groups) > 2 else 1):
        log.warning("%s: fewer than two units are in all of them, which are not tested at once", title)
        return
    if paired and measure.name == "usage" and len(set().union(*units)) > len(everyone):
        alone = len(set().union(*units)) - len(everyone)
        log.warning("%s: %d units are not in all of them and are left out", title, alone)
    means = None
    if len(groups) == 2 and not measure.is_profile:
        means = group_means(measure.table.loc[groups], settings, rng=rng).set_index(["group", "column"])
    for columns in _of_same_units(measure):
        parts = [rows.loc[sorted(everyone & set(rows.index)), columns] for rows in by_group.values()]
        complete = [rows.dropna() for rows in parts]
        if paired:
            together = sorted(set.intersection(*(set(rows.index) for rows in complete)))
            complete = [rows.loc[together] for rows in complete]
        sizes = tuple(map(len, complete))
        if not all(sizes):
            continue
        left_out = len(set().union(*units)) - (sizes[0] if paired else sum(sizes))
        plan = group_tests.Plan(paired, measure.is_profile, settings.permutations, rng)
        arrays = [rows.to_numpy(np.float64) for rows in complete]
        result = group_tests.compare(arrays, plan)
        is_whole = measure.name not in PER_SYLLABLE
        table = pd.DataFrame(
            {
                "comparison": title,
                "test": result.name,
                "syllable": pd.array([pd.NA] if is_whole else list(columns), dtype="Int16"),
                "subjects_left_out": left_out,
                "difference": result.difference,
                "effect_size": result.effect_size,
                "statistic": result.statistic,
                "p": result.p,
                "p_smallest": permutations.smallest_p(sizes, settings.permutations, paired=paired),
                "detectable_effect": np.nan
                if measure.is_profile
                else group_tests.detectable_effect(sizes, paired=paired),
            }
        )
        if len(groups) == 2:
            for side, group, size in zip("ab", groups, sizes, strict=True):
                table[f"group_{side}"], table[f"subjects_{side}"] = group, size
                if means is not None:
                    rows = means.loc[group].loc[list(columns)]
                    for column in ("mean", "low", "high"):
                        table[f"{column}_{side}"] = rows[column].to_numpy()
        yield table


def _of_same_units(measure: Measure) -> Iterator[pd.Index]:
    """Yield columns that are known of the same units; all at once for a profile."""
    columns = measure.table.columns
    if measure.is_profile:
        yield columns
        return
    patterns = measure.table.isna().to_numpy().T
    _, first, kind = np.unique(patterns, axis=0, return_index=True, return_inverse=True)
    for number in np.argsort(first):
        yield columns[kind == number]


def _divided(total: npt.NDArray[np.number], count: npt.NDArray[np.number]) -> Array:
    return np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0)


def _empty() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in COLUMNS.items()})
