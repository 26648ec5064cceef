"""Posterior to path: as the method says, and smoothed at a chosen duration.

``smoothed``: probabilities averaged over time by a Gaussian of 1.5 ticks, then the most probable path
of a chain in which every state stays with the same probability, its evidence being their logarithm.
The probability of staying is the one that brings the median bout of the training animals nearest to
that of the method's own path. ``matched``: the same, nearest to the true median bout. It looks at the
truth, for every method alike, so that scores can be compared at equal duration.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.special import expit, logit

from syllabary.messages import hmm

Ints = npt.NDArray[np.integer]
Floats = npt.NDArray[np.floating]
SMOOTH_TICKS = 1.5
LEAST = 1e-4
MOST_STAY = 1 - 1e-12
STEPS = 16


def smooth(states: Floats) -> Floats:
    """Average the probabilities (T, K) over time."""
    return gaussian_filter1d(states, SMOOTH_TICKS, axis=0, mode="nearest")


def path(states: Floats, stay: float) -> Ints:
    """Best path (T,) of states that stay with probability ``stay``, given probabilities (T, K)."""
    count = states.shape[1]
    if count == 1:
        return np.zeros(len(states), int)
    used = np.flatnonzero(states.max(0) > 1 / count)
    transition = np.full((count, count), np.log1p(-stay) - np.log(count - 1))
    np.fill_diagonal(transition, np.log(stay))
    found = hmm.path(
        torch.zeros(len(used), dtype=torch.float64),
        torch.from_numpy(transition[np.ix_(used, used)]),
        torch.from_numpy(np.log(states[:, used] + LEAST)),
    )
    return used[found.numpy()]


def median_bout(paths: list[Ints]) -> float:
    """Median duration, ticks, of the bouts of all paths."""
    runs = [np.diff([0, *(np.flatnonzero(np.diff(one)) + 1), len(one)]) for one in paths]
    return float(np.median(np.concatenate(runs)))


def at_duration(
    states: Mapping[str, Floats], trained: list[str], ticks: float
) -> tuple[dict[str, Ints], float]:
    """Paths of every recording, with the least stay that comes nearest to a median bout; and it.

    No path is more restless than the most probable state of each tick.
    """
    smoothed = {name: smooth(one) for name, one in states.items()}
    count = next(iter(states.values())).shape[1]
    low, high = logit(1 / max(count, 2)), logit(MOST_STAY)
    tried = {}

    def off(x: float) -> float:
        bout = median_bout([path(smoothed[name], float(expit(x))) for name in trained])
        tried[x] = float(np.log(bout / ticks))
        return tried[x]

    if off(low) < 0 < off(high):
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if off(middle) < 0 else (low, middle)
    stay = float(expit(min(tried, key=lambda x: (abs(tried[x]), x))))
    return {name: path(one, stay) for name, one in smoothed.items()}, stay


def paths(
    said: Mapping[str, tuple[Ints, Floats]], trained: list[str], true_ticks: float | None
) -> dict[str, tuple[dict[str, Ints], float | None]]:
    """Paths of every recording by decoding, and the stay probability that each was made with.

    ``true_ticks`` is the true median bout; None leaves ``matched`` out.
    """
    plain = {name: one for name, (one, _) in said.items()}
    states = {name: one for name, (_, one) in said.items()}
    own = median_bout([plain[name] for name in trained])
    found = {"plain": (plain, None), "smoothed": at_duration(states, trained, own)}
    if true_ticks is not None:
        found["matched"] = at_duration(states, trained, true_ticks)
    return found
