"""Timestamps to the ticks of the recording's clock; dropped frames become missing ticks.

Interval i spans max(1, round(dt_i / median dt)) ticks. Each interval is judged by itself: a
global grid round((t - t0) / dt) accumulates the clock's drift and invents gaps.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Ticks", "from_timestamps"]


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
