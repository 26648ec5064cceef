"""Tables as pickles, all parts in one file."""

import itertools
import pickle
from pathlib import Path

import pandas as pd

from ..records import files
from ._columns import parts

__all__ = ["read", "write"]


def write(folder, tables, provenance):
    """Write ``<name>.pickle`` for each table."""
    written = []
    for name, table in tables.items():
        if (divided := parts(name, table)) is None:
            continue
        first, rest = divided
        path = Path(folder) / f"{name}.pickle"
        with files.create(path) as temporary, temporary.open("wb") as file:
            pickle.dump(provenance.to_json(), file)
            for part in itertools.chain([first], rest):
                pickle.dump((part.to_dict("list"), part.dtypes.to_dict()), file)
        written.append(path)
    return written


def read(folder):
    """Read every table of a folder back."""
    return {path.stem: pd.concat(_parts(path), ignore_index=True) for path in Path(folder).iterdir()}


def _parts(path):
    with path.open("rb") as file:
        pickle.load(file)
        while file.peek(1):
            columns, types = pickle.load(file)
            yield pd.DataFrame(columns).astype(types)
