"""Syllables that are found, and the recognizer that knows them."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import adjusted_mutual_info_score

from syllabary.errors import BadSetting
from syllabary.expfam import mniw
from syllabary.priors import slds
from syllabary.priors.blocks import merging
from syllabary.records.annotations import Annotations
from syllabary.reduction.latents import LatentSeries
from syllabary.simulate import latent
from syllabary.svae.choices import require_choices
from syllabary.svae.discovery import classifier, discovery
from syllabary.svae.discovery.labeler import StateLabeler
from syllabary.svae.settings import ClassifierSettings, DiscoverySettings, ModelSettings
from syllabary.svae.training import clamped

FPS = 30.0
QUICK = DiscoverySettings(
    states=12, restarts=1, iterations=5, rounds=1, folds=2, classifier=ClassifierSettings(width=16)
)


@pytest.fixture(scope="module")
def study():
    """Four recordings of one switching system, and the true states."""
    rng = np.random.default_rng(5)
    system = latent.arhmm(
        rng, states=5, dims=3, lags=1, frames=4000, duration_frames=15, noise_sd=0.3, memory=0.8
    )
    series, truth = {}, {}
    scale = system.x.std(0)
    for i in range(4):
        rows = slice(1000 * i, 1000 * (i + 1))
        observed = np.ones(1000, bool)
        observed[[100, 101, 500]] = False
        values = np.where(observed[:, None], system.x[rows] / scale, np.nan)
        information = np.where(observed[:, None], np.full((1000, 3), 1e4), 0.0)
        series[f"r{i}"] = LatentSeries(values, observed, information)
        truth[f"r{i}"] = system.z[rows]
    return series, truth


@pytest.fixture(scope="module")
def found(study):
    return discovery.find(study[0], QUICK, target_duration_s=0.4, fps=FPS, seed=1)


def agreement(found, truth):
    said = np.concatenate([found.evidence[name].argmax(1) for name in truth])
    return adjusted_mutual_info_score(np.concatenate(list(truth.values())), said)


def test_known_states_are_found_and_numbered_by_usage(study, found):
    assert agreement(found, study[1]) > 0.8
    said = np.concatenate(list(found.evidence.values()))
    usage = np.exp(said).sum(0)
    assert (np.diff(usage) <= 0.05 * usage[0]).all()
    assert found.classes == ("",) * said.shape[1]


def test_the_same_seed_finds_the_same(study, found):
    again = discovery.find(study[0], QUICK, target_duration_s=0.4, fps=FPS, seed=1)
    for name, one in found.evidence.items():
        assert_array_equal(one, again.evidence[name])


def test_a_teacher_that_knows_the_movements_speaks(found):
    # The study is a switching autoregression: the teacher's own model.
    assert found.labeler.use_teacher


def test_a_teacher_that_is_surprised_in_bursts_is_silent(study):
    series, _ = study
    loud = np.where((np.arange(1000) // 8) % 2, 3.0, 1.0)[:, None]
    rng = np.random.default_rng(3)
    wild = {
        name: one._replace(values=one.values + 0.3 * loud * rng.standard_normal(one.values.shape))
        for name, one in series.items()
    }
    again = discovery.find(wild, QUICK, target_duration_s=0.4, fps=FPS, seed=1)
    assert not again.labeler.use_teacher


def test_labels_of_people_give_syllables_their_names(study):
    series, truth = study
    labels = {}
    for name, true in truth.items():
        weights = np.zeros((1000, 5), np.float32)
        rows = np.arange(300, 400)
        weights[rows, true[rows]] = 1
        labels[name] = Annotations(("a", "b", "c", "d", "e"), weights)
    found = discovery.find(series, QUICK, target_duration_s=0.4, fps=FPS, seed=1, labels=labels)
    assert agreement(found, truth) > 0.8
    said = np.concatenate([found.evidence[name].argmax(1) for name in truth])
    true = np.concatenate(list(truth.values()))
    for k, name in enumerate(found.classes):
        if (said == k).sum() > 40:
            assert name == "abcde"[np.bincount(true[said == k]).argmax()]


def test_coarsening_joins_halves_of_a_state_and_no_others(rng):
    """Sums of two halves of one regression join; a resolution of nothing joins none."""
    x = rng.standard_normal((3, 4000, 2)) * np.array([1.0, 1.0, 3.0])[:, None, None]
    x[2] += 4
    parts = []
    for one in (x[0], x[1], x[2]):
        s = np.ones((len(one), 1))
        parts.append((s.T @ s, one.T @ s, one.T @ one, np.array(float(len(one)))))
    sums = mniw.Natural(*(torch.from_numpy(np.stack(part)) for part in zip(*parts, strict=True)))
    base = mniw.Natural(
        torch.ones((1, 1), dtype=torch.float64),
        torch.zeros((2, 1), dtype=torch.float64),
        torch.eye(2, dtype=torch.float64),
        torch.tensor(8.0, dtype=torch.float64),
    )
    assert merging.merge_states(sums, base, 0.01).tolist() == [0, 0, 2]
    assert merging.merge_states(sums, base, 100.0).tolist() == [0, 0, 0]
    assert merging.merge_states(sums, base, -100.0).tolist() == [0, 1, 2]
    empty = mniw.Natural(*(torch.cat([part, 0 * part[:1]]) for part in sums))
    assert merging.merge_states(empty, base, 0.01).tolist()[:3] == [0, 0, 2]


def test_a_prior_that_can_not_be_told_of_states_is_refused_before_any_work():
    settings = ModelSettings(prior="arhmm", discovery=QUICK)
    with pytest.raises(BadSetting, match=r"discovery tells prior 'slds'.*'arhmm'"):
        require_choices(settings, "models.mine")


def test_the_recognizer_sees_its_context_and_no_farther(rng):
    own = ClassifierSettings(width=8, context_frames=9)
    net = classifier.TemporalClassifier(5, 3, own, rng)
    given = rng.standard_normal((80, 5)).astype(np.float32)
    moved = given.copy()
    moved[40] += 1
    apart = np.flatnonzero((classifier.evidence(net, given) != classifier.evidence(net, moved)).any(1))
    assert apart.min() >= 36 and apart.max() <= 44


def test_gaps_are_bridged_and_what_is_missing_has_no_influence(study):
    series = study[0]["r0"]
    seen = classifier.features(series)
    assert np.isfinite(seen).all() and seen.shape == (1000, 7)
    assert seen[[100, 101, 500], -1].tolist() == [0, 0, 0]
    assert_allclose(
        seen[100, :3], (2 * series.values[99] + series.values[102]) / 3, rtol=1e-5, atol=1e-6
    )


def test_an_empty_recording_and_one_alone_are_no_trouble(study, found):
    empty = LatentSeries(np.zeros((0, 3)), np.zeros(0, bool), np.zeros((0, 3)))
    net = found.labeler.net
    assert classifier.evidence(net, classifier.features(empty)).shape == (0, net.last.out_channels)
    alone = {"r0": study[0]["r0"]}
    assert (
        discovery.find(alone, QUICK, target_duration_s=0.4, fps=FPS, seed=1).evidence["r0"].shape[1] > 1
    )


def test_the_prior_settles_on_what_is_said(study, found):
    series, _ = study
    settings = ModelSettings(prior="slds", discovery=QUICK)
    said = {name: torch.from_numpy(one) for name, one in found.evidence.items()}
    fitted = clamped.fit(series, said, settings, fps=FPS, seed=1)
    bound = fitted.history["bound_nats_per_frame"].to_numpy()
    # An update of all parameters never lowers the bound while states are held but for the chain.
    assert bound[-1] > bound[1] and (np.diff(bound[2:]) > -1e-3).all()
    assert slds.dimensions(fitted.parameters) == 3
    assert len(fitted.parameters.weights) == found.evidence["r0"].shape[1]
    twice = clamped.fit(series, said, settings, fps=FPS, seed=1, workers=2)
    for left, right in zip(fitted.parameters.dynamics, twice.parameters.dynamics, strict=True):
        assert_array_equal(left, right)


@pytest.mark.parametrize("use_teacher", [True, False])
def test_a_renumbered_recognizer_says_the_same_of_other_numbers(found, study, use_teacher):
    series = study[0]["r0"]
    known = found.labeler._replace(use_teacher=torch.tensor(use_teacher))
    before = known.say(series, 6)
    order = torch.arange(before.states.shape[1]).flip(0)
    other = known.reorder(order)
    for left, right in zip(other.say(series, 6), before, strict=True):
        assert_allclose(left, right[:, ::-1], rtol=1e-5, atol=1e-6)
    again = StateLabeler.from_tensors(other.tensors(), QUICK)
    for left, right in zip(again.say(series, 6), other.say(series, 6), strict=True):
        assert_array_equal(left, right)
    other.reorder(order)
