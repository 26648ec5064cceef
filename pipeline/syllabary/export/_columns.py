"""Columns of exported tables: their order, units and meanings."""

import itertools
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

import pandas as pd

from ..errors import BadInput, ShapeError

__all__ = ["ColumnMeaning", "Tables", "describe", "frames", "parts"]

Tables: TypeAlias = Mapping[str, pd.DataFrame | Iterable[pd.DataFrame]]


class ColumnMeaning(NamedTuple):
    """Unit (empty if it has none) and meaning of a column."""

    unit: str
    meaning: str


MEANINGS = {
    "recording": "recording, as in recordings.tsv",
    "subject": "animal",
    "group": "group that is compared",
    "role": "train, held_out (scored, never fitted) or apply (segmented only)",
    "verdict": "quality of the recording: good, warn or reject; recordings left out are not here",
    "used": "the recording counts in tables and figures",
    "reasons": "why the recording got a warning or was rejected",
    "frame": "frame of the source video from 0, -1 where it was dropped",
    "syllable": "syllable, 0 is the most frequent; -1 = unlabeled",
    "state": "most probable state of the model; a syllable may have several; -1 = unlabeled",
    "states": "states of the model that are this syllable",
    "name": "name of the syllable that people gave, empty without a name",
    "probability": "probability of the syllable (bouts: mean) or of the transition",
    "entropy_nats": "uncertainty: entropy of the posterior over syllables",
    "surprise_nats": "negative log likelihood of the frame, predicted one step ahead",
    "bout": "number of the bout within its recording, from 0",
    "time_s": "time since the first frame",
    "x_px": "column of the animal in the frame, from 0",
    "y_px": "row of the animal in the frame, from 0",
    "px_mm": "side of a pixel of the frame on the floor below the animal",
    "x_mm": "position from the center of the arena, to the right in the image",
    "y_mm": "position from the center of the arena, down in the image",
    "heading_rad": "direction the animal faces, from +x toward +y",
    "speed_mm_s": "speed on the floor",
    "turning_rad_s": "turning speed, positive is clockwise from above",
    "length_mm": "length of the body",
    "width_mm": "width of the body",
    "height_mm": "mean height above the floor",
    "height_max_mm": "highest point above the floor",
    "rising_mm_s": "speed at which the highest point rises",
    "area_mm2": "area of the body seen from above",
    "center_distance_mm": "distance from the center of the arena",
    "wall_distance_mm": "distance from the wall",
    "start_tick": "first row of the bout in its recording",
    "stop_tick": "first row after the bout",
    "start_s": "start of the bout",
    "stop_s": "end of the bout",
    "duration_s": "length of the bout",
    "ticks": "ticks of the syllable, including dropped frames",
    "usage": "share of labeled time, 0 to 1",
    "bouts": "number of bouts",
    "bouts_per_min": "bouts in a minute of labeled time",
    "total_s": "length of all bouts",
    "median_duration_s": "median length of a bout",
    "from_syllable": "syllable that ends",
    "to_syllable": "syllable that follows directly",
    "count": "number of transitions",
    "comparison": "groups that are compared",
    "compared": "column of recordings.tsv that is compared",
    "test": "statistical test",
    "unit": "column of recordings.tsv whose values are the units of the test; subject is the animal",
    "group_a": "first group",
    "group_b": "second group",
    "subjects_a": "animals (units) of the first group that are compared",
    "subjects_b": "animals (units) of the second group that are compared",
    "subjects_left_out": "animals (units) without a partner in a paired test, or without the measure",
    "mean_a": "mean of the first group, in the unit of the measure",
    "low_a": "lower end of the bootstrap interval of mean_a",
    "high_a": "upper end of the bootstrap interval of mean_a",
    "mean_b": "mean of the second group, in the unit of the measure",
    "low_b": "lower end of the bootstrap interval of mean_b",
    "high_b": "upper end of the bootstrap interval of mean_b",
    "difference": "mean of the second group minus the first; Hellinger distance of profiles",
    "effect_size": "Hedges' g; mean difference over its SD for pairs; share of squares for profiles",
    "statistic": "test statistic",
    "p": "p value of this test, not adjusted",
    "q": "p value adjusted over all tests of the table (Benjamini-Hochberg)",
    "measure": "what is compared: of a syllable, or of the whole behavior (no syllable)",
    "detectable_effect": "effect size that so many units find four times in five at p < 0.05",
    "p_smallest": "smallest p value that the permutations of the design can give",
    "q_alone": "q of the smallest p value if no other test of the table finds anything",
}  # fmt: skip
# The first match counts, so that longer endings come first.
UNITS = {
    "_per_min": "1/min",
    "_mm_s": "mm/s",
    "_rad_s": "rad/s",
    "_nats": "nats",
    "_mm2": "mm^2",
    "_rad": "rad",
    "_mm": "mm",
    "_px": "px",
    "_s": "s",
}


def describe(columns: Iterable[Hashable]) -> dict[str, ColumnMeaning]:
    """Return unit and meaning of each column; both are empty for columns of the user.

    Parameters
    ----------
    columns : iterable of str
        Names of columns.
    """
    return {
        str(name): ColumnMeaning(
            next((unit for ending, unit in UNITS.items() if str(name).endswith(ending)), ""),
            MEANINGS.get(str(name), ""),
        )
        for name in columns
    }


def frames(form: str, tables: Tables, needed: Iterable[str]) -> Iterator[pd.DataFrame]:
    """Return the frames of each recording; a missing table or column is told before any is read.

    Parameters
    ----------
    form : str
        Name of the format, for messages.
    tables : mapping of name to DataFrame or iterable of DataFrames
    needed : iterable of str
        Columns that the format reads.

    Raises
    ------
    BadInput
        There is no table ``frames``, or it lacks a column.
    """
    divided = parts("frames", tables.get("frames", []))
    if divided is None:
        raise BadInput(f"the format {form!r} needs the table 'frames', which has no recording.")
    first, rest = divided
    missing = sorted(set(needed) - set(first))
    if missing:
        raise BadInput(f"the table 'frames' lacks {', '.join(missing)}, which {form!r} needs.")
    return itertools.chain([first], rest)


def parts(
    name: str, table: pd.DataFrame | Iterable[pd.DataFrame]
) -> tuple[pd.DataFrame, Iterator[pd.DataFrame]] | None:
    """Return the first part of a table and an iterator of the rest, or None without parts.

    All parts get the columns of the first, in its order.

    Parameters
    ----------
    name : str
        Name of the table, for the message.
    table : DataFrame or iterable of DataFrames

    Raises
    ------
    ShapeError
        While iterating: two parts have different columns.
    """
    everything = iter([table] if isinstance(table, pd.DataFrame) else table)
    first = next(everything, None)
    return None if first is None else (first, (_like(name, first, part) for part in everything))


def _like(name: str, first: pd.DataFrame, part: pd.DataFrame) -> pd.DataFrame:
    if set(part) != set(first):
        odd = ", ".join(sorted(map(str, set(part) ^ set(first))))
        raise ShapeError(f"table {name}: the parts of two recordings differ in the column {odd}.")
    return part[list(first)]
