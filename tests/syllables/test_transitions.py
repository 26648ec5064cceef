import pytest
from numpy.testing import assert_allclose

from syllabary.syllables import bouts, transitions


@pytest.fixture
def runs(study):
    return study(
        {
            ("r1", "m1", "a"): [(0, 3), (1, 2), (0, 3), (2, 5)],
            ("r2", "m1", "a"): [(1, 2), (0, 3), (1, 4)],
            ("r3", "m2", "b"): [(2, 6)],
        }
    )


def test_transitions_by_hand_never_across_recordings(runs):
    table = transitions.table(runs).set_index(["from_syllable", "to_syllable"])
    assert table["count"].to_dict() == {(0, 1): 2, (0, 2): 1, (1, 0): 2}
    assert (table["group"] == "a").all(), "r3 has one bout; (2, 1) and (1, 2) would cross recordings"
    assert_allclose(table["probability"], [2 / 3, 1 / 3, 1])


def test_bouts_that_do_not_touch_do_not_follow_each_other(runs):
    holed = runs[~((runs["recording"] == "r1") & (runs["bout"] == 1))]
    table = transitions.table(holed, by=("recording",))
    first = table[table["recording"] == "r1"]
    assert first[["from_syllable", "to_syllable"]].to_numpy().tolist() == [[0, 2]]


def test_by_recording_and_over_everything(runs):
    assert transitions.table(runs, by=("recording",))["count"].sum() == 5
    everything = transitions.table(runs, by=())
    assert everything["count"].sum() == 5
    assert_allclose(everything.groupby("from_syllable")["probability"].sum(), 1)


def test_nothing_follows_nothing():
    table = transitions.table(bouts.join([]))
    assert len(table) == 0
    assert list(table) == ["group", "from_syllable", "to_syllable", "count", "probability"]
