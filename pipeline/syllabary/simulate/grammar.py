"""The repertoire of an animal, and the sequence and duration of its syllables.

Syllables follow each other as a first-order chain. A bout that ends reared up is followed by
one that starts there. Groups differ in how much they use each syllable, not in what the
syllables are.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..provenance import generator
from .movements import MOVEMENTS, MovementTemplate

__all__ = ["GROUPS", "MOUSE", "Repertoire", "sentence", "transitions"]

F64 = npt.NDArray[np.float64]
GROUPS = ("control", "drug")
DURATION_SD = 0.35
SHORTEST_S = 0.13
LONGEST_S = 3.0

# Pairs that occur more or less often than usage alone would give.
PREFERENCES: dict[tuple[str, str], float] = {
    ("walk", "turn_left"): 2, ("walk", "turn_right"): 2, ("walk", "sniff"): 2, ("walk", "dart"): 2,
    ("turn_left", "walk"): 2.5, ("turn_right", "walk"): 2.5, ("turn_left", "turn_right"): 0.4,
    ("turn_right", "turn_left"): 0.4, ("sniff", "scan"): 2.5, ("scan", "sniff"): 2,
    ("sniff", "rear_up"): 2, ("scan", "walk"): 1.8, ("rear_up", "rear_down"): 0.7,
    ("rear_sniff", "rear_down"): 1.5, ("rear_down", "sniff"): 2, ("rear_down", "groom_face"): 1.8,
    ("groom_face", "groom_left"): 4, ("groom_face", "groom_right"): 4, ("groom_left", "groom_face"): 3,
    ("groom_right", "groom_face"): 3, ("groom_left", "groom_right"): 2, ("groom_right", "groom_left"): 2,
    ("groom_face", "walk"): 0.3, ("scratch_left", "pause"): 2.5, ("scratch_right", "pause"): 2.5,
    ("scratch_left", "scratch_right"): 0.3, ("scratch_right", "scratch_left"): 0.3,
    ("pause", "scratch_left"): 1.8, ("pause", "scratch_right"): 1.8, ("pause", "freeze"): 1.8,
    ("freeze", "dart"): 4, ("dart", "freeze"): 3, ("dart", "pause"): 2, ("dart", "groom_face"): 0.2,
    ("stretch", "walk"): 2, ("stretch", "sniff"): 2, ("pause", "stretch"): 1.8,
}  # fmt: skip


class Repertoire(NamedTuple):
    """What an animal can do.

    Attributes
    ----------
    movements : mapping of name to MovementTemplate
        K movements; their order is the number of the syllable in every truth table.
    preferences : mapping of (before, after) to factor
        What follows what more often than chance, or less.
    duration_sd : float
        Spread of the log duration of a bout.
    """

    movements: Mapping[str, MovementTemplate]
    preferences: Mapping[tuple[str, str], float]
    duration_sd: float


MOUSE = Repertoire(MOVEMENTS, PREFERENCES, DURATION_SD)


def transitions(group: str, repertoire: Repertoire = MOUSE) -> F64:
    """Return the transition matrix of a group, (K, K), from row to column.

    ``control`` is the reference and ``drug`` a fixed change of it. Any other name gives a random change
    that depends on the name alone.
    """
    names, templates = list(repertoire.movements), list(repertoire.movements.values())
    usage = np.array([template.usage for template in templates])
    if group == "drug":
        usage = usage * [template.drug for template in templates]
    elif group != GROUPS[0]:
        usage = usage * np.exp(0.5 * generator(0, "group", group).standard_normal(len(usage)))
    matrix = np.zeros((len(names), len(names)))
    for j, before in enumerate(names):
        for k, after in enumerate(names):
            if j != k and templates[j].ends == templates[k].starts:
                matrix[j, k] = usage[k] * repertoire.preferences.get((before, after), 1.0)
    return matrix / matrix.sum(1, keepdims=True)


def sentence(
    group: str,
    ticks: int,
    interval_s: float,
    tempo: float,
    rng: np.random.Generator,
    repertoire: Repertoire = MOUSE,
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int64]]:
    """Draw the bouts of a session.

    Parameters
    ----------
    ticks : int
        Length of the session.
    interval_s : float
        Time of a tick, s.
    tempo : float
        The animal's own: above 1 its bouts are shorter.
    rng : numpy Generator
    repertoire : Repertoire

    Returns
    -------
    syllables : (N,) int16
    lengths : (N,) int64
        Ticks of each bout; they sum to ``ticks``.
    """
    matrix = transitions(group, repertoire)
    cumulated = matrix.cumsum(1)
    templates = list(repertoire.movements.values())
    medians = np.array([template.median_s for template in templates])
    grounded = [j for j, template in enumerate(templates) if template.starts == "down"]
    syllable = int(rng.choice(grounded))
    syllables, lengths, done = [], [], 0
    while done < ticks:
        duration = medians[syllable] / tempo * np.exp(repertoire.duration_sd * rng.standard_normal())
        length = max(3, round(float(np.clip(duration, SHORTEST_S, LONGEST_S)) / interval_s))
        length = min(length, ticks - done)
        syllables.append(syllable)
        lengths.append(length)
        done += length
        row = cumulated[syllable]
        syllable = min(int(np.searchsorted(row, rng.random() * row[-1], "right")), len(templates) - 1)
    return np.array(syllables, np.int16), np.array(lengths, np.int64)
