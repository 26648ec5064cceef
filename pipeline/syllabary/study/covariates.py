"""Covariates: columns of the table of recordings that only its user knows, such as sex or dose."""

import re
from pathlib import Path

import pandas as pd

from ..errors import BadInput
from ..export.settings import taken_names

__all__ = ["covariates", "typed_covariates"]

# Columns of the table that have a meaning here.
OURS = ("recording", "path", "subject", "group", "role")
# A plain number; text such as 007, 1e5 or the 16 digits of a chip is a name, and stays one.
NUMBER = re.compile(r"[+-]?(0|[1-9]\d*)(\.\d+)?")
MAX_DIGITS = 15


def covariates(table: pd.DataFrame) -> list[str]:
    """Return the names of the covariates of a table of recordings, in its order.

    Parameters
    ----------
    table : DataFrame
        The table of recordings.
    """
    return [str(name) for name in table if name not in OURS]


def typed_covariates(path: Path | str, table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with covariates as numbers, if all values of a column are, or as text.

    Parameters
    ----------
    path : path
        Of the table, for messages.
    table : DataFrame
        Text; an empty cell is an empty string. A column without a name and without values is dropped.

    Returns
    -------
    DataFrame
        Columns of numbers are float64, NaN where empty.

    Raises
    ------
    BadInput
        A covariate has a name that tables of results have already.
    """
    typed = table.copy()
    taken = {name.lower() for name in (*OURS, *taken_names())}
    for name in covariates(table):
        values = table[name].astype(str)
        if name.lower() in taken:
            raise BadInput(
                f"{path}: the column {name!r} has the name of a column of the results; rename it, for "
                f"example to 'my_{name.lower()}'."
            )
        elif _are_numbers(values[values != ""]):
            typed[name] = values.where(values != "").astype("float64")
    return typed


def _are_numbers(values: pd.Series) -> bool:
    return bool(len(values)) and all(
        NUMBER.fullmatch(text) and sum(map(str.isdigit, text)) <= MAX_DIGITS for text in values
    )
