"""A bout that a person labeled, and the numbers in tables of bouts."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..errors import BadInput

__all__ = ["LabeledBout", "Row", "number"]

# Line of the file, and cells by column.
Row = tuple[int, Mapping[str, str]]


class LabeledBout(NamedTuple):
    """One labeled bout.

    Attributes
    ----------
    line : int
        Line of the file; that of the START if the bout has two.
    recording : str
    start_s, stop_s : float
        Half-open interval on the recording's clock, s.
    behavior, annotator : str
    confidence : float
        0 to 1.
    """

    line: int
    recording: str
    start_s: float
    stop_s: float
    behavior: str
    annotator: str = ""
    confidence: float = 1.0


def number(path: Path, line: int, name: str, text: str) -> float:
    """Return the number in a cell.

    Parameters
    ----------
    path : Path
    line : int
    name : str
        Place of the cell, for the message.
    text : str
        Content of the cell.

    Raises
    ------
    BadInput
        The text is not a finite number.
    """
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        unit = "a number" if name == "confidence" else "seconds"
        raise BadInput(
            f"{path}, line {line}: {name} is {text!r}; wanted {unit}, with a point for decimals."
        )
    return value
