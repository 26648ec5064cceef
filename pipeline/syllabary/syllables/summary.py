"""What each syllable looks like: a row per syllable, in millimetres and seconds."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import BadInput, ShapeError

__all__ = ["SCALARS", "table"]

# Means over the ticks of a syllable; the last is the rate at which the highest point rises.
SCALARS = ("speed_mm_s", "height_mm", "height_max_mm", "length_mm", "turning_rad_s", "rising_mm_s")


def table(recordings: Iterable[tuple[pd.DataFrame, pd.DataFrame]], bouts: pd.DataFrame) -> pd.DataFrame:
    """Summarize every syllable over all recordings, one recording in memory at a time.

    Parameters
    ----------
    recordings : iterable of (labels, scalars)
        Columns of ``records.tables.LABELS`` and of ``records.crops.SCALARS``, a row per
        tick each; NaN scalars do not count.
    bouts : DataFrame
        Bouts of the same recordings.

    Returns
    -------
    DataFrame
        ``syllable, name, usage`` (share of labelled ticks), ``bouts, median_duration_s``,
        means of ``SCALARS`` and of ``probability``. ``turning_rad_s`` is signed (positive
        is clockwise from above). A row per syllable that occurs.
    """
    parts = []
    for labels, scalars in recordings:
        if len(labels) != len(scalars):
            raise ShapeError(
                f"{len(labels)} labels but scalars of {len(scalars)} ticks; are they of one recording?"
            )
        values = scalars.reset_index(drop=True).assign(
            rising_mm_s=_rising_mm_s(scalars, labels), probability=labels["probability"].to_numpy()
        )
        rows = values[[*SCALARS, "probability"]].astype(np.float64).assign(ticks=1.0)
        grouped = rows.groupby(labels["syllable"].to_numpy())
        parts.append(pd.concat({"total": grouped.sum(), "count": grouped.count()}, axis=1))
    if not parts:
        raise BadInput("no recording to summarize; 'syllabary segment' makes labels.")
    sums = pd.concat(parts).groupby(level=0).sum()
    sums = sums[sums.index >= 0]
    total, count = sums["total"], sums["count"]
    means = (total / count.where(count > 0)).drop(columns="ticks")
    named = bouts.dropna(subset=["name"]).drop_duplicates("syllable").set_index("syllable")["name"]
    durations = bouts.groupby("syllable")["duration_s"]
    found = pd.DataFrame({"syllable": sums.index.to_numpy(np.int16)})
    found["name"] = found["syllable"].map(named).astype("string")
    found["usage"] = (total["ticks"] / total["ticks"].sum()).to_numpy()
    found["bouts"] = found["syllable"].map(durations.size()).fillna(0).astype("int64")
    found["median_duration_s"] = found["syllable"].map(durations.median()).astype(np.float64)
    return pd.concat([found, means.reset_index(drop=True)], axis=1)


def _rising_mm_s(scalars: pd.DataFrame, labels: pd.DataFrame) -> npt.NDArray[np.float64]:
    height = scalars["height_max_mm"].to_numpy(np.float64)
    if len(height) < 2:
        return np.full(len(height), np.nan)
    return np.gradient(height, labels["time_s"].to_numpy(np.float64))
