import numpy as np
import pytest
from numpy.testing import assert_allclose

from syllabary.errors import UnknownName
from syllabary.syllables import bouts, usage

RUNS = {
    ("r1", "m1", "a"): [(0, 30), (1, 10), (0, 20)],
    ("r2", "m1", "a"): [(1, 40)],
    ("r3", "m2", "b"): [(2, 60)],
}


def test_usage_by_hand(study):
    table = usage.table(study(RUNS)).set_index(["recording", "syllable"])
    assert len(table) == 9
    assert table.loc[("r1", 0), "usage"] == 50 / 60 and table.loc[("r1", 0), "bouts"] == 2
    assert_allclose(table.loc[("r1", 0), "bouts_per_min"], 2 / (6 / 60))
    assert_allclose(table.loc[("r1", 0), "median_duration_s"], 2.5)
    absent = table.loc[("r3", 0)]
    assert absent["usage"] == absent["bouts"] == absent["bouts_per_min"] == 0
    assert np.isnan(absent["median_duration_s"])
    assert_allclose(table.groupby("recording")["usage"].sum(), 1)


def test_recordings_of_an_animal_are_pooled(study):
    table = usage.table(study(RUNS), by="subject").set_index(["subject", "syllable"])
    assert table.loc[("m1", 1), "usage"] == 0.5
    assert table.loc[("m1", 1), "bouts"] == 2
    group = usage.table(study(RUNS), by="group")
    assert group["group"].tolist() == ["a"] * 3 + ["b"] * 3


def test_an_empty_study_and_a_wrong_key(study):
    assert len(usage.table(bouts.join([]))) == 0
    with pytest.raises(UnknownName, match="known: recording, subject, group"):
        usage.table(study(RUNS), by="animal")
