"""Bouts: unbroken runs of one syllable within a recording."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

__all__ = ["COLUMNS", "KEYS", "about_recordings", "described", "join", "table"]

# What describes a recording; a table of bouts may have more such columns, the covariates of the user.
KEYS = ("recording", "subject", "group", "role")
COLUMNS = {
    **dict.fromkeys(KEYS, "string"),
    "bout": "int32",
    "syllable": "int16",
    "name": "string",
    "start_tick": "int32",
    "stop_tick": "int32",
    "start_s": "float64",
    "stop_s": "float64",
    "duration_s": "float64",
    "probability": "float32",
}


def table(
    labels: pd.DataFrame,
    *,
    recording: str,
    subject: str,
    group: str,
    role: str = "train",
    min_probability: float = 0.0,
) -> pd.DataFrame:
    """Return the bouts of one recording, a row each, in order of time.

    Parameters
    ----------
    labels : DataFrame
        A row per tick with the columns of ``records.tables.LABELS``.
    recording, subject, group, role : str
        Values of these columns in every row.
    min_probability : float
        Bouts of a smaller mean probability are left out; their neighbors then do not touch.

    Returns
    -------
    DataFrame
        ``COLUMNS``. ``stop_tick`` is exclusive. ``stop_s`` is the time of that tick, or one
        median interval after the last tick, so that neighbors touch.
        ``probability`` is the mean over the bout.
    """
    ticks = np.flatnonzero(labels["bout"].to_numpy() >= 0)
    bout = labels["bout"].to_numpy()[ticks]
    first = np.flatnonzero(np.diff(bout, prepend=-1))
    last = np.flatnonzero(np.diff(bout, append=-1)) if len(bout) else first
    time_s = labels["time_s"].to_numpy(np.float64)
    interval_s = np.median(np.diff(time_s)) if len(time_s) > 1 else 0.0
    edges_s = np.append(time_s, time_s[-1:] + interval_s)
    start, stop = ticks[first], ticks[last] + 1
    total = (
        np.add.reduceat(labels["probability"].to_numpy(np.float64)[ticks], first) if len(first) else 0
    )
    bouts = pd.DataFrame(
        {
            "recording": recording,
            "subject": subject,
            "group": group,
            "role": role,
            "bout": bout[first],
            "syllable": labels["syllable"].to_numpy()[start],
            "name": labels["name"].array[start] if "name" in labels else pd.NA,
            "start_tick": start,
            "stop_tick": stop,
            "start_s": edges_s[start],
            "stop_s": edges_s[stop],
            "duration_s": edges_s[stop] - edges_s[start],
            "probability": total / np.maximum(stop - start, 1),
        }
    )
    kept = bouts[bouts["probability"] >= min_probability] if min_probability > 0 else bouts
    return kept.astype(COLUMNS).reset_index(drop=True)


def join(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate the bouts of recordings.

    Parameters
    ----------
    tables : iterable of DataFrame
        Tables that ``table`` returned; empty ones are skipped.

    Returns
    -------
    DataFrame
        ``COLUMNS``.
    """
    filled = [part for part in tables if len(part)]
    if not filled:
        return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in COLUMNS.items()})
    return pd.concat(filled, ignore_index=True)


def described(bouts: pd.DataFrame, recordings: pd.DataFrame) -> pd.DataFrame:
    """Return bouts with the columns of their recordings in front.

    Parameters
    ----------
    bouts : DataFrame
        ``COLUMNS``.
    recordings : DataFrame
        A row per recording: ``recording, subject, group, role`` and any others.
    """
    measures = [name for name in COLUMNS if name not in KEYS]
    rows = recordings.reset_index(drop=True)
    order = pd.Index(rows["recording"]).get_indexer(pd.Index(bouts["recording"]))
    about = rows.iloc[order].reset_index(drop=True)
    return pd.concat([about, bouts[measures].reset_index(drop=True)], axis=1)


def about_recordings(bouts: pd.DataFrame) -> list[str]:
    """Return the columns of a table of bouts that describe recordings, in its order.

    Parameters
    ----------
    bouts : DataFrame
        Bouts of the whole study.
    """
    return [str(name) for name in bouts if name in KEYS or name not in COLUMNS]
