"""Labels by people: bouts of behaviors in parts of recordings, as soft labels per tick.

Three kinds of table are recognized by their columns, separated by commas, semicolons or tabs:

- our format: ``recording, start_s, stop_s, behavior`` and optionally ``annotator`` and
  ``confidence`` (0 to 1, 1 by default); rows without a behavior and lines that start with ``#``
  are skipped;
- BORIS, "aggregated events": a row per bout, ``Start (s)`` and ``Stop (s)``;
- BORIS, "tabular events": a row per START, STOP or POINT at ``Time``, in the flat form of
  version 8 and the older one with a block of facts above the table.

``boris`` reads the last two.
"""

import csv
import difflib
import io
import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from . import boris
from .labeled_bouts import LabeledBout, Row, number

__all__ = ["Annotations", "bouts", "read", "soften"]

log = logging.getLogger(__name__)

# Column names that people also spell otherwise.
AMERICAN = {"behaviour": "behavior"}
OURS = ("recording", "start_s", "stop_s", "behavior")
# Video players round the end of a movie; a bout may end this much after it.
SLACK_S = 0.5


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
        As in ``bouts``, or a bout ends after its recording.
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
    end = _end_s(times)
    column = {name: i for i, name in enumerate(classes)}
    total = np.zeros((len(times), len(column)))
    covering = np.zeros(len(times))
    for bout in labeled:
        if bout.stop_s > end + SLACK_S or bout.start_s > end:
            raise BadInput(
                f"{path}, line {bout.line}: {bout.behavior!r} from {bout.start_s:g} to "
                f"{bout.stop_s:g} s, but {bout.recording} ends at {end:.2f} s; give times in seconds "
                "since its first frame, or name the right recording."
            )
        first, last = np.searchsorted(times, (bout.start_s, bout.stop_s))
        if first == last:
            log.warning("%s, line %d: the bout covers no frame and is skipped", path, bout.line)
        total[first:last, column[bout.behavior]] += bout.confidence
        covering[first:last] += 1
    weights = total / np.maximum(covering, 1)[:, None]
    return Annotations(tuple(classes), weights.astype(np.float32))


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
    rows = _rows(path)
    place, columns = _header(path, rows)
    body: list[Row] = [(n, dict(zip(columns, cells, strict=False))) for n, cells in rows[place + 1 :]]
    if set(OURS) <= set(columns):
        labeled = _ours(path, [row for row in body if not row[1][columns[0]].startswith("#")])
    else:
        labeled = boris.bouts(path, columns, boris.flat(rows[:place], body), recordings)
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


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Read the cells of every line that has any, with its number."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path}: is not UTF-8 text (byte {error.start}); save it as csv or tsv in UTF-8."
        ) from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); labels are a csv or tsv.") from None
    first = next((s for s in text.splitlines() if s.strip() and not s.startswith("#")), "")
    separator = max("\t,;", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    cut = ((reader.line_num, [cell.strip() for cell in cells]) for cells in reader)
    return [(line, cells) for line, cells in cut if any(cells)]


def _header(path: Path, rows: list[tuple[int, list[str]]]) -> tuple[int, list[str]]:
    """Return place and names of the header: the first line, or one below the facts of old BORIS."""
    first = next((i for i, (_, cells) in enumerate(rows) if not cells[0].startswith("#")), 0)
    for place in range(first, len(rows)):
        columns = rows[place][1]
        types = {"Behavior type", "Status"} & set(columns)
        if (
            (place == first and set(OURS) <= {AMERICAN.get(name, name) for name in columns})
            or set(boris.AGGREGATED) <= set(columns)
            or (types and set(boris.TABULAR) <= set(columns))
        ):
            if "Behavior type" not in columns:
                columns = ["Behavior type" if name == "Status" else name for name in columns]
            return place, _unique(path, columns)
    header = ", ".join(rows[first][1]) if rows else "nothing"
    raise BadInput(
        f"{path}: wanted the columns {', '.join(OURS)}, or an export of BORIS (tabular or "
        f"aggregated events), but the first line has {header}; name the columns so."
    )


def _unique(path: Path, columns: list[str]) -> list[str]:
    """Return names of columns in American spelling; two columns of one name are refused."""
    names = [AMERICAN.get(name, name) for name in columns]
    for name in names:
        spellings = [columns[i] for i, other in enumerate(names) if other == name]
        if name and len(spellings) > 1:
            raise BadInput(
                f"{path}: the columns {' and '.join(map(repr, spellings))} are both {name!r}; keep one."
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
    if not 0 <= bout.confidence <= 1:
        raise BadInput(
            f"{path}, line {bout.line}: confidence {bout.confidence:g}; wanted 0 to 1, or nothing for 1."
        )
    return bout


def _end_s(times: npt.NDArray[np.float64]) -> float:
    """Return the end of a recording, s; its last tick has the median duration."""
    if not len(times):
        return 0.0
    return float(times[-1] + (np.median(np.diff(times)) if len(times) > 1 else 0.0))
