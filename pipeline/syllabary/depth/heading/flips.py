"""Corrections of the head end by a person: ``config/flips/<recording>.tsv``.

A row has the columns ``start_frame``, ``stop_frame`` (the first frame after it) and ``action``,
which is ``reverse``: in these frames head and tail of the automatic answer are exchanged.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from ...records import tsv
from .decode import Headings

__all__ = ["apply", "read", "refuse", "require"]

COLUMNS = ("start_frame", "stop_frame", "action")
ACTION = "reverse"


def read(path: Path | str | None, frames: int) -> npt.NDArray[np.bool_]:
    """Return which frames of a recording are to be reversed, (frames,); none without a table.

    Raises
    ------
    BadInput
        The table is missing, lacks a column, or has a row that names no frames of the recording,
        overlaps another, or has an action other than ``reverse``.
    """
    reverse = np.zeros(frames, bool)
    if path is None:
        return reverse
    require(path)
    table = tsv.read(path, COLUMNS)
    for line, first, last, action in table[list(COLUMNS)].itertuples():
        if action != ACTION:
            raise BadInput(f"{path}, line {line}: the action is {action!r}; the only one is {ACTION!r}.")
        if not (first.isascii() and first.isdigit() and last.isascii() and last.isdigit()):
            raise BadInput(
                f"{path}, line {line}: frames {first!r} to {last!r}; wanted whole numbers from 0."
            )
        start, stop = int(first), int(last)
        if not start < stop <= frames:
            raise BadInput(
                f"{path}, line {line}: frames {start} to {stop}; the recording has 0 to "
                f"{frames - 1}, and stop_frame is the first one that is right again (up to {frames})."
            )
        if reverse[start:stop].any():
            raise BadInput(
                f"{path}, line {line}: some of these frames are in an earlier line; name each once."
            )
        reverse[start:stop] = True
    return reverse


def require(path: Path | str) -> None:
    """Raise ``BadInput`` unless the table is there."""
    if not Path(path).is_file():
        raise BadInput(f"{path}: no such file; a flip list has the columns {', '.join(COLUMNS)}.")


def apply(headings: Headings, reverse: npt.NDArray[np.bool_]) -> Headings:
    """Exchange head and tail in some frames, with confidence 1."""
    turned = headings.heading_rad + np.pi * reverse
    confidence = np.where(reverse & np.isfinite(headings.confidence), 1.0, headings.confidence)
    return Headings(np.pi - (np.pi - turned) % (2 * np.pi), confidence)


def refuse(path: Path | str | None, recording: Path | str) -> None:
    """Raise ``BadInput`` if there is a table for a recording that was extracted already."""
    if path is not None:
        raise BadInput(
            f"{path}: {recording} holds crops that MoSeq2 has cut and turned; a flip list needs the raw "
            "recording. Name that in recordings.tsv, or remove the list."
        )
