"""Posterior to path: the path of the method, and paths smoothed at a chosen duration.

``smoothed``: probabilities are averaged over time by a Gaussian of 1.5 ticks, and their logarithm is
the evidence of a chain in which every state has the same probability of staying. That probability is
chosen so that the median bout of the training animals is nearest to that of the method's path.
``matched``: the same, but nearest to the true median bout. It uses the truth for all methods, so that
scores can be compared at equal duration.
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
MIN_PROBABILITY = 1e-4
MAX_STAY = 1 - 1e-12
STEPS = 16


def smooth(states: Floats) -> Floats:
    """Return the probabilities (T, K) averaged over time."""
    return gaussian_filter1d(states, SMOOTH_TICKS, axis=0, mode="nearest")


def path(states: Floats, stay: float) -> Ints:
    """Return the best path (T,) of probabilities (T, K), if states stay with probability ``stay``."""
    count = states.shape[1]
    if count == 1:
        return np.zeros(len(states), int)
    used = np.flatnonzero(states.max(0) > 1 / count)
    transition = np.full((count, count), np.log1p(-stay) - np.log(count - 1))
    np.fill_diagonal(transition, np.log(stay))
    best = hmm.path(
        torch.zeros(len(used), dtype=torch.float64),
        torch.from_numpy(transition[np.ix_(used, used)]),
        torch.from_numpy(np.log(states[:, used] + MIN_PROBABILITY)),
    )
    return used[best.numpy()]


def median_bout(paths: list[Ints]) -> float:
    """Return the median duration of the bouts of all paths, ticks."""
    runs = [np.diff([0, *(np.flatnonzero(np.diff(path)) + 1), len(path)]) for path in paths]
    return float(np.median(np.concatenate(runs)))


def at_duration(
    states: Mapping[str, Floats], trained: list[str], ticks: float
) -> tuple[dict[str, Ints], float]:
    """Return paths whose median bout is nearest to ``ticks``, and their probability of staying.

    No path has more changes than the most probable states of ticks.
    """
    smoothed = {name: smooth(marginals) for name, marginals in states.items()}
    count = next(iter(states.values())).shape[1]
    low, high = logit(1 / max(count, 2)), logit(MAX_STAY)
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
    return {name: path(marginals, stay) for name, marginals in smoothed.items()}, stay


def paths(
    predicted: Mapping[str, tuple[Ints, Floats]], trained: list[str], true_ticks: float | None
) -> dict[str, tuple[dict[str, Ints], float | None]]:
    """Return paths of every recording by decoding, and their probability of staying.

    ``true_ticks`` is the true median bout; without it ``matched`` is left out.
    """
    plain = {name: part for name, (part, _) in predicted.items()}
    states = {name: part for name, (_, part) in predicted.items()}
    bout_ticks = median_bout([plain[name] for name in trained])
    decoded = {"plain": (plain, None), "smoothed": at_duration(states, trained, bout_ticks)}
    if true_ticks is not None:
        decoded["matched"] = at_duration(states, trained, true_ticks)
    return decoded
