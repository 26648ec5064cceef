"""Recordings of different frame rates on one clock: that of a study, and of its models.

Crops stay at the rate of their recording. A model reads them on a regular clock of its own rate, by
``on_clock``: each frame goes to the tick nearest in time, and of several frames of a tick the nearest
stays. A tick without a frame is missing, as if the camera had dropped it; nothing is made up. Results of
the model go back to the recording by ``Clock.tick_of_row``.

A recording whose rate is the model's, up to ``SAME_RATE``, is read as it is.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .crops import Crops

__all__ = [
    "SAME_RATE",
    "Clock",
    "clock_of",
    "clock_to",
    "on_clock",
    "rate_of",
    "same_rate",
    "usual_rate",
]

# Rates that differ by less are the same; cameras of 29.97 and 30 frames per second are.
SAME_RATE = 0.02
# Smallest rate of a recording, as a share of the model's: below, most ticks would be made up.
MIN_SHARE = 0.4
# Ticks; a frame in the middle between two ticks goes to the earlier one in spite of rounded times.
ROUNDED = 0.01

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
V = TypeVar("V", bound=np.generic)


class Clock(NamedTuple):
    """A recording's frames on a clock of another rate: T ticks, R rows of the crops.

    Attributes
    ----------
    fps : float
        Ticks per second.
    row : (T,) int64
        Row of the crops of each tick; -1 = the tick has no frame.
    time_s : (T,) float64
        Of the ticks.
    at : (T,) float64
        True time of the tick's frame, in ticks; that of the tick itself where it has none.
    tick_of_row : (R,) int64
        Tick nearest in time to each row of the crops.
    gap : int
        Ticks without a frame between two frames in a row that were not dropped.
    """

    fps: float
    row: Ints
    time_s: Array
    at: Array
    tick_of_row: Ints
    gap: int

    def take(self, values: npt.NDArray[V], missing: V | float) -> npt.NDArray[V]:
        """Return rows (R, ...) of the recording by tick (T, ...), ``missing`` where there is none."""
        taken = values[np.maximum(self.row, 0)].copy()
        taken[self.row < 0] = missing
        return taken

    def cut(self, start: int, stop: int) -> "Clock":
        """Return the clock of ticks [start, stop) and of their frames alone."""
        rows = slice(*self.tick_of_row.searchsorted([start, stop]))
        row = self.row[start:stop]
        return self._replace(
            row=np.where(row < 0, -1, row - rows.start),
            time_s=self.time_s[start:stop],
            at=self.at[start:stop] - start,
            tick_of_row=self.tick_of_row[rows] - start,
        )


class _OnClock(Crops):
    """Crops read by the ticks of a clock. Heights are 0 and not observed where a tick has no frame."""

    def __init__(self, crops: Crops, clock: Clock) -> None:
        vars(self).update(vars(crops))
        self._crops, self.clock = crops, clock
        self.frame = clock.take(crops.frame, -1)
        self.time_s = clock.time_s
        missing = clock.row < 0
        for name in ("scalars", "tracking"):
            rows = getattr(crops, name).iloc[np.maximum(clock.row, 0)].reset_index(drop=True)
            for column in rows:
                rows.loc[missing, column] = False if rows[column].dtype == bool else np.nan
            setattr(self, name, rows)

    def heights(self, start: int = 0, stop: int | None = None) -> npt.NDArray[np.uint8]:
        """Return heights of ticks [start, stop), counts, 0 = floor."""
        return self._taken(self._crops.heights, np.uint8, start, stop)

    def observed(self, start: int = 0, stop: int | None = None) -> npt.NDArray[np.bool_]:
        """Return which pixels of ticks [start, stop) were measured."""
        return self._taken(self._crops.observed, np.bool_, start, stop)

    def _taken(
        self,
        read: Callable[[int, int], npt.NDArray[V]],
        dtype: type[V],
        start: int,
        stop: int | None,
    ) -> npt.NDArray[V]:
        row = self.clock.row[start:stop]
        present = row >= 0
        taken = np.zeros((len(row), *self.size), dtype)
        if present.any():
            first = int(row[present].min())
            block = read(first, int(row[present].max()) + 1)
            taken[present] = block[row[present] - first]
        return taken


def rate_of(time_s: Array) -> float:
    """Return the rate of a recording's times (R,), frames per second; 30 of less than two frames."""
    return float(1 / np.median(np.diff(time_s))) if len(time_s) > 1 else 30.0


def usual_rate(rates: Sequence[float], durations_s: Sequence[float]) -> float:
    """Return the rate that most of the time was recorded at; of two the higher one.

    Parameters
    ----------
    rates, durations_s : sequences
        Of recordings. Rates that are the same up to ``SAME_RATE`` count together.

    Returns
    -------
    float
        The rate of a recording, never a mean.
    """
    longest = max(
        rates,
        key=lambda rate: (
            round(sum(s for r, s in zip(rates, durations_s, strict=True) if same_rate(r, rate)), 1),
            rate,
        ),
    )
    alike = sorted(rate for rate in rates if same_rate(rate, longest))
    return alike[len(alike) // 2]


def same_rate(rate: float, other: float) -> bool:
    """Return whether two rates are those of one clock."""
    return abs(rate / other - 1) <= SAME_RATE


def clock_to(time_s: Array, fps: float, *, has_frame: npt.NDArray[np.bool_]) -> Clock:
    """Return the clock of a rate for a recording.

    Parameters
    ----------
    time_s : (R,) float64
        Ascending, s.
    fps : float
        Ticks per second.
    has_frame : (R,) bool
        Rows that were not dropped; others take no tick.
    """
    where = (time_s - time_s[0]) * fps
    tick_of_row = np.maximum(np.ceil(where - 0.5 - ROUNDED), 0).astype(np.int64)
    ticks = int(tick_of_row[-1]) + 1
    row, at = np.full(ticks, -1, np.int64), np.arange(ticks, dtype=np.float64)
    rows = np.flatnonzero(has_frame)
    # The nearest frame of each tick is written last.
    rows = rows[np.argsort(-np.abs(where[rows] - tick_of_row[rows]), kind="stable")]
    row[tick_of_row[rows]] = rows
    present = row >= 0
    at[present] = where[row[present]]
    time = time_s[0] + np.arange(ticks) / fps
    gap = max(0, int(np.ceil(fps / rate_of(time_s) - SAME_RATE)) - 1)
    return Clock(fps, row, time, at, tick_of_row, gap)


def clock_of(crops: Crops) -> Clock | None:
    """Return the clock that crops are read on, or None if they are read as they are."""
    clock = vars(crops).get("clock")
    assert clock is None or isinstance(clock, Clock)
    return clock


def on_clock(crops: Crops, fps: float) -> Crops:
    """Return crops on a clock; the same crops if that is their own, or they are on one already.

    Parameters
    ----------
    crops : Crops
        Open; closed together with what is returned.
    fps : float
        Ticks per second; 0 = the recording's own.

    Raises
    ------
    BadInput
        The recording has too few frames per second.
    """
    rate = rate_of(crops.time_s)
    if not fps or clock_of(crops) or len(crops) < 2 or same_rate(rate, fps):
        return crops
    if rate < MIN_SHARE * fps:
        raise BadInput(
            f"{crops.path}: was recorded at {rate:.3g} frames/s, too few for a model at {fps:.3g} (at "
            f"least {MIN_SHARE * fps:.3g}); leave the recording out, or set reduce.frames_per_second to "
            "a lower rate and fit again."
        )
    return _OnClock(crops, clock_to(crops.time_s, fps, has_frame=crops.frame >= 0))
