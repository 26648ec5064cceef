"""Parquet tables, with their provenance in the metadata of the file.

``LABELS``, ``TRUTH`` and ``LIKELIHOOD`` are the columns that stages need; a table may have more.
A table of labels also keeps the map from states to syllables that it was made by.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import BadInput
from ..provenance import Provenance
from . import files

__all__ = ["LABELS", "LIKELIHOOD", "TRUTH", "provenance_of", "read", "syllable_of_states", "write"]

KEY = b"syllabary"
MAP = b"syllabary.syllable_of_states"
# One row per tick; syllable, state and bout are -1 in unlabeled ticks.
LABELS = {
    "frame": "int32",
    "time_s": "float64",
    "syllable": "int16",
    "state": "int16",
    "probability": "float32",
    "entropy_nats": "float32",
    "surprise_nats": "float32",
    "bout": "int32",
    "name": "string",
}
TRUTH = {
    "frame": "int32",
    "time_s": "float64",
    "syllable": "int16",
    "behavior": "string",
    "x_mm": "float32",
    "y_mm": "float32",
    "heading_rad": "float32",
    "height_mm": "float32",
    "dropped": "bool",
}
# One row per recording, measure, horizon and number of samples; densities are per mm in each pixel.
LIKELIHOOD = {
    "recording": "string",
    "subject": "string",
    "role": "string",
    "measure": "string",
    "horizon": "int32",
    "samples": "int32",
    "frames": "int32",
    "nats_per_frame": "float64",
    "nats_per_pixel": "float64",
}


def write(
    path: Path | str,
    table: pd.DataFrame,
    provenance: Provenance,
    columns: Mapping[str, str] | None = None,
    *,
    syllable_of: npt.NDArray[np.integer] | None = None,
) -> None:
    """Write a table whole or not at all.

    Parameters
    ----------
    path : path
    table : DataFrame
    provenance : Provenance
    columns : mapping of name to dtype, optional
        Required columns, written first, in this order and of these types.
    syllable_of : (K,) int, optional
        Syllable of each state of the model, for ``syllable_of_states``.

    Raises
    ------
    BadInput
        A required column is missing.
    """
    if columns is not None:
        missing = [name for name in columns if name not in table]
        if missing:
            raise BadInput(f"{path}: the table lacks {', '.join(missing)}.")
        rest = [name for name in table if name not in columns]
        table = table[[*columns, *rest]].astype(dict(columns))
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    metadata = {**(arrow.schema.metadata or {}), KEY: provenance.to_json().encode()}
    if syllable_of is not None:
        metadata[MAP] = json.dumps(np.asarray(syllable_of).tolist()).encode()
    with files.create(path) as temporary:
        pq.write_table(arrow.replace_schema_metadata(metadata), temporary, compression="zstd")


def read(path: Path | str, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Read a table.

    Parameters
    ----------
    path : path
    columns : mapping of name to dtype, optional
        Required columns.

    Raises
    ------
    BadInput
        The file is missing or damaged, or lacks a column.
    """
    with _explained(path):
        table = pq.read_table(path).to_pandas()
    missing = [name for name in columns or () if name not in table]
    if missing:
        raise BadInput(
            f"{path}: lacks the column {', '.join(missing)}; it has {', '.join(table.columns)}."
        )
    return table


def syllable_of_states(path: Path | str) -> npt.NDArray[np.int64]:
    """Return the syllable (K,) of each state by which a table of labels was made.

    Parameters
    ----------
    path : path
        Labels of one recording by one model.

    Raises
    ------
    BadInput
        The file is missing or damaged, or has no such map.
    """
    with _explained(path):
        metadata = pq.read_schema(path).metadata or {}
    if MAP not in metadata:
        raise BadInput(
            f"{path}: does not say which states are which syllable; run 'syllabary label' again."
        )
    return np.asarray(json.loads(metadata[MAP]), np.int64)


def provenance_of(path: Path | str) -> Provenance:
    """Return the provenance of a table."""
    with _explained(path):
        metadata = pq.read_schema(path).metadata or {}
    if KEY not in metadata:
        raise BadInput(f"{path}: has no provenance; it was not written by syllabary.")
    return Provenance.from_json(metadata[KEY].decode())


@contextlib.contextmanager
def _explained(path: Path | str) -> Iterator[None]:
    """Convert what is wrong with a file of a table to one sentence."""
    path = Path(path)
    if not path.exists():
        raise BadInput(f"{path}: no such table; the step that makes it has not run.")
    files.require(path, "STEP")
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise BadInput(f"{path}: not a whole parquet table ({reason}); make it again.") from None
