"""Change points of behavior, without a model.

Latents are projected on random directions, each scaled to unit variance over the recording;
the change of a tick is the mean squared difference between the projections just after and
just before it, smoothed (doi:10.1016/j.neuron.2015.11.031, supplement). Its logarithm,
z-scored, is the score, and its prominent peaks are change points. Without the logarithm a few
rears and scratches would set the standard deviation and hide gentle changes. The distance
between change points is the natural time scale of behavior; models are fitted to match it.

A border lies between two ticks, so the lag is an odd number of ticks, 2h + 1, and the kernel is
symmetric. A step from tick t - 1 to tick t has its peak at t at any frame rate.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.ndimage
import scipy.signal

from ..errors import BadInput, ShapeError
from ..provenance import generator
from .settings import ChangepointSettings

__all__ = ["COLUMNS", "change_score", "find", "join", "median_duration_s"]

COLUMNS = {
    "recording": "string",
    "tick": "int32",
    "time_s": "float64",
    "score": "float32",
    "duration_s": "float64",
}

Array = npt.NDArray[np.float64]


def find(
    latents: Array,
    observed: npt.NDArray[np.bool_],
    time_s: Array,
    settings: ChangepointSettings,
    *,
    recording: str,
    seed: int,
) -> pd.DataFrame:
    """Return the change points of one recording.

    Parameters
    ----------
    latents : (T, D) float64
        Any units; the score does not depend on the scale.
    observed : (T,) bool
        Ticks that have latents. Gaps up to the lag are bridged by a straight line.
    time_s : (T,) float64
        Time of each tick, s; its median step converts seconds to ticks.
    settings : ChangepointSettings
    recording : str
        Name of the recording in the table.
    seed : int
        Seed of the study; every recording is projected on the same directions.

    Returns
    -------
    DataFrame
        ``COLUMNS``, a row per change point: the first tick of what follows, its time, its
        z-score, and the time since the change point before it. That time is NaN for the first
        change point after a gap.
    """
    score = change_score(latents, observed, time_s, settings, seed=seed)
    has_score = np.isfinite(score)
    lowest = score[has_score].min(initial=0.0)
    peaks, _ = scipy.signal.find_peaks(
        np.where(has_score, score, lowest), prominence=settings.min_prominence_sd
    )
    # At the edge of a gap the score ends, so that a maximum there is not a peak.
    peaks = peaks[has_score[peaks - 1] & has_score[peaks + 1]]
    run = np.cumsum(~has_score)[peaks]
    duration_s = np.diff(time_s[peaks], prepend=np.nan)
    duration_s[np.diff(run, prepend=-1) != 0] = np.nan
    changepoints = pd.DataFrame(
        {
            "recording": recording,
            "tick": peaks,
            "time_s": time_s[peaks],
            "score": score[peaks],
            "duration_s": duration_s,
        }
    )
    return changepoints.astype(COLUMNS)


def join(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate the change points of recordings.

    Parameters
    ----------
    tables : iterable of DataFrame
        Tables that ``find`` returned; empty ones are skipped.

    Returns
    -------
    DataFrame
        ``COLUMNS``.
    """
    filled = [part for part in tables if len(part)]
    if not filled:
        return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in COLUMNS.items()})
    return pd.concat(filled, ignore_index=True)


def median_duration_s(changepoints: pd.DataFrame) -> float:
    """Return the median time between neighboring change points, s.

    Parameters
    ----------
    changepoints : DataFrame
        With the column ``duration_s``, s.

    Raises
    ------
    BadInput
        No recording has two change points in a row.
    """
    durations = changepoints["duration_s"].dropna()
    if durations.empty:
        raise BadInput(
            "no recording has two change points in a row, so there is no natural duration; lower "
            "reduce.changepoints.min_prominence_sd, or set the target duration of the model."
        )
    return float(durations.median())


def change_score(
    latents: Array,
    observed: npt.NDArray[np.bool_],
    time_s: Array,
    settings: ChangepointSettings,
    *,
    seed: int,
) -> Array:
    """Return the z-scored log change of every tick (T,), NaN near gaps and at the ends.

    Parameters
    ----------
    latents : (T, D) float64
    observed : (T,) bool
    time_s : (T,) float64
    settings : ChangepointSettings
    seed : int
        As in ``find``.

    Raises
    ------
    ShapeError
        The arrays have different numbers of ticks.
    """
    if not len(latents) == len(observed) == len(time_s):
        raise ShapeError(
            f"latents, observed and time_s have {len(latents)}, {len(observed)} and {len(time_s)} "
            "ticks; they share a recording's ticks."
        )
    score = np.full(len(latents), np.nan)
    if observed.sum() < 2:
        return score
    ticks_per_s = 1 / np.median(np.diff(time_s))
    half = max(0, round((settings.lag_s * ticks_per_s - 1) / 2))
    lag = 2 * half + 1
    filled, is_filled = _bridge(latents, observed, lag)
    metric = _projection_metric(latents[observed], settings.projections, seed)
    difference = filled[lag:] - filled[:-lag]
    both = is_filled[lag:] & is_filled[:-lag]
    raw = np.einsum("ti,ij,tj->t", difference, metric, difference)
    raw, weight = np.where(both, raw, 0.0), both.astype(np.float64)
    sigma = settings.smoothing_s * ticks_per_s
    if sigma > 0:
        raw, weight = (scipy.ndimage.gaussian_filter1d(x, sigma, mode="constant") for x in (raw, weight))
    # The difference from tick t - h - 1 to tick t + h belongs to the border before tick t.
    middle = score[half + 1 : half + 1 + len(raw)]
    change = raw[both] / weight[both]
    # A floor keeps the logarithm finite where nothing moves.
    middle[both] = np.log(change + 1e-3 * change.mean()) if change.any() else 0.0
    spread = np.nanstd(middle) if both.any() else 0.0
    return (score - np.nanmean(middle)) / spread if spread > 0 else np.full(len(latents), np.nan)


def _projection_metric(latents: Array, projections: int, seed: int) -> Array:
    """Mean of p pᵀ / (pᵀ C p) over random directions p, for the covariance C of the latents.

    The mean squared difference of scaled projections is this quadratic form, so that whole
    recordings need not be projected.
    """
    covariance = np.atleast_2d(np.cov(latents.T, bias=True))
    directions = generator(seed, "changepoints").standard_normal((projections, latents.shape[1]))
    variance = np.einsum("pi,ij,pj->p", directions, covariance, directions)
    scaled = directions / np.sqrt(np.where(variance > 0, variance, np.inf))[:, None]
    return scaled.T @ scaled / projections


def _bridge(
    latents: Array, observed: npt.NDArray[np.bool_], max_gap: int
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Fill gaps of at most ``longest`` ticks by straight lines; also return which ticks have latents."""
    observed_ticks = np.flatnonzero(observed)
    ticks = np.arange(len(latents))
    filled = np.stack(
        [np.interp(ticks, observed_ticks, column[observed_ticks]) for column in latents.T], axis=1
    )
    is_filled = observed.copy()
    gaps = np.diff(observed_ticks) - 1
    for i in np.flatnonzero((gaps > 0) & (gaps <= max_gap)):
        is_filled[observed_ticks[i] : observed_ticks[i + 1]] = True
    return filled, is_filled
