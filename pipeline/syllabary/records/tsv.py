"""Tables that people write: tab-separated text, with the line numbers of editors."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ..errors import BadInput

__all__ = ["read"]


def read(path: Path | str, required: Sequence[str]) -> pd.DataFrame:
    """Read a hand-written table.

    Blank lines, lines that start with ``#``, spaces around a cell, and empty cells beyond the last
    column are ignored.

    Parameters
    ----------
    path : path
    required : sequence of str
        Required columns.

    Returns
    -------
    DataFrame
        Text, indexed by the line of the file (from 1); an empty cell is an empty string.

    Raises
    ------
    BadInput
        The file is not text or has no header; a column is missing or repeated; a row has too
        many cells.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path}: is not UTF-8 text (byte {error.start}); save it as tab-separated text in UTF-8."
        ) from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}).") from None
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            cells = next(csv.reader([line], delimiter="\t", quoting=csv.QUOTE_NONE))
            rows.append((number, [cell.strip() for cell in cells]))
    if not rows:
        raise BadInput(f"{path}: is empty; it needs a first line with {', '.join(required)}.")
    (_, header), *body = rows
    while header and not header[-1]:
        header.pop()
    missing = [name for name in required if name not in header]
    if missing:
        raise BadInput(
            f"{path}: lacks the column {', '.join(missing)}; it has {', '.join(header)} "
            "(columns are separated by tabs)."
        )
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise BadInput(f"{path}: has two columns {twice[0]!r}; keep one.")
    for number, cells in body:
        if any(cells[len(header) :]):
            raise BadInput(
                f"{path}, line {number}: {len(cells)} cells, but the first line names {len(header)} "
                "columns; give the others a name or remove them."
            )
    values = [(cells + [""] * len(header))[: len(header)] for _, cells in body]
    return pd.DataFrame(values, columns=header, index=[number for number, _ in body], dtype=object)
