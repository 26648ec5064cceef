import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.simulate import grammar
from syllabary.simulate.movements import MOVEMENTS

INTERVAL_S = 1 / 30


def usage_of(group):
    """Share of bouts of each syllable in the long run."""
    values, vectors = np.linalg.eig(grammar.transitions(group).T)
    stationary = np.real(vectors[:, np.argmax(np.real(values))])
    return dict(zip(list(MOVEMENTS), stationary / stationary.sum(), strict=True))


@pytest.mark.parametrize("group", ["control", "drug", "anything else"])
def test_rows_are_probabilities_and_no_syllable_follows_itself(group):
    matrix = grammar.transitions(group)
    assert_allclose(matrix.sum(1), 1)
    assert matrix.min() >= 0
    assert_array_equal(np.diag(matrix), 0)


@pytest.mark.parametrize("group", ["control", "drug", "anything else"])
def test_a_syllable_starts_where_the_one_before_it_ends(group):
    matrix = grammar.transitions(group)
    for j, before in enumerate(list(MOVEMENTS)):
        for k, after in enumerate(list(MOVEMENTS)):
            if MOVEMENTS[before].ends != MOVEMENTS[after].starts:
                assert matrix[j, k] == 0


def test_the_drug_changes_usage_as_its_factors_say():
    control, drug = usage_of("control"), usage_of("drug")
    assert drug["dart"] > 1.5 * control["dart"]
    assert drug["freeze"] > 1.5 * control["freeze"]
    assert drug["rear_up"] < 0.8 * control["rear_up"]


def test_groups_of_one_name_are_one_group():
    assert_array_equal(grammar.transitions("saline"), grammar.transitions("saline"))
    assert np.abs(grammar.transitions("saline") - grammar.transitions("vehicle")).max() > 0.01


def test_every_syllable_can_be_reached():
    reached = np.linalg.matrix_power(grammar.transitions("control") > 0, 8)
    assert reached.all()


@pytest.mark.parametrize("ticks", [1, 2, 3, 10, 1000])
def test_bouts_fill_the_session(rng, ticks):
    syllables, lengths = grammar.sentence("control", ticks, INTERVAL_S, 1.0, rng)
    assert lengths.sum() == ticks
    assert lengths.min() >= 1
    assert (syllables[1:] != syllables[:-1]).all()
    assert MOVEMENTS[list(MOVEMENTS)[syllables[0]]].starts == "down"


def test_bouts_follow_the_matrix(rng):
    syllables, _ = grammar.sentence("control", 400_000, INTERVAL_S, 1.0, rng)
    counts = np.zeros((len(list(MOVEMENTS)),) * 2)
    np.add.at(counts, (syllables[:-1], syllables[1:]), 1)
    expected = grammar.transitions("control")
    common = counts.sum(1) > 2000
    frequencies = counts[common] / counts[common].sum(1, keepdims=True)
    assert_allclose(frequencies, expected[common], atol=0.05)


def test_a_quick_animal_has_shorter_bouts(rng):
    slow, quick = (
        np.mean(grammar.sentence("control", 60_000, INTERVAL_S, tempo, rng)[1]) for tempo in (0.8, 1.25)
    )
    assert slow / quick == pytest.approx(1.25 / 0.8, rel=0.08)


def test_durations_keep_within_their_limits(rng):
    _, lengths = grammar.sentence("control", 200_000, INTERVAL_S, 1.0, rng)
    assert lengths[:-1].min() >= max(3, round(grammar.SHORTEST_S / INTERVAL_S))
    assert lengths.max() <= round(grammar.LONGEST_S / INTERVAL_S)
