"""Table of the report that compares groups, and what so many animals can show."""

import math
from collections.abc import Hashable, Mapping

import pandas as pd

from ..results import ModelResults
from ._tables import Cell, Heading, cell

__all__ = ["note", "table_of"]

LARGEST_COMPARISON = 300
# Measures that are compared, with their units, and the factor from the table to the unit.
MEASURES = {
    "usage": ("usage, %", 100.0),
    "bouts_per_min": ("bouts per minute", 1.0),
    "duration_s": ("mean bout, s", 1.0),
    "speed_mm_s": ("speed, mm/s", 1.0),
    "entropy_nats": ("entropy of what follows, nats", 1.0),
    "repertoire": ("usage of all syllables", 1.0),
    "transitions": ("all transitions", 1.0),
}
# Columns of ``statistics`` after the values of both groups, and their meanings.
COMPARED = {
    "effect_size": Heading(
        "effect size",
        "difference in standard deviations between animals; for all syllables or transitions at once, "
        "the share of the variation that is between groups",
    ),
    "p": Heading("p", "p value of a permutation test of animals"),
    "q": Heading("q", "p adjusted for all tests of this table"),
}


def table_of(model: ModelResults) -> tuple[list[Heading], list[list[Cell]]]:
    """Return headings and rows of the comparisons of groups, smallest q first."""
    table = model.table("statistics")
    if table is None or not {"measure", "syllable", "comparison", "q"} <= set(table):
        return [], []
    columns = [
        Heading("syllable"), Heading("measure", numeric=False), Heading("comparison", numeric=False)
    ]  # fmt: skip
    columns += [Heading("test", numeric=False)] if "test" in table else []
    for group, hint in _compared_groups(table):
        columns.append(Heading(group, f"mean of {hint}"))
        columns.append(Heading("95 % CI", f"bootstrap interval of the mean of {hint}"))
    keys = [key for key in COMPARED if key in table]
    columns += [COMPARED[key] for key in keys]
    rows = table.sort_values(["q", "syllable"], kind="stable").head(LARGEST_COMPARISON)
    return columns, [
        [
            cell(row["syllable"]),
            Cell(MEASURES[row["measure"]][0], str(row["measure"])),
            Cell(str(row["comparison"]), str(row["comparison"])),
            *([Cell(str(row["test"]), str(row["test"]))] if "test" in table else []),
            *_group_cells(row, "a"),
            *_group_cells(row, "b"),
            *(cell(row[key]) for key in keys),
        ]
        for row in rows.to_dict("records")
    ]


def note(model: ModelResults) -> str:
    """Return a sentence about the units of the comparisons, and those without a partner."""
    table = model.table("statistics")
    if table is None:
        return ""
    unit = str(table["unit"].iloc[0]) if "unit" in table else "subject"
    text = f"The {'animal' if unit == 'subject' else unit} is the unit."
    if "test" in table and table["test"].isin(["paired permutation", "Friedman permutation"]).any():
        text += " Where it is in several groups, the test is paired."
    left_out = table[["comparison", "subjects_left_out"]] if "subjects_left_out" in table else None
    for name, count in () if left_out is None else left_out.drop_duplicates().itertuples(index=False):
        text += f" {name}: {count} without a partner or a value left out." if count else ""
    return text + _possible(table)


def _possible(table: pd.DataFrame) -> str:
    """Return what so few units can show at all."""
    if not {"p_smallest", "q_alone", "detectable_effect"} <= set(table) or table.empty:
        return ""
    text = (
        f" With so many of them no p can be below {table['p_smallest'].min():.2g}; if a single test of "
        f"the {len(table)} finds something, its q is {table['q_alone'].min():.2g} or more."
    )
    effect = table["detectable_effect"].min()
    if math.isfinite(effect):
        text += f" At p < 0.05, a difference of {effect:.1f} standard deviations is found 4 times in 5."
    return text


def _compared_groups(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return heading and description of both groups; names if all comparisons have the same."""
    pairs = table.reindex(columns=["group_a", "group_b"]).dropna().drop_duplicates()
    if len(pairs) == 1:
        return [(str(name), f"group {name}") for name in pairs.iloc[0]]
    return [(f"group {n}", f"the group named {n}. in the comparison") for n in (1, 2)]


def _group_cells(row: Mapping[Hashable, object], side: str) -> tuple[Cell, Cell]:
    """Return the mean of a group and its interval, in the unit of the measure."""
    scale = MEASURES[str(row["measure"])][1]
    mean, low, high = (cell(row.get(f"{key}_{side}"), scale=scale) for key in ("mean", "low", "high"))
    return mean, low if low.text == "–" else low._replace(text=f"{low.text}–{high.text}")
