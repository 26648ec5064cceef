"""Mean movement of each syllable: a row per syllable, in millimeters and seconds."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import BadInput, ShapeError

__all__ = ["SCALARS", "sums", "table"]

# Means over the ticks of a syllable; ``rising_mm_s`` is the speed of the highest point.
SCALARS = ("speed_mm_s", "height_mm", "height_max_mm", "length_mm", "turning_rad_s", "rising_mm_s")


def sums(labels: pd.DataFrame, scalars: pd.DataFrame) -> pd.DataFrame:
    """Add up what the ticks of each syllable of a recording have.

    Parameters
    ----------
    labels : DataFrame
        ``records.tables.LABELS``, a row per tick.
    scalars : DataFrame
        ``records.crops.SCALARS``, a row per tick; NaN does not count.

    Returns
    -------
    DataFrame
        A row per syllable; columns (total or count, one of ``SCALARS`` or ``probability``).

    Raises
    ------
    ShapeError
        Labels and scalars have different numbers of ticks.
    """
    if len(labels) != len(scalars):
        raise ShapeError(
            f"{len(labels)} labels but scalars of {len(scalars)} ticks; are they of one recording?"
        )
    values = scalars.reset_index(drop=True).assign(
        rising_mm_s=_rising_mm_s(scalars, labels), probability=labels["probability"].to_numpy()
    )
    grouped = values[[*SCALARS, "probability"]].astype(np.float64).groupby(labels["syllable"].to_numpy())
    return pd.concat({"total": grouped.sum(), "count": grouped.count()}, axis=1)


def table(
    parts: Iterable[pd.DataFrame], bouts: pd.DataFrame, syllable_of: npt.NDArray[np.integer]
) -> pd.DataFrame:
    """Summarize every syllable over all recordings.

    Parameters
    ----------
    parts : iterable of DataFrame
        ``sums`` of each recording.
    bouts : DataFrame
        Bouts of the same recordings; syllables without a bout are left out.
    syllable_of : (K,) int
        Syllable of each state of the model.

    Returns
    -------
    DataFrame
        ``syllable, name, states`` (their numbers, as text), ``usage`` (share of the ticks of
        bouts), ``bouts, median_duration_s`` and means of ``SCALARS`` and of ``probability`` over
        all its ticks. ``turning_rad_s`` is signed (positive is clockwise from above).

    Raises
    ------
    BadInput
        There is no recording.
    """
    parts = list(parts)
    if not parts:
        raise BadInput("no recording to summarize; 'syllabary label' makes labels.")
    added = pd.concat(parts).groupby(level=0).sum()
    means = added["total"] / added["count"].where(added["count"] > 0)
    rows = bouts.assign(ticks=bouts["stop_tick"] - bouts["start_tick"]).groupby("syllable", sort=True)
    summary = rows.agg(
        name=("name", "first"),
        usage=("ticks", "sum"),
        bouts=("bout", "size"),
        median_duration_s=("duration_s", "median"),
    )
    summary["usage"] /= max(summary["usage"].sum(), 1)
    states = [" ".join(map(str, np.flatnonzero(syllable_of == s))) for s in summary.index]
    summary.insert(1, "states", pd.Series(states, summary.index, dtype="string"))
    return summary.join(means).reset_index()


def _rising_mm_s(scalars: pd.DataFrame, labels: pd.DataFrame) -> npt.NDArray[np.float64]:
    height = scalars["height_max_mm"].to_numpy(np.float64)
    if len(height) < 2:
        return np.full(len(height), np.nan)
    return np.gradient(height, labels["time_s"].to_numpy(np.float64))
