"""How well labels agree with known syllables.

No single number will do: the mutual information is blind to a syllable split per animal, the
border score to identity, and both to a constant delay; so they are given together, pooled
over recordings, beside what chance would reach.

Labels and truth are aligned on ``frame``; a frame that labels say nothing of (-1) is a label
of its own that matches nothing. Borders are counted on ticks, within recordings, and matched
one to one.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import BadInput
from ..provenance import generator

__all__ = ["TOLERANCE_TICKS", "format", "score", "score_many"]

TOLERANCE_TICKS = 3
CHANCE_SHIFTS = 50
LARGEST_SHIFT_TICKS = 5
COMMON_SHARE = 0.01
# Behaviors scored by name: every true behavior whose name starts so.
NAMED = ("rear", "groom")

Ints = npt.NDArray[np.int64]


class Aligned(NamedTuple):
    """One recording where both labels and truth speak: rows in order of time.

    ``tick`` (n,) is the row of the truth; ``label`` and ``true`` (n,) are syllables;
    ``behavior`` (n,) is the name of the true one.
    """

    tick: Ints
    label: Ints
    true: Ints
    behavior: npt.NDArray[np.object_]


def score(labels: pd.DataFrame, truth: pd.DataFrame) -> dict[str, Any]:
    """Score the labels of one recording; see ``score_many``."""
    return score_many([(labels, truth)])


def score_many(pairs: Iterable[tuple[pd.DataFrame, pd.DataFrame]]) -> dict[str, Any]:
    """Score labels against the truth, pooled over recordings that share their syllables.

    Parameters
    ----------
    pairs : iterable of (labels, truth)
        Tables with the columns of ``records.tables.LABELS`` and ``TRUTH``.

    Returns
    -------
    dict
        Ready for JSON; None where something is not defined.

        ``recordings, frames``
            What was compared.
        ``ami, nmi, ari``
            Adjusted and normalized mutual information, adjusted Rand index, of frames.
        ``best_shift_ami, best_shift_ticks``
            The best AMI when labels are moved by -5 to 5 frames, and how late they are then.
        ``macro_f1``
            Mean F1 of the true syllables, each matched to at most one label (Hungarian
            algorithm on shared frames).
        ``boundary_f1, boundary_precision, boundary_recall, boundary_f1_chance``
            Borders within ``boundary_tolerance_ticks`` of a true one; chance is the mean F1
            of the same borders shifted in a circle.
        ``duration_ratio``
            Median bout found over median true bout.
        ``states_above_1_percent, true_states``
            Labels and true syllables with more than 1 % of the frames; all true syllables.
        ``behaviors``
            For rear and groom: precision, recall and F1 when each label stands for the
            behavior it mostly is.
        ``syllables``
            A list with an entry per true syllable: frames, matched label, precision and
            recall after the one-to-one match, and after the many-to-one match in which a
            label stands for the syllable it mostly is.

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
    shift, best = _best_shift(aligned)
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
        **_per_syllable(label, true, np.concatenate([recording.behavior for recording in aligned])),
        "behaviors": _per_behavior(label, np.concatenate([recording.behavior for recording in aligned])),
    }


def align(labels: pd.DataFrame, truth: pd.DataFrame) -> Aligned:
    """Return the rows of one recording whose frame is in both tables."""
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
    """Return how many sorted borders can be matched one to one within a tolerance.

    On a line, pairing in order is the largest matching: the earlier of two unmatched
    borders too far apart can have no partner at all.
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
    """Lengths in ticks of all bouts, the cut ones at the ends included."""
    return np.concatenate([np.diff([t[0], *_borders(t, v), t[-1] + 1]) for t, v in runs])


def _boundaries(aligned: list[Aligned]) -> dict[str, Any]:
    """Border scores, and the chance level from seeded circular shifts."""
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
    """How late labels are, and the AMI without that delay; the smallest shift wins ties."""
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


def _per_syllable(label: Ints, true: Ints, behavior: npt.NDArray[np.object_]) -> dict[str, Any]:
    """Scores of every true syllable, after a one-to-one and a many-to-one match."""
    from scipy.optimize import linear_sum_assignment

    truths, first, t = np.unique(true, return_index=True, return_inverse=True)
    states, s = np.unique(label, return_inverse=True)
    shared = np.zeros((len(truths), len(states)), np.int64)
    np.add.at(shared, (t, s), 1)
    is_syllable = states >= 0
    pairs = linear_sum_assignment(shared * is_syllable, maximize=True)
    partner = {int(i): int(j) for i, j in zip(*pairs, strict=True)}
    mostly = shared.argmax(0)
    rows, f1 = [], []
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
    return {"macro_f1": float(np.mean(f1)), "syllables": rows}


def _per_behavior(
    label: Ints, behavior: npt.NDArray[np.object_]
) -> dict[str, dict[str, float | int | None]]:
    """Scores of the behaviors in ``NAMED`` when each label is the behavior it mostly is."""
    text = pd.Series(behavior, dtype="string").fillna("").to_numpy(str)
    for name in NAMED:
        text = np.where(np.char.startswith(text, name), name, text)
    behaviors, b = np.unique(text, return_inverse=True)
    states, s = np.unique(label, return_inverse=True)
    shared = np.zeros((len(behaviors), len(states)), np.int64)
    np.add.at(shared, (b, s), 1)
    predicted = np.where(states >= 0, behaviors[shared.argmax(0)], "")[s]
    scores: dict[str, dict[str, float | int | None]] = {}
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


HEADINGS = {
    "ami": "adjusted mutual information (AMI)",
    "best_shift_ami": "AMI at the best shift",
    "best_shift_ticks": "labels late by (frames)",
    "nmi": "normalized mutual information",
    "ari": "adjusted Rand index",
    "macro_f1": "macro F1 (one label a syllable)",
    "boundary_f1": "boundary F1 (±3 ticks)",
    "boundary_f1_chance": "boundary F1 by chance",
    "duration_ratio": "median bout, found / true",
    "states_above_1_percent": "labels above 1 % of frames",
    "true_states": "true syllables",
}


def format(scores: Mapping[str, Any]) -> str:
    """Return scores as plain text for people: totals, behaviors, then true syllables."""
    lines = [f"{scores['frames']} frames of {scores['recordings']} recording(s)", ""]
    lines += [f"{title:36s}{_text(scores[key]):>8s}" for key, title in HEADINGS.items()]
    lines += ["", f"{'behavior':20s}{'frames':>8s}{'precision':>11s}{'recall':>8s}{'F1':>7s}"]
    for name, row in scores["behaviors"].items():
        cells = [_text(row[key]) for key in ("frames", "precision", "recall", "f1")]
        lines.append("{:20s}{:>8s}{:>11s}{:>8s}{:>7s}".format(name, *cells))
    lines += [
        "",
        "true syllable         frames   label  precision  recall   many-to-one: precision  recall",
    ]
    for row in scores["syllables"]:
        keys = ("frames", "label", "precision", "recall", "mostly_precision", "mostly_recall")
        title = f"{row['syllable']:3d} {row['behavior'] or ''}"
        cells = [_text(row[key]) for key in keys]
        lines.append("{:20s}{:>8s}{:>8s}{:>11s}{:>8s}{:>25s}{:>8s}".format(title, *cells))
    return "\n".join(lines)


def _text(value: float | int | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
