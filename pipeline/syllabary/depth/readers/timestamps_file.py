"""The file of timestamps beside a recording, and how it is matched to frames.

``extract.source.timestamps`` decides where frames and timestamps do not match: ``strict`` refuses the
recording, ``cut`` pairs them from the start and drops the rest, ``even`` ignores timestamps and spaces
frames evenly. Of several columns, the one that can be a camera's clock holds the times: a column that
counts frames is none, and of clocks that agree the one of the finest resolution is taken.
"""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from ..settings import SourceSettings
from ..timing import clocks, ticks
from . import metadata_file, time_text
from .timestamps_table import Column, Table

__all__ = ["Clock", "beside", "match", "require"]

Times = npt.NDArray[np.float64]
FORMS = {"date": "dates of ISO 8601", "clock": "times of day"}
# Words in names of columns.
TIMES = {
    "time", "times", "timestamp", "timestamps", "stamp", "ts", "t", "clock", "date", "datetime", "epoch",
    "unix", "utc", "elapsed", "ticks", "filetime", "at",
}  # fmt: skip
COUNTS = {"frame", "frames", "index", "idx", "count", "counter", "number", "nr", "no", "id", "seq"}
# Clocks of one recording differ by less, and steps of a regular one are mostly within this part.
SAME, REGULAR = 0.02, 0.2


class Clock(NamedTuple):
    """Times of frames (F,) float64, s, and when the first was taken, ISO 8601; empty if unknown."""

    times_s: Times
    start_time: str


def beside(recording: Path) -> tuple[Path, str] | None:
    """Return the file of timestamps of a recording and its usual unit; None if there is none.

    ``<name>_ts.txt`` and ``depth_ts.txt`` usually hold milliseconds, ``<name>_timestamps.csv`` and
    ``timestamps.csv`` seconds.
    """
    for stem in (f"{recording.stem}_", "depth_", ""):
        for name, unit in (
            ("ts.txt", "ms"),
            ("ts.csv", "ms"),
            ("timestamps.csv", "s"),
            ("timestamps.txt", "s"),
        ):
            path = recording.with_name(stem + name)
            if path.is_file():
                return path, unit
    return None


def require(recording: Path, settings: SourceSettings, *, rate: float | None = None) -> None:
    """Check that a file of timestamps which is needed is there, and holds times of frames.

    Parameters
    ----------
    recording : path
    settings : SourceSettings
    rate : float, optional
        Frames/s that the recording itself states.
    """
    video_rate = rate if settings.video_rate == "check" else None
    if settings.frames_per_second is not None:
        clocks.require_rate(settings.frames_per_second, recording, video_rate=video_rate)
    else:
        path, clock = _read(recording, settings, None, rate)
        ticks.require(clock.times_s, path, video_rate=video_rate)


def match(
    recording: Path,
    frames: int,
    settings: SourceSettings,
    *,
    inside: Times | None = None,
    rate: float | None = None,
) -> Clock:
    """Return the time of each frame.

    Parameters
    ----------
    recording : path
        File of the frames, beside which timestamps are looked for.
    frames : int
        How many there are.
    inside : (n,) float64, optional
        Times that the file itself holds, s, for where there are none beside it.
    rate : float, optional
        Frames/s that the file itself states; by default that of ``inside``.

    Returns
    -------
    Clock
        Times of ``frames`` frames, or of fewer where the setting ``cut`` left some out.

    Raises
    ------
    BadInput
        There are no timestamps, not one for each frame, they do not increase, no column or several
        can be the clock, or the rate is no camera's or not that of the file.
    """
    if frames < 1:
        raise BadInput(f"{recording}: holds no frame; copy the recording again.")
    if rate is None and inside is not None and (step := clocks.interval(inside)) > 0:
        rate = 1 / step
    video_rate = rate if settings.video_rate == "check" else None
    if settings.frames_per_second is not None:
        clocks.require_rate(settings.frames_per_second, recording, video_rate=video_rate)
        return Clock(np.arange(frames) / settings.frames_per_second, "")
    path, (times, start_time) = _read(recording, settings, inside, rate)
    if len(times) != frames:
        if settings.timestamps == "strict":
            raise BadInput(
                f"{path}: {len(times)} timestamps for {frames} frames; each frame needs its own: copy "
                "both files again, or set extract.source.timestamps to 'cut' to leave out what is too "
                "many at the end."
            )
        times = times[:frames]
    if not len(times):
        raise BadInput(f"{path}: holds no timestamp; copy the file again.")
    ticks.require(times, path, video_rate=video_rate)
    return Clock(times, start_time)


def _read(
    recording: Path, settings: SourceSettings, inside: Times | None, rate: float | None
) -> tuple[Path, Clock]:
    companion = beside(recording)
    if companion is not None:
        path, usual = companion
        nominal = rate or metadata_file.rate(metadata_file.read(recording))
        return path, read(path, settings, usual, nominal)
    if inside is not None:
        return recording, Clock(inside, _start(inside))
    raise BadInput(
        f"{recording.parent}: no {recording.stem}_ts.txt (milliseconds) nor timestamps.csv (seconds) "
        f"beside {recording.name}; wanted one line per frame: copy the file from the acquisition "
        "machine, or set extract.source.timestamps to 'even' and its frames_per_second."
    )


def read(path: Path, settings: SourceSettings, usual: str = "s", rate: float | None = None) -> Clock:
    """Read the times of a file.

    Parameters
    ----------
    path : path
    settings : SourceSettings
    usual : str
        The unit that such a file usually has.
    rate : float, optional
        Frames/s that are known from elsewhere, for where two units are possible.
    """
    table = Table(path)
    if not table.columns:
        return Clock(np.zeros(0), "")
    column, others = _choose(table, settings, rate)
    where = f"{path}: {column}" if len(table.columns) > 1 or column.name else str(path)
    values = table.read(column)
    if column.kind != "number":
        clocks.log_once(f"{where}: times are read as {FORMS[column.kind or '']}.")
        return Clock(values, time_text.start(table.first(column)))
    unit = clocks.unit(
        values, where, setting=settings.timestamp_unit, named=clocks.named_unit(column.name),
        usual=usual, rate=others or rate,
    )  # fmt: skip
    start = clocks.start_text(float(values[0])) if clocks.date(values[0], unit) else ""
    return Clock(clocks.seconds(values, unit), start)


def _start(times_s: Times) -> str:
    return clocks.start_text(float(times_s[0])) if len(times_s) and clocks.date(times_s[0], "s") else ""


def _choose(table: Table, settings: SourceSettings, rate: float | None) -> tuple[Column, float | None]:
    """Return the column of the times, and the rate by which other clocks tell its unit."""
    if settings.timestamp_column is not None:
        return _set(table, settings.timestamp_column), None
    if table.has_two_readings:
        raise BadInput(
            f"{table.path}: each line can be one number with a decimal comma, or two columns; part "
            "columns by semicolons or tabs, or set extract.source.timestamp_column to 1 or 2."
        )
    columns = [column for column in table.columns if column.kind is not None]
    if not columns or len(columns[0].values) < 2:
        # One frame has no rate, and words where a time should be are told when they are read.
        named = [column for column in columns if _is_named(column, TIMES)]
        return (named or columns or table.columns)[0], None
    counters = [column for column in columns if _is_counter(column)]
    possible = {column.number: _rates(column, settings, rate) for column in columns}
    named = [column for column in columns if _is_time(column)]
    candidates = [
        column
        for column in named or columns
        if column not in counters
        and possible[column.number]
        and (named or _is_clear(column, columns, counters))
    ]
    candidates = [column for column in candidates if _is_regular(column)] or candidates
    if not candidates:
        rest = [column for column in named or columns if column not in counters]
        broken = rest if named or len(columns) == 1 else list(filter(_is_broken, rest))
        if not broken:
            raise _no_clock(table.path, columns, counters)
        return broken[0], None
    return _agreed(table.path, candidates, possible, counters)


def _agreed(
    path: Path,
    candidates: list[Column],
    possible: dict[int, list[float]],
    counters: list[Column],
) -> tuple[Column, float | None]:
    """Return the finest of clocks that agree about the rate, and the rate if they tell it."""
    single = [possible[column.number][0] for column in candidates if len(possible[column.number]) == 1]
    shared = single[0] if single else None
    if len(candidates) > 1:
        rates = set(possible[candidates[0].number])
        common = [
            rate
            for rate in rates
            if all(any(abs(other / rate - 1) < SAME for other in possible[c.number]) for c in candidates)
        ]
        shared = common[0] if len(common) == 1 else shared
        if not common:
            names = " and ".join(map(str, candidates[:3]))
            raise BadInput(
                f"{path}: {names} can each be the camera's clock and do not agree; name the one that is "
                "with extract.source.timestamp_column."
            )
    best = max(candidates, key=lambda column: (_resolution(column, possible), -column.number))
    if len(candidates) > 1 or counters:
        others = "".join(f"; {column} counts frames" for column in counters[:1])
        finest = ", the finest of clocks that agree" if len(candidates) > 1 else ""
        clocks.log_once(f"{path}: times are read from {best}{finest}{others}.")
    return best, shared


def _resolution(column: Column, possible: dict[int, list[float]]) -> float:
    """Return the digits of a second that the values of a column have."""
    step = clocks.interval(column.values)
    unit_s = 1 / (possible[column.number][0] * step)
    return column.decimals - float(np.log10(unit_s))


def _rates(column: Column, settings: SourceSettings, rate: float | None) -> list[float]:
    """Return the rates, frames/s, at which a column can be a clock; several if the unit is open."""
    step = clocks.interval(column.values)
    if not step > 0 or np.isfinite(column.values).mean() < 0.8:
        return []
    if column.kind != "number":
        return [1 / step] if clocks.is_plausible(step) else []
    units = clocks.plausible_units(
        column.values, setting=settings.timestamp_unit, named=clocks.named_unit(column.name), rate=rate
    )
    return [1 / (step * clocks.UNITS_S[unit]) for unit in units]


def _set(table: Table, wanted: int | str) -> Column:
    """Return the column that a setting names."""
    for column in table.columns:
        if wanted == column.number + 1 or str(wanted).strip().lower() == column.name.lower():
            return column
    names = ", ".join(name for name in table.names if name) or "no names"
    raise BadInput(
        f"{table.path}: no column {wanted!r} among {len(table.columns)} columns ({names}); "
        "extract.source.timestamp_column is a name, or a number from 1."
    )


def _no_clock(path: Path, columns: list[Column], counters: list[Column]) -> BadInput:
    fault = (
        f"{counters[0]} counts frames" if counters else f"none of {len(columns)} columns is surely one"
    )
    return BadInput(
        f"{path}: wanted a column with a time for each frame, increasing at 1 to 240 frames/s, and "
        f"{fault}: name the column with extract.source.timestamp_column (and timestamp_unit), or set "
        "extract.source.timestamps to 'even' and its frames_per_second."
    )


def _is_named(column: Column, words: set[str]) -> bool:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column.name)
    return bool(words & set(re.findall(r"[a-z]+", apart.lower())))


def _is_time(column: Column) -> bool:
    """Return whether a name is one of times; a unit alone may be an exposure's, so it must grow."""
    if _is_named(column, TIMES):
        return True
    return clocks.named_unit(column.name) is not None and clocks.interval(column.values) > 0


def _is_clear(column: Column, columns: list[Column], counters: list[Column]) -> bool:
    """Return whether a column that no name calls a clock can be nothing else."""
    if len(columns) == 1 or column.kind != "number":
        return True
    # Times usually come first, and what counts something else does not do so evenly.
    return not column.name and (_is_regular(column) or (column.number == 0 and not counters))


def _is_counter(column: Column) -> bool:
    """Return whether a column counts frames: steps of one, or even ones under such a name."""
    if column.kind != "number":
        return False
    if clocks.counts_frames(column.values):
        return True
    if not _is_named(column, COUNTS) or _is_named(column, TIMES):
        return False
    steps = np.diff(column.values)
    return bool(np.ptp(steps) <= 1e-9 * np.abs(column.values).max()) if len(steps) > 1 else False


def _is_regular(column: Column) -> bool:
    steps = np.diff(column.values)
    middle = np.nanmedian(steps)
    return bool(np.nanmedian(np.abs(steps - middle)) <= REGULAR * middle)


def _is_broken(column: Column) -> bool:
    """Return whether a column has cells that cannot be read, or stands still or goes back at times.

    It is refused when it is read, with the place of the fault.
    """
    steps = np.diff(column.values)
    return not bool(np.isfinite(column.values).all()) or bool(0 < (steps <= 0).sum() < len(steps))
