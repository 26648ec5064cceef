"""Projects of BORIS (``.boris``, JSON): their observations as rows of "tabular events".

An event is a list: time in s, subject, code of the behavior, modifiers, comment. State events of a
subject, behavior and modifiers are START and STOP in turn. ``boris`` reads the rows. Their line is the
place of the event among all events of the file.
"""

import gzip
import json
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import BadInput
from .labeled_bouts import Row

__all__ = ["SUFFIXES", "accepts", "rows"]

SUFFIXES = (".boris", ".boris.gz")
MAX_BYTES = 1 << 28


def accepts(path: Path) -> bool:
    """Return whether a file is a project, by its name.

    Parameters
    ----------
    path : Path
    """
    return path.name.casefold().endswith(SUFFIXES)


def rows(path: Path) -> list[Row]:
    """Return the events of all observations, in the order of the file.

    Parameters
    ----------
    path : Path

    Raises
    ------
    BadInput
        The file is no project of BORIS, or an event has another form.
    """
    project = _project(path)
    types = {
        str(behavior["code"]): str(behavior.get("type", ""))
        for behavior in _mapping(path, project, "behaviors_conf").values()
        if isinstance(behavior, Mapping) and "code" in behavior
    }
    events: list[Row] = []
    for observation, content in _mapping(path, project, "observations").items():
        if not isinstance(content, Mapping):
            raise BadInput(f"{path}: observation {observation!r} has no content; save it again.")
        started: dict[tuple[str, ...], bool] = defaultdict(bool)
        media = list(_media(content.get("file")))
        for event in sorted(_events(path, observation, content), key=lambda event: float(event[0])):
            time, subject, behavior, modifiers = event
            if behavior not in types:
                raise BadInput(
                    f"{path}: observation {observation!r} has an event of {behavior!r} at {time} s, "
                    "which the project's ethogram lacks; add the behavior in BORIS and save."
                )
            key = (subject, behavior, modifiers)
            is_state = "state" in types[behavior].casefold()
            kind = ("STOP" if started[key] else "START") if is_state else "POINT"
            started[key] = is_state and not started[key]
            row = {
                "Observation id": str(observation),
                "Behavior": behavior,
                "Behavior type": kind,
                "Time": time,
                "Subject": subject,
                "Modifier": modifiers,
                "Time offset (s)": str(content.get("time offset") or 0),
            }
            events += [(len(events) + 1, {**row, "Media file name": " | ".join(media)})]
    return events


def _project(path: Path) -> Mapping[str, Any]:
    try:
        opener = gzip.open if path.name.casefold().endswith(".gz") else open
        with opener(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
        project = json.loads(content.decode("utf-8-sig")) if len(content) <= MAX_BYTES else None
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror or error}); is it a project of BORIS?"
        ) from None
    except (ValueError, EOFError, zlib.error, RecursionError) as error:
        raise BadInput(f"{path}: is no whole project of BORIS ({error}); save it again.") from None
    if not isinstance(project, Mapping):
        raise BadInput(f"{path}: is no project of BORIS; wanted its JSON with 'observations'.")
    return project


def _mapping(path: Path, project: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = project.get(name)
    if not isinstance(part, Mapping):
        raise BadInput(f"{path}: lacks {name!r}; wanted a project that BORIS saved.")
    return part


def _media(players: object) -> Iterator[str]:
    """Yield the media files of the first player that has any; others show the same from elsewhere."""
    if isinstance(players, Mapping):
        for player in sorted(players):
            files = players[player]
            if isinstance(files, list) and files:
                yield from map(str, files)
                return


def _events(
    path: Path, observation: str, content: Mapping[str, Any]
) -> Iterator[tuple[str, str, str, str]]:
    events = content.get("events", [])
    for place, event in enumerate(events if isinstance(events, list) else [None], 1):
        is_event = isinstance(event, list) and len(event) >= 3 and isinstance(event[2], str)
        try:
            time = float(event[0])
            if not is_event or not abs(time) < float("inf"):
                raise ValueError
        except (TypeError, ValueError, IndexError):
            raise BadInput(
                f"{path}: event {place} of observation {observation!r} is no list of time, subject and "
                "behavior; open the project in BORIS and save it again."
            ) from None
        modifiers = event[3] if len(event) > 3 else ""
        yield repr(time), str(event[1] or ""), event[2], json.dumps(modifiers) if modifiers else ""
