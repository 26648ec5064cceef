"""Labels with the names of keypoint-MoSeq's results, for scripts and notebooks that read those.

``results.h5`` has a group for each recording with ``syllable`` (T,), ``centroid`` (T, 2), mm, and
``heading`` (T,), rad; its ``latent_state`` is left out, because latents of depth are not those of
keypoints. ``<recording>.csv`` has the same, a row per tick. Unlabeled ticks have syllable -1.
"""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from ..provenance import Provenance
from ..records import files
from ._columns import Tables, frames

__all__ = ["write"]

COLUMNS = {
    "syllable": "syllable",
    "centroid x": "x_mm",
    "centroid y": "y_mm",
    "heading": "heading_rad",
}


def write(folder: Path | str, tables: Tables, provenance: Provenance) -> list[Path]:
    """Write ``results.h5``, a csv file for each recording, and ``provenance.json``.

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
    recordings = frames("keypoint_moseq", tables, ("recording", *COLUMNS.values()))
    folder = Path(folder)
    written = [folder / "results.h5", folder / "provenance.json"]
    with files.together():
        with files.create(written[0]) as temporary, h5py.File(temporary, "w") as results:
            for each in recordings:
                name = str(each["recording"].iloc[0])
                table = _renamed(each)
                _store(results.create_group(name), table)
                written.append(folder / f"{name}.csv")
                with files.create(written[-1]) as place:
                    table.to_csv(place, index=False, lineterminator="\n")
        with files.create(written[1]) as temporary:
            temporary.write_text(provenance.to_json() + "\n", encoding="utf-8")
    return written


def _renamed(frames: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({name: frames[column].to_numpy() for name, column in COLUMNS.items()})


def _store(group: h5py.Group, table: pd.DataFrame) -> None:
    group["syllable"] = table["syllable"].to_numpy(np.int64)
    group["centroid"] = table[["centroid x", "centroid y"]].to_numpy(np.float64)
    group["heading"] = table["heading"].to_numpy(np.float64)
