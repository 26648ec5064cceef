"""The table of recordings: animals, groups, and the role of each recording."""

import hashlib
from pathlib import Path

import pandas as pd

from ..errors import BadInput
from ..records import tsv
from .config import NAME

__all__ = ["SIMULATED", "read_recordings"]

SIMULATED = "simulated"
ROLES = ("train", "held_out", "apply")
REQUIRED = ("recording", "path", "subject", "group")
HELD_OUT_FROM = 4  # animals in a group
HELD_OUT_SHARE = 5  # one animal in five


def read_recordings(path: Path | str) -> pd.DataFrame:
    """Read and check the table of recordings; decide the role of each.

    Returns
    -------
    DataFrame
        Indexed by recording: ``recording, path, subject, group, role`` and covariates.

    Raises
    ------
    BadInput
        The table is missing, lacks a column, names a recording twice, or has a bad value.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(
            f"{path}: no table of recordings; write one with the columns {', '.join(REQUIRED)} "
            "(config/README.md shows how), or name another with the setting 'recordings'."
        )
    table = tsv.read(path, REQUIRED)
    if table.empty:
        raise BadInput(f"{path}: lists no recording; add a row for each.")
    for name in REQUIRED:
        empty = table.index[table[name] == ""]
        if len(empty):
            raise BadInput(f"{path}, line {empty[0]}: no {name}; every recording needs one.")
    for line, name in table["recording"].items():
        if not NAME.fullmatch(name):
            raise BadInput(
                f"{path}, line {line}: recording name {name!r} becomes a file name; use at most 100 "
                "letters, digits, '_', '.' and '-', and start with a letter or digit."
            )
    _require_once(path, table["recording"].str.lower(), table["recording"], "name")
    real = table[table["path"] != SIMULATED]
    _require_once(path, real["path"].map(_place), real["path"], "path")
    for subject, rows in table.groupby("subject"):
        if len(rows["group"].unique()) > 1:
            raise BadInput(
                f"{path}: subject {subject!r} is in the groups {', '.join(rows['group'].unique())}; "
                "an animal belongs to one group (make the condition a covariate column instead)."
            )
    roles = table["role"] if "role" in table else pd.Series("", table.index)
    wrong = table.index[~roles.isin(["", *ROLES])]
    if len(wrong):
        raise BadInput(
            f"{path}, line {wrong[0]}: role {roles[wrong[0]]!r}; wanted {', '.join(ROLES)}, or nothing."
        )
    table["role"] = roles.where(roles != "", _default_roles(table[roles == ""]))
    for subject, rows in table.groupby("subject"):
        if {"train", "held_out"} <= set(rows["role"]):
            raise BadInput(
                f"{path}: subject {subject!r} has recordings to train on and held out; what is held out "
                "must be animals that no model has seen."
            )
    if not (table["role"] == "train").any():
        raise BadInput(f"{path}: no recording has the role 'train'; a model needs at least one.")
    return table.set_index("recording", drop=False)


def _place(path: str) -> Path:
    """The folder or file that a path means, however it is spelled."""
    place = Path(path).resolve()
    return place.parent if place.name == "depth.dat" else place


def _require_once(path: Path, keys: pd.Series, shown: pd.Series, what: str) -> None:
    again = keys.index[keys.duplicated()]
    if len(again):
        first = keys.index[keys == keys[again[0]]][0]
        raise BadInput(
            f"{path}, line {again[0]}: the {what} {shown[again[0]]!r} is already on line {first}; list "
            "each recording once."
        )


def _default_roles(table: pd.DataFrame) -> pd.Series:
    """One animal in five is held out, in every group of four or more, by a digest of its name."""
    roles = pd.Series("train", table.index, dtype="object")
    for _, rows in table.groupby("group"):
        subjects = sorted(
            rows["subject"].unique(), key=lambda s: hashlib.blake2b(s.encode()).hexdigest()
        )
        if len(subjects) >= HELD_OUT_FROM:
            held_out = subjects[: max(1, round(len(subjects) / HELD_OUT_SHARE))]
            roles[rows.index[rows["subject"].isin(held_out)]] = "held_out"
    return roles
