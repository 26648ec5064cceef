"""How many states independent fits agree on.

Two fits that have not seen the same animals label the same frames. Their labels share some
information, I(A; B), and each has some that the other lacks, H(A | B) and H(B | A), all in nats. States
that other animals do not confirm add to the second part. So the number of states is the one with the
most *net information*, I(A; B) − H(A | B) − H(B | A), or the largest that is not clearly worse: people
can merge syllables later, but they cannot split them. One state has none.

A recording counts as an animal: recordings of one animal may be on both sides.

The same fits tell how far a label can be trusted. The probability that is reported for a syllable is
that of a fit to other animals giving it too: posterior of the states times their *agreement*.

References
----------
doi:10.1162/089976604773717621 (choice of a number of clusters by how stable they are),
doi:10.1016/j.jmva.2006.11.013 (H(A | B) + H(B | A), the variation of information).
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
    "confusion",
    "net_information",
    "parts",
    "without",
]

# Parts that animals are divided into; a fit leaves one of them out.
PARTS = 3

Labels = Mapping[int, Sequence[npt.NDArray[np.integer]]]
"""State of every frame of each part, by the number of states of the model."""


class Part(NamedTuple):
    """Ticks [start, stop) of a recording."""

    recording: str
    start: int
    stop: int


def parts(latents: Mapping[str, LatentSeries]) -> list[list[Part]]:
    """Divide recordings into three parts; fewer than three recordings are cut in time.

    Parameters
    ----------
    latents : mapping of recording to LatentSeries
    """
    names = sorted(latents)
    if len(names) >= PARTS:
        whole = [Part(name, 0, len(latents[name].values)) for name in names]
        return [whole[i::PARTS] for i in range(PARTS)]
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
            chosen[f"{part.recording}.{i}"] = series._replace(**arrays)
    return chosen


def net_information(first: npt.NDArray[np.integer], second: npt.NDArray[np.integer]) -> float:
    """Return I(A; B) − H(A | B) − H(B | A) of two labelings of the same frames, nats.

    Parameters
    ----------
    first, second : (N,) int
        0 or more.
    """
    if not len(first):
        return 0.0
    shape = int(first.max()) + 1, int(second.max()) + 1
    flat = first.astype(np.int64) * shape[1] + second
    joint = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape) / len(first)
    entropies = [_entropy(joint.sum(axis)) for axis in (0, 1)]
    # I = H(A) + H(B) − H(A, B), and both conditional entropies are 2 H(A, B) − H(A) − H(B).
    return 2 * sum(entropies) - 3 * _entropy(joint.ravel())


def best_number(first: Labels, second: Labels) -> tuple[int, dict[int, float]]:
    """Return the number of states with the most net information, and that of every number.

    It is the largest number that is behind the best by no more than one standard error over the parts,
    differences taken part by part. Numbers with states that label no frame are left out.

    Parameters
    ----------
    first, second : mapping of number of states to a list of labels (N,)
        Of the same frames, in the same parts: animals, as a rule.
    """
    parts_of = {
        number: np.array(
            [net_information(a, b) for a, b in zip(first[number], second[number], strict=True)]
        )
        for number in sorted(first)
        if number in second
        and min(_labels_in_use(first[number]), _labels_in_use(second[number])) >= number
    }
    parts_of[1] = np.zeros(len(next(iter(first.values()))))
    net = {number: float(values.mean()) for number, values in parts_of.items()}
    best = max(sorted(net), key=lambda number: net[number])
    for number in sorted(net, reverse=True):
        deficit = parts_of[best] - parts_of[number]
        error = deficit.std(ddof=1) / np.sqrt(len(deficit)) if len(deficit) > 1 else 0.0
        if deficit.mean() <= error:
            return number, net
    return best, net


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
