"""The temporal classifier alone: its context, its input, and what it learns."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.reduction.latents import LatentSeries
from syllabary.svae.discovery import classifier
from syllabary.svae.discovery.classifier import CHANGE_GAIN, MIN_NATS, TemporalClassifier
from syllabary.svae.settings import ClassifierSettings

SMALL = ClassifierSettings(width=8, context_frames=9)


def recording(values, observed=None):
    observed = np.isfinite(values).all(1) if observed is None else observed
    return LatentSeries(values, observed)


@pytest.mark.parametrize("context", [3, 9, 17])
def test_the_context_is_the_frames_around_and_no_others(rng, context):
    net = TemporalClassifier(5, 3, ClassifierSettings(width=8, context_frames=context), rng)
    inputs = rng.standard_normal((80, 5)).astype(np.float32)
    changed = inputs.copy()
    changed[40] += 1
    before, after = classifier.evidence(net, inputs), classifier.evidence(net, changed)
    reached = np.flatnonzero((before != after).any(1))
    # Two convolutions of one odd span cover the context, or two frames more.
    assert 40 - reached.min() == reached.max() - 40
    assert context // 2 <= reached.max() - 40 <= context // 2 + 1


def test_evidence_is_a_log_probability_with_a_floor(rng):
    net = TemporalClassifier(5, 4, SMALL, rng)
    evidence = classifier.evidence(net, 5 * rng.standard_normal((200, 5)).astype(np.float32))
    assert evidence.shape == (200, 4) and evidence.dtype == np.float64
    assert (evidence >= MIN_NATS).all() and (evidence <= 0).all()
    # The floor adds at most three states of exp(-12).
    assert_allclose(np.exp(evidence).sum(1), 1, atol=3 * np.exp(MIN_NATS) + 1e-6)
    assert classifier.evidence(net, np.zeros((0, 5), np.float32)).shape == (0, 4)


def test_reordered_states_reorder_the_evidence(rng):
    net = TemporalClassifier(5, 4, SMALL, rng)
    inputs = rng.standard_normal((60, 5)).astype(np.float32)
    before = classifier.evidence(net, inputs)
    order = torch.tensor([2, 0, 3, 1])
    net.reorder(order)
    assert_allclose(classifier.evidence(net, inputs), before[:, order.numpy()], atol=1e-6)


def test_features_are_latents_changes_and_flags(rng):
    values = rng.standard_normal((50, 3))
    features = classifier.features(recording(values))
    assert features.shape == (50, 7) and features.dtype == np.float32
    assert_allclose(features[:, :3], values, rtol=1e-6)
    assert (features[0, 3:6] == 0).all()
    assert_allclose(features[1:, 3:6], CHANGE_GAIN * np.diff(values, axis=0), rtol=1e-5, atol=1e-6)
    assert (features[:, 6] == 1).all()


def test_short_gaps_are_bridged_and_flagged(study):
    series = study[0]["r0"]
    features = classifier.features(series)
    assert np.isfinite(features).all() and features.shape == (1000, 7)
    assert features[[100, 101, 500], -1].tolist() == [0, 0, 0]
    expected = (2 * series.values[99] + series.values[102]) / 3
    assert_allclose(features[100, :3], expected, rtol=1e-5, atol=1e-6)


def test_long_gaps_are_zeros(rng):
    values = rng.standard_normal((60, 2))
    values[20:40] = np.nan
    features = classifier.features(recording(values))
    assert (features[20:40] == 0).all()
    # No change is measured over the gap.
    assert (features[40, 2:4] == 0).all() and (features[41, 2:4] != 0).all()


def examples(rng, count, *, frames=400):
    """Recordings whose state is the sign of the change of the first latent."""
    inputs, targets = [], []
    for _ in range(count):
        state = np.repeat(rng.integers(0, 2, frames // 20), 20)
        steps = np.where(state[:, None] == 1, 0.3, -0.3) + 0.05 * rng.standard_normal((frames, 2))
        values = np.cumsum(steps, 0)
        inputs.append(classifier.features(recording(values - values.mean(0))))
        targets.append(np.eye(2, dtype=np.float32)[state])
    return inputs, targets


def test_training_learns_movements_and_repeats(rng):
    inputs, targets = examples(rng, 3)
    settings = ClassifierSettings(width=8, context_frames=9, epochs=1)
    nets = [
        classifier.train(inputs[:2], targets[:2], settings, np.random.default_rng(1)) for _ in range(2)
    ]
    predicted = classifier.evidence(nets[0], inputs[2]).argmax(1)
    assert np.mean(predicted == targets[2].argmax(1)) > 0.9
    for left, right in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert_array_equal(left.detach(), right.detach())


def test_empty_recordings_have_no_influence(rng):
    inputs, targets = examples(rng, 2)
    settings = SMALL.model_copy(update={"epochs": 1})
    no_inputs, no_targets = np.zeros((0, 5), np.float32), np.zeros((0, 2), np.float32)
    first = classifier.train(inputs, targets, settings, np.random.default_rng(1))
    second = classifier.train(
        [*inputs, no_inputs], [*targets, no_targets], settings, np.random.default_rng(1)
    )
    for left, right in zip(first.parameters(), second.parameters(), strict=True):
        assert_array_equal(left.detach(), right.detach())


def test_recordings_shorter_than_a_window_are_padded(rng):
    inputs, targets = examples(rng, 2, frames=60)
    net = classifier.train(inputs, targets, SMALL.model_copy(update={"epochs": 1}), rng)
    assert all(bool(torch.isfinite(part).all()) for part in net.parameters())
