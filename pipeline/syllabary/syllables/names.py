"""Syllables in words: ``names.tsv`` with the columns ``syllable`` and ``name``.

People write this table; ``propose`` suggests names by physical rules. A suggested name ends in a
question mark until a person removes it.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ..errors import BadInput
from ..records import files, tsv

__all__ = ["propose", "read", "require", "write"]

# Limits for a mouse, for means over a syllable, in the order of the rules.
RISING_MM_S = 50.0
REAR_MM = 60.0  # highest point; on four feet it is 33 to 45 mm
DART_MM_S = 150.0
TURN_RAD_S = 1.0
WALK_MM_S = 50.0
STILL_MM_S = 10.0


def read(path: Path | str) -> dict[int, str]:
    """Read the names of syllables; rows without a name are skipped.

    Parameters
    ----------
    path : path
        ``names.tsv``.

    Raises
    ------
    BadInput
        The file is missing, lacks a column, names a syllable twice, or has a syllable that is
        not a number.
    """
    if not Path(path).is_file():
        raise BadInput(f"{path}: no such file; 'names.tsv' has the columns syllable and name.")
    table = tsv.read(path, ("syllable", "name"))
    table = table[(table["syllable"] != "") | (table["name"] != "")]
    wrong = table["syllable"][~table["syllable"].str.fullmatch(r"[0-9]{1,5}").astype(bool)]
    if len(wrong):
        raise BadInput(
            f"{path}, line {wrong.index[0]}: syllable {wrong.iloc[0]!r} is not a number; syllables are "
            "0, 1, 2, ..."
        )
    table = table[table["name"] != ""]
    numbers = table["syllable"].astype(int)
    if numbers.duplicated().any():
        raise BadInput(
            f"{path}: syllable {numbers[numbers.duplicated()].iloc[0]} has two names; keep one."
        )
    return dict(zip(numbers.tolist(), table["name"].tolist(), strict=True))


def require(path: Path | str, names: Mapping[int, str], syllables: int) -> None:
    """Require that named syllables are those of the model.

    Parameters
    ----------
    path : path
        Name of the file, for the message.
    names : mapping of syllable to name
        Result of ``read``.
    syllables : int
        Number of syllables of the model.

    Raises
    ------
    BadInput
        There is no such syllable.
    """
    unknown = [syllable for syllable in names if syllable >= syllables]
    if unknown:
        raise BadInput(
            f"{path}: names syllable {unknown[0]} {names[unknown[0]]!r}, but the model has {syllables} "
            f"syllables, 0 to {syllables - 1}; correct the table, or remove the row."
        )


def write(path: Path | str, names: Mapping[int, str] | pd.DataFrame) -> None:
    """Write names, or the table of ``propose``, whole or not at all.

    Parameters
    ----------
    path : path
    names : mapping of syllable to name, or DataFrame
    """
    if not isinstance(names, pd.DataFrame):
        names = pd.DataFrame({"syllable": list(names), "name": list(names.values())})
    with files.create(path) as temporary:
        names.sort_values("syllable").to_csv(temporary, sep="\t", index=False, lineterminator="\n")


def propose(summary: pd.DataFrame) -> pd.DataFrame:
    """Propose a name for every syllable from its mean scalars.

    Parameters
    ----------
    summary : DataFrame
        Result of ``summary.table``.

    Returns
    -------
    DataFrame
        ``syllable``, ``name`` with a question mark, and ``rule``, the reason.
    """
    wanted = summary[["height_max_mm", "rising_mm_s", "speed_mm_s", "turning_rad_s"]]
    rows = [_rule(*means) for means in wanted.to_numpy(float).tolist()]
    return pd.DataFrame(
        {
            "syllable": summary["syllable"].to_numpy(),
            "name": pd.array([f"{name}?" for name, _ in rows], dtype="string"),
            "rule": pd.array([rule for _, rule in rows], dtype="string"),
        }
    )


def _rule(top: float, rising: float, speed: float, turning: float) -> tuple[str, str]:
    if abs(rising) >= RISING_MM_S:
        way = "up" if rising > 0 else "down"
        return f"rear {way}", f"rising {rising:.0f} mm/s, highest point {top:.0f} mm"
    if top >= REAR_MM:
        return "rear", f"highest point {top:.0f} mm"
    if speed >= DART_MM_S:
        return "dart", f"speed {speed:.0f} mm/s"
    if abs(turning) >= TURN_RAD_S:
        side = "right" if turning > 0 else "left"
        return f"turn {side}", f"turning {turning:.1f} rad/s"
    if speed >= WALK_MM_S:
        return "walk", f"speed {speed:.0f} mm/s"
    if speed < STILL_MM_S:
        return "still", f"speed {speed:.0f} mm/s"
    return "slow", f"speed {speed:.0f} mm/s, highest point {top:.0f} mm"
