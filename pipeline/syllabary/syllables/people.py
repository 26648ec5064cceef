"""Agreement of labels with what people labeled, and of people with one another.

Each stretch of ticks that a person labeled without a gap is scored like a recording whose truth is known
(``scores``). So the borders of a run do not count, and nothing is other of ticks that nobody labeled.
People who label the same run show how well any labels could agree.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import BadInput
from ..records.labeled_bouts import LabeledBout
from .scores import Scores, score_many

__all__ = ["PeopleScores", "score"]

# A stretch of fewer ticks has no border that could be judged.
SHORTEST_TICKS = 2


class PeopleScores(NamedTuple):
    """Scores of labels against people.

    Attributes
    ----------
    labels : Scores
        Of the labels, pooled over people and stretches.
    people : mapping of (str, str) to Scores
        Of the first person's labels against the second's, where both labeled the same ticks.
    seconds : float
        Labeled time, added over people.
    """

    labels: Scores
    people: Mapping[tuple[str, str], Scores]
    seconds: float


def score(
    labels: Mapping[str, pd.DataFrame],
    bouts: Sequence[LabeledBout],
    training_bouts: Sequence[LabeledBout] = (),
) -> PeopleScores:
    """Score labels against bouts that people labeled.

    Parameters
    ----------
    labels : mapping of recording to DataFrame
        ``records.tables.LABELS``, a row per tick.
    bouts : sequence of LabeledBout
        Of these recordings. Where bouts of one person overlap, the one with the higher confidence
        counts, of equal ones the later.
    training_bouts : sequence of LabeledBout, optional
        Bouts that a fit was trained on; their ticks do not count.

    Raises
    ------
    BadInput
        Nothing that people labeled is left to be compared.
    """
    behaviors = sorted({bout.behavior for bout in bouts})
    # By person and recording, the behavior of each tick; -1 = not labeled.
    codes: dict[str, dict[str, npt.NDArray[np.int64]]] = defaultdict(dict)
    for name, table in labels.items():
        of_recording = [bout for bout in bouts if bout.recording == name]
        was_trained_on = _codes(table, [bout for bout in training_bouts if bout.recording == name]) >= 0
        for person in sorted({bout.annotator for bout in of_recording}):
            of_person = [bout for bout in of_recording if bout.annotator == person]
            codes[person][name] = np.where(was_trained_on, -1, _codes(table, of_person, behaviors))
    pairs, seconds = [], 0.0
    for by_recording in codes.values():
        for name, code in by_recording.items():
            for run in _runs(code):
                pairs.append((labels[name], _truth(labels[name], code, behaviors, run)))
                time_s = labels[name]["time_s"].to_numpy()[run]
                seconds += float(time_s[-1] - time_s[0])
    if not pairs:
        raise BadInput(
            "people's labels and these recordings share no time that the fit was not trained on; label "
            "bouts of these recordings that are not in the table that 'fit' reads."
        )
    people = {
        (a, b): scored
        for a, b in itertools.combinations(sorted(codes), 2)
        if (scored := _between(labels, codes[a], codes[b], behaviors)) is not None
    }
    return PeopleScores(score_many(pairs), people, seconds)


def _codes(
    table: pd.DataFrame, bouts: Sequence[LabeledBout], behaviors: Sequence[str] = ()
) -> npt.NDArray[np.int64]:
    """Return the number of the behavior of each tick, (T,); -1 where there is none."""
    time_s = table["time_s"].to_numpy(np.float64)
    code = np.full(len(time_s), -1)
    for bout in sorted(bouts, key=lambda bout: (bout.confidence, bout.start_s)):
        first, last = np.searchsorted(time_s, (bout.start_s, bout.stop_s))
        code[first:last] = behaviors.index(bout.behavior) if behaviors else 0
    return code


def _runs(code: npt.NDArray[np.int64]) -> Iterator[slice]:
    """Yield unbroken runs of labeled ticks."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], code >= 0, [False]])))
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if stop - start >= SHORTEST_TICKS:
            yield slice(start, stop)


def _truth(
    table: pd.DataFrame, code: npt.NDArray[np.int64], behaviors: Sequence[str], run: slice
) -> pd.DataFrame:
    """Return the ticks of a run as ``scores`` reads the truth."""
    part = code[run]
    return pd.DataFrame(
        {
            "frame": table["frame"].to_numpy()[run],
            "syllable": part,
            "behavior": [behaviors[i] for i in part],
        }
    )


def _between(
    labels: Mapping[str, pd.DataFrame],
    first: Mapping[str, npt.NDArray[np.int64]],
    second: Mapping[str, npt.NDArray[np.int64]],
    behaviors: Sequence[str],
) -> Scores | None:
    """Return the scores of one person's labels against another's; None where they share no tick."""
    pairs = []
    for name in sorted(set(first) & set(second)):
        both = np.where(first[name] >= 0, second[name], -1)
        other = pd.DataFrame({"frame": labels[name]["frame"].to_numpy(), "syllable": first[name]})
        pairs += [(other, _truth(labels[name], both, behaviors, part)) for part in _runs(both)]
    return score_many(pairs) if pairs else None
