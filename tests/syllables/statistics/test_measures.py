"""Measures of animals by hand."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from syllabary.syllables.design import Design
from syllabary.syllables.settings import PER_ANIMAL, PER_SYLLABLE
from syllabary.syllables.statistics import measures

USAGE = pd.DataFrame(
    [
        # Two recordings of m1; syllable 1 only in the second.
        ("r1", "m1", "g", 0, 60, 6, 2.0, 10.0),
        ("r1", "m1", "g", 1, 0, 0, 0.0, np.nan),
        ("r2", "m1", "g", 0, 60, 2, 2.0, 30.0),
        ("r2", "m1", "g", 1, 120, 4, 4.0, 5.0),
        ("r3", "m2", "h", 0, 240, 1, 8.0, np.nan),
        ("r3", "m2", "h", 1, 0, 0, 0.0, np.nan),
    ],
    columns=["recording", "subject", "group", "syllable", "ticks", "bouts", "total_s", "speed_mm_s"],
)
TRANSITIONS = pd.DataFrame(
    [
        ("r1", "m1", "g", 0, 1, 3),
        ("r2", "m1", "g", 0, 1, 1),
        ("r2", "m1", "g", 0, 2, 4),
        ("r2", "m1", "g", 1, 0, 8),
        ("r3", "m2", "h", 1, 0, 5),
    ],
    columns=["recording", "subject", "group", "from_syllable", "to_syllable", "count"],
)


def measured(name):
    results = measures.measured(USAGE, TRANSITIONS, Design(), [*PER_SYLLABLE, *PER_ANIMAL])
    return next(measure for measure in results if measure.name == name)


@pytest.mark.parametrize(
    ("name", "m1", "m2"),
    [
        ("usage", [0.5, 0.5], [1.0, 0.0]),
        ("bouts_per_min", [8 / 8 * 60, 4 / 8 * 60], [7.5, 0.0]),
        ("duration_s", [4 / 8, 4 / 4], [8.0, np.nan]),
        ("speed_mm_s", [20.0, 5.0], [np.nan, np.nan]),
        ("repertoire", [0.5**0.5, 0.5**0.5], [1.0, 0.0]),
        # After 0, 1 and 2 are equally likely; after 1 comes 0.
        ("entropy_nats", [0.5 * np.log(2)], [0.0]),
        ("transitions", [0.5, 0.5, 0.5**0.5], [0.0, 0.0, 1.0]),
    ],
)
def test_recordings_of_an_animal_are_added_before_anything_is_divided(name, m1, m2):
    values = measured(name).table
    assert_allclose(values.loc[("g", "m1")], m1)
    assert_allclose(values.loc[("h", "m2")], m2)


def test_a_unit_of_several_animals_has_their_mean():
    usage = USAGE.assign(group="g", litter="l")
    results = measures.measured(usage, None, Design("group", "litter"), ["usage"])
    assert_allclose(results[0].table.loc[("g", "l")], [0.75, 0.25])


def test_what_the_table_does_not_have_is_left_out():
    bare = USAGE[["recording", "subject", "group", "syllable", "ticks"]]
    results = measures.measured(bare, None, Design(), [*PER_SYLLABLE, *PER_ANIMAL])
    assert [measure.name for measure in results] == ["usage", "repertoire"]
    assert [measure.is_profile for measure in results] == [False, True]
