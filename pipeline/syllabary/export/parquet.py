"""Parquet tables: typed, compressed, read by pandas, R, Julia and DuckDB."""

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import BadInput
from ..provenance import Provenance
from ..records import files
from ..records import tables as stored
from ._columns import Tables, describe, parts

__all__ = ["read", "write"]


def write(folder: Path | str, tables: Tables, provenance: Provenance) -> list[Path]:
    """Write ``<name>.parquet`` for each table, a row group per part.

    Parameters
    ----------
    folder : path
    tables : mapping of name to DataFrame or iterable of DataFrames
        Iterables are written in parts; an empty iterable makes no file.
    provenance : Provenance
        Stored in the metadata of the files, which also have ``columns``: units and meanings as
        JSON.

    Returns
    -------
    list of Path
        The files written.
    """
    written = []
    for name, table in tables.items():
        if (divided := parts(name, table)) is None:
            continue
        first, rest = divided
        arrow = pa.Table.from_pandas(first, preserve_index=False)
        columns = {key: about._asdict() for key, about in describe(first).items()}
        schema = arrow.schema.with_metadata(
            {
                **(arrow.schema.metadata or {}),
                stored.KEY: provenance.to_json().encode(),
                b"columns": json.dumps(columns).encode(),
            }
        )
        path = Path(folder) / f"{name}.parquet"
        with (
            files.create(path) as temporary,
            pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
        ):
            writer.write_table(arrow.replace_schema_metadata(schema.metadata))
            for part in rest:
                writer.write_table(pa.Table.from_pandas(part, schema=schema, preserve_index=False))
        written.append(path)
    return written


def read(folder: Path | str) -> dict[str, pd.DataFrame]:
    """Read all tables of a folder.

    Parameters
    ----------
    folder : path
        Folder that ``write`` filled.

    Raises
    ------
    BadInput
        The folder has no table.
    """
    paths = sorted(Path(folder).glob("*.parquet"))
    if not paths:
        raise BadInput(f"{folder}: no parquet table; 'syllabary export' writes them.")
    return {path.stem: stored.read(path) for path in paths}
