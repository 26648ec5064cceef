"""Tests of whether units of different groups differ: by columns, or as whole profiles.

Two groups are compared by the difference of their means, more by the statistic of Kruskal and Wallis.
Units that are in all groups are compared with themselves: the signs of the differences of a pair are
permuted, or the values of a unit among more groups (Friedman). A profile, whose columns belong together,
is compared by the sum of squares between groups over all columns
(doi:10.1111/j.1442-9993.2001.01070.pp.x).
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.optimize
import scipy.stats

from . import permutations
from .permutations import ROUNDING, Array

__all__ = ["Plan", "Result", "compare", "detectable_effect"]

ALPHA, POWER = 0.05, 0.8


class Plan(NamedTuple):
    """How groups are compared.

    Attributes
    ----------
    paired : bool
        The same units are in all groups, in the same order.
    is_profile : bool
        Columns belong together.
    max_count : int
        Permutations drawn where there are more.
    """

    paired: bool
    is_profile: bool
    max_count: int
    rng: np.random.Generator


class Result(NamedTuple):
    """The test of every column (C,), or of a profile (1,).

    Attributes
    ----------
    name : str
    difference : (C,)
        Mean of the second group less that of the first; Hellinger's distance of the means of profiles.
    effect_size : (C,)
        Hedges' g (doi:10.3102/10769986006002107), or for pairs the mean difference over its SD. For
        profiles, the share of the sum of squares that is between groups.
    statistic, p : (C,)
    """

    name: str
    difference: Array
    effect_size: Array
    statistic: Array
    p: Array


def compare(groups: Sequence[Array], plan: Plan) -> Result:
    """Compare two or more groups.

    Parameters
    ----------
    groups : sequence of (units, C)
    plan : Plan
    """
    return _two(groups[0], groups[1], plan) if len(groups) == 2 else _several(groups, plan)


def _two(x: Array, y: Array, plan: Plan) -> Result:
    """Compare two groups by permutation of units, or of signs where units are paired."""
    paired, is_profile, max_count, rng = plan
    if paired:
        name, n, values = "paired permutation", len(x), y - x
        weights, spread, correction = permutations.signs(n, max_count, rng) / n, _sd(values), 1.0
        scale = float(n)
    else:
        name, n, values = "permutation", len(x) + len(y), np.concatenate([x, y])
        spread = np.sqrt((_sd(x) ** 2 * (len(x) - 1) + _sd(y) ** 2 * (len(y) - 1)) / max(n - 2, 1))
        # A weighting of all units whose product with their values is the difference of means.
        assigned = permutations.assignments((len(x), len(y)), max_count, rng)
        weights = np.where(assigned == 1, 1 / len(y), -1 / len(x))
        correction = 1 - 3 / (4 * n - 9) if n > 2 else np.nan
        scale = len(x) * len(y) / n
    difference = y.mean(0) - x.mean(0)
    if is_profile:
        total = ((values if paired else values - values.mean(0)) ** 2).sum()
        between = scale * ((weights @ values) ** 2).sum(1, keepdims=True)
        distance = np.sqrt((difference**2).sum(keepdims=True) / 2)
        return Result(
            f"{name} of profiles",
            distance,
            _ratio(between[0], np.array([total])),
            between[0],
            permutations.p_value(between),
        )
    return Result(
        name,
        difference,
        correction * _ratio(difference, spread),
        difference,
        permutations.p_value(np.abs(weights @ values)),
    )


def _several(groups: Sequence[Array], plan: Plan) -> Result:
    """Compare three or more groups at once."""
    paired, is_profile, max_count, rng = plan
    if paired:
        stacked = np.stack(groups, axis=1)
        order = permutations.orders(len(stacked), len(groups), max_count, rng)
        name = "permutation within units of profiles" if is_profile else "Friedman permutation"
        statistics = (
            permutations.within_units(stacked, order)
            if is_profile
            else permutations.friedman(stacked, order)
        )
        inside = stacked - stacked.mean(1, keepdims=True)
        total, scale = (inside**2).sum(), len(stacked)
    else:
        values = np.concatenate(groups)
        assigned = permutations.assignments([len(group) for group in groups], max_count, rng)
        name = "permutation of profiles" if is_profile else "Kruskal-Wallis permutation"
        test = permutations.between_groups if is_profile else permutations.kruskal_wallis
        statistics = test(values, assigned)
        total, scale = ((values - values.mean(0)) ** 2).sum(), 1
    if is_profile:
        statistics = scale * statistics.sum(1, keepdims=True)
    unknown = np.full(statistics.shape[1], np.nan)
    effect = _ratio(statistics[0], np.array([total])) if is_profile else unknown
    return Result(name, unknown, effect, statistics[0], permutations.p_value(statistics))


@cache
def detectable_effect(sizes: tuple[int, ...], *, paired: bool) -> float:
    """Return the standardized difference that a test at p < 0.05 finds four times in five.

    It is that of Student's two-sided test, which a permutation test comes near; NaN for too few units,
    and for other numbers of groups than two.

    Parameters
    ----------
    sizes : tuple of int
        Units in each group.
    """
    if len(sizes) != 2 or min(sizes) < 2:
        return np.nan
    degrees = sizes[0] - 1 if paired else sum(sizes) - 2
    scale = np.sqrt(sizes[0]) if paired else np.sqrt(sizes[0] * sizes[1] / sum(sizes))
    limit = scipy.stats.t.ppf(1 - ALPHA / 2, degrees)
    # Student's t is normal for a given standard deviation, whose distribution is divided evenly.
    deviation = np.sqrt(scipy.stats.chi2.ppf((np.arange(2000) + 0.5) / 2000, degrees) / degrees)

    def lacking(effect: float) -> float:
        sides = (sign * effect * scale - limit * deviation for sign in (1, -1))
        return float(sum(scipy.stats.norm.cdf(side).mean() for side in sides)) - POWER

    enough = 1.0
    while lacking(enough) < 0:
        enough *= 2
    return float(scipy.optimize.brentq(lacking, 0, enough))


def _sd(values: Array) -> Array:
    return values.std(0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1])


def _ratio(a: Array, b: npt.ArrayLike) -> Array:
    b = np.broadcast_to(np.asarray(b, np.float64), a.shape)
    return np.divide(a, b, out=np.full(a.shape, np.nan), where=b > ROUNDING)
