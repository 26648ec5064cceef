"""Times as people and programs write them: numbers, ISO 8601, time of day."""

import datetime
import re
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

__all__ = ["PARSERS", "decimals", "kind", "start", "unwrapped"]

DAY_S = 86_400.0
EPOCH = datetime.date(1970, 1, 1).toordinal()
DATE = re.compile(
    r"(\d{4})([-/.]?)(\d\d)\2(\d\d)[T _](\d\d):?(\d\d):?(\d\d)(?:[.,](\d+))?"
    r" ?(?:(Z|z|UTC|GMT)|([+-])(\d\d):?(\d\d)?)?"
)
CLOCK = re.compile(r"(?:(?:(\d+)(?: days?,? |[.]))?(\d{1,2}):)?(\d{1,2}):(\d\d)(?:[.,](\d+))?")


def number(cell: str) -> float:
    """Return a number with a decimal point or comma; the other of the two parts thousands."""
    if "," in cell:
        comma, point = cell.rfind(","), cell.rfind(".")
        if cell.count(",") > 1 or comma < point:
            cell = cell.replace(",", "")
        else:
            cell = cell.replace(".", "").replace(",", ".")
    return float(cell)


def date(cell: str) -> float:
    """Return seconds from 1970 of a date and time of ISO 8601; without an offset, as if it were UTC."""
    parts = DATE.fullmatch(cell)
    if parts is None:
        raise ValueError(cell)
    year, _, month, day, hour, minute, second, fraction, _, sign, off_hours, off_minutes = parts.groups()
    days = datetime.date(int(year), int(month), int(day)).toordinal() - EPOCH
    whole = days * 86_400 + _in_day(hour, minute, second)
    if sign:
        offset = int(off_hours) * 3600 + int(off_minutes or 0) * 60
        whole += offset if sign == "-" else -offset
    return whole + _fraction(fraction)


def clock(cell: str) -> float:
    """Return seconds of ``[H:]MM:SS[.fff]``, also with days in front."""
    parts = CLOCK.fullmatch(cell)
    if parts is None or (parts[2] is None and parts[5] is None):
        raise ValueError(cell)
    days, hours, minutes, second, fraction = parts.groups()
    whole = int(days or 0) * 86_400 + _in_day(hours or "0", minutes, second)
    return whole + _fraction(fraction)


def _in_day(hour: str, minute: str, second: str) -> int:
    if int(hour) > 23 or int(minute) > 59 or int(second) > 60:
        raise ValueError(f"{hour}:{minute}:{second}")
    return int(hour) * 3600 + int(minute) * 60 + int(second)


def _fraction(digits: str | None) -> float:
    return float(f"0.{digits}") if digits else 0.0


# In the order in which they are tried.
PARSERS: dict[str, Callable[[str], float]] = {"number": number, "date": date, "clock": clock}


def kind(cell: str) -> str | None:
    """Return the name of the parser that reads a cell; None for other text."""
    for name, parse in PARSERS.items():
        try:
            parse(cell)
        except ValueError:
            continue
        return name
    return None


def decimals(cell: str) -> int:
    """Return how many decimals of a time are not zero."""
    parts = re.search(r"[.,](\d+)(?:[eE]([+-]?\d+))?", cell)
    if parts is None:
        return 0
    return max(0, len(parts[1].rstrip("0")) - int(parts[2] or 0))


def unwrapped(times_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return times of day (F,), s, that go on over midnight."""
    midnights = np.cumsum(np.diff(times_s, prepend=times_s[:1]) < -DAY_S / 2)
    return times_s + DAY_S * midnights


def start(cell: str) -> str:
    """Return a date and time as ISO 8601 of at most six decimals, with the offset that it has."""
    parts = DATE.fullmatch(cell)
    if parts is None:
        return ""
    year, _, month, day, hour, minute, second, fraction, zulu, sign, hours, minutes = parts.groups()
    part = f".{fraction[:6]}" if fraction else ""
    offset = f"{sign}{hours}:{minutes or '00'}" if sign else "+00:00" if zulu else ""
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}{part}{offset}"
