"""The frame table under the column names of MoSeq2's ``moseq_df.csv``, for scripts that know them.

Only columns that mean the same are written; those in pixels are in ``records.moseq_scalars``, which also
says what each name means. Values are ours: lengths are metric, the origin is the arena's centre, and
velocities are mm per frame, as there. The same number stands under both kinds of label, for syllables
are numbered by usage to begin with.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import BadInput
from ..provenance import Provenance
from ..records import files, moseq_scalars
from ._columns import Tables, parts

__all__ = ["write"]

SAME = {
    "centroid_x_mm": "x_mm",
    "centroid_y_mm": "y_mm",
    "width_mm": "width_mm",
    "length_mm": "length_mm",
    "area_mm": "area_mm2",
    "height_ave_mm": "height_mm",
    "frame index": "frame",
    "group": "group",
    "uuid": "recording",
    "SessionName": "recording",
    "SubjectName": "subject",
    "labels (original)": "syllable",
    "labels (usage sort)": "syllable",
    "syllable index": "bout",
}
NEEDED = ("time_s", "speed_mm_s", "heading_rad")


def write(folder: Path | str, tables: Tables, provenance: Provenance) -> list[Path]:
    """Write ``moseq_df.csv`` from the table ``frames``, and ``provenance.json``.

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
    found = parts("frames", tables.get("frames", []))
    if found is None:
        raise BadInput("the format 'moseq' is made of the table 'frames', which has no recording.")
    first, rest = found
    missing = sorted({*SAME.values(), *NEEDED} - set(first))
    if missing:
        raise BadInput(f"the table 'frames' lacks {', '.join(missing)}, which 'moseq' needs.")
    path, about = Path(folder) / "moseq_df.csv", Path(folder) / "provenance.json"
    with files.create(path) as temporary:
        _renamed(first).to_csv(temporary, index=False, lineterminator="\n")
        for part in rest:
            _renamed(part).to_csv(temporary, mode="a", header=False, index=False, lineterminator="\n")
    with files.create(about) as temporary:
        temporary.write_text(provenance.to_json() + "\n", encoding="utf-8")
    return [path, about]


def _renamed(frames: pd.DataFrame) -> pd.DataFrame:
    """Return one recording's frames under the old names."""
    found = pd.DataFrame({old: frames[new] for old, new in SAME.items()})
    time_s = frames["time_s"].to_numpy(np.float64)
    found["angle"] = moseq_scalars.angle(frames["heading_rad"].to_numpy(np.float64))
    moved = moseq_scalars.travel(frames, time_s)
    found[list(moved)] = moved.to_numpy()
    found["timestamps"] = 1000 * time_s
    bout = frames["bout"].to_numpy()
    found["onset"] = (bout >= 0) & np.diff(bout, prepend=-1).astype(bool)
    return found
