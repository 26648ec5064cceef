"""Timestamps to the ticks of the recording's clock; dropped frames become missing ticks.

Interval i spans max(1, round(dt_i / median dt)) ticks. Each interval is rounded separately, because a
global grid round((t - t0) / dt) would accumulate the clock's drift and report false gaps.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from . import clocks

__all__ = ["Ticks", "from_timestamps", "require"]

# A file that lacks more than 19 ticks in 20 is no recording; a short one may begin with a pause.
MAX_TICKS_PER_FRAME = 20
SPARE_TICKS = 1000


class Ticks(NamedTuple):
    """The clock of a recording of F frames and T ticks.

    Attributes
    ----------
    of_frame : (F,) int64
        Tick of each frame, increasing from 0.
    frame : (T,) int32
        Frame of each tick, -1 where it was dropped.
    time_s : (T,) float64
        Time of each tick from the first frame, s; evenly spread inside a gap.
    """

    of_frame: npt.NDArray[np.int64]
    frame: npt.NDArray[np.int32]
    time_s: npt.NDArray[np.float64]


def from_timestamps(timestamps_s: npt.NDArray[np.float64]) -> Ticks:
    """Place frames on ticks.

    Parameters
    ----------
    timestamps_s : (F,) float64
        Strictly increasing times, s; F may be 0 or 1.
    """
    times = np.asarray(timestamps_s, np.float64)
    times = times - times[:1]
    intervals = np.diff(times)
    of_frame = np.zeros(len(times), np.int64)
    if len(intervals):
        spans = np.maximum(1, np.rint(intervals / np.median(intervals))).astype(np.int64)
        of_frame[1:] = np.cumsum(spans)
    count = int(of_frame[-1]) + 1 if len(times) else 0
    frame = np.full(count, -1, np.int32)
    frame[of_frame] = np.arange(len(times))
    time_s = np.interp(np.arange(count), of_frame, times) if count else np.zeros(0)
    return Ticks(of_frame, frame, time_s)


def require(
    timestamps_s: npt.NDArray[np.float64],
    where: Path | str,
    *,
    video_rate: float | None = None,
    way_out: str = "correct them, or set extract.source.timestamps to 'even'",
) -> None:
    """Check that times are those of one recording.

    Parameters
    ----------
    timestamps_s : (F,) float64
        Times of the frames, s.
    where : path
        What holds them, for the message.
    video_rate : float, optional
        Frames/s that the video itself states.
    way_out : str
        What to do about wrong ones, for the message.

    Raises
    ------
    BadInput
        A time is not a number or not after the one before it, the rate is no camera's or not the
        video's own, or gaps are so long that hardly any tick has a frame.
    """
    wrong = ~np.isfinite(timestamps_s)
    wrong[1:] |= ~(timestamps_s[1:] > timestamps_s[:-1])
    if wrong.any():
        at = int(np.argmax(wrong))
        raise BadInput(
            f"{where}: timestamp {at + 1} is {timestamps_s[at]:.10g} s, not after the one before it; "
            "timestamps must be numbers that increase: two recordings in one file, or a clock that was "
            f"set back? If so, {way_out}."
        )
    if len(timestamps_s) > 1:
        with np.errstate(over="ignore", invalid="ignore"):
            intervals = np.diff(timestamps_s)
            interval = float(np.median(intervals))
            ticks = (timestamps_s[-1] - timestamps_s[0]) / interval
        clocks.require_times(timestamps_s, where, video_rate=video_rate)
        if not ticks < MAX_TICKS_PER_FRAME * len(timestamps_s) + SPARE_TICKS:
            at = int(np.argmax(intervals))
            raise BadInput(
                f"{where}: {len(timestamps_s)} frames in {ticks:.3g} intervals of their clock; after "
                f"timestamp {at + 1} comes a gap of {intervals[at]:.6g} s: two recordings in one file, "
                f"or damaged timestamps? If so, {way_out}."
            )
