"""From the states of a model to syllables: a cut of its merge tree, and what people decide by hand.

A *map* is an array (K,) int64 with the syllable of each state. It starts from a cut of the tree. Then
each state that people list in ``config/merges/<model>.tsv`` is taken out of its syllable and put
together with the states that have the same text there. States that are not listed stay together as
the cut has them. Syllables are numbered from 0 in the order of their smallest state. States are
numbered by usage, so that is the commonest one.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, ShapeError
from ..records import tsv

__all__ = ["Merges", "Row", "cut", "names", "read", "summed", "syllable_of_states"]

COLUMNS = ("state", "syllable")
# In the column ``state``, this word gives the number of syllables of the cut.
CUT = "cut"
# Joins the names of states that are one syllable.
AND = " + "

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Row(NamedTuple):
    """One state that people placed: line of the file, number of the state, text of its syllable."""

    line: int
    state: int
    syllable: str


class Merges(NamedTuple):
    """What people decided about the syllables of a model.

    Attributes
    ----------
    path : Path
        The file, for messages.
    rows : tuple of Row
        The states that they placed.
    syllables : int or None
        Number of syllables at which to cut the tree; None for the model's own cut.
    line : int
        Line of that number.
    """

    path: Path
    rows: tuple[Row, ...] = ()
    syllables: int | None = None
    line: int = 0


def read(path: Path | str) -> Merges:
    """Read ``merges.tsv``, which has the columns ``state`` and ``syllable``.

    Parameters
    ----------
    path : path
        Rows without any text are skipped.

    Raises
    ------
    BadInput
        The file is missing or lacks a column; a cell is empty or is no number; a state or the
        cut is listed twice.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path}: no such file; a table of merges has the columns state and syllable.")
    table = tsv.read(path, COLUMNS)
    merges, lines = Merges(path), dict[str, int]()
    for line, state, syllable in zip(table.index, table["state"], table["syllable"], strict=True):
        if not state and not syllable:
            continue
        where = f"{path}, line {line}"
        key = state if state == CUT else str(_number(state, where))
        if not syllable:
            raise BadInput(
                f"{where}: {state} has no syllable; write a number or a name, or remove the row."
            )
        if key in lines:
            raise BadInput(f"{where}: {state} is already on line {lines[key]}; keep one of the rows.")
        lines[key] = int(line)
        if state == CUT:
            merges = merges._replace(syllables=_count(syllable, where), line=int(line))
        else:
            merges = merges._replace(rows=(*merges.rows, Row(int(line), int(state), syllable)))
    return merges


def syllable_of_states(
    states: int,
    linkage: npt.NDArray[np.floating],
    merges: Merges | None = None,
) -> Ints:
    """Return the syllable of each state.

    Parameters
    ----------
    states : int
        Number of states K.
    linkage : (K - 1, 4) float
        Merge tree, as in ``scipy.cluster.hierarchy.linkage``: left, right, height (log evidence
        lost, nats per frame) and number of states; (0, 4) for no tree.
    merges : Merges, optional
        People's table.

    Returns
    -------
    (K,) int64
        Numbered from 0 in the order of their smallest state.

    Raises
    ------
    ShapeError, BadInput
        The tree is not of K states; people name a state that the model lacks, or cut a model
        without a tree.
    """
    linkage = np.asarray(linkage, np.float64)
    if linkage.shape not in ((0, 4), (max(states - 1, 0), 4)):
        raise ShapeError(
            f"the merge tree is {linkage.shape} but the model has {states} states; the tree of {states} "
            f"states is ({max(states - 1, 0)}, 4). Fit the model again."
        )
    if merges is None:
        return np.arange(states)
    _require_states(merges, states)
    if merges.syllables is None:
        group_of = np.arange(states)
    elif len(linkage) or merges.syllables == states:
        group_of = cut(states, linkage, merges.syllables)
    else:
        raise BadInput(
            f"{merges.path}, line {merges.line}: the model has no merge tree to cut at "
            f"{merges.syllables} syllables; list the states to merge instead, a row each."
        )
    texts = list(dict.fromkeys(row.syllable for row in merges.rows))
    for row in merges.rows:
        group_of[row.state] = states + texts.index(row.syllable)
    return _numbered(group_of)


def cut(states: int, linkage: npt.NDArray[np.floating], syllables: int) -> Ints:
    """Return the syllable (K,) of each state where the tree is cut at a number of syllables.

    Parameters
    ----------
    states : int
        Number of states K.
    linkage : (K - 1, 4) float
        Merge tree with heights in order; (0, 4) for no tree.
    syllables : int
        1 to K.
    """
    # Node K + i holds the states of the two nodes of row i.
    members = [[state] for state in range(states)]
    group_of = np.arange(states)
    for row in linkage[: states - syllables]:
        members.append(members[int(row[0])] + members[int(row[1])])
        group_of[members[-1]] = min(members[-1])
    return _numbered(group_of)


def summed(states: npt.NDArray[np.floating], syllable_of: npt.NDArray[np.integer]) -> Floats:
    """Return the probabilities (T, S) of syllables: sums over their states.

    Parameters
    ----------
    states : (T, K) float
        Probabilities of the states; not normalized here.
    syllable_of : (K,) int
        Syllable of each state.

    Raises
    ------
    ShapeError
        The two disagree about K.
    """
    states, syllable_of = np.asarray(states, np.float64), np.asarray(syllable_of)
    if states.ndim != 2 or states.shape[1] != len(syllable_of):
        raise ShapeError(
            f"states are {states.shape} but the map is of {len(syllable_of)} states; label the "
            "recording again by the model that segmented it."
        )
    belongs = syllable_of[:, None] == np.arange(syllable_of.max(initial=-1) + 1)
    return states @ belongs.astype(np.float64)


def names(
    syllable_of: npt.NDArray[np.integer],
    classes: tuple[str, ...] = (),
    merges: Merges | None = None,
) -> dict[int, str]:
    """Return names of syllables: of people's table, else of the classes of their states.

    Parameters
    ----------
    syllable_of : (K,) int
        Syllable of each state.
    classes : tuple of str
        Name of each state, empty where it has none; may be shorter than K.
    merges : Merges, optional
        A text of a syllable that is no number is its name.

    Returns
    -------
    dict of syllable to name
        Different names of the states of one syllable are joined.
    """
    by_syllable: dict[int, list[str]] = {}
    for state, name in enumerate(classes[: len(syllable_of)]):
        if name:
            by_syllable.setdefault(int(syllable_of[state]), []).append(name)
    joined = {syllable: AND.join(dict.fromkeys(group)) for syllable, group in by_syllable.items()}
    placed = {row.state: row.syllable for row in merges.rows} if merges else {}
    texts = {int(syllable_of[state]): text for state, text in placed.items() if not text.isdecimal()}
    return joined | texts


def _numbered(group_of: Ints) -> Ints:
    """Number groups from 0 in the order of their smallest state."""
    _, first, place = np.unique(group_of, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[place].astype(np.int64)


def _require_states(merges: Merges, states: int) -> None:
    for row in merges.rows:
        if row.state >= states:
            raise BadInput(
                f"{merges.path}, line {row.line}: the model has no state {row.state}; its states are "
                f"0 to {states - 1}."
            )
    if merges.syllables is not None and merges.syllables > states:
        raise BadInput(
            f"{merges.path}, line {merges.line}: a cut at {merges.syllables} syllables, but the model "
            f"has {states} states; give 1 to {states}."
        )


def _number(text: str, where: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 5):
        raise BadInput(
            f"{where}: state is {text!r}; wanted the number of a state (0, 1, 2, ...) or the word "
            f"{CUT!r}."
        )
    return int(text)


def _count(text: str, where: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text[:6]) >= 1 and len(text) <= 5):
        raise BadInput(
            f"{where}: the cut is {text!r}; wanted a number of syllables, such as 20, from 1 on."
        )
    return int(text)
