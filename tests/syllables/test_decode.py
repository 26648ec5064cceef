import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.errors import ShapeError
from syllabary.records.tables import LABELS
from syllabary.syllables import decode


def make(path, states, names=None):
    T = len(path)
    return decode.labels(
        np.arange(T),
        np.arange(T) / 30,
        path=np.asarray(path, int),
        states=np.asarray(states, float),
        surprise_nats=np.arange(T, dtype=float),
        names=names,
    )


def test_a_row_per_tick_with_the_agreed_columns_and_types():
    labels = make([0, 1], [[0.75, 0.25], [0.5, 0.5]], {1: "rear"})
    assert list(labels) == list(LABELS)
    assert {name: str(dtype) for name, dtype in labels.dtypes.items()} == LABELS
    assert_allclose(labels["probability"], [0.75, 0.5])
    assert_allclose(
        labels["entropy_nats"], [0.75 * np.log(4 / 3) + 0.25 * np.log(4), np.log(2)], rtol=1e-6
    )
    assert labels["name"].isna()[0] and labels["name"][1] == "rear"


def test_certainty_has_no_entropy_and_probability_is_of_the_labeled_state():
    labels = make([0, 0], [[1, 0, 0], [0.25, 0.5, 0.25]])
    assert_array_equal(labels["entropy_nats"][0], 0)
    assert labels["probability"][1] == 0.25


def test_marginals_in_half_precision_are_made_to_add_up():
    labels = make([1], [[0.5, 1.5]])
    assert labels["probability"][0] == 0.75


def test_bouts_are_numbered_from_zero_without_unlabeled_ticks():
    labels = make([2, 2, 0, -1, -1, 0, 2, 2], np.full((8, 3), 1 / 3))
    assert_array_equal(labels["bout"], [0, 0, 1, -1, -1, 2, 3, 3])
    silent = labels["syllable"] == -1
    assert labels.loc[silent, ["probability", "entropy_nats"]].isna().all(axis=None)
    assert labels.loc[~silent, ["probability", "entropy_nats"]].notna().all(axis=None)


def test_no_tick_and_one_tick():
    assert len(make([], np.zeros((0, 3)))) == 0
    assert_array_equal(make([1], [[0, 1]])["bout"], [0])
    assert make([-1], [[0.5, 0.5]])["bout"].tolist() == [-1]


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ShapeError, match="path 2, states 3"):
        make([0, 0], np.ones((3, 2)))
    with pytest.raises(ShapeError, match="names state 4, but there are only 2"):
        make([0, 4], np.ones((2, 2)))
    with pytest.raises(ShapeError, match=r"states are \(2,\)"):
        make([0, 0], np.ones(2))


def test_bouts_match_a_loop(rng):
    path = rng.integers(-1, 3, 500)
    expected, bout = [], -1
    for t, syllable in enumerate(path):
        if syllable >= 0 and (t == 0 or path[t - 1] != syllable):
            bout += 1
        expected.append(bout if syllable >= 0 else -1)
    labels = make(path, np.ones((500, 3)))
    assert_array_equal(labels["bout"], expected)
    assert isinstance(labels, pd.DataFrame)
