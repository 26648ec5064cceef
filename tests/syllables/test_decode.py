import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.errors import ShapeError
from syllabary.records.tables import LABELS
from syllabary.syllables import decode


def make(path, probabilities, names=None):
    T = len(path)
    return decode.table(
        np.arange(T),
        np.arange(T) / 30,
        syllable=np.asarray(path, int),
        probabilities=np.asarray(probabilities, float),
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


def labels(states, syllable_of=None, names=None):
    T = len(states)
    return decode.labels(
        np.arange(T),
        np.arange(T) / 30,
        states=np.asarray(states),
        surprise_nats=np.zeros(T),
        syllable_of=None if syllable_of is None else np.asarray(syllable_of),
        names=names,
    )


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ShapeError, match="syllable 2, state 2, probabilities 3"):
        make([0, 0], np.ones((3, 2)))
    with pytest.raises(ShapeError, match="has syllable 4, but there are only 2"):
        make([0, 4], np.ones((2, 2)))
    with pytest.raises(ShapeError, match=r"states are \(2,\)"):
        labels(np.ones(2))
    with pytest.raises(ShapeError, match=r"states are \(3, 2\) but the map is of 4 states"):
        labels(np.ones((3, 2)), [0, 0, 1, 1])


def test_a_label_is_the_most_probable_syllable_of_the_summed_states(rng):
    states = rng.dirichlet(np.full(6, 0.3), 500)
    syllable_of = np.array([0, 1, 0, 2, 1, 1])
    summed = np.stack([states[:, syllable_of == s].sum(1) for s in range(3)], 1)
    labeled = labels(states, syllable_of)
    assert_array_equal(labeled["syllable"], summed.argmax(1))
    assert_array_equal(labeled["state"], states.argmax(1))
    assert_allclose(labeled["probability"], summed.max(1), rtol=1e-6)
    assert_allclose(labeled["entropy_nats"], -(summed * np.log(summed)).sum(1), rtol=1e-4, atol=1e-6)


def test_the_commonest_state_may_be_of_another_syllable():
    [row] = labels([[0.4, 0.3, 0.3]], [0, 1, 1]).to_dict("records")
    assert (row["syllable"], row["state"]) == (1, 0)
    assert row["probability"] == pytest.approx(0.6)


def test_without_a_map_every_state_is_a_syllable(rng):
    states = rng.dirichlet(np.full(4, 0.3), 50)
    labeled = labels(states)
    assert_array_equal(labeled["syllable"], states.argmax(1))
    assert_array_equal(labeled["state"], labeled["syllable"])


def test_a_tick_without_any_probability_is_unlabeled():
    labeled = labels([[0, 0], [0.2, 0.8], [np.nan, np.nan]])
    for name in ("syllable", "state", "bout"):
        assert labeled[name].tolist() == [-1, 1 if name != "bout" else 0, -1]
    assert labeled["probability"].isna().tolist() == [True, False, True]


def test_names_are_of_syllables_and_not_of_states():
    labeled = labels(np.eye(3), [0, 1, 1], {1: "rear"})
    assert labeled["name"].isna().tolist() == [True, False, False]


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
