"""Posterior to labels: a row per tick, with the most probable syllable."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import ShapeError
from ..records.tables import LABELS
from .tree import summed

__all__ = ["labels", "table"]


def labels(
    frame: npt.NDArray[np.integer],
    time_s: npt.NDArray[np.floating],
    *,
    states: npt.NDArray[np.floating],
    surprise_nats: npt.NDArray[np.floating],
    syllable_of: npt.NDArray[np.integer] | None = None,
    names: Mapping[int, str] | None = None,
) -> pd.DataFrame:
    """Label every tick of a recording with its most probable syllable.

    The probability of a syllable is the sum over its states. The syllable of the most probable
    state may be another one. Ties go to the smallest number.

    Parameters
    ----------
    frame, time_s : (T,) int and (T,) float
        Source frame (-1 where it was dropped) and time of each tick, s.
    states : (T, K) float
        Reported posterior of the states. A row without any probability is an unlabeled tick.
    surprise_nats : (T,) float
        Negative one-step predictive log likelihood, nats.
    syllable_of : (K,) int, optional
        Syllable of each state; by default every state is a syllable.
    names : mapping of syllable to name, optional

    Returns
    -------
    DataFrame
        As ``table`` returns it.

    Raises
    ------
    ShapeError
        The arrays have different numbers of ticks or of states.
    """
    states = np.asarray(states, np.float64)
    if states.ndim != 2 or not states.shape[1]:
        raise ShapeError(f"states are {states.shape}; they must be (ticks, states).")
    probabilities = summed(
        states, np.arange(states.shape[1]) if syllable_of is None else np.asarray(syllable_of)
    )
    is_labeled = probabilities.sum(1) > 0
    return table(
        frame,
        time_s,
        syllable=np.where(is_labeled, probabilities.argmax(1), -1),
        state=np.where(is_labeled, states.argmax(1), -1),
        probabilities=probabilities,
        surprise_nats=surprise_nats,
        names=names,
    )


def table(
    frame: npt.NDArray[np.integer],
    time_s: npt.NDArray[np.floating],
    *,
    syllable: npt.NDArray[np.integer],
    probabilities: npt.NDArray[np.floating],
    surprise_nats: npt.NDArray[np.floating],
    state: npt.NDArray[np.integer] | None = None,
    names: Mapping[int, str] | None = None,
) -> pd.DataFrame:
    """Return the table of labels of given syllables.

    Parameters
    ----------
    frame, time_s : (T,) int and (T,) float
        Source frame (-1 where it was dropped) and time of each tick, s.
    syllable : (T,) int
        Syllable of each tick, -1 = unlabeled.
    probabilities : (T, S) float
        Probabilities of the syllables; rows are normalized here.
    surprise_nats : (T,) float
        Negative one-step predictive log likelihood, nats.
    state : (T,) int, optional
        Most probable state of each tick; by default the syllable.
    names : mapping of syllable to name, optional

    Returns
    -------
    DataFrame
        The columns of ``records.tables.LABELS``. ``probability`` is that of the labeled
        syllable and ``entropy_nats`` the entropy over all syllables; both are NaN where the
        syllable is -1. Bouts are runs of one syllable, numbered from 0.

    Raises
    ------
    ShapeError
        The arrays have different numbers of ticks, or a syllable has no probabilities.
    """
    syllable = np.asarray(syllable)
    state = syllable if state is None else np.asarray(state)
    columns = {
        "frame": frame,
        "time_s": time_s,
        "syllable": syllable,
        "state": state,
        "probabilities": probabilities,
        "surprise_nats": surprise_nats,
    }
    if len({len(column) for column in columns.values()}) > 1:
        counts = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
        raise ShapeError(f"the columns of a recording have different numbers of ticks: {counts}.")
    count = np.shape(probabilities)[1]
    if len(syllable) and syllable.max() >= count:
        raise ShapeError(f"a tick has syllable {syllable.max()}, but there are only {count}.")
    probability, entropy_nats = _certainty(syllable, np.asarray(probabilities, np.float64))
    labeled = pd.DataFrame(
        {
            "frame": frame,
            "time_s": time_s,
            "syllable": syllable,
            "state": state,
            "probability": probability,
            "entropy_nats": entropy_nats,
            "surprise_nats": surprise_nats,
            "bout": running_bouts(syllable),
        }
    )
    labeled["name"] = labeled["syllable"].map(dict(names or {})).astype("string")
    return labeled.astype(LABELS)[list(LABELS)]


def _certainty(
    syllable: npt.NDArray[np.integer], probabilities: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the probability (T,) of the labels and the entropy (T,), nats; NaN where unlabeled."""
    is_labeled = syllable >= 0
    total = probabilities.sum(1, keepdims=True)
    marginal = np.divide(probabilities, total, where=total > 0, out=np.zeros_like(probabilities))
    labeled = marginal[np.arange(len(syllable)), np.maximum(syllable, 0)]
    terms = np.where(marginal > 0, marginal * np.log(np.where(marginal > 0, marginal, 1.0)), 0.0)
    return (
        np.where(is_labeled, labeled, np.nan),
        np.where(is_labeled, -terms.sum(1) + 0.0, np.nan),
    )


def running_bouts(syllable: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    """Number unbroken runs of one syllable from 0; a tick of syllable -1 gets -1.

    Parameters
    ----------
    syllable : (T,) int
    """
    is_labeled = syllable >= 0
    starts = is_labeled & np.diff(syllable, prepend=-2).astype(bool)
    return np.where(is_labeled, np.cumsum(starts) - 1, -1).astype(np.int32)
