"""Lines and columns of a text file of timestamps, whatever parts and quotes them.

The first lines decide what parts columns, whether there is a header, and how each column writes its
values. Lines are read one at a time.
"""

import csv
import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from . import time_text

__all__ = ["Column", "Table"]

# A longer line is not one of timestamps.
MAX_LINE = 1 << 13
HEAD_LINES = 2000
# Programs write some lines of remarks above the names of columns.
HEADER_LINES = 20
MISSING = re.compile(r"\W*(n/?a|nan|null|none|missing)?\W*", re.IGNORECASE)
# Columns of which at most this part can be read hold something else.
READABLE = 0.8
MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
# A blank inside a date is none between columns.
BLANK_IN_DATE = re.compile(r"(\d{4}[-/.]\d\d[-/.]\d\d) +(?=\d\d?:)")
BLANK_IN_OFFSET = re.compile(r"(:\d\d(?:[.,]\d+)?) +(?=[+-]\d\d:?\d\d|Z\b|UTC\b|GMT\b)")
BLANK_IN_DAYS = re.compile(r"(\d+) (days?),? (?=\d\d?:)")
BLANK_BEFORE_UNIT = re.compile(r"[ \t]+(?=[(\[])")
COMMA_IN_CLOCK = re.compile(r"(\d:\d\d:\d\d),(?=\d{3,9}(?!\d))")
COMMA_IN_NUMBER = re.compile(r"^-?\d+,\d+[ \t]+[-\d]")
COMMA_ALONE = re.compile(r"^(-?\d+),(\d+)$")


class Column(NamedTuple):
    """The beginning of a column.

    Attributes
    ----------
    number : int
        From 0.
    name : str
        Of the header; empty without one.
    kind : str or None
        Parser of ``time_text``; None for text.
    values : (n,) float64
        First values; NaN where a cell cannot be read.
    decimals : int
        Most decimals of a value.
    """

    number: int
    name: str
    kind: str | None
    values: npt.NDArray[np.float64]
    decimals: int

    def __str__(self) -> str:
        return f"column {self.number + 1}" + (f" ({self.name!r})" if self.name else "")


class Table:
    """A text file of one line per frame.

    Attributes
    ----------
    path : Path
    names : list of str
        Names of the columns in the header; empty without one.
    columns : list of Column
    has_two_readings : bool
        Whether lines such as 731,25 may be one number with a decimal comma, or two columns.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.has_two_readings = False
        with path.open("rb") as file:
            self._encoding = MARKS.get(file.read(2), "utf-8-sig")
        lines = [line for line, _ in zip(self._lines(), range(HEAD_LINES + 1), strict=False)]
        self._rewrites: list[tuple[re.Pattern[str], str]] = []
        # The first line may be a header.
        self._delimiter = self._parted_by(lines[1:] or lines, lines[0] if lines else "")
        rows = [self._cells(line) for line in lines]
        self.names: list[str] = []
        self._skipped = _words_above(rows)
        rows = rows[self._skipped :]
        if self._skipped and rows:
            self.names = self._header(lines[self._skipped - 1], len(rows[0]))
        width = len(rows[0]) if rows else 0
        self.columns = [self._column(number, rows) for number in range(width)]

    def read(self, column: Column) -> npt.NDArray[np.float64]:
        """Return the values of a column, (n,) float64: numbers as they are, other times in s.

        Raises
        ------
        BadInput
            A cell cannot be read.
        """
        values = array("d")
        parse = time_text.PARSERS[column.kind or "number"]
        lines = self._lines()
        for _ in range(self._skipped):
            next(lines)
        for line in lines:
            cells = self._cells(line)
            cell = cells[column.number] if column.number < len(cells) else ""
            try:
                values.append(parse(cell))
            except ValueError:
                forms = {"number": "a number", "date": "a date and time", "clock": "a time of day"}
                raise BadInput(
                    f"{self.path}: timestamp {len(values) + 1} is {cell[:40]!r}, not "
                    f"{forms[column.kind or 'number']}; copy the file again, or set "
                    "extract.source.timestamps to 'even'."
                ) from None
        times = np.frombuffer(values, np.float64).copy()
        return time_text.unwrapped(times) if column.kind == "clock" else times

    def first(self, column: Column) -> str:
        """Return the first cell of a column."""
        lines = self._lines()
        for _ in range(self._skipped):
            next(lines)
        return self._cells(next(lines))[column.number]

    def _lines(self) -> Iterator[str]:
        """Yield the lines that hold something; those that begin with # or % at the top are comments."""
        began = False
        with self.path.open(encoding=self._encoding, errors="replace") as file:
            while line := file.readline(MAX_LINE):
                line = line.strip(" \r\n\0")
                if not line.strip() or (not began and line[0] in "#%" and line[1:].strip() == ""):
                    continue
                began = True
                yield line

    def _parted_by(self, lines: list[str], header: str) -> str | None:
        """Return what parts columns, None for blanks; also note what to rewrite in each line."""

        def usual(pattern: re.Pattern[str]) -> bool:
            return sum(bool(pattern.search(line)) for line in lines) > READABLE * len(lines)

        # Sane files have few of these; a line is only searched where most have it.
        if usual(COMMA_IN_CLOCK):
            self._rewrites.append((COMMA_IN_CLOCK, r"\1."))
        for delimiter in ";\t":
            if usual(re.compile(re.escape(delimiter))):
                return delimiter
        blanks = [(BLANK_IN_DATE, r"\1T"), (BLANK_IN_OFFSET, r"\1"), (BLANK_IN_DAYS, r"\1\2")]
        rewrites = [(pattern, by) for pattern, by in blanks if usual(pattern)]
        joined = [self._rewritten(line, rewrites) for line in lines]
        if usual(re.compile(",")):
            # The comma of 0,033 0 is a decimal one.
            mixed = sum(bool(COMMA_IN_NUMBER.match(line)) for line in joined) > READABLE * len(lines)
            if not mixed and not self._has_decimal_comma(lines, header):
                return ","
        self._rewrites += rewrites
        return None

    def _has_decimal_comma(self, lines: list[str], header: str) -> bool:
        """Return whether lines such as 0,033 are one number: by the header, or by a decimal of zero."""
        pairs = [(pair[1], pair[2]) for line in lines if (pair := COMMA_ALONE.match(line))]
        if len(pairs) < len(lines):
            return False
        if not COMMA_ALONE.match(header) and "," not in header:
            return True
        if any(len(after) > 1 and after[0] == "0" for _, after in pairs):
            return True
        constant = len(pairs) > 1 and all(len(set(part)) == 1 for part in zip(*pairs, strict=True))
        before, widths = {before for before, _ in pairs}, {len(after) for _, after in pairs}
        self.has_two_readings = len(before) == len(widths) == 1 and widths != {1} and not constant
        return False

    @staticmethod
    def _rewritten(line: str, rewrites: list[tuple[re.Pattern[str], str]]) -> str:
        for pattern, by in rewrites:
            line = pattern.sub(by, line)
        return line

    def _cells(self, line: str) -> list[str]:
        if self._rewrites:
            line = self._rewritten(line, self._rewrites)
        return _split(line, self._delimiter)

    def _header(self, line: str, width: int) -> list[str]:
        """Return the names of the columns, or none if there are not as many as columns."""
        line = line.lstrip("#% ")
        for delimiter in (self._delimiter, ",", ";", "\t", None):
            for text in (line, BLANK_BEFORE_UNIT.sub("", line)):
                names = _split(text, delimiter)
                if len(names) == width:
                    return names
        return []

    def _column(self, number: int, rows: list[list[str]]) -> Column:
        cells = [row[number] if number < len(row) else "" for row in rows]
        forms = [kind for cell in cells[:9] if (kind := time_text.kind(cell))]
        values = np.full(len(cells), np.nan)
        if forms:
            parse = time_text.PARSERS[forms[0]]
            for i, cell in enumerate(cells):
                try:
                    values[i] = parse(cell)
                except ValueError:
                    continue
            if forms[0] == "clock":
                values = time_text.unwrapped(values)
        name = self.names[number] if self.names else ""
        return Column(
            number, name, forms[0] if forms else None, values, max(map(time_text.decimals, cells))
        )


def _words_above(rows: list[list[str]]) -> int:
    """Return how many lines are above the first time: remarks and, as the last of them, the header.

    More are no header but what was written instead of times.
    """
    for number, row in enumerate(rows[: HEADER_LINES + 1]):
        # The time of a frame that has none is no remark.
        if any(map(time_text.kind, row)) or (number and all(map(MISSING.fullmatch, row))):
            return number
    return min(1, len(rows))


def _split(line: str, delimiter: str | None) -> list[str]:
    if '"' in line:
        try:
            cells = next(csv.reader([line], delimiter=delimiter or " ", skipinitialspace=True), [])
        except csv.Error:
            cells = line.split(delimiter)
        return [cell.strip() for cell in cells if cell or delimiter]
    return [cell.strip(" '") for cell in line.split(delimiter)]
