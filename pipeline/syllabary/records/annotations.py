"""Labels by people: bouts of behaviors in parts of recordings, as soft labels per tick.

Three kinds of table are recognized by their columns, separated by commas, semicolons or tabs:

- our format: ``recording, start_s, stop_s, behavior`` and optionally ``annotator`` and
  ``confidence`` (0 to 1, 1 by default); rows without a behavior and lines that start with ``#``
  are skipped;
- BORIS, "aggregated events": a row per bout, ``Start (s)`` and ``Stop (s)``;
- BORIS, "tabular events": a row per START, STOP or POINT at ``Time``, in the flat form of
  version 8 and the older one with a block of facts above the table.

A BORIS observation belongs to the recording with its id, or to the recording whose name is that of
its media file or of a folder above it. Point events have no duration and are skipped. Modifiers
only distinguish simultaneous bouts.
"""

import csv
import difflib
import io
import logging
import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import BadInput

__all__ = ["Annotations", "LabeledBout", "bouts", "read", "soften"]

log = logging.getLogger(__name__)

# Column names that people also spell otherwise.
AMERICAN = {"behaviour": "behavior"}
OURS = ("recording", "start_s", "stop_s", "behavior")
AGGREGATED = ("Behavior", "Behavior type", "Start (s)", "Stop (s)")
# START and STOP are in the column "Behavior type" since version 8, in "Status" before.
TABULAR = ("Behavior", "Time")
OBSERVATION = "Observation id"
MEDIA = ("Media file name", "Media file path", "Media file")
OFFSET = "Time offset (s)"
# Video players round the end of a movie; a bout may end this much after it.
SLACK_S = 0.5

Row = tuple[int, Mapping[str, str]]


class LabeledBout(NamedTuple):
    """One labeled bout.

    Attributes
    ----------
    line : int
        Line of the file; that of the START if the bout has two.
    recording : str
    start_s, stop_s : float
        Half-open interval on the recording's clock, s.
    behavior, annotator : str
    confidence : float
        0 to 1.
    """

    line: int
    recording: str
    start_s: float
    stop_s: float
    behavior: str
    annotator: str = ""
    confidence: float = 1.0


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
        facts = {cells[0]: cells[1] for _, cells in rows[:place] if len(cells) > 1}
        body = [(line, {**facts, **row}) for line, row in body]
        _no_offset(path, body)
        names = _recordings_of(path, body, recordings)
        pair = _aggregated if set(AGGREGATED) <= set(columns) else _tabular
        labeled = (bout._replace(recording=names[bout.recording]) for bout in pair(path, body))
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
            or set(AGGREGATED) <= set(columns)
            or (types and set(TABULAR) <= set(columns))
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
            _number(path, line, "start_s", cells["start_s"]),
            _number(path, line, "stop_s", cells["stop_s"]),
            cells["behavior"],
            cells["annotator"],
            _number(path, line, "confidence", cells["confidence"] or "1"),
        )
    if empty:
        log.info("%s: %d row(s) without a behavior are skipped", path, empty)


def _aggregated(path: Path, body: list[Row]) -> Iterator[LabeledBout]:
    for line, row in _states(path, body):
        start, stop = (_number(path, line, name, row.get(name, "")) for name in AGGREGATED[2:])
        yield LabeledBout(line, _observation(row), start, stop, row["Behavior"])


def _tabular(path: Path, body: list[Row]) -> Iterator[LabeledBout]:
    """Pair each START with the STOP of the same behavior, subject and modifiers."""
    events = [(_number(path, n, "Time", row.get("Time", "")), n, row) for n, row in _states(path, body)]
    running: dict[tuple[str, ...], tuple[float, int]] = {}
    for time, line, row in sorted(events, key=lambda event: event[0]):
        modifiers = [value for name, value in row.items() if name.startswith("Modifier")]
        key = (_observation(row), row["Behavior"], row.get("Subject", ""), *modifiers)
        kind = row["Behavior type"].upper()
        if kind == "START" and key not in running:
            running[key] = (time, line)
        elif kind == "STOP" and key in running:
            start, first = running.pop(key)
            yield LabeledBout(first, key[0], start, time, key[1])
        else:
            raise BadInput(
                f"{path}, line {line}: {row['Behavior type'] or 'an event'} of {key[1]!r} at {time:g} s "
                f"in {key[0]!r} has no partner; wanted START and STOP in turn. Correct it in BORIS "
                "(Observations > Check state events) and export again."
            )
    if running:
        (observation, behavior, *_), (time, line) = next(iter(running.items()))
        raise BadInput(
            f"{path}, line {line}: {behavior!r} starts at {time:g} s in {observation!r} and never "
            "stops; wanted a STOP for each START. Close it in BORIS (Observations > Fix unpaired "
            "events) and export again."
        )


def _states(path: Path, body: list[Row]) -> Iterator[Row]:
    """Yield the state events; point events have no duration."""
    points = Counter[str]()
    for line, row in body:
        if row.get("Behavior type", "").upper().startswith("POINT"):
            points[row["Behavior"]] += 1
        elif row.get("Behavior"):
            yield line, {"Behavior type": "", **row}
    if points:
        counts = ", ".join(f"{name} ({count})" for name, count in sorted(points.items()))
        log.warning("%s: point events have no duration and are skipped: %s", path, counts)


def _observation(row: Mapping[str, str]) -> str:
    return row.get(OBSERVATION, "") or _media(row)


def _media(row: Mapping[str, str]) -> str:
    return next((row[name] for name in MEDIA if row.get(name)), "")


def _recordings_of(path: Path, body: list[Row], recordings: Collection[str]) -> dict[str, str]:
    """Return the recording of each observation; the observation itself if none matches."""
    media: dict[str, dict[str, int]] = defaultdict(dict)
    for line, row in body:
        media[_observation(row)].setdefault(_media(row), line)
    names = {}
    for observation, played in media.items():
        if observation not in recordings and len(played) > 1:
            raise BadInput(
                f"{path}, line {list(played.values())[1]}: observation {observation!r} plays "
                f"{len(played)} media files ({', '.join(map(repr, played))}), and its times run on over "
                "all of them; make one observation per recording, or give it the recording's name."
            )
        # BORIS on Windows writes backslashes; this path reads both.
        place = PureWindowsPath(next(iter(played)))
        choices = (observation, place.name, place.stem, *reversed(place.parts))
        names[observation] = next((name for name in choices if name in recordings), observation)
    return names


def _no_offset(path: Path, body: list[Row]) -> None:
    for line, row in body:
        if re.search("[1-9]", row.get(OFFSET, "")):
            raise BadInput(
                f"{path}, line {line}: the observation has a time offset of {row[OFFSET]} s; wanted "
                "times since the recording's first frame. Set it to 0 in BORIS and export again."
            )


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


def _number(path: Path, line: int, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        unit = "a number" if name == "confidence" else "seconds"
        raise BadInput(
            f"{path}, line {line}: {name} is {text!r}; wanted {unit}, with a point for decimals."
        )
    return value


def _end_s(times: npt.NDArray[np.float64]) -> float:
    """Return the end of a recording, s; its last tick has the median duration."""
    if not len(times):
        return 0.0
    return float(times[-1] + (np.median(np.diff(times)) if len(times) > 1 else 0.0))
