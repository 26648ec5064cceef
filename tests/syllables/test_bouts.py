import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.syllables import bouts, decode


def make(path, time_s=None, probability=None, **settings):
    T = len(path)
    p = np.full(T, 0.9) if probability is None else np.asarray(probability)
    states = np.repeat(((1 - p) / 3)[:, None], 4, axis=1)
    states[np.arange(T), np.maximum(np.asarray(path, int), 0)] = p
    labels = decode.table(
        np.arange(T),
        np.arange(T) / 10 if time_s is None else np.asarray(time_s),
        syllable=np.asarray(path, int),
        probabilities=states,
        surprise_nats=np.zeros(T),
        names={1: "rear"},
    )
    return bouts.table(labels, recording="r", subject="s", group="g", role="apply", **settings)


def test_bouts_by_hand():
    table = make([1, 1, 1, 0, -1, 0, 0], probability=[0.6, 0.9, 0.9, 1, 1, 0.5, 0.7])
    assert list(table) == list(bouts.COLUMNS)
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == bouts.COLUMNS
    assert_array_equal(table["syllable"], [1, 0, 0])
    assert_array_equal(table["start_tick"], [0, 3, 5])
    assert_array_equal(table["stop_tick"], [3, 4, 7])
    assert_allclose(table["start_s"], [0, 0.3, 0.5])
    assert_allclose(table["stop_s"], [0.3, 0.4, 0.7])
    assert_allclose(table["duration_s"], [0.3, 0.1, 0.2])
    assert_allclose(table["probability"], [0.8, 1, 0.6], rtol=1e-6)
    assert table["name"].tolist()[0] == "rear" and table["name"].isna().tolist() == [False, True, True]
    assert table.loc[0, ["recording", "subject", "group", "role"]].tolist() == ["r", "s", "g", "apply"]


def test_durations_follow_the_clock_not_the_count_of_ticks():
    table = make([0, 0, 1, 1], time_s=[0, 0.1, 0.5, 0.6])
    assert_allclose(table["duration_s"], [0.5, 0.2])


def test_unlabeled_ticks_one_tick_and_no_ticks():
    assert len(make([-1, -1])) == 0
    table = make([2])
    assert table["duration_s"].tolist() == [0] and table["stop_tick"].tolist() == [1]
    assert list(make([])) == list(bouts.COLUMNS)


def test_joining_keeps_columns_even_of_nothing():
    assert list(bouts.join([])) == list(bouts.COLUMNS)
    both = bouts.join([make([0, 1]), make([]), make([2])])
    assert_array_equal(both["syllable"], [0, 1, 2])
    assert {name: str(dtype) for name, dtype in both.dtypes.items()} == bouts.COLUMNS


def test_improbable_bouts_can_be_left_out():
    table = make([0, 0, 1, 1, 2], probability=[0.9, 0.8, 0.3, 0.6, 0.7], min_probability=0.5)
    assert table["syllable"].tolist() == [0, 2] and table["bout"].tolist() == [0, 2]
