"""A project of BORIS with the syllables as state events, to look at or correct labels there.

An observation is a recording, and its events are the bouts: START, then STOP at the first tick after
it. An event has its frame in the source video. BORIS plays a media file named after the recording; put
the video beside the project under that name, or choose another in BORIS. Corrected labels come back as
the setting ``labels``.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..provenance import Provenance
from ..records import files
from ._columns import Tables, frames

__all__ = ["write"]

NEEDED = ("recording", "subject", "frame", "time_s", "syllable", "bout")
VERSION = "7.0"
# BORIS wants a date; the recordings' own are not in the tables, and today's would change the bytes.
NO_DATE = "1970-01-01T00:00:00"


def write(folder: Path | str, tables: Tables, provenance: Provenance) -> list[Path]:
    """Write ``syllables.boris`` from the table ``frames``, and ``provenance.json``.

    Parameters
    ----------
    folder : path
    tables : mapping of name to DataFrame or iterable of DataFrames
        Only ``frames`` is used.
    provenance : Provenance

    Raises
    ------
    BadInput
        There is no table ``frames``, or it lacks a column.
    """
    recordings = frames("boris", tables, NEEDED)
    observations, codes, subjects = {}, set[str](), set[str]()
    for table in recordings:
        name, subject = str(table["recording"].iloc[0]), str(table["subject"].iloc[0])
        observations[name] = _observation(name, subject, table)
        codes |= {event[2] for event in observations[name]["events"]}
        subjects.add(subject)
    project = {
        "time_format": "s",
        "project_date": NO_DATE,
        "project_name": "syllables",
        "project_description": "",
        "project_format_version": VERSION,
        "subjects_conf": {
            str(i): {"key": "", "name": subject, "description": ""}
            for i, subject in enumerate(sorted(subjects))
        },
        "behaviors_conf": {
            str(i): {
                "type": "State event",
                "key": "",
                "code": code,
                "description": "",
                "color": "",
                "category": "",
                "modifiers": "",
                "excluded": "",
                "coding map": "",
            }
            for i, code in enumerate(sorted(codes))
        },
        "observations": observations,
        "behavioral_categories": [],
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }
    written = []
    with files.together():
        for name, text in (
            ("syllables.boris", json.dumps(project, indent=1, ensure_ascii=False)),
            ("provenance.json", provenance.to_json()),
        ):
            with files.create(Path(folder) / name) as temporary:
                temporary.write_text(text + "\n", encoding="utf-8")
            written.append(Path(folder) / name)
    return written


def _observation(name: str, subject: str, frames: pd.DataFrame) -> dict[str, Any]:
    """Return the observation of one recording: its media file and two events for each bout."""
    time_s = frames["time_s"].to_numpy(np.float64)
    interval_s = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 0.0
    media = f"{name}.mp4"
    fps = 1 / interval_s if interval_s > 0 else 0.0
    return {
        "events": list(_events(subject, frames, np.append(time_s, time_s[-1:] + interval_s))),
        "type": "MEDIA",
        "date": NO_DATE,
        "description": "",
        "time offset": 0.0,
        "file": {"1": [media], **{str(player): [] for player in range(2, 9)}},
        "media_info": {
            "length": {media: len(time_s) * interval_s},
            "fps": {media: round(fps, 6)},
            "hasVideo": {media: True},
            "hasAudio": {media: False},
        },
        "independent_variables": {},
        "close_behaviors_between_videos": False,
    }


def _events(subject: str, frames: pd.DataFrame, edges_s: np.ndarray[Any, Any]) -> Iterator[list[Any]]:
    """Yield the events in the order of time: START and STOP of each bout, with their frames."""
    bout, frame = frames["bout"].to_numpy(), frames["frame"].to_numpy()
    syllable = frames["syllable"].to_numpy()
    named = frames["name"] if "name" in frames else pd.Series(pd.NA, frames.index)
    is_start = (bout >= 0) & (np.diff(bout, prepend=-1) != 0)
    is_last = (bout >= 0) & (np.diff(bout, append=-1) != 0)
    pairs = zip(np.flatnonzero(is_start).tolist(), np.flatnonzero(is_last).tolist(), strict=True)
    for start, last in pairs:
        label = named.iloc[start]
        code = f"syllable {syllable[start]}" if pd.isna(label) else str(label)
        stop = min(last + 1, len(frame) - 1)
        yield [float(edges_s[start]), subject, code, "", "", int(frame[start])]
        yield [float(edges_s[last + 1]), subject, code, "", "", int(frame[stop])]
