"""Agreement of labels with true syllables.

No single score is enough. Mutual information does not detect a syllable that is split by animal,
the border score ignores identity, and both ignore a constant delay. Several scores are therefore
reported together, pooled over recordings, with the level of chance.

Labels and truth are aligned on ``frame``. An unlabeled frame (-1) counts as a label of its own
that matches nothing. Borders are counted on ticks, within recordings, and matched one to one.
"""

from collections.abc import Iterable
from typing import NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import BadInput
from ..provenance import generator

__all__ = ["TOLERANCE_TICKS", "Aligned", "Scores", "align", "matched", "score", "score_many"]

TOLERANCE_TICKS = 3
CHANCE_SHIFTS = 50
LARGEST_SHIFT_TICKS = 5
COMMON_SHARE = 0.01
# Behaviors scored by name: all true behaviors whose names start with it.
NAMED = ("rear", "groom")

Ints = npt.NDArray[np.int64]


class Aligned(NamedTuple):
    """Frames of one recording that labels and truth share, in order of time.

    Attributes
    ----------
    tick : (n,) int64
        Row of the truth.
    label, true : (n,) int64
        Syllables; a label of -1 = unlabeled.
    behavior : (n,) object
        Name of the true syllable.
    """

    tick: Ints
    label: Ints
    true: Ints
    behavior: npt.NDArray[np.object_]


class BehaviorScores(TypedDict):
    """Scores of one named behavior; None where the truth does not have it."""

    frames: int
    precision: float | None
    recall: float | None
    f1: float | None


class SyllableScores(TypedDict):
    """Scores of one true syllable after a one-to-one and a many-to-one match."""

    syllable: int
    behavior: str | None
    frames: int
    label: int | None
    precision: float | None
    recall: float | None
    labels_mostly: list[int]
    mostly_precision: float | None
    mostly_recall: float | None


class BoundaryScores(TypedDict):
    """Scores of the borders between bouts."""

    boundary_tolerance_ticks: int
    boundary_f1: float
    boundary_precision: float | None
    boundary_recall: float | None
    boundary_f1_chance: float


class Scores(BoundaryScores):
    """All scores of labels; ``score_many`` describes them."""

    recordings: int
    frames: int
    ami: float
    nmi: float
    ari: float
    best_shift_ami: float
    best_shift_ticks: int
    duration_ratio: float
    states_above_1_percent: int
    true_states: int
    macro_f1: float
    syllables: list[SyllableScores]
    behaviors: dict[str, BehaviorScores]


def score(labels: pd.DataFrame, truth: pd.DataFrame) -> Scores:
    """Score the labels of one recording.

    Parameters
    ----------
    labels, truth : DataFrame
        As in ``score_many``.
    """
    return score_many([(labels, truth)])


def score_many(pairs: Iterable[tuple[pd.DataFrame, pd.DataFrame]]) -> Scores:
    """Score labels against the truth, pooled over recordings that share their syllables.

    Parameters
    ----------
    pairs : iterable of (labels, truth)
        Tables with the columns of ``records.tables.LABELS`` and ``TRUTH``.

    Returns
    -------
    Scores
        A dict for JSON; a score that is not defined is None.

        ``recordings, frames``
            Numbers of recordings and of compared frames.
        ``ami, nmi, ari``
            Adjusted and normalized mutual information, adjusted Rand index, of frames.
        ``best_shift_ami, best_shift_ticks``
            The best AMI when labels are moved by -5 to 5 frames, and the delay of the labels.
        ``macro_f1``
            Mean F1 of the true syllables, each matched to at most one label (Hungarian
            algorithm on shared frames).
        ``boundary_f1, boundary_precision, boundary_recall, boundary_f1_chance``
            Borders within ``boundary_tolerance_ticks`` of a true one; chance is the mean F1
            of the same borders shifted in a circle.
        ``duration_ratio``
            Median labeled bout over median true bout.
        ``states_above_1_percent, true_states``
            Labels and true syllables with more than 1 % of the frames; all true syllables.
        ``behaviors``
            Precision, recall and F1 of rear and groom, when each label stands for the behavior
            that it overlaps most.
        ``syllables``
            An entry per true syllable: frames, matched label, and precision and recall after
            both matches. In the many-to-one match a label stands for the true syllable that
            it overlaps most.

    Raises
    ------
    BadInput
        Labels and truth share no frame.
    """
    from sklearn import metrics

    aligned = [align(labels, truth) for labels, truth in pairs]
    aligned = [recording for recording in aligned if len(recording.tick)]
    if not aligned:
        raise BadInput("labels and truth share no frame; are they of the same recordings?")
    label, true = (
        np.concatenate([getattr(recording, name) for recording in aligned]) for name in ("label", "true")
    )
    behavior = np.concatenate([recording.behavior for recording in aligned])
    shift, best = _best_shift(aligned)
    macro_f1, syllables = _per_syllable(label, true, behavior)
    return {
        "recordings": len(aligned),
        "frames": len(label),
        "ami": float(metrics.adjusted_mutual_info_score(true, label)),
        "nmi": float(metrics.normalized_mutual_info_score(true, label)),
        "ari": float(metrics.adjusted_rand_score(true, label)),
        "best_shift_ami": best,
        "best_shift_ticks": shift,
        **_boundaries(aligned),
        "duration_ratio": float(
            np.median(_durations([(recording.tick, recording.label) for recording in aligned]))
            / np.median(_durations([(recording.tick, recording.true) for recording in aligned]))
        ),
        "states_above_1_percent": _common(label),
        "true_states": len(np.unique(true)),
        "macro_f1": macro_f1,
        "syllables": syllables,
        "behaviors": _per_behavior(label, behavior),
    }


def align(labels: pd.DataFrame, truth: pd.DataFrame) -> Aligned:
    """Return the rows of one recording whose frame is in both tables.

    Parameters
    ----------
    labels, truth : DataFrame
        Columns of ``records.tables.LABELS`` and ``TRUTH``.
    """
    true_frames = truth["frame"].to_numpy(np.int64)
    rows = np.flatnonzero((true_frames >= 0) & (truth["syllable"].to_numpy() >= 0))
    labeled_frames = labels["frame"].to_numpy(np.int64)
    places = np.flatnonzero(labeled_frames >= 0)
    _, left, right = np.intersect1d(true_frames[rows], labeled_frames[places], return_indices=True)
    tick = rows[left]
    return Aligned(
        tick.astype(np.int64),
        labels["syllable"].to_numpy(np.int64)[places[right]],
        truth["syllable"].to_numpy(np.int64)[tick],
        truth["behavior"].astype(object).to_numpy()[tick],
    )


def matched(borders: Ints, true_borders: Ints, tolerance: int = TOLERANCE_TICKS) -> int:
    """Return the largest number of borders that match one to one within a tolerance.

    On a line, matching in order gives the largest number. The earlier of two borders that are
    too far apart has no partner.

    Parameters
    ----------
    borders, true_borders : (n,) and (m,) int64
        Ticks, ascending.
    tolerance : int
        Largest distance of a match, ticks.
    """
    i = j = count = 0
    a, b = borders.tolist(), true_borders.tolist()
    while i < len(a) and j < len(b):
        if abs(a[i] - b[j]) <= tolerance:
            count, i, j = count + 1, i + 1, j + 1
        elif a[i] < b[j]:
            i += 1
        else:
            j += 1
    return count


def _borders(tick: Ints, values: Ints) -> Ints:
    return tick[1:][np.diff(values) != 0]


def _durations(runs: list[tuple[Ints, Ints]]) -> Ints:
    """Return lengths of all bouts in ticks, including the cut ones at the ends."""
    return np.concatenate([np.diff([t[0], *_borders(t, v), t[-1] + 1]) for t, v in runs])


def _boundaries(aligned: list[Aligned]) -> BoundaryScores:
    """Return border scores, and the level of chance from seeded circular shifts."""
    label = [_borders(recording.tick, recording.label) for recording in aligned]
    true = [_borders(recording.tick, recording.true) for recording in aligned]
    n_label, n_true = sum(map(len, label)), sum(map(len, true))
    hits = sum(matched(a, b) for a, b in zip(label, true, strict=True))
    rng = generator(0, "scores", "chance")
    chance = []
    for _ in range(CHANCE_SHIFTS):
        moved = 0
        for recording, a, b in zip(aligned, label, true, strict=True):
            first, span = recording.tick[0], recording.tick[-1] + 1 - recording.tick[0]
            moved += matched(np.sort((a - first + rng.integers(span)) % span) + first, b)
        chance.append(_f1(moved, n_label, n_true))
    return {
        "boundary_tolerance_ticks": TOLERANCE_TICKS,
        "boundary_f1": _f1(hits, n_label, n_true),
        "boundary_precision": _ratio(hits, n_label),
        "boundary_recall": _ratio(hits, n_true),
        "boundary_f1_chance": float(np.mean(chance)),
    }


def _best_shift(aligned: list[Aligned]) -> tuple[int, float]:
    """Return the delay of labels, ticks, and the AMI without it; ties go to the smallest delay."""
    from sklearn import metrics

    best = (0, -np.inf)
    for shift in sorted(range(-LARGEST_SHIFT_TICKS, LARGEST_SHIFT_TICKS + 1), key=lambda s: (abs(s), s)):
        kept = [
            (recording, len(recording.tick) - abs(shift))
            for recording in aligned
            if len(recording.tick) > abs(shift)
        ]
        label = [recording.label[max(shift, 0) :][:n] for recording, n in kept]
        true = [recording.true[max(-shift, 0) :][:n] for recording, n in kept]
        if kept:
            ami = metrics.adjusted_mutual_info_score(np.concatenate(true), np.concatenate(label))
            best = (shift, float(ami)) if ami > best[1] + 1e-12 else best
    return best


def _common(label: Ints) -> int:
    counts = np.unique(label[label >= 0], return_counts=True)[1]
    return int((counts > COMMON_SHARE * len(label)).sum())


def _per_syllable(
    label: Ints, true: Ints, behavior: npt.NDArray[np.object_]
) -> tuple[float, list[SyllableScores]]:
    """Return macro F1, and scores of every true syllable."""
    from scipy.optimize import linear_sum_assignment

    truths, first, t = np.unique(true, return_index=True, return_inverse=True)
    states, s = np.unique(label, return_inverse=True)
    shared = np.zeros((len(truths), len(states)), np.int64)
    np.add.at(shared, (t, s), 1)
    is_syllable = states >= 0
    pairs = linear_sum_assignment(shared * is_syllable, maximize=True)
    partner = {int(i): int(j) for i, j in zip(*pairs, strict=True)}
    mostly = shared.argmax(0)
    rows: list[SyllableScores] = []
    f1 = []
    for i, syllable in enumerate(truths):
        frames = int(shared[i].sum())
        j = partner.get(i)
        together = int(shared[i, j]) if j is not None and is_syllable[j] else 0
        mapped = np.flatnonzero((mostly == i) & is_syllable)
        labeled = int(shared[:, j].sum()) if together else 0
        f1.append(_f1(together, labeled, frames))
        name = behavior[first[i]]
        rows.append(
            {
                "syllable": int(syllable),
                "behavior": name if isinstance(name, str) else None,
                "frames": frames,
                "label": int(states[j]) if together else None,
                "precision": _ratio(together, labeled),
                "recall": _ratio(together, frames),
                "labels_mostly": [int(states[k]) for k in mapped],
                "mostly_precision": _ratio(int(shared[i, mapped].sum()), int(shared[:, mapped].sum())),
                "mostly_recall": _ratio(int(shared[i, mapped].sum()), frames),
            }
        )
    return float(np.mean(f1)), rows


def _per_behavior(label: Ints, behavior: npt.NDArray[np.object_]) -> dict[str, BehaviorScores]:
    """Score the behaviors in ``NAMED``; each label stands for the one it overlaps most."""
    text = pd.Series(behavior, dtype="string").fillna("").to_numpy(str)
    for name in NAMED:
        text = np.where(np.char.startswith(text, name), name, text)
    behaviors, b = np.unique(text, return_inverse=True)
    states, s = np.unique(label, return_inverse=True)
    shared = np.zeros((len(behaviors), len(states)), np.int64)
    np.add.at(shared, (b, s), 1)
    predicted = np.where(states >= 0, behaviors[shared.argmax(0)], "")[s]
    scores: dict[str, BehaviorScores] = {}
    for name in NAMED:
        hits = int(((predicted == name) & (text == name)).sum())
        n_labeled, n_true = int((predicted == name).sum()), int((text == name).sum())
        scores[name] = {
            "frames": n_true,
            "precision": _ratio(hits, n_labeled) if n_true else None,
            "recall": _ratio(hits, n_true),
            "f1": _f1(hits, n_labeled, n_true) if n_true else None,
        }
    return scores


def _f1(hits: int, n_labeled: int, n_true: int) -> float:
    """F1; two empty sets agree."""
    return 2 * hits / (n_labeled + n_true) if n_labeled + n_true else 1.0


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
