"""The file of timestamps beside a recording, and how it is matched to frames.

``extract.source.timestamps`` decides where frames and timestamps do not match: ``strict`` refuses the
recording, ``cut`` pairs them from the start and drops the rest, ``even`` ignores timestamps and spaces
frames evenly.
"""

from array import array
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from .. import ticks
from ..settings import SourceSettings

__all__ = ["beside", "first_column", "match", "require"]

Times = npt.NDArray[np.float64]
UNITS_S = {"s": 1.0, "ms": 1e-3}
# A longer line is not one of timestamps.
MAX_LINE = 1 << 16


def beside(recording: Path) -> tuple[Path, str] | None:
    """Return the file of timestamps of a recording and its unit; None if there is none.

    ``<name>_ts.txt`` and ``depth_ts.txt`` begin their lines with milliseconds, ``<name>_timestamps.csv``
    and ``timestamps.csv`` with seconds.
    """
    names = (
        (f"{recording.stem}_ts.txt", "ms"),
        (f"{recording.stem}_timestamps.csv", "s"),
        ("depth_ts.txt", "ms"),
        ("timestamps.csv", "s"),
    )
    for name, unit in names:
        path = recording.with_name(name)
        if path.is_file():
            return path, unit
    return None


def require(recording: Path, settings: SourceSettings) -> None:
    """Check that a file of timestamps which is needed is there, and holds numbers that increase."""
    if settings.timestamps != "even":
        path, times = _read(recording, settings, None)
        ticks.require(times, path)


def match(
    recording: Path,
    frames: int,
    settings: SourceSettings,
    *,
    inside: Times | None = None,
) -> Times:
    """Return the time of each frame, s.

    Parameters
    ----------
    recording : path
        File of the frames, beside which timestamps are looked for.
    frames : int
        How many there are.
    inside : (n,) float64, optional
        Times that the file itself holds, s, for where there are none beside it.

    Returns
    -------
    (F,) float64
        F is ``frames``, or fewer where the setting ``cut`` left some out.

    Raises
    ------
    BadInput
        There are no timestamps, not one for each frame, or they do not increase.
    """
    if frames < 1:
        raise BadInput(f"{recording}: holds no frame; copy the recording again.")
    if settings.frames_per_second is not None:
        return np.arange(frames) / settings.frames_per_second
    path, times = _read(recording, settings, inside)
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
    ticks.require(times, path)
    return times


def _read(recording: Path, settings: SourceSettings, inside: Times | None) -> tuple[Path, Times]:
    companion = beside(recording)
    if companion is not None:
        path, unit = companion
        return path, first_column(path) * UNITS_S[settings.timestamp_unit or unit]
    if inside is not None:
        return recording, inside
    raise BadInput(
        f"{recording.parent}: no {recording.stem}_ts.txt (milliseconds) nor timestamps.csv (seconds) "
        f"beside {recording.name}; wanted one line per frame: copy the file from the acquisition "
        "machine, or set extract.source.timestamps to 'even' and its frames_per_second."
    )


def first_column(path: Path) -> Times:
    """Return the first number of each line; a first line of words is a header.

    Columns are parted by commas, semicolons or blanks; empty lines do not count.
    """
    numbers = array("d")
    header = None
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE):
            words = line.replace(b",", b" ").replace(b";", b" ").split(None, 1)
            if not words:
                continue
            try:
                numbers.append(float(words[0]))
            except ValueError:
                if len(numbers) or header is not None:
                    text = words[0][:40].decode(errors="replace")
                    raise BadInput(
                        f"{path}: timestamp {len(numbers) + 1} is {text!r}, not a number; copy the "
                        "file again, or set extract.source.timestamps to 'even'."
                    ) from None
                header = words[0]
    return np.frombuffer(numbers, np.float64).copy()
