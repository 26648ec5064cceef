"""The table of frames with the column names of MoSeq2's ``moseq_df.csv``, for scripts that need them.

The 17 scalars keep their units and sense. ``columns.json`` states their meanings and the errors of
MoSeq2's numbers. Both kinds of label have the same number, because syllables are numbered by usage.
The verdict on the recording and the user's own columns are the last ones.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from ..provenance import Provenance
from ..records import files
from . import _moseq_scalars as scalars
from ._columns import Tables, describe, frames

__all__ = ["write"]

SAME = {
    "frame index": "frame",
    "group": "group",
    "uuid": "recording",
    "SessionName": "recording",
    "SubjectName": "subject",
    "labels (original)": "syllable",
    "labels (usage sort)": "syllable",
    "syllable index": "bout",
}
COLUMNS = (*scalars.SCALARS, *SAME, "timestamps", "onset")


def write(folder: Path | str, tables: Tables, provenance: Provenance) -> list[Path]:
    """Write ``moseq_df.csv`` from the table ``frames``, ``columns.json`` and ``provenance.json``.

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
    recordings = frames("moseq", tables, (*SAME.values(), *scalars.NEEDED))
    path, meanings, about = (
        Path(folder) / name for name in ("moseq_df.csv", "columns.json", "provenance.json")
    )
    with files.create(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        for number, part in enumerate(recordings):
            _renamed(part).to_csv(file, index=False, header=not number, lineterminator="\n")
    descriptions = {name: scalar._asdict() for name, scalar in scalars.SCALARS.items()}
    with files.create(meanings) as temporary:
        temporary.write_text(json.dumps(descriptions, indent=1) + "\n", encoding="utf-8")
    with files.create(about) as temporary:
        temporary.write_text(provenance.to_json() + "\n", encoding="utf-8")
    return [path, meanings, about]


def _renamed(frames: pd.DataFrame) -> pd.DataFrame:
    """Return one recording's frames with the names of MoSeq2."""
    same = {old: frames[new] for old, new in SAME.items()}
    renamed = pd.DataFrame({**scalars.columns(frames), **same})
    renamed["timestamps"] = 1000 * frames["time_s"]
    bout = frames["bout"].to_numpy()
    renamed["onset"] = (bout >= 0) & np.diff(bout, prepend=-1).astype(bool)
    users = [name for name, about in describe(frames).items() if not about.meaning]
    more = [name for name in ("verdict", *users) if name in frames]
    return pd.concat([renamed, frames[more]], axis=1)
