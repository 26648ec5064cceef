import pandas as pd
import pytest

from syllabary.export import _columns
from syllabary.records.crops import SCALARS
from syllabary.records.tables import LABELS
from syllabary.syllables import bouts, summary, transitions, usage
from syllabary.syllables.statistics import groups

TABLES = {
    "labels": list(LABELS),
    "scalars": list(SCALARS),
    "bouts": list(bouts.COLUMNS),
    "usage": list(usage.table(bouts.join([]))),
    "transitions": list(transitions.table(bouts.join([]))),
    "syllables": list(summary.SCALARS),
    "statistics": list(groups.COLUMNS),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_column_of_ours_has_a_meaning(name):
    assert [key for key, about in _columns.describe(TABLES[name]).items() if not about.meaning] == []


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        ("speed_mm_s", "mm/s"), ("turning_rad_s", "rad/s"), ("area_mm2", "mm^2"), ("x_mm", "mm"),
        ("heading_rad", "rad"), ("duration_s", "s"), ("entropy_nats", "nats"),
        ("bouts_per_min", "1/min"), ("usage", ""), ("syllable", ""),
    ],
)  # fmt: skip
def test_units_come_from_names(column, unit):
    assert _columns.describe([column])[column].unit == unit


def test_a_covariate_of_the_user_is_described_by_nothing():
    assert _columns.describe(["sex"]) == {"sex": _columns.ColumnMeaning("", "")}


def test_parts_follow_the_first_in_order_of_columns():
    first, rest = _columns.parts(
        "t", iter([pd.DataFrame({"a": [1], "b": [2]}), pd.DataFrame({"b": [3], "a": [4]})])
    )
    assert list(first) == ["a", "b"] and list(next(rest)) == ["a", "b"]
    assert _columns.parts("t", []) is None
