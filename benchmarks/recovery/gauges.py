"""How good labels are without the truth: what they tell about the movement of animals left out.

Latents follow one linear regression of the last frames for each label, learned from the training
animals. On the animals left out it gives the log density of a frame, and residuals, which should be
white and Gaussian if the labels were all there is to know. The true labels can be judged in the same
way (the method ``truth``), so the difference to them is how far a label is from what was simulated.

The regression of a label is shrunk to that of all frames, as if ``PRIOR_FRAMES`` of them were added.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recovery.studies import Study
from syllabary.reduction.latents import LatentSeries

Array = npt.NDArray[np.float64]
Labels = Mapping[str, npt.NDArray[np.integer]]
LAGS = 3
PRIOR_FRAMES = 60.0
# A Gaussian is farther from its mean than this, in standard deviations, in 1 % of the frames.
ONE_PERCENT = 2.5758


class Rows(NamedTuple):
    """Frames whose past is measured: regressors (N, p), latents (N, D), labels (N,), ticks (N,)."""

    past: Array
    present: Array
    label: npt.NDArray[np.integer]
    tick: npt.NDArray[np.integer]


def gauges(study: Study, series: Mapping[str, LatentSeries], labels: Labels) -> dict[str, float]:
    """Return the gauges of the labels of one method.

    Parameters
    ----------
    study : Study
    series : mapping of recording to LatentSeries
        The same for all methods, as log densities of other latents cannot be compared.
    labels : mapping of recording to (T,) int

    Returns
    -------
    dict
        ``left_out_nats``, log density of a frame; ``tail_ratio``, share of residuals beyond the 1 % of
        a Gaussian over 1 %; ``residual_correlation`` and ``square_correlation``, autocorrelation of
        residuals and of their squared lengths from frame to frame.
    """
    rows = {name: _rows(series[name], labels[name]) for name in study.recordings}
    trained = [rows[name] for name in study.trained]
    together = Rows(*(np.concatenate(part) for part in zip(*trained, strict=True)))
    whole = _moments(together.past, together.present)
    shrunk = whole * (PRIOR_FRAMES / len(together.label))
    regressions: dict[int, tuple[Array, Array]] = {}
    density, residuals, neighbors = [], [], []
    for name in study.recordings:
        if name in study.trained:
            continue
        here = rows[name]
        white = np.empty_like(here.present)
        log_density = np.empty(len(here.label))
        for label in np.unique(here.label):
            if int(label) not in regressions:
                with_label = together.label == label
                sums = shrunk + _moments(together.past[with_label], together.present[with_label])
                regressions[int(label)] = _regression(sums, PRIOR_FRAMES + with_label.sum())
            weights, factor = regressions[int(label)]
            with_label = here.label == label
            apart = here.present[with_label] - here.past[with_label] @ weights
            white[with_label] = np.linalg.solve(factor, apart.T).T
            log_density[with_label] = (
                -0.5 * ((white[with_label] ** 2).sum(1) + white.shape[1] * np.log(2 * np.pi))
                - np.log(factor.diagonal()).sum()
            )
        density.append(log_density)
        residuals.append(white)
        neighbors.append(np.diff(here.tick) == 1)
    beyond = np.abs(np.concatenate(residuals)) > ONE_PERCENT
    squares = [(white**2).sum(1, keepdims=True) for white in residuals]
    return {
        "left_out_nats": float(np.concatenate(density).mean()),
        "tail_ratio": float(beyond.mean() / 0.01),
        "residual_correlation": _autocorrelation(residuals, neighbors),
        "square_correlation": _autocorrelation(squares, neighbors),
    }


def _rows(series: LatentSeries, labels: npt.NDArray[np.integer]) -> Rows:
    """Frames that are measured and whose last ``LAGS`` ticks are."""
    observed = np.asarray(series.observed, bool) & np.isfinite(series.values).all(1)
    complete = observed.copy()
    for lag in range(1, LAGS + 1):
        complete[lag:] &= observed[:-lag]
    complete[:LAGS] = False
    tick = np.flatnonzero(complete)
    past = [series.values[tick - lag] for lag in range(1, LAGS + 1)]
    return Rows(np.column_stack([*past, np.ones(len(tick))]), series.values[tick], labels[tick], tick)


def _moments(past: Array, present: Array) -> Array:
    """Sums of squares and products of regressors and latents, (p + D, p + D)."""
    both = np.column_stack([past, present])
    return np.asarray(both.T @ both)


def _regression(sums: Array, count: float) -> tuple[Array, Array]:
    """Weights (p, D) and the Cholesky factor of the noise (D, D) of sums of ``count`` frames."""
    width = len(sums) - (len(sums) - 1) // (LAGS + 1)
    weights = np.linalg.solve(sums[:width, :width] + 1e-6 * np.eye(width), sums[:width, width:])
    noise = (sums[width:, width:] - sums[width:, :width] @ weights) / count
    return weights, np.linalg.cholesky((noise + noise.T) / 2)


def _autocorrelation(series: list[Array], neighbors: list[npt.NDArray[np.bool_]]) -> float:
    """Correlation of frames with the next, as the mean over columns."""
    mean = np.concatenate(series).mean(0)
    variance = np.concatenate(series).var(0)
    products = np.concatenate(
        [
            ((part[1:] - mean) * (part[:-1] - mean))[near]
            for part, near in zip(series, neighbors, strict=True)
        ]
    )
    return float((products.mean(0) / variance).mean())
