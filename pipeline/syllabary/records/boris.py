"""Exports of BORIS, a program to label behavior: "aggregated events" and "tabular events".

A BORIS observation belongs to the recording with its id, or to the recording whose name is that of
its media file or of a folder above it. Point events have no duration and are skipped. Modifiers
only distinguish simultaneous bouts.
"""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PureWindowsPath

from ..errors import BadInput
from .labeled_bouts import LabeledBout, Row, number

__all__ = ["AGGREGATED", "COLUMNS", "TABULAR", "bouts", "flat"]

log = logging.getLogger(__name__)

AGGREGATED = ("Behavior", "Behavior type", "Start (s)", "Stop (s)")
# START and STOP are in the column "Behavior type" since version 8, in "Status" before.
TABULAR = ("Behavior", "Time")
OBSERVATION = "Observation id"
MEDIA = ("Media file name", "Media file path", "Media file")
OFFSET = "Time offset (s)"
# Columns that are read, as BORIS spells them.
COLUMNS = (*AGGREGATED, *TABULAR, OBSERVATION, *MEDIA, OFFSET, "Status", "Subject")


def flat(facts: list[tuple[int, list[str]]], body: list[Row]) -> list[Row]:
    """Return rows with the facts that older versions write above the table.

    Parameters
    ----------
    facts : list of (line, cells)
        Lines above the header.
    body : list of (line, mapping of column to text)
        Rows of the table.
    """
    values = {cells[0]: cells[1] for _, cells in facts if len(cells) > 1}
    return [(line, {**values, **row}) for line, row in body]


def bouts(
    path: Path, columns: Collection[str], body: list[Row], recordings: Collection[str]
) -> Iterator[LabeledBout]:
    """Yield the bouts of an export.

    Parameters
    ----------
    path : Path
        The file, for messages.
    columns : collection of str
        Names of its columns.
    body : list of (line, mapping of column to text)
        Rows of the table.
    recordings : collection of str
        Names of the recordings.

    Raises
    ------
    BadInput
        A time is not a number or has an offset; a START has no STOP; an observation has several
        media files.
    """
    _no_offset(path, body)
    names = _recordings_of(path, body, recordings)
    pair = _aggregated if set(AGGREGATED) <= set(columns) else _tabular
    return (bout._replace(recording=names[bout.recording]) for bout in pair(path, body))


def _aggregated(path: Path, body: list[Row]) -> Iterator[LabeledBout]:
    for line, row in _states(path, body):
        start, stop = (number(path, line, name, row.get(name, "")) for name in AGGREGATED[2:])
        yield LabeledBout(line, _observation(row), start, stop, row["Behavior"])


def _tabular(path: Path, body: list[Row]) -> Iterator[LabeledBout]:
    """Pair each START with the STOP of the same behavior, subject and modifiers."""
    events = [(number(path, n, "Time", row.get("Time", "")), n, row) for n, row in _states(path, body)]
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
        together = [name for name in played if " | " in name]
        if observation not in recordings and (len(played) > 1 or together):
            raise BadInput(
                f"{path}, line {list(played.values())[-1]}: observation {observation!r} plays "
                f"{max(len(played), 2)} media files ({', '.join(map(repr, played))}), and its times run "
                "on over all of them; make one observation per recording, or name it so."
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
