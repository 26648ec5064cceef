"""Rearrangements of animals among groups, and what is computed for each of them.

All of them are enumerated where there are few, so that a p value is exact; else they are drawn, with the
observed arrangement among them (doi:10.2202/1544-6115.1585). The observed one always comes first.
"""

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import scipy.stats

__all__ = [
    "assignments",
    "between_groups",
    "friedman",
    "kruskal_wallis",
    "orders",
    "p_value",
    "signs",
    "smallest_p",
    "within_units",
]

# Sums of shares in another order differ in the last digits; a smaller difference counts as 0.
ROUNDING = 1e-12

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int8]


def p_value(statistics: Array) -> Array:
    """Return the share of permutations at least as extreme as the first, the observed one.

    Parameters
    ----------
    statistics : (permutations, ...)
    """
    limit = statistics[0] * (1 - 1e-9) - ROUNDING
    return np.asarray((statistics >= limit).mean(0))


def smallest_p(sizes: Sequence[int], max_count: int, *, paired: bool) -> float:
    """Return the smallest p value that the permutations of a design can give.

    Groups of equal size can be exchanged as wholes without a change of any statistic here.

    Parameters
    ----------
    sizes : sequence of int
        Units in each group; with ``paired``, all the same.
    max_count : int
        Permutations drawn where there are more.
    """
    if paired:
        alike, count = math.factorial(len(sizes)), math.factorial(len(sizes)) ** sizes[0]
    else:
        alike = math.prod(math.factorial(list(sizes).count(size)) for size in set(sizes))
        count = math.factorial(sum(sizes)) // math.prod(map(math.factorial, sizes))
    return alike / count if count <= max_count else max(1 / max_count, alike / count)


def assignments(sizes: Sequence[int], max_count: int, rng: np.random.Generator) -> Codes:
    """Return assignments of units to groups, (n, units): the number of the group.

    Parameters
    ----------
    sizes : sequence of int
        Units in each group; the observed assignment has them in the order of the groups.
    """
    observed = np.repeat(np.arange(len(sizes)), sizes).astype(np.int8)
    if math.factorial(sum(sizes)) // math.prod(map(math.factorial, sizes)) <= max_count:
        return np.array(list(_arrangements(tuple(sizes))), np.int8)
    drawn = rng.permuted(np.tile(observed, (max_count - 1, 1)), axis=1)
    return np.concatenate([observed[None], drawn])


def signs(n: int, max_count: int, rng: np.random.Generator) -> Array:
    """Return signs of n paired differences, (m, n)."""
    if 2**n <= max_count:
        return np.array(list(itertools.product([1.0, -1.0], repeat=n)))
    return np.concatenate([np.ones((1, n)), rng.choice([1.0, -1.0], (max_count - 1, n))])


def orders(n: int, k: int, max_count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return, for n units that are in all k groups, whose value is taken for each, (m, n, k)."""
    if math.factorial(k) ** n <= max_count:
        every = itertools.product(itertools.permutations(range(k)), repeat=n)
        return np.array(list(every), np.int64)
    drawn = rng.permuted(np.tile(np.arange(k), (max_count - 1, n, 1)), axis=2)
    return np.concatenate([np.tile(np.arange(k), (1, n, 1)), drawn])


def between_groups(values: Array, assigned: Codes) -> Array:
    """Return the sum of squares between groups of each column, (permutations, columns).

    Parameters
    ----------
    values : (units, columns)
    assigned : (permutations, units)
        Of ``assignments``; every permutation has groups of the same sizes.
    """
    center, out = values.mean(0), np.zeros((len(assigned), values.shape[1]))
    for g in range(int(assigned.max()) + 1):
        here = assigned == g
        out += (here @ (values - center)) ** 2 / here[0].sum()
    return out


def kruskal_wallis(values: Array, assigned: Codes) -> Array:
    """Return the statistic of Kruskal and Wallis, corrected for ties, (permutations, columns)."""
    ranks = scipy.stats.rankdata(values, axis=0)
    between, variance = between_groups(ranks, assigned), ranks.var(axis=0, ddof=1)
    return np.divide(between, variance, out=np.zeros_like(between), where=variance > 0)


def friedman(values: Array, order: npt.NDArray[np.int64]) -> Array:
    """Return Friedman's statistic, corrected for ties, (permutations, columns).

    Parameters
    ----------
    values : (units, groups, columns)
    order : (permutations, units, groups)
        Of ``orders``.
    """
    n, k, _ = values.shape
    ranks = scipy.stats.rankdata(values, axis=1)
    between = n * within_units(ranks, order)
    spread = (ranks**2).sum((0, 1)) - n * k * (k + 1) ** 2 / 4
    return np.divide((k - 1) * n * between, spread, out=np.zeros_like(between), where=spread > ROUNDING)


def within_units(values: Array, order: npt.NDArray[np.int64]) -> Array:
    """Return the sum over groups of the squared mean, from the mean of all, (permutations, columns)."""
    n, k, columns = values.shape
    rows = (values - values.mean((0, 1))).reshape(n * k, columns)
    out = np.zeros((len(order), columns))
    for g in range(k):
        is_here = (order[:, :, g, None] == np.arange(k)).reshape(len(order), n * k)
        out += (is_here @ rows / n) ** 2
    return out


def _arrangements(left: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield the orders of 0 repeated left[0] times, 1 repeated left[1] times, ...; sorted."""
    if not any(left):
        yield ()
    for g, count in enumerate(left):
        if count:
            for rest in _arrangements((*left[:g], count - 1, *left[g + 1 :])):
                yield (g, *rest)
