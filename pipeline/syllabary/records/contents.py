"""Named arrays of a result file of any format, without its provenance.

``open_contents`` reads HDF5, parquet, safetensors, JSON and text tables as one mapping of name to
array. Provenance, settings and the version of the format (``schema``) are left out, so that two
files are equal when their results are.
"""

import contextlib
import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import h5py
import numpy as np
import numpy.typing as npt

from ..errors import BadInput, SyllabaryError
from . import hdf5

__all__ = ["SUFFIXES", "Array", "open_contents"]

# Metadata that describe how a file was made, and the key that holds them in each format.
MADE_BY = ("provenance", "schema", "settings")
KEY = "syllabary"


class Array(Protocol):
    """The part of an array that a comparison needs; long ones stay on disk."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the entries."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    def __getitem__(self, index: slice | tuple[()]) -> npt.NDArray[np.generic]:
        """Read entries."""


@contextlib.contextmanager
def open_contents(path: Path) -> Iterator[Mapping[str, Array]]:
    """Open a result file as named arrays.

    Parameters
    ----------
    path : Path
        File with one of ``SUFFIXES``.

    Yields
    ------
    mapping of str to array
        HDF5 datasets by their path and attributes as ``path@name``; columns of tables; tensors
        and their metadata; values of JSON by their keys, joined by dots.

    Raises
    ------
    BadInput
        The file is damaged.
    """
    with contextlib.ExitStack() as stack:
        try:
            contents = stack.enter_context(SUFFIXES[path.suffix](path))
        except SyllabaryError:
            raise
        except (OSError, ValueError, KeyError) as error:
            raise BadInput(f"{path}: cannot be read ({error}); make it again.") from error
        yield contents


@contextlib.contextmanager
def _hdf5(path: Path) -> Iterator[Mapping[str, Array]]:
    with hdf5.open_to_read(path) as h5:
        contents: dict[str, Array] = {}

        def visit(name: str, node: h5py.Group | h5py.Dataset) -> None:
            if isinstance(node, h5py.Dataset):
                contents[name] = node
            for key, value in node.attrs.items():
                if key not in MADE_BY:
                    contents[f"{name}@{key}"] = np.asarray(value)

        visit("", h5)
        h5.visititems(visit)
        yield contents


@contextlib.contextmanager
def _parquet(path: Path) -> Iterator[Mapping[str, Array]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    contents: dict[str, Array] = {}
    for name in table.column_names:
        column = table[name]
        contents[name] = (
            np.asarray(column.to_pylist(), object)
            if column.null_count or not pa.types.is_primitive(column.type)
            else column.to_numpy()
        )
        # Missing entries change how a column is read, so that its type is compared as well.
        contents[f"{name}@type"] = np.asarray(str(column.type))
    yield contents


@contextlib.contextmanager
def _safetensors(path: Path) -> Iterator[Mapping[str, Array]]:
    import safetensors

    try:
        with safetensors.safe_open(path, framework="np") as file:
            metadata = json.loads((file.metadata() or {}).get(KEY, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise ValueError(str(error)) from error
    yield {**tensors, **{f"@{name}": value for name, value in _values(metadata)}}


@contextlib.contextmanager
def _json(path: Path) -> Iterator[Mapping[str, Array]]:
    yield dict(_values(json.loads(path.read_text(encoding="utf-8"))))


def _values(node: object, name: str = "") -> Iterator[tuple[str, Array]]:
    """Yield the values below a node of JSON; a list of numbers is one array."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key not in MADE_BY:
                yield from _values(value, f"{name}.{key}".strip("."))
    elif isinstance(node, list) and not all(isinstance(value, int | float) for value in node):
        for i, value in enumerate(node):
            yield from _values(value, f"{name}.{i}".strip("."))
    else:
        yield name, np.asarray(node)


@contextlib.contextmanager
def _text(path: Path, delimiter: str) -> Iterator[Mapping[str, Array]]:
    """Read columns of a text table; lines that begin with ``#`` hold provenance."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader((line for line in file if line[:1] != "#"), delimiter=delimiter))
    if len({len(row) for row in rows}) > 1:
        raise ValueError("rows of unequal length")
    columns = zip(*rows, strict=True)
    yield {name: np.asarray(cells, object) for name, *cells in columns}


Opener = Callable[[Path], contextlib.AbstractContextManager[Mapping[str, Array]]]
SUFFIXES: Mapping[str, Opener] = {
    ".h5": _hdf5,
    ".parquet": _parquet,
    ".safetensors": _safetensors,
    ".json": _json,
    ".csv": lambda path: _text(path, ","),
    ".tsv": lambda path: _text(path, "\t"),
}
