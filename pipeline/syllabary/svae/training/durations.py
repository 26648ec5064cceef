"""Durations of bouts, and the stickiness that gives them a target duration."""

import logging
import math

import numpy as np
import numpy.typing as npt

__all__ = ["clip", "growth", "judge", "median", "next_kappa", "of_path", "step"]

log = logging.getLogger(__name__)
KAPPA_RANGE = (1e-2, 1e10)
# Largest believable stickiness, pseudo-counts per frame of data.
BELIEVABLE = 100.0
# Growth of log duration with log kappa before there are two probes.
GROWTH = 0.1


def of_path(path: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the lengths of the runs of a path, frames.

    Parameters
    ----------
    path : (T,) int64
    """
    if not len(path):
        return np.zeros(0, np.int64)
    borders = np.flatnonzero(np.diff(path)) + 1
    return np.diff(np.concatenate([[0], borders, [len(path)]]))


def next_kappa(probes: list[list[float]]) -> float:
    """Choose the next stickiness from log kappa and log duration over target so far."""
    below = [p for p in probes if p[1] < 0]
    above = [p for p in probes if p[1] >= 0]
    if below and above:
        low, high = max(below), min(above)
        if low[0] < high[0]:
            # False position, kept off the ends so that the bracket shrinks on both sides.
            share = -low[1] / (high[1] - low[1])
            share = min(0.8, max(0.2, share))
            return clip(math.exp(low[0] + share * (high[0] - low[0])))
    log_kappa, off = min(probes, key=lambda probe: abs(probe[1]))
    step = -off / growth(probes)
    return clip(math.exp(log_kappa + max(-5.0, min(5.0, step))))


def growth(probes: list[list[float]]) -> float:
    """Return the growth of log duration with log kappa, from the nearest probes."""
    near = sorted(probes, key=lambda probe: abs(probe[1]))[:2]
    if len(near) == 2 and near[0][0] != near[1][0]:
        slope = (near[1][1] - near[0][1]) / (near[1][0] - near[0][0])
        return min(1.0, max(GROWTH / 4, slope))
    return GROWTH


def step(log_ratio: float, probes: list[list[float]]) -> float:
    """Return the change of log kappa, within ± 2, that should change log duration by ``log_ratio``."""
    return max(-2.0, min(2.0, log_ratio / growth(probes)))


def median(runs: npt.NDArray[np.int64]) -> float:
    """Return the median of durations as if each whole number n were spread over n ± 1/2.

    Parameters
    ----------
    runs : (N,) int64
        Durations, frames.
    """
    if not len(runs):
        return math.nan
    middle = float(np.sort(runs)[(len(runs) - 1) // 2])
    below, equal = int((runs < middle).sum()), int((runs == middle).sum())
    return middle - 0.5 + (len(runs) / 2 - below) / equal


def clip(kappa: float) -> float:
    """Clip a stickiness to the range in which counts beside it keep their digits."""
    return min(KAPPA_RANGE[1], max(KAPPA_RANGE[0], kappa))


def judge(kappa: float, frames: int, target_s: float) -> None:
    """Log a warning if the stickiness is more than data of this size could show.

    Parameters
    ----------
    kappa : float
        Pseudo-counts.
    frames : int
        Training frames.
    target_s : float
        Median duration that the stickiness gives, s.
    """
    # A stickiness at just this limit may be off by rounding.
    if kappa > BELIEVABLE * frames * (1 + 1e-6):
        log.warning(
            "a median bout of %.2f s needs a stickiness of %.2g pseudo-counts, %.0f for each of the %d "
            "frames: frames are not as independent as this model takes them to be, so its probabilities "
            "of states are too sure.", target_s, kappa, kappa / frames, frames,
        )  # fmt: skip
