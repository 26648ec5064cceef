"""Comma-separated tables, with ``columns.json`` (units, meanings, types) and a README."""

import json
from pathlib import Path

import pandas as pd

from ..errors import BadInput
from ..provenance import Provenance
from ..records import files
from ._columns import Tables, describe, parts

__all__ = ["read", "write"]


def write(folder: Path | str, tables: Tables, provenance: Provenance) -> list[Path]:
    """Write ``<name>.csv`` for each table, and what their columns mean.

    Parameters
    ----------
    folder : path
    tables : mapping of name to DataFrame or iterable of DataFrames
        Iterables are written in parts; an empty iterable makes no file.
    provenance : Provenance
        Stored in ``columns.json``.

    Returns
    -------
    list of Path
        The files written.
    """
    folder = Path(folder)
    written: list[Path] = []
    columns: dict[str, dict[str, dict[str, str]]] = {}
    for name, table in tables.items():
        if (divided := parts(name, table)) is None:
            continue
        first, rest = divided
        columns[name] = {
            key: {**about._asdict(), "type": str(first[key].dtype)}
            for key, about in describe(first).items()
        }
        with files.create(folder / f"{name}.csv") as temporary:
            first.to_csv(temporary, index=False, lineterminator="\n")
            for part in rest:
                part.to_csv(temporary, mode="a", header=False, index=False, lineterminator="\n")
        written.append(folder / f"{name}.csv")
    text = json.dumps({"tables": columns, "provenance": provenance._asdict()}, indent=1)
    for path, content in (
        (folder / "columns.json", text + "\n"),
        (folder / "README.md", _readme(columns)),
    ):
        with files.create(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
        written.append(path)
    return written


def read(folder: Path | str) -> dict[str, pd.DataFrame]:
    """Read all tables with their original types.

    Parameters
    ----------
    folder : path
        Folder that ``write`` filled.

    Raises
    ------
    BadInput
        The folder has no ``columns.json``.
    """
    about = Path(folder) / "columns.json"
    if not about.is_file():
        raise BadInput(f"{about}: no such file; 'syllabary export' writes it beside the tables.")
    columns: dict[str, dict[str, dict[str, str]]] = json.loads(about.read_text(encoding="utf-8"))[
        "tables"
    ]
    return {
        name: pd.read_csv(
            Path(folder) / f"{name}.csv",
            dtype={key: column["type"] for key, column in described.items()},
            keep_default_na=False,
            na_values=[""],
            float_precision="round_trip",
        )
        for name, described in columns.items()
    }


def _readme(columns: dict[str, dict[str, dict[str, str]]]) -> str:
    lines = ["# Tables", "", "Comma separated, UTF-8, one header line; a missing value is empty.", ""]
    for name, described in columns.items():
        lines += [f"## {name}.csv", "", "| column | unit | meaning |", "| --- | --- | --- |"]
        lines += [
            f"| {key} | {about['unit']} | {about['meaning']} |" for key, about in described.items()
        ]
        lines.append("")
    return "\n".join(lines)
