"""How many states independent fits agree on.

Two fits that have not seen the same animals label the same frames, A with few or many states, B with
all the states that it has. B confirms a part of what A says, I(A; B), and leaves the rest open,
H(A | B), both in nats. A state that other animals do not confirm adds to the second part. So the number
of states is the one with the most *confirmed information*, I(A; B) − H(A | B), averaged over both ways
round, or the largest that is not clearly worse: people can merge syllables later, but they cannot split
them. One state has none.

B keeps all its states because two fits may agree on every distinction and yet merge them in another
order: with as few states as A, it would lack what it has merged before.

Long bouts share some information by chance. That of labels shifted in time is taken off.

All recordings of an animal are on one side. With fewer than three animals, each recording counts as one;
with fewer than three recordings, each is cut in time.

The same fits tell how far a label can be trusted. The probability that is reported for a syllable is
that of a fit to other animals giving it too: posterior of the states times their *agreement*.

References
----------
doi:10.1162/089976604773717621 (choice of a number of clusters by how stable they are),
doi:10.1016/j.jmva.2006.11.013 (H(A | B), of which the variation of information consists).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...reduction.latents import LatentSeries

__all__ = [
    "Labels",
    "agreement",
    "best_number",
    "confirmed_information",
    "confusion",
    "mutual_information",
    "parts",
    "without",
]

# Parts that animals are divided into; a fit leaves one of them out.
PARTS = 3
# Shifts in time that show what labels share by chance.
SHIFTS = 8

Labels = Mapping[int, Sequence[npt.NDArray[np.integer]]]
"""State of every frame of each part, by the number of states of the model."""


class Part(NamedTuple):
    """Ticks [start, stop) of a recording."""

    recording: str
    start: int
    stop: int


def parts(latents: Mapping[str, LatentSeries]) -> list[list[Part]]:
    """Divide animals into three parts, in the order of their first recordings.

    With fewer than three animals, each recording counts as one. Fewer than three recordings are cut in
    time.

    Parameters
    ----------
    latents : mapping of recording to LatentSeries
        A series without a ``subject`` is an animal of its own.
    """
    names = sorted(latents)
    for subjects in ({name: latents[name].subject or name for name in names}, {n: n for n in names}):
        animals = list(dict.fromkeys(subjects.values()))
        if len(animals) >= PARTS:
            part_of = {animal: i % PARTS for i, animal in enumerate(animals)}
            whole = [Part(name, 0, len(latents[name].values)) for name in names]
            return [[p for p in whole if part_of[subjects[p.recording]] == i] for i in range(PARTS)]
    divided: list[list[Part]] = [[] for _ in range(PARTS)]
    for name in names:
        borders = np.linspace(0, len(latents[name].values), PARTS + 1).astype(int)
        for i in range(PARTS):
            divided[i].append(Part(name, int(borders[i]), int(borders[i + 1])))
    return divided


def without(
    latents: Mapping[str, LatentSeries], divided: list[list[Part]], left_out: int
) -> dict[str, LatentSeries]:
    """Return the latents of all parts but one, under names of their own.

    Parameters
    ----------
    latents : mapping of recording to LatentSeries
    divided : list of lists of Part
    left_out : int
        Place of the part that is left out.
    """
    chosen = {}
    for i, group in enumerate(divided):
        for part in group if i != left_out else []:
            series, ticks = latents[part.recording], slice(part.start, part.stop)
            arrays = {
                name: getattr(series, name)[ticks]
                for name in ("values", "observed", "information", "shifts")
                if getattr(series, name) is not None
            }
            clock = series.clock and series.clock.cut(part.start, part.stop)
            chosen[f"{part.recording}.{i}"] = series._replace(**arrays, clock=clock)
    return chosen


def confirmed_information(
    labels: npt.NDArray[np.integer], other_labels: npt.NDArray[np.integer]
) -> float:
    """Return I(A; B) − H(A | B) of two labelings A and B of the same frames, nats.

    Parameters
    ----------
    labels, other_labels : (N,) int
        A and B, 0 or more.
    """
    if not len(labels):
        return 0.0
    shifts = [len(labels) * (i + 1) // (SHIFTS + 1) for i in range(SHIFTS)]
    chance = np.mean([mutual_information(labels, np.roll(other_labels, shift)) for shift in shifts])
    shared = mutual_information(labels, other_labels) - float(chance)
    return 2 * shared - _entropy(np.bincount(labels) / len(labels))


def mutual_information(first: npt.NDArray[np.integer], second: npt.NDArray[np.integer]) -> float:
    """Return I(A; B) of two labelings of the same frames, nats.

    Parameters
    ----------
    first, second : (N,) int
        0 or more.
    """
    shape = int(first.max()) + 1, int(second.max()) + 1
    flat = first.astype(np.int64) * shape[1] + second
    joint = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape) / len(first)
    return _entropy(joint.sum(1)) + _entropy(joint.sum(0)) - _entropy(joint.ravel())


def best_number(first: Labels, second: Labels) -> tuple[int, dict[int, float]]:
    """Return the number of states with the most confirmed information, and that of every number.

    It is the largest number that is behind the best by no more than one standard error over the parts,
    differences taken part by part. A number whose states label frames of no
    more states than the number before is left out; a state may be in no frame of these parts.

    Parameters
    ----------
    first, second : mapping of number of states to a list of labels (N,)
        Of the same frames, in the same parts: animals, as a rule.
    """
    finest = first[max(first)], second[max(second)]
    parts_of, max_in_use = {}, 0
    for number in sorted(set(first) & set(second)):
        in_use = _labels_in_use(first[number]) + _labels_in_use(second[number])
        if in_use <= max_in_use:
            continue
        max_in_use = in_use
        both = zip((first[number], second[number]), reversed(finest), strict=True)
        parts_of[number] = np.mean(
            [
                [confirmed_information(a, b) for a, b in zip(labels, others, strict=True)]
                for labels, others in both
            ],
            axis=0,
        )
    parts_of[1] = np.zeros(len(next(iter(first.values()))))
    confirmed = {number: float(values.mean()) for number, values in parts_of.items()}
    best = max(sorted(confirmed), key=lambda number: confirmed[number])
    for number in sorted(confirmed, reverse=True):
        deficit = parts_of[best] - parts_of[number]
        error = deficit.std(ddof=1) / np.sqrt(len(deficit)) if len(deficit) > 1 else 0.0
        if deficit.mean() <= error:
            return number, confirmed
    return best, confirmed


def confusion(
    labels: Sequence[npt.NDArray[np.integer]],
    other_labels: Sequence[npt.NDArray[np.integer]],
    unseen: Sequence[bool],
    states: int,
) -> npt.NDArray[np.float64]:
    """Count how another fit labels the frames of each state, (K, K): rows are own states.

    Each state of the other fit is read as the own state that it shares most frames with, over all
    parts. Only the parts that the other fit has not seen are counted.

    Parameters
    ----------
    labels, other_labels : sequence of (N,) int
        Own labels and the other fit's, of the same frames in the same parts.
    unseen : sequence of bool
        For each part, whether the other fit has not seen it.
    states : int
        Number of own states.
    """
    width = 1 + max((int(part.max(initial=0)) for part in other_labels), default=0)
    shared = np.zeros((width, states))
    for state, other_state in zip(labels, other_labels, strict=True):
        np.add.at(shared, (other_state, state), 1)
    read_as = shared.argmax(1)
    counts = np.zeros((states, states))
    for state, other_state, is_unseen in zip(labels, other_labels, unseen, strict=True):
        if is_unseen:
            np.add.at(counts, (state, read_as[other_state]), 1)
    return counts


def agreement(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the probability of each state by another fit, given the own state, (K, K).

    One frame of average usage is added to each row, and rows of states without frames are certain.

    Parameters
    ----------
    counts : (K, K) float64
        From ``confusion``.
    """
    rows = counts.sum(1, keepdims=True)
    if not counts.sum():
        return np.eye(len(counts))
    usage = counts.sum(0) / counts.sum()
    return np.where(rows > 0, (counts + usage) / (rows + 1), np.eye(len(counts)))


def _labels_in_use(labels: Sequence[npt.NDArray[np.integer]]) -> int:
    return len(np.unique(np.concatenate(labels)))


def _entropy(probabilities: npt.NDArray[np.float64]) -> float:
    present = probabilities[probabilities > 0]
    return float(-(present * np.log(present)).sum())
