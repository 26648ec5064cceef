"""Labels by people: bouts of behaviors in parts of recordings, as soft labels per tick.

Three kinds of table are recognized by their columns, separated by commas, semicolons or tabs:

- our format: ``recording, start_s, stop_s, behavior`` and optionally ``annotator`` and
  ``confidence`` (0 to 1, 1 by default); rows without a behavior and lines that start with ``#``
  are skipped;
- BORIS, "aggregated events": a row per bout, ``Start (s)`` and ``Stop (s)``;
- BORIS, "tabular events": a row per START, STOP or POINT at ``Time``, in the flat form of
  version 8 and the older one with a block of facts above the table.

``boris`` reads the last two; ``boris_project`` turns a project of BORIS into the last kind. Columns may
be written in any case, and ``behaviour`` for ``behavior``.
"""

import difflib
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from . import boris, boris_project, tsv
from .labeled_bouts import LabeledBout, Row, number

__all__ = ["Annotations", "bouts", "end_s", "read", "require_within", "soften"]

log = logging.getLogger(__name__)

OURS = ("recording", "start_s", "stop_s", "behavior")
# Video players round the end of a movie; a bout may end this much after it.
SLACK_S = 0.5
# No name of a behavior, but a number of another column.
DECIMAL = re.compile(r"[-+]?[0-9]*[.,][0-9]+")


class Annotations(NamedTuple):
    """Labels of one recording by people.

    Attributes
    ----------
    classes : tuple of str
        Names of C behaviors, sorted; the same for all recordings read together.
    weights : (T, C) float32
        Share of each behavior in each tick; rows add up to at most 1. A row of zeros is an
        unlabeled tick.
    """

    classes: tuple[str, ...]
    weights: npt.NDArray[np.float32]

    @property
    def labeled(self) -> npt.NDArray[np.bool_]:
        """Labeled ticks, (T,)."""
        return np.asarray(self.weights.any(1), bool)


def read(
    path: Path | str, time_s: Mapping[str, npt.NDArray[np.floating]], *, strict: bool = True
) -> dict[str, Annotations]:
    """Read labels as soft labels of recordings.

    Parameters
    ----------
    path : path
        Table of one of the three kinds.
    time_s : mapping of recording to (T,) float
        Times of the ticks of each recording, s, ascending.
    strict : bool
        A label of a recording that is not in ``time_s`` is an error; otherwise it is skipped.

    Returns
    -------
    dict of recording to Annotations
        An entry for each recording in ``time_s``; all zero without labels.

    Raises
    ------
    BadInput
        As in ``bouts``, or a bout begins after the end of its recording.
    """
    entries = bouts(path, time_s, strict=strict)
    classes = tuple(sorted({bout.behavior for bout in entries}))
    by_recording = defaultdict(list)
    for bout in entries:
        by_recording[bout.recording].append(bout)
    return {
        name: soften(by_recording[name], times, classes, path=path) for name, times in time_s.items()
    }


def soften(
    labeled: Iterable[LabeledBout],
    time_s: npt.NDArray[np.floating],
    classes: Sequence[str],
    *,
    path: Path | str = "labels",
) -> Annotations:
    """Spread the bouts of one recording over its ticks.

    A tick takes the mean of the bouts that cover it, weighted by confidence. Overlapping bouts
    share the tick, and people who agree do not count twice.

    Parameters
    ----------
    labeled : iterable of LabeledBout
    time_s : (T,) float
        Times of the ticks, s, ascending.
    classes : sequence of str
        Behaviors in the order of the columns, including those of all bouts.
    path : path
        Name of the file in error messages.
    """
    times = np.asarray(time_s, np.float64)
    end = end_s(times)
    column = {name: i for i, name in enumerate(classes)}
    total = np.zeros((len(times), len(column)))
    covering = np.zeros(len(times))
    for bout in labeled:
        require_within(path, bout, end)
        first, last = np.searchsorted(times, (bout.start_s, bout.stop_s))
        if first == last:
            log.warning("%s, line %d: the bout covers no frame and is skipped", path, bout.line)
        total[first:last, column[bout.behavior]] += bout.confidence
        covering[first:last] += 1
    weights = total / np.maximum(covering, 1)[:, None]
    return Annotations(tuple(classes), weights.astype(np.float32))


def require_within(path: Path | str, bout: LabeledBout, end_s: float) -> None:
    """Require that a bout begins within its recording; tell where its end is cut.

    Parameters
    ----------
    path : path
        Name of the file, for messages.
    bout : LabeledBout
    end_s : float
        End of the recording, s.

    Raises
    ------
    BadInput
        All of the bout is after the end.
    """
    where = f"{path}, line {bout.line}: {bout.behavior!r} from {bout.start_s:g} to {bout.stop_s:g} s"
    if bout.start_s >= end_s:
        raise BadInput(
            f"{where}, but {bout.recording} ends at {end_s:.2f} s; give times in seconds since its "
            "first frame, or name the right recording."
        )
    if bout.stop_s > end_s + SLACK_S:
        log.warning("%s is cut at %.2f s, where %s ends", where, end_s, bout.recording)


def bouts(path: Path | str, recordings: Collection[str], *, strict: bool = True) -> list[LabeledBout]:
    """Read labels as bouts, in the order of the file.

    Parameters
    ----------
    path : path
    recordings : collection of str
        Names of the recordings.
    strict : bool
        A label of another recording is an error; otherwise it is skipped with a message.

    Raises
    ------
    BadInput
        The file is not a table of a known kind or has two columns of one name; a recording is
        unknown; a time is negative or not a number; a stop is before its start; a confidence is
        not between 0 and 1; a START has no STOP.
    """
    path = Path(path)
    labeled = _labeled(path, recordings)
    kept, others = [], Counter[str]()
    for bout in labeled:
        if bout.recording in recordings:
            kept.append(_checked(path, bout))
        elif strict:
            near = difflib.get_close_matches(bout.recording, list(recordings), n=1)
            hint = f"; did you mean {near[0]!r}? " if near else "; name one of the study. "
            raise BadInput(
                f"{path}, line {bout.line}: unknown recording {bout.recording!r}{hint}"
                f"Known: {', '.join(sorted(recordings))}."
            )
        else:
            others[bout.recording] += 1
    if others:
        log.info("%s: labels of %s are not used here", path, ", ".join(sorted(others)))
    return kept


def _labeled(path: Path, recordings: Collection[str]) -> Iterator[LabeledBout]:
    """Yield the bouts of a file of any kind; nothing but their form is checked."""
    if boris_project.accepts(path):
        return boris.bouts(path, boris.TABULAR, boris_project.rows(path), recordings)
    rows = _rows(path)
    place, columns = _header(path, rows)
    body: list[Row] = [(n, dict(zip(columns, cells, strict=False))) for n, cells in rows[place + 1 :]]
    if set(OURS) <= set(columns):
        return _ours(path, body)
    return boris.bouts(path, columns, boris.flat(rows[:place], body), recordings)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Read the cells of every line that has any, with its number."""
    lines = tsv.text(path)
    first = next((s for s in lines.split("\n") if s.strip() and not s.startswith("#")), "")
    return list(tsv.cells(path, lines, max("\t,;", key=first.count)))


def _header(path: Path, rows: list[tuple[int, list[str]]]) -> tuple[int, list[str]]:
    """Return place and names of the header: the first line, or one below the facts of old BORIS."""
    for place, (_, columns) in enumerate(rows):
        folded = [_folded(name) for name in columns]
        if place == 0 and {_folded(name) for name in OURS} <= set(folded):
            return place, _unique(path, columns, (*OURS, "annotator", "confidence"))
        theirs = set(_unique(path, columns, boris.COLUMNS, once=False))
        if set(boris.AGGREGATED) <= theirs or (
            theirs & {"Behavior type", "Status"} and set(boris.TABULAR) <= theirs
        ):
            names = _unique(path, columns, boris.COLUMNS)
            if "Behavior type" not in names:
                names = ["Behavior type" if name == "Status" else name for name in names]
            return place, names
    header = ", ".join(rows[0][1])[:300] if rows else "nothing"
    raise BadInput(
        f"{path}: wanted the columns {', '.join(OURS)}, or an export of BORIS (tabular or "
        f"aggregated events), but the first line has {header}; name the columns so."
    )


def _folded(name: str) -> str:
    """A column's name in lower case and American spelling."""
    return name.casefold().replace("behaviour", "behavior")


def _unique(path: Path, columns: list[str], spellings: Sequence[str], *, once: bool = True) -> list[str]:
    """Return names of columns as ``spellings`` has them; two columns of one name are refused."""
    spelled = {_folded(name): name for name in spellings}
    names = [spelled.get(_folded(name), name) for name in columns]
    for name in names if once else ():
        twice = [columns[i] for i, other in enumerate(names) if other == name]
        if name and len(twice) > 1:
            raise BadInput(
                f"{path}: the columns {' and '.join(map(repr, twice))} are both {name!r}; keep one."
            )
    return names


def _ours(path: Path, body: list[Row]) -> Iterator[LabeledBout]:
    empty = 0
    for line, row in body:
        cells = defaultdict(str, row)
        if not cells["behavior"]:
            empty += 1
            continue
        yield LabeledBout(
            line,
            cells["recording"],
            number(path, line, "start_s", cells["start_s"]),
            number(path, line, "stop_s", cells["stop_s"]),
            cells["behavior"],
            cells["annotator"],
            number(path, line, "confidence", cells["confidence"] or "1"),
        )
    if empty:
        log.info("%s: %d row(s) without a behavior are skipped", path, empty)


def _checked(path: Path, bout: LabeledBout) -> LabeledBout:
    if bout.start_s < 0:
        raise BadInput(
            f"{path}, line {bout.line}: start at {bout.start_s:g} s; wanted seconds since the first "
            "frame, 0 or more."
        )
    if bout.stop_s < bout.start_s:
        raise BadInput(
            f"{path}, line {bout.line}: {bout.behavior!r} stops at {bout.stop_s:g} s, before it starts "
            f"at {bout.start_s:g} s; exchange the two."
        )
    if DECIMAL.fullmatch(bout.behavior):
        raise BadInput(
            f"{path}, line {bout.line}: behavior is {bout.behavior!r}; wanted a name; is a cell missing?"
        )
    if not 0 <= bout.confidence <= 1:
        raise BadInput(
            f"{path}, line {bout.line}: confidence {bout.confidence:g}; wanted 0 to 1, or nothing for 1."
        )
    return bout


def end_s(times: npt.NDArray[np.float64]) -> float:
    """Return the end of a recording, s; its last tick has the median duration.

    Parameters
    ----------
    times : (T,) float64
        Times of the ticks, s, ascending.
    """
    if not len(times):
        return 0.0
    return float(times[-1] + (np.median(np.diff(times)) if len(times) > 1 else 0.0))
