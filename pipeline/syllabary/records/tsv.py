"""Tables that people write: cells separated by tabs, commas or semicolons, with the lines of editors."""

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from ..errors import BadInput

__all__ = ["cells", "read", "text"]

SEPARATORS = "\t,;"
# Excel's "Unicode text" begins with one of these.
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
COMMENT = re.compile(r"\s*\"?\s*#")
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufffe\uffff]")


def text(path: Path | str) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 with a byte order mark, with Unix lines.

    Parameters
    ----------
    path : path

    Raises
    ------
    BadInput
        The file cannot be read, or is no text in these encodings.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror or error}); wanted a table as text."
        ) from None
    try:
        decoded = content.decode("utf-16" if content.startswith(UTF16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path}: is not UTF-8 text (byte {error.start}); save it as text in UTF-8, such as Excel's "
            "'CSV UTF-8'."
        ) from None
    lines = decoded.replace("\r\n", "\n").replace("\r", "\n")
    wrong = CONTROL.search(lines)
    if wrong:
        line = lines.count("\n", 0, wrong.start()) + 1
        raise BadInput(
            f"{path}, line {line}: holds the character {wrong[0]!r}, so it is no table of text; save it "
            "as text in UTF-8."
        )
    return lines


def cells(path: Path | str, lines: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line and the cells of every row with any text, without spaces around a cell.

    Lines that start with ``#`` are left out. A cell in double quotes may hold separators; two quotes in
    it are one.

    Parameters
    ----------
    path : path
        For messages.
    lines : str
        Result of ``text``.
    separator : str

    Raises
    ------
    BadInput
        A quote is not closed, or a cell is very long.
    """
    kept = ["\n" if COMMENT.match(line) else f"{line}\n" for line in lines.split("\n")]
    reader = csv.reader(kept, delimiter=separator, strict=True, skipinitialspace=separator != "\t")
    number = 1
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise BadInput(
                f"{path}, line {number}: a cell begins with a quote that does not end it ({error}); "
                'remove the quote, or write a quote in a quoted cell twice ("").'
            ) from None
        if row is None:
            return
        stripped = [cell.strip() for cell in row]
        if any(stripped):
            yield number, stripped
        number = reader.line_num + 1


def read(path: Path | str, required: Sequence[str]) -> pd.DataFrame:
    """Read a hand-written table, separated by tabs, commas or semicolons.

    Blank lines, lines that start with ``#``, spaces around a cell, quotes around a cell, and empty
    cells beyond the last column are ignored. Required columns may be written in any case.

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
        The file is not text or has no header; a column is missing, repeated or without a name; a
        row has too many cells.
    """
    path = Path(path)
    lines = text(path)
    written = (line for line in lines.split("\n") if line.strip(" \t,;") and not COMMENT.match(line))
    rows = list(cells(path, lines, _separator(next(written, ""), required)))
    if not rows:
        raise BadInput(f"{path}: is empty; it needs a first line with {', '.join(required)}.")
    (_, header), *body = rows
    while header and not header[-1]:
        header.pop()
    header = [_spelled(name, required) for name in header]
    missing = [name for name in required if name not in header]
    if missing:
        raise BadInput(
            f"{path}: lacks the column {', '.join(missing)}; it has {', '.join(header)[:300]} "
            "(columns are separated by tabs, commas or semicolons)."
        )
    twice = [name for name in header if header.count(name) > 1 and name]
    if twice:
        raise BadInput(f"{path}: has two columns {twice[0]!r}; keep one.")
    for number, row in body:
        if any("\n" in cell for cell in row):
            raise BadInput(f"{path}, line {number}: a cell has several lines; write it on one.")
        if any(row[len(header) :]):
            raise BadInput(
                f"{path}, line {number}: {len(row)} cells, but the first line names {len(header)} "
                "columns; give the others a name or remove them."
            )
    values = [(row + [""] * len(header))[: len(header)] for _, row in body]
    table = pd.DataFrame(values, index=[number for number, _ in body], dtype=object)
    table = table.reindex(columns=range(len(header)), fill_value="")
    for place in [place for place, name in enumerate(header) if not name]:
        if (table[place] != "").any():
            line = table.index[table[place] != ""][0]
            raise BadInput(
                f"{path}, line {line}: cell {place + 1} has no name in the first line; add it."
            )
    named = table[[place for place, name in enumerate(header) if name]]
    return named.set_axis([name for name in header if name], axis=1)


def _separator(header: str, required: Sequence[str]) -> str:
    """Return the separator that finds most of the required columns, or else most cells."""

    def score(separator: str) -> tuple[int, int]:
        names = [name.strip(' "').casefold() for name in header.split(separator)]
        return sum(name.casefold() in names for name in required), len(names)

    return max(SEPARATORS, key=score)


def _spelled(name: str, required: Sequence[str]) -> str:
    return next((other for other in required if name.casefold() == other.casefold()), name)
