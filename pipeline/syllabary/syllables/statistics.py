"""Comparison of syllable usage between groups; the unit is the animal, or as ``design`` has it.

Two groups are compared by a permutation test of the difference of means. Three or more are also
compared by the permutation distribution of the Kruskal-Wallis statistic. Within a comparison the
p values of all syllables are adjusted together (Benjamini-Hochberg,
doi:10.1111/j.2517-6161.1995.tb02031.x).

If animals are in both groups (before and after a treatment, for example), the comparison is paired.
Only those animals count then, and the signs of their differences are permuted. If animals are in all of
three groups or more, the values of each animal are permuted within it (Friedman statistic).
"""

import itertools
import logging
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.stats

from .design import Design, conditions, design
from .settings import SummarizeSettings

__all__ = ["COLUMNS", "compare", "group_means", "subject_usage"]

log = logging.getLogger(__name__)

# Sums of shares in another order differ in the last digits; a smaller difference counts as 0.
ROUNDING = 1e-12

COLUMNS = {
    "compared": "string",
    "comparison": "string",
    "test": "string",
    "unit": "string",
    "syllable": "int16",
    "name": "string",
    "group_a": "string",
    "group_b": "string",
    "subjects_a": "int32",
    "subjects_b": "int32",
    "subjects_left_out": "int64",
    "mean_a": "float64",
    "low_a": "float64",
    "high_a": "float64",
    "mean_b": "float64",
    "low_b": "float64",
    "high_b": "float64",
    "difference": "float64",
    "effect_size": "float64",
    "statistic": "float64",
    "p": "float64",
    "q": "float64",
}

Array = npt.NDArray[np.float64]


def compare(
    usage: pd.DataFrame, settings: SummarizeSettings, *, rng: np.random.Generator
) -> pd.DataFrame:
    """Compare the usage of every syllable between groups.

    Parameters
    ----------
    usage : DataFrame
        Result of ``usage.table`` by recording; recordings of an animal in one group are pooled.
    settings : SummarizeSettings
        What is a group (``compare``), and what is a pair (``pair_by``).
    rng : Generator
        Draws resamplings and, if there are too many to enumerate, permutations.

    Returns
    -------
    DataFrame
        ``COLUMNS``: a row per comparison and syllable that reaches ``min_usage`` in a group; no
        rows for a single group. Means and intervals are of all animals of a group, the other
        columns of the compared animals; ``subjects_left_out`` counts those without a partner.
        ``difference`` is b minus a. ``effect_size`` is Hedges' g
        (doi:10.3102/10769986006002107); for paired animals it is the mean difference over its SD.
        For "all groups" these and the groups' columns are missing, and ``statistic`` is that of
        Kruskal and Wallis or, of animals that are in all groups, of Friedman.
        ``q`` is p adjusted over the syllables of the comparison.

    Raises
    ------
    BadSetting
        The settings name a column that is not there.
    """
    chosen = design(usage, settings)
    if conditions(usage, chosen).empty:
        return _empty()
    wide = subject_usage(usage, chosen)
    names = usage.drop_duplicates("syllable").set_index("syllable")["name"]
    present = set(wide.index.unique("group"))
    groups = [name for name in conditions(usage, chosen)["condition"].unique() if name in present]
    common = (wide.groupby(level="group").mean() >= settings.min_usage).any()
    wide = wide.loc[:, common]
    if len(groups) < 2 or wide.empty:
        return _empty()
    means = group_means(usage, settings, rng=rng).set_index(["group", "syllable"])
    comparisons = []
    if len(groups) > 2 and (everything := _all_groups(wide, settings, rng)) is not None:
        comparisons.append(everything)
    for a, b in itertools.combinations(groups, 2):
        table = _pair(wide, a, b, settings, rng)
        for side, group in (("a", a), ("b", b)):
            rows = means.loc[group].loc[table["syllable"]]
            for column in ("mean", "low", "high"):
                table[f"{column}_{side}"] = rows[column].to_numpy()
        comparisons.append(table)
    for table in comparisons:
        table["q"] = scipy.stats.false_discovery_control(table["p"])
        table["name"] = table["syllable"].map(names)
        table["compared"], table["unit"] = chosen
    return pd.concat(
        [t.reindex(columns=list(COLUMNS)).astype(_nullable()) for t in comparisons], ignore_index=True
    )


def subject_usage(usage: pd.DataFrame, chosen: Design | None = None) -> pd.DataFrame:
    """Return the usage of each animal: rows (group, subject), a column per syllable.

    Parameters
    ----------
    usage : DataFrame
        Result of ``usage.table`` by recording.
    chosen : Design, optional
        What is a group and what a unit; the table's own by default. A unit of several animals has
        their mean.
    """
    chosen = Design() if chosen is None else chosen
    within = "recording" if chosen.unit == "recording" else "subject"
    usage = usage.reset_index(drop=True)
    counted = usage.assign(**conditions(usage, chosen), animal=usage[within])
    ticks = counted.pivot_table(
        index=["condition", "unit", "animal"],
        columns="syllable",
        values="ticks",
        aggfunc="sum",
        fill_value=0,
    )
    shares = ticks.div(ticks.sum(axis=1), axis=0).rename_axis(index=["group", "subject", "animal"])
    if chosen.unit == within:
        return shares.droplevel("animal")
    return shares.groupby(level=["group", "subject"]).mean()


def group_means(
    usage: pd.DataFrame, settings: SummarizeSettings, *, rng: np.random.Generator
) -> pd.DataFrame:
    """Return ``group, syllable, subjects, mean, low, high`` over the animals of each group.

    Intervals are percentiles of bootstrap means over animals. They are missing for a single animal
    and too narrow for a few.

    Parameters
    ----------
    usage : DataFrame
        Result of ``usage.table`` by recording.
    settings : SummarizeSettings
    rng : Generator
        Draws the resamplings.
    """
    tables = []
    chosen = design(usage, settings)
    for group, rows in subject_usage(usage, chosen).groupby(level="group", sort=True):
        values = rows.to_numpy(np.float64)
        low = high = np.full(values.shape[1], np.nan)
        if len(values) > 1:
            draws = rng.multinomial(
                len(values), np.full(len(values), 1 / len(values)), settings.bootstrap_samples
            )
            tail = 50 * (1 - settings.confidence)
            low, high = np.percentile(draws @ values / len(values), [tail, 100 - tail], axis=0)
        columns = {"subjects": len(values), "mean": values.mean(0), "low": low, "high": high}
        tables.append(pd.DataFrame({"group": group, "syllable": rows.columns, **columns}))
    return pd.concat(tables, ignore_index=True)


def _pair(
    wide: pd.DataFrame, a: str, b: str, settings: SummarizeSettings, rng: np.random.Generator
) -> pd.DataFrame:
    """Compare two groups by permutation of animals, or of signs where animals are paired."""
    left, right = wide.loc[a], wide.loc[b]
    paired = left.index.intersection(right.index)
    alone = len(left) + len(right) - 2 * len(paired) if len(paired) else 0
    if alone:
        log.warning("%s and %s: %d units are in one of them only and are left out", a, b, alone)
    if len(paired):
        x, y = left.loc[paired].to_numpy(np.float64), right.loc[paired].to_numpy(np.float64)
        difference, spread = (y - x).mean(0), _sd(y - x)
        weights = _signs(len(paired), settings.permutations, rng)
        values, correction = y - x, 1.0
    else:
        x, y = left.to_numpy(np.float64), right.to_numpy(np.float64)
        n = len(x) + len(y)
        difference = y.mean(0) - x.mean(0)
        spread = np.sqrt((_sd(x) ** 2 * (len(x) - 1) + _sd(y) ** 2 * (len(y) - 1)) / max(n - 2, 1))
        # A weighting of all animals whose product with their usage is the difference of means.
        assigned = _assignments((len(x), len(y)), settings.permutations, rng)
        weights = np.where(assigned == 1, 1 / len(y), -1 / len(x))
        values, correction = np.concatenate([x, y]), 1 - 3 / (4 * n - 9) if n > 2 else np.nan
    return pd.DataFrame(
        {
            "comparison": f"{a} vs {b}",
            "test": "paired permutation" if len(paired) else "permutation",
            "syllable": wide.columns,
            "group_a": a,
            "group_b": b,
            "subjects_a": len(x),
            "subjects_b": len(y),
            "subjects_left_out": alone,
            "difference": difference,
            "effect_size": correction
            * np.divide(difference, spread, out=np.full(len(spread), np.nan), where=spread > ROUNDING),
            "statistic": difference,
            "p": _p(np.abs(weights @ values)),
        }
    )


def _all_groups(
    wide: pd.DataFrame, settings: SummarizeSettings, rng: np.random.Generator
) -> pd.DataFrame | None:
    """Compare all groups at once; None if some animals are in several groups, but not in all."""
    test, left_out = "Kruskal-Wallis permutation", 0
    if wide.index.get_level_values("subject").duplicated().any():
        groups = wide.index.unique("group")
        count = wide.groupby(level="subject").size()
        complete = count.index[count == len(groups)]
        left_out = len(count) - len(complete)
        if len(complete) < 2:
            log.warning("fewer than two units are in all of %s, which are not tested at once", groups)
            return None
        values = np.stack([wide.loc[group].loc[complete].to_numpy(np.float64) for group in groups], 1)
        test, statistics = "Friedman permutation", _friedman(values, settings.permutations, rng)
    else:
        statistics = _kruskal_wallis(wide, settings.permutations, rng)
    return pd.DataFrame(
        {
            "comparison": "all groups",
            "test": test,
            "syllable": wide.columns,
            "subjects_left_out": left_out,
            "statistic": statistics[0],
            "p": _p(statistics),
        }
    )


def _kruskal_wallis(wide: pd.DataFrame, max_count: int, rng: np.random.Generator) -> Array:
    """Return H (permutations, syllables), corrected for ties, the observed one first."""
    code = np.unique(wide.index.get_level_values("group"), return_inverse=True)[1]
    wide = wide.iloc[np.argsort(code, kind="stable")]
    sizes = np.bincount(code)
    ranks = scipy.stats.rankdata(wide.to_numpy(np.float64), axis=0)
    n = len(ranks)
    variance = ranks.var(axis=0) * n / (n - 1)
    assigned = _assignments(tuple(sizes), max_count, rng)
    between = np.zeros((len(assigned), ranks.shape[1]))
    for g, size in enumerate(sizes):
        between += size * ((assigned == g) @ ranks / size - (n + 1) / 2) ** 2
    return np.divide(between, variance, out=np.zeros_like(between), where=variance > 0)


def _friedman(values: Array, max_count: int, rng: np.random.Generator) -> Array:
    """Return Friedman's statistic (permutations, syllables), corrected for ties, the observed one first.

    The values (n, k, syllables) of n animals in k groups are permuted within each animal.
    """
    n, k, _ = values.shape
    ranks = scipy.stats.rankdata(values, axis=1)
    if math.factorial(k) ** n <= max_count:
        orders = np.array(list(itertools.product(itertools.permutations(range(k)), repeat=n)))
    else:
        drawn = rng.permuted(np.tile(np.arange(k), (max_count - 1, n, 1)), axis=2)
        orders = np.concatenate([np.tile(np.arange(k), (1, n, 1)), drawn])
    rows = ranks.reshape(n * k, -1)
    between = np.zeros((len(orders), rows.shape[1]))
    for g in range(k):
        is_here = (orders[:, :, g, None] == np.arange(k)).reshape(len(orders), n * k)
        between += (is_here @ rows - n * (k + 1) / 2) ** 2
    spread = (rows**2).sum(0) - n * k * (k + 1) ** 2 / 4
    return np.divide((k - 1) * between, spread, out=np.zeros_like(between), where=spread > ROUNDING)


def _p(statistics: Array) -> Array:
    """Return the share of permutations at least as extreme as the first, the observed one."""
    limit = statistics[0] * (1 - 1e-9) - ROUNDING
    return (statistics >= limit).mean(0)


def _assignments(
    sizes: tuple[int, ...], max_count: int, rng: np.random.Generator
) -> npt.NDArray[np.int8]:
    """Return assignments of animals to groups (n, animals), the observed one first.

    They are all assignments, or ``max_count`` random ones if there are more.
    """
    observed = np.repeat(np.arange(len(sizes)), sizes).astype(np.int8)
    if math.factorial(sum(sizes)) // math.prod(map(math.factorial, sizes)) <= max_count:
        return np.array(list(_arrangements(sizes)), np.int8)
    drawn = rng.permuted(np.tile(observed, (max_count - 1, 1)), axis=1)
    return np.concatenate([observed[None], drawn])


def _arrangements(left: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield the orders of 0 repeated left[0] times, 1 repeated left[1] times, ...; sorted."""
    if not any(left):
        yield ()
    for g, count in enumerate(left):
        if count:
            for rest in _arrangements((*left[:g], count - 1, *left[g + 1 :])):
                yield (g, *rest)


def _signs(n: int, max_count: int, rng: np.random.Generator) -> Array:
    """Return signs of n paired differences over n (m, n), the observed ones first.

    They are all combinations, or ``max_count`` random ones if there are more.
    """
    if 2**n <= max_count:
        signs = np.array(list(itertools.product([1.0, -1.0], repeat=n)))
    else:
        signs = np.concatenate([np.ones((1, n)), rng.choice([1.0, -1.0], (max_count - 1, n))])
    return signs / n


def _sd(values: Array) -> Array:
    return values.std(0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1])


def _nullable() -> dict[str, str]:
    return {name: {"int32": "Int32"}.get(dtype, dtype) for name, dtype in COLUMNS.items()}


def _empty() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in _nullable().items()})
