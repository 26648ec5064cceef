"""The table of recordings: animals, groups, the role of each recording, and covariates."""

import hashlib
import unicodedata
from pathlib import Path, PureWindowsPath

import pandas as pd

from ..errors import BadInput
from ..records import tsv
from .config import NAME, is_reserved
from .covariates import covariates, typed_covariates

__all__ = ["SIMULATED", "read_recordings", "rows"]

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
        Indexed by recording: ``recording, path, subject, group, role`` and covariates, which are
        text or, if all values of a column are numbers, float64.

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
        if is_reserved(name):
            raise BadInput(
                f"{path}, line {line}: recording name {name!r} is no file on some computers; rename it."
            )
    _require_once(path, table["recording"].str.casefold(), table["recording"], "name")
    table["path"] = table["path"].map(_existing)
    real = table[table["path"] != SIMULATED]
    _require_once(path, real["path"].map(_place), real["path"], "path")
    table = typed_covariates(path, table)
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


def rows(table: pd.DataFrame, *, with_covariates: bool = True) -> list[dict[str, str | float | None]]:
    """Return the rows that steps take: recording, subject, group and role, then the covariates.

    Parameters
    ----------
    table : DataFrame
        Result of ``read_recordings``, or rows of it.
    with_covariates : bool
        A step that does not use covariates does not depend on them.

    Returns
    -------
    list of dict
        Values are text, numbers, or None where the table is empty.
    """
    names = ["recording", "subject", "group", "role"] + (covariates(table) if with_covariates else [])
    columns = {
        name: [None if value == "" or pd.isna(value) else value for value in table[name].tolist()]
        for name in names
    }
    return [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _existing(path: str) -> str:
    """Return the spelling of a path that exists: of accents, of the home folder, of Windows.

    File systems differ in whether an accented letter is one character or two.
    """
    if path == SIMULATED or _exists(path):
        return path
    home = path
    if path.startswith("~"):
        try:
            home = str(Path(path).expanduser())
        except RuntimeError:  # no such user
            home = path
    for spelling in (home, PureWindowsPath(home).as_posix()):
        for form in (spelling, *(unicodedata.normalize(f, spelling) for f in ("NFC", "NFD"))):
            if _exists(form):
                return form
    return path


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # a name that is too long, or that no file can have
        return False


def _place(path: str) -> Path:
    """The folder or file that a path means, however it is spelled."""
    try:
        place = Path(path).resolve()
    except (OSError, ValueError, RuntimeError):  # links in a circle
        place = Path(path)
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
    """One animal in five is held out, in every group of four or more, by a digest of its name.

    Animals that are in the same several groups are held out or trained on in all of them.
    """
    roles = pd.Series("train", table.index, dtype="object")
    alike: dict[tuple[str, ...], list[str]] = {}
    for subject, rows in table.groupby("subject"):
        alike.setdefault(tuple(sorted(rows["group"].unique())), []).append(str(subject))
    for members in alike.values():
        subjects = sorted(members, key=lambda s: hashlib.blake2b(s.encode()).hexdigest())
        if len(subjects) >= HELD_OUT_FROM:
            held_out = subjects[: max(1, round(len(subjects) / HELD_OUT_SHARE))]
            roles[table["subject"].isin(held_out)] = "held_out"
    return roles
