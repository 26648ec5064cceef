"""Calibration worked out by hand, and of a model that is right by construction."""

import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from syllabary.errors import BadInput, ShapeError
from syllabary.syllables import calibration


def predicted(syllable, probability, frame=None):
    T = len(syllable)
    return pd.DataFrame(
        {
            "frame": np.arange(T) if frame is None else frame,
            "syllable": syllable,
            "probability": probability,
        }
    )


def true(syllable, frame=None):
    T = len(syllable)
    behavior = pd.array([str(s) for s in syllable], dtype="string")
    return pd.DataFrame(
        {"frame": np.arange(T) if frame is None else frame, "syllable": syllable, "behavior": behavior}
    )


def test_by_hand():
    result = calibration.reliability(
        np.array([0.2, 0.2, 0.8, 0.8]), np.array([0, 1, 1, 1], bool), bins=2
    )
    assert_allclose(result.confidence, [0.2, 0.8])
    assert_allclose(result.accuracy, [0.5, 1.0])
    assert_allclose(result.share, [0.5, 0.5])
    assert_allclose(result.expected_error, 0.5 * 0.3 + 0.5 * 0.2)
    assert_allclose(result.max_error, 0.3)
    assert_allclose(result.brier, (0.04 + 0.64 + 0.04 + 0.04) / 4)


def test_bins_hold_equally_many_ticks(rng):
    result = calibration.reliability(rng.random(1000), rng.random(1000) < 0.5)
    assert len(result.share) == 10
    assert_allclose(result.share, 0.1)
    assert (np.diff(result.confidence) > 0).all() and result.ticks == 1000


def test_equal_confidence_is_one_bin_in_any_order(rng):
    confidence = np.where(rng.random(1000) < 0.7, 1.0, rng.random(1000))
    right = rng.random(1000) < confidence * 0.9
    order = rng.permutation(1000)
    result = calibration.reliability(confidence, right)
    for a, b in zip(result, calibration.reliability(confidence[order], right[order]), strict=True):
        assert_allclose(a, b)
    assert_allclose(result.share[-1], (confidence == 1).mean())
    assert len(calibration.reliability(np.ones(50), np.ones(50, bool)).share) == 1


def test_a_calibrated_model_has_no_error(rng):
    confidence = rng.uniform(0.3, 1, 100_000)
    result = calibration.reliability(confidence, rng.random(100_000) < confidence)
    assert result.expected_error < 0.01  # a bin's accuracy has a standard error of 0.005
    overconfident = calibration.reliability(confidence, rng.random(100_000) < confidence - 0.2)
    assert_allclose(overconfident.expected_error, 0.2, atol=0.01)


def test_several_syllables_may_be_one_behavior():
    labels, truth = predicted([0, 0, 1, 1, 2, 2], np.ones(6)), true([5, 5, 5, 5, 7, 5])
    mostly = calibration.mapping([(labels, truth)])
    assert mostly == {0: 5, 1: 5, 2: 5}, "of equally many the lowest"
    assert_allclose(calibration.of_labels([(labels, truth)], mostly).accuracy, [5 / 6])


def test_the_mapping_may_come_from_other_recordings():
    labels, truth = predicted([0, 1, 2, -1], [0.9, 0.9, 0.9, np.nan]), true([1, 0, 1, 0])
    result = calibration.of_labels([(labels, truth)], {0: 1, 1: 0})
    assert result.ticks == 3, "a tick without a label says nothing"
    assert_allclose(result.accuracy, [2 / 3])
    assert_allclose(result.confidence, [0.9])


def test_rows_are_joined_by_frame():
    labels = predicted([0, 9, 1, 0], [0.1, 0.2, 0.3, 0.4], frame=[2, -1, 3, 4])
    truth = true([1, 0, 0, 0], frame=[3, -1, 4, 2])
    result = calibration.of_labels([(labels, truth)], {0: 0, 1: 1})
    assert result.ticks == 3 and result.accuracy.mean() == 1
    assert_allclose(result.confidence @ result.share, (0.1 + 0.3 + 0.4) / 3)


def test_a_behavior_has_the_probability_of_all_its_syllables():
    """A behavior split in two halves of equal probability is known for sure."""
    states = np.array([[0.5, 0.5, 0.0], [0.4, 0.5, 0.1], [0.0, 0.2, 0.6]])
    labels, truth = predicted([0, 1, 2], [0.5, 0.5, 0.75]), true([3, 3, 4])
    mostly = {0: 3, 1: 3, 2: 4}
    result = calibration.of_posteriors([(labels, states, truth)], mostly)
    assert_allclose(np.sort(result.confidence), [0.75, 0.9, 1.0])  # the last row adds up to 0.8
    alone = calibration.of_labels([(labels, truth)], mostly)
    assert alone.expected_error > result.expected_error


def test_a_posterior_that_is_right_is_calibrated(rng):
    """States drawn from the posterior itself; two of the four are one behavior."""
    states = rng.dirichlet(np.full(4, 0.5), 50_000)
    drawn = (rng.random((50_000, 1)) > np.cumsum(states, 1)).sum(1)
    mostly = {0: 0, 1: 0, 2: 1, 3: 2}
    truth = true(np.array([0, 0, 1, 2])[drawn])
    path = states.argmax(1)
    labels = predicted(path, states.max(1))
    assert calibration.mapping([(labels, truth)]) == mostly
    assert calibration.of_posteriors([(labels, states, truth)], mostly).expected_error < 0.01
    assert calibration.of_labels([(labels, truth)], mostly).expected_error > 0.05


def test_a_syllable_that_was_never_seen_belongs_to_nothing():
    labels, truth = predicted([1], [0.4]), true([0])
    result = calibration.of_posteriors([(labels, np.array([[0.6, 0.4]]), truth)], {0: 0})
    assert result.confidence.tolist() == [0.0] and result.accuracy.tolist() == [0.0]


def test_results_are_plain_json(rng):
    result = calibration.reliability(rng.random(100), rng.random(100) < 0.5)
    assert json.loads(json.dumps(calibration.to_json(result)))["ticks"] == 100


def test_without_labels_there_is_no_reliability():
    result = calibration.of_labels([(predicted([-1], [np.nan]), true([0]))], {})
    assert calibration.to_json(result) == {
        "confidence": [], "accuracy": [], "share": [], "ticks": 0,
        "expected_error": None, "max_error": None, "brier": None,
    }  # fmt: skip


def test_different_lengths_are_refused():
    with pytest.raises(BadInput, match="no recording to judge"):
        calibration.of_labels([], {})
    with pytest.raises(ShapeError, match="2 labels but probabilities of 3 ticks"):
        calibration.of_posteriors([(predicted([0, 0], [1, 1]), np.ones((3, 1)), true([0, 0]))], {0: 0})
    assert calibration.mapping([]) == {}
