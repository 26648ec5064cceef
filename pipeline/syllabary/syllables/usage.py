"""Usage of each syllable by recording, animal or group."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..errors import UnknownName
from .bouts import about_recordings

__all__ = ["table"]

# Columns of a row; the others that describe a recording follow it.
KEYS = {"recording": ["recording"], "subject": ["subject", "group"], "group": ["group"]}


def table(
    bouts: pd.DataFrame, *, by: str = "recording", sums: Mapping[str, pd.DataFrame] | None = None
) -> pd.DataFrame:
    """Return the usage of every syllable; one that never occurs in a recording has usage 0.

    Parameters
    ----------
    bouts : DataFrame
        Bouts of the whole study, the result of ``bouts.join``.
    by : str
        ``"recording"``, ``"subject"`` (recordings of an animal pooled within a group)
        or ``"group"`` (all ticks of a group pooled, so that long recordings count more).
    sums : mapping of recording to DataFrame, optional
        ``summary.sums`` of each recording, by recording only; adds ``speed_mm_s``.

    Returns
    -------
    DataFrame
        The columns of ``by`` (a recording has its covariates too), then ``syllable, name, ticks,
        usage`` (share of labeled ticks), ``bouts, bouts_per_min`` (of labeled time), ``total_s`` (of all
        bouts) and ``median_duration_s`` (NaN without a bout).

    Raises
    ------
    UnknownName
        ``by`` is none of the three.
    """
    if by not in KEYS:
        raise UnknownName(f"usage by {by!r}; known: {', '.join(KEYS)}.")
    keys = about_recordings(bouts) if by == "recording" else KEYS[by]
    ticks = bouts["stop_tick"] - bouts["start_tick"]
    counted = bouts[[*keys, "syllable", "duration_s"]].assign(ticks=ticks.astype("int64"))
    rows = counted.groupby([*keys, "syllable"], sort=True, dropna=False).agg(
        ticks=("ticks", "sum"), bouts=("ticks", "size"), total_s=("duration_s", "sum"),
        median_duration_s=("duration_s", "median"),
    )  # fmt: skip
    totals = counted.groupby(keys, sort=True, dropna=False)[["ticks", "duration_s"]].sum()
    syllables = pd.DataFrame({"syllable": np.unique(bouts["syllable"]).astype("int16")})
    full = totals.reset_index()[keys].merge(syllables, how="cross")
    usage = full.merge(rows.reset_index(), how="left", on=[*keys, "syllable"])
    usage[["ticks", "bouts"]] = usage[["ticks", "bouts"]].fillna(0).astype("int64")
    total = full[keys].merge(totals.reset_index(), how="left", on=keys)
    usage["total_s"] = usage["total_s"].fillna(0.0)
    usage["usage"] = usage["ticks"] / total["ticks"].to_numpy()
    minutes = total["duration_s"].to_numpy(np.float64) / 60
    usage["bouts_per_min"] = usage["bouts"] / np.where(minutes > 0, minutes, np.nan)
    usage["name"] = usage["syllable"].map(_names(bouts)).astype("string")
    columns = ["syllable", "name", "ticks", "usage", "bouts", "bouts_per_min"]
    columns += ["total_s", "median_duration_s"]
    if sums is not None:
        means = {name: part["total"] / part["count"] for name, part in sums.items()}
        speed = pd.concat({name: part["speed_mm_s"] for name, part in means.items()})
        rows_of = pd.MultiIndex.from_frame(usage[["recording", "syllable"]])
        usage["speed_mm_s"] = speed.reindex(rows_of).to_numpy(np.float64)
        columns.append("speed_mm_s")
    return usage[[*keys, *columns]]


def _names(bouts: pd.DataFrame) -> dict[int, str]:
    named = bouts.dropna(subset=["name"]).drop_duplicates("syllable")
    return dict(zip(named["syllable"], named["name"], strict=True))
