"""The labeler alone: which source it uses, calibration, renumbering and storage."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from svae.discovery.conftest import QUICK
from syllabary.reduction.latents import LatentSeries
from syllabary.svae.discovery import classifier
from syllabary.svae.discovery.classifier import MIN_NATS
from syllabary.svae.discovery.labeler import TEMPERATURE, UNCERTAIN_SHARE, StateLabeler

BRIDGE = 6


def labeler_using(discovered, *, teacher):
    return discovered.labeler._replace(use_teacher=torch.tensor(teacher))


@pytest.mark.parametrize("teacher", [True, False])
def test_a_renumbered_labeler_predicts_the_same_under_other_numbers(discovered, study, teacher):
    series = study[0]["r0"]
    labeler = labeler_using(discovered, teacher=teacher)
    before = labeler.predict(series, BRIDGE)
    order = torch.arange(before.states.shape[1]).flip(0)
    renumbered = labeler.reorder(order)
    for left, right in zip(renumbered.predict(series, BRIDGE), before, strict=True):
        assert_allclose(left, right[:, ::-1], rtol=1e-5, atol=1e-6)
    # The network is renumbered in place: restore it for the other tests.
    renumbered.reorder(order)


@pytest.mark.parametrize("teacher", [True, False])
def test_stored_and_restored_labelers_predict_the_same(discovered, study, teacher):
    labeler = labeler_using(discovered, teacher=teacher)
    again = StateLabeler.from_tensors(labeler.tensors(), QUICK)
    series = study[0]["r1"]
    for left, right in zip(again.predict(series, BRIDGE), labeler.predict(series, BRIDGE), strict=True):
        assert_array_equal(left, right)


def test_stored_tensors_do_not_change_with_the_labeler(discovered):
    tensors = discovered.labeler.tensors()
    before = tensors["net.last.bias"].clone()
    with torch.no_grad():
        discovered.labeler.net.last.bias += 1
        assert_array_equal(tensors["net.last.bias"], before)
        discovered.labeler.net.last.bias -= 1


@pytest.mark.parametrize("teacher", [True, False])
def test_probabilities_sum_to_one_and_evidence_is_bounded(discovered, study, teacher):
    labeler = labeler_using(discovered, teacher=teacher)
    prediction = labeler.predict(study[0]["r2"], BRIDGE)
    assert prediction.states.shape == prediction.evidence.shape == (1000, len(labeler.usage))
    assert_allclose(prediction.states.sum(1), 1, rtol=1e-9)
    assert (prediction.evidence >= MIN_NATS).all() and (prediction.evidence <= 1e-9).all()


def test_the_classifier_is_tempered_and_mixed_with_usage(discovered, study):
    labeler = labeler_using(discovered, teacher=False)
    series = study[0]["r0"]
    evidence, states = labeler.predict(series, BRIDGE)
    assert_array_equal(evidence, classifier.evidence(labeler.net, classifier.features(series)))
    powers = np.exp(evidence / TEMPERATURE)
    expected = powers / powers.sum(1, keepdims=True)
    usage = labeler.usage.numpy()
    assert_allclose(states, (1 - UNCERTAIN_SHARE) * expected + UNCERTAIN_SHARE * usage)
    # Calibration keeps the most probable state of confident frames, and lowers its probability.
    confident = np.exp(evidence).max(1) > 0.9
    assert (states.argmax(1) == evidence.argmax(1))[confident].all()
    assert (states.max(1) < np.exp(evidence).max(1))[confident].all()
    assert (states >= UNCERTAIN_SHARE * usage - 1e-12).all()


def test_states_of_the_teacher_are_added_up_by_membership(discovered, study):
    labeler = labeler_using(discovered, teacher=True)
    series = study[0]["r0"]
    one_syllable = labeler._replace(membership=torch.ones((len(labeler.membership), 1)).double())
    assert_allclose(one_syllable.predict(series, BRIDGE).states, 1)
    # Half of the syllables are dropped: the others share their probability.
    half = len(labeler.usage) // 2
    kept = labeler._replace(membership=labeler.membership[:, :half], usage=labeler.usage[:half])
    whole, part = labeler.predict(series, BRIDGE).states, kept.predict(series, BRIDGE).states
    clear = whole[:, :half].sum(1) > 1e-6
    expected = whole[:, :half] / whole[:, :half].sum(1, keepdims=True)
    assert_allclose(part[clear], expected[clear], rtol=1e-6)


@pytest.mark.parametrize("teacher", [True, False])
def test_an_empty_recording_has_an_empty_prediction(discovered, teacher):
    empty = LatentSeries(np.zeros((0, 3)), np.zeros(0, bool), np.zeros((0, 3)))
    labeler = labeler_using(discovered, teacher=teacher)
    prediction = labeler.predict(empty, BRIDGE)
    assert prediction.states.shape == prediction.evidence.shape == (0, len(labeler.usage))
