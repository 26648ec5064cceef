"""Discovery recovers simulated syllables."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.metrics import adjusted_mutual_info_score

from svae.discovery.conftest import FPS, QUICK
from syllabary.errors import BadSetting
from syllabary.expfam import mniw
from syllabary.priors import slds
from syllabary.priors.blocks import merging
from syllabary.records.annotations import Annotations
from syllabary.reduction.latents import LatentSeries
from syllabary.svae.choices import require_choices
from syllabary.svae.discovery import classifier, discovery
from syllabary.svae.settings import ModelSettings
from syllabary.svae.training import clamped


def agreement(result, truth):
    labels = np.concatenate([result.evidence[name].argmax(1) for name in truth])
    return adjusted_mutual_info_score(np.concatenate(list(truth.values())), labels)


def test_simulated_states_are_recovered_and_numbered_by_usage(study, discovered):
    assert agreement(discovered, study[1]) > 0.8
    evidence = np.concatenate(list(discovered.evidence.values()))
    usage = np.exp(evidence).sum(0)
    assert (np.diff(usage) <= 0.05 * usage[0]).all()
    assert discovered.classes == ("",) * evidence.shape[1]


def test_the_same_seed_gives_the_same_result(study, discovered):
    again = discovery.find(study[0], QUICK, target_duration_s=0.4, fps=FPS, seed=1)
    for name, evidence in discovered.evidence.items():
        assert_array_equal(evidence, again.evidence[name])


def test_a_teacher_with_uncorrelated_residuals_is_used(discovered):
    # The study is simulated from the teacher's model.
    assert discovered.labeler.use_teacher


def test_a_teacher_with_correlated_residuals_is_not_used(study):
    series, _ = study
    loud = np.where((np.arange(1000) // 8) % 2, 3.0, 1.0)[:, None]
    rng = np.random.default_rng(3)
    wild = {
        name: part._replace(values=part.values + 0.3 * loud * rng.standard_normal(part.values.shape))
        for name, part in series.items()
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
    result = discovery.find(series, QUICK, target_duration_s=0.4, fps=FPS, seed=1, labels=labels)
    assert agreement(result, truth) > 0.8
    labeled = np.concatenate([result.evidence[name].argmax(1) for name in truth])
    true = np.concatenate(list(truth.values()))
    for k, name in enumerate(result.classes):
        if (labeled == k).sum() > 40:
            assert name == "abcde"[np.bincount(true[labeled == k]).argmax()]


def test_merging_unites_halves_of_a_state_and_no_others(rng):
    """The first two states are one regression; a negative threshold merges nothing."""
    x = rng.standard_normal((3, 4000, 2)) * np.array([1.0, 1.0, 3.0])[:, None, None]
    x[2] += 4
    parts = []
    for values in (x[0], x[1], x[2]):
        s = np.ones((len(values), 1))
        parts.append((s.T @ s, values.T @ s, values.T @ values, np.array(float(len(values)))))
    sums = mniw.Natural(*(torch.from_numpy(np.stack(part)) for part in zip(*parts, strict=True)))
    hyperprior = mniw.Natural(
        torch.ones((1, 1), dtype=torch.float64),
        torch.zeros((2, 1), dtype=torch.float64),
        torch.eye(2, dtype=torch.float64),
        torch.tensor(8.0, dtype=torch.float64),
    )
    assert merging.merge_states(sums, hyperprior, 0.01).tolist() == [0, 0, 2]
    assert merging.merge_states(sums, hyperprior, 100.0).tolist() == [0, 0, 0]
    assert merging.merge_states(sums, hyperprior, -100.0).tolist() == [0, 1, 2]
    empty = mniw.Natural(*(torch.cat([part, 0 * part[:1]]) for part in sums))
    assert merging.merge_states(empty, hyperprior, 0.01).tolist()[:3] == [0, 0, 2]


def test_a_prior_without_state_evidence_is_refused_before_training():
    settings = ModelSettings(prior="arhmm", discovery=QUICK)
    with pytest.raises(BadSetting, match=r"discovery works with prior 'slds'.*'arhmm'"):
        require_choices(settings, "models.slds")


def test_an_empty_recording_and_a_single_recording_work(study, discovered):
    empty = LatentSeries(np.zeros((0, 3)), np.zeros(0, bool), np.zeros((0, 3)))
    net = discovered.labeler.net
    assert classifier.evidence(net, classifier.features(empty)).shape == (0, net.last.out_channels)
    alone = {"r0": study[0]["r0"]}
    assert (
        discovery.find(alone, QUICK, target_duration_s=0.4, fps=FPS, seed=1).evidence["r0"].shape[1] > 1
    )


def test_clamped_fit_raises_the_bound_and_does_not_depend_on_workers(study, discovered):
    series, _ = study
    settings = ModelSettings(prior="slds", discovery=QUICK)
    state_logits = {name: torch.from_numpy(part) for name, part in discovered.evidence.items()}
    fitted = clamped.fit(series, state_logits, settings, fps=FPS, seed=1)
    bound = fitted.history["bound_nats_per_frame"].to_numpy()
    # With fixed state evidence, updates of the parameters do not lower the bound.
    assert bound[-1] > bound[1] and (np.diff(bound[2:]) > -1e-3).all()
    assert slds.dimensions(fitted.parameters) == 3
    assert len(fitted.parameters.weights) == discovered.evidence["r0"].shape[1]
    parallel = clamped.fit(series, state_logits, settings, fps=FPS, seed=1, workers=2)
    for left, right in zip(fitted.parameters.dynamics, parallel.parameters.dynamics, strict=True):
        assert_array_equal(left, right)
