"""Posterior to labels: a row per tick."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import ShapeError
from ..records.tables import LABELS

__all__ = ["labels"]


def labels(
    frame: npt.NDArray[np.integer],
    time_s: npt.NDArray[np.floating],
    *,
    path: npt.NDArray[np.integer],
    states: npt.NDArray[np.floating],
    surprise_nats: npt.NDArray[np.floating],
    names: Mapping[int, str] | None = None,
) -> pd.DataFrame:
    """Label every tick of a recording.

    Parameters
    ----------
    frame, time_s : (T,) int and (T,) float
        Source frame (-1 where it was dropped) and time of each tick, s.
    path : (T,) int
        Syllable of each tick, -1 = unlabeled.
    states : (T, K) float
        Posterior marginals; rows are normalized here.
    surprise_nats : (T,) float
        Negative one-step predictive log likelihood, nats.
    names : mapping of syllable to name, optional

    Returns
    -------
    DataFrame
        The columns of ``records.tables.LABELS``. ``probability`` is the marginal of the
        labeled syllable and ``entropy_nats`` the entropy over all syllables; both are NaN
        where the syllable is -1. Bouts are numbered from 0.

    Raises
    ------
    ShapeError
        The arrays have different numbers of ticks, or the path names a state that
        ``states`` lacks.
    """
    path, states = np.asarray(path), np.asarray(states, np.float64)
    if states.ndim != 2 or not states.shape[1]:
        raise ShapeError(f"states are {states.shape}; they must be (ticks, states).")
    lengths = {
        "frame": len(frame),
        "time_s": len(time_s),
        "path": len(path),
        "states": len(states),
        "surprise_nats": len(surprise_nats),
    }
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise ShapeError(f"the columns of a recording have different numbers of ticks: {counts}.")
    if len(path) and path.max() >= states.shape[1]:
        raise ShapeError(f"the path names state {path.max()}, but there are only {states.shape[1]}.")
    is_labeled = path >= 0
    total = states.sum(1, keepdims=True)
    marginal = np.divide(states, total, where=total > 0, out=np.zeros_like(states))
    chosen = marginal[np.arange(len(path)), np.maximum(path, 0)]
    terms = np.where(marginal > 0, marginal * np.log(np.where(marginal > 0, marginal, 1.0)), 0.0)
    table = pd.DataFrame(
        {
            "frame": frame,
            "time_s": time_s,
            "syllable": path,
            "probability": np.where(is_labeled, chosen, np.nan),
            "entropy_nats": np.where(is_labeled, -terms.sum(1) + 0.0, np.nan),
            "surprise_nats": surprise_nats,
            "bout": running_bouts(path),
        }
    )
    table["name"] = table["syllable"].map(dict(names or {})).astype("string")
    return table.astype(LABELS)[list(LABELS)]


def running_bouts(syllable: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    """Number unbroken runs of one syllable from 0; a tick of syllable -1 gets -1.

    Parameters
    ----------
    syllable : (T,) int
    """
    is_labeled = syllable >= 0
    starts = is_labeled & np.diff(syllable, prepend=-2).astype(bool)
    return np.where(is_labeled, np.cumsum(starts) - 1, -1).astype(np.int32)
