"""What a column of numbers can be: times of a camera's frames and in which unit, or a count of frames.

A unit is plausible if it makes the usual step one of 1 to 240 frames/s. Of s, ms, us and ns at most one
is; steps of 100 ns can be taken for us or ns, and then a date or a known rate decides, or nothing does.
Days are only plausible as a date of a spreadsheet or of MATLAB, minutes and hours only if stated.
"""

import datetime
import functools
import logging
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import BadInput

__all__ = [
    "AGREE",
    "UNITS_S",
    "counts_frames",
    "date",
    "interval",
    "is_plausible",
    "log_once",
    "named_unit",
    "plausible_units",
    "require_rate",
    "require_times",
    "seconds",
    "start_text",
    "unit",
]  # fmt: skip

log = logging.getLogger(__name__)

Values = npt.NDArray[np.float64]
UNITS_S = {
    "s": 1.0, "ms": 1e-3, "us": 1e-6, "100ns": 1e-7, "ns": 1e-9, "min": 60.0, "h": 3600.0, "d": 86_400.0,
}  # fmt: skip
SLOWEST, FASTEST = 1.0, 240.0
# A camera's clock differs from its nominal rate by less.
TOLERANCE = 1.05
# Two rates that differ by a larger factor are not those of one recording.
AGREE = 1.5
# Seconds from the beginning of a calendar to 1970: Unix, Windows' FILETIME, .NET; calendars of days.
CALENDARS_S = {
    "Unix": 0.0, "FILETIME": 11_644_473_600.0, ".NET": 62_135_596_800.0,
    "Excel": 2_209_161_600.0, "MATLAB": 62_167_305_600.0,
}  # fmt: skip
OF_DAYS = ("Excel", "MATLAB")
# Depth cameras for mice are not older, as Unix seconds: 2005 to 2040.
EARLIEST_S, LATEST_S = 1.1e9, 2.2e9
WORDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("us", "µs", "μs", "usec", "usecs", "micros", "microsecond", "microseconds"), "us"),
    **dict.fromkeys(("100ns", "hns", "filetime"), "100ns"),
    **dict.fromkeys(("ns", "nsec", "nsecs", "nanos", "nanosecond", "nanoseconds"), "ns"),
    **dict.fromkeys(("min", "mins", "minutes"), "min"),
    **dict.fromkeys(("h", "hrs", "hours"), "h"),
    "days": "d",
}
NAME_UNIT = f"set extract.source.timestamp_unit to one of {', '.join(UNITS_S)}"


@functools.lru_cache(maxsize=256)
def log_once(text: str) -> None:
    """Log a text once, though a recording is opened more than once."""
    log.info(text)


def named_unit(name: str) -> str | None:
    """Return the unit in the name of a column, such as ``time_ms`` or ``timeUs``; None without one."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    units = {WORDS[word] for word in re.findall(r"[a-zµμ0-9]+", apart.lower()) if word in WORDS}
    return units.pop() if len(units) == 1 else None


def interval(values: Values) -> float:
    """Return the usual step: the mean of those near their median, so that drops do not count; or NaN.

    Parameters
    ----------
    values : (F,) float64
        In any unit.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        steps = np.diff(values)
    steps = steps[np.isfinite(steps)]
    middle = float(np.median(steps)) if len(steps) else np.nan
    if not middle > 0:
        return middle
    near = steps[(steps > 0.5 * middle) & (steps < 1.5 * middle)]
    return float(near.mean()) if len(near) else middle


def counts_frames(values: Values) -> bool:
    """Return whether values (F,) are whole numbers, most of them one apart, or two or three."""
    finite = values[np.isfinite(values)]
    if len(finite) < 2 or (finite != np.rint(finite)).any():
        return False
    # In no unit are so few a plausible step, but for one a second.
    return float(np.median(np.diff(finite))) in (1.0, 2.0, 3.0)


def is_plausible(step_s: float) -> bool:
    """Return whether a camera takes a frame every ``step_s`` seconds."""
    return 1 / (FASTEST * TOLERANCE) <= step_s <= TOLERANCE / SLOWEST


def plausible_units(
    values: Values, *, setting: str | None = None, named: str | None = None, rate: float | None = None
) -> list[str]:
    """Return the units in which values can be times of frames.

    Parameters
    ----------
    values : (F,) float64
    setting, named : str, optional
        The unit as a setting has it, which is not doubted, or as a name states it.
    rate : float, optional
        Frames/s that are known from elsewhere; it decides between units.
    """
    step = interval(values)
    stated = setting or named
    units = [stated] if stated else [name for name in UNITS_S if name not in ("min", "h")]
    units = [name for name in units if is_plausible(step * UNITS_S[name])]
    if units == ["d"] and not stated and date(values[0], "d") is None:
        return []
    if len(units) > 1:
        units = [name for name in units if date(values[0], name) is not None] or units
    if len(units) > 1 and rate:
        near = [name for name in units if _agree(1 / (step * UNITS_S[name]), rate)]
        units = near or units
    return units


def unit(
    values: Values,
    where: Path | str,
    *,
    setting: str | None = None,
    named: str | None = None,
    usual: str = "s",
    rate: float | None = None,
) -> str:
    """Return the unit of values that are times, and log it where nothing named it.

    Parameters
    ----------
    values : (F,) float64
        Times of frames.
    where : path
        What holds them, for messages.
    setting, named, rate : optional
        As of ``plausible_units``.
    usual : str
        The unit that is not worth a message, and the one of a single frame.

    Raises
    ------
    BadInput
        No unit makes them times of frames, or two do.
    """
    step = interval(values)
    if setting is not None or not step > 0:
        # One frame has no rate; what does not increase has its own message.
        return setting or named or usual
    units = plausible_units(values, named=named, rate=rate)
    if not units:
        stated = f"as {named}, which their name states, that is" if named else "that is in no unit"
        fault = f"{1 / (step * UNITS_S[named]):.4g} frames/s" if named else "a camera's"
        raise BadInput(
            f"{where}: timestamps are mostly {step:.6g} apart; {stated} {fault}, and wanted are "
            f"{SLOWEST:g} to {FASTEST:g} frames/s: if they are times, {NAME_UNIT}."
        )
    if len(units) > 1:
        rates = " or ".join(f"{name} ({1 / (step * UNITS_S[name]):.4g} frames/s)" for name in units)
        raise BadInput(
            f"{where}: timestamps are mostly {step:.6g} apart, which can be {rates}; nothing tells "
            f"which: set extract.source.timestamp_unit to {' or '.join(units)}."
        )
    if named is None and units[0] != usual:
        rate_now = 1 / (step * UNITS_S[units[0]])
        log_once(
            f"{where}: times are read in {units[0]}: steps of {step:.6g} are {rate_now:.4g} frames/s."
        )
    return units[0]


def seconds(values: Values, unit_name: str) -> Values:
    """Return values (F,) in seconds; dates of any calendar count from 1970."""
    finite = date(values[0], unit_name) if len(values) else None
    # Large numbers first lose what is alike in all, and then nothing by rounding.
    return (values - (CALENDARS_S[finite] / UNITS_S[unit_name] if finite else 0.0)) * UNITS_S[unit_name]


def date(value: float, unit_name: str) -> str | None:
    """Return the calendar by which a number is a date of our years; None if it is none."""
    for calendar, offset in CALENDARS_S.items():
        of_unit = (calendar in OF_DAYS) == (unit_name == "d")
        if of_unit and EARLIEST_S <= value * UNITS_S[unit_name] - offset <= LATEST_S:
            return calendar
    return None


def start_text(value: object) -> str:
    """Return a start time as text: a number that is a date becomes ISO 8601, UTC; other text stays.

    Some programs write a list of one text.
    """
    text = " ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    try:
        number = float(text)
    except ValueError:
        return text
    for name in UNITS_S:
        calendar = date(number, name)
        if calendar is not None:
            since = datetime.timedelta(seconds=number * UNITS_S[name] - CALENDARS_S[calendar])
            moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + since
            # The others count local time or UTC and do not tell which.
            return (
                moment if calendar in ("Unix", "FILETIME") else moment.replace(tzinfo=None)
            ).isoformat()
    return text


def require_rate(rate: float, where: Path | str, *, video_rate: float | None = None) -> None:
    """Raise ``BadInput`` for a rate that is no camera's, or not the video's.

    Parameters
    ----------
    rate : float
        Frames/s of the times.
    where : path
        What holds them, for the message.
    video_rate : float, optional
        Frames/s that the video itself states.
    """
    if not is_plausible(1 / rate):
        raise BadInput(
            f"{where}: timestamps are mostly {1 / rate:.6g} s apart, {rate:.4g} frames/s; wanted those "
            f"of a camera, {SLOWEST:g} to {FASTEST:g} frames/s: are they in another unit? See "
            "extract.source.timestamp_unit."
        )
    if video_rate is not None and not _agree(rate, video_rate):
        raise BadInput(
            f"{where}: times are those of {rate:.4g} frames/s, and the video itself states "
            f"{video_rate:.4g}; one is wrong: correct the times (extract.source.timestamp_unit, "
            "timestamp_column or frames_per_second), or set extract.source.video_rate to 'ignore' if "
            "the video's is."
        )


def require_times(times_s: Values, where: Path | str, *, video_rate: float | None = None) -> None:
    """Raise ``BadInput`` as ``require_rate`` for times (F,), s; fewer than two have no rate."""
    step = interval(times_s)
    if step > 0:
        require_rate(1 / step, where, video_rate=video_rate)


def _agree(first: float, second: float) -> bool:
    return 1 / AGREE <= first / second <= AGREE
