"""Discovery recovers simulated syllables."""

import logging

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.cluster import hierarchy
from sklearn.metrics import adjusted_mutual_info_score

from svae.discovery.conftest import FPS, FRAMES, QUICK, TARGET_S
from syllabary.errors import BadSetting
from syllabary.priors import slds
from syllabary.records.annotations import Annotations
from syllabary.reduction.latents import LatentSeries
from syllabary.simulate import latent
from syllabary.svae import latent_evidence
from syllabary.svae.choices import require_choices
from syllabary.svae.discovery import coarsening, discovery
from syllabary.svae.settings import ModelSettings
from syllabary.svae.training import clamped
from syllabary.svae.training.state import Place


def find(series, settings=QUICK, **rest):
    return discovery.find(series, settings, target_duration_s=TARGET_S, fps=FPS, seed=1, **rest)


def with_states(number, **rest):
    return QUICK.model_copy(update={"syllables": number, **rest})


def agreement(result, truth):
    labels = np.concatenate([result.states[name].argmax(1) for name in truth])
    return adjusted_mutual_info_score(np.concatenate(list(truth.values())), labels)


def assert_same(each, other):
    assert each.states.keys() == other.states.keys()
    for name, states in each.states.items():
        assert_array_equal(states, other.states[name])
    for left, right in zip(each.parameters.dynamics, other.parameters.dynamics, strict=True):
        assert_array_equal(left, right)
    assert_array_equal(each.linkage, other.linkage)
    assert_array_equal(each.agreement, other.agreement)


@pytest.fixture(scope="module")
def discovered(study):
    return find(study[0])


def test_the_true_number_of_states_is_found_and_numbered_by_usage(study, discovered):
    assert len(discovered.parameters.weights) == 4
    assert agreement(discovered, study[1]) > 0.9
    states = torch.cat(list(discovered.states.values()))
    assert_allclose(states.sum(1), 1, atol=1e-9)
    assert (np.diff(states.sum(0).numpy()) <= 0).all()
    assert discovered.classes == ("",) * 4
    assert discovered.linkage.shape == (3, 4)
    assert hierarchy.is_valid_linkage(discovered.linkage.numpy())
    assert len(discovered.history)


def test_agreement_is_that_with_fits_to_other_animals(study, discovered):
    """States this clear are the same in every fit, but for frames next to a change of state."""
    agreed = discovered.agreement.numpy()
    assert agreed.shape == (4, 4)
    assert_allclose(agreed.sum(1), 1)
    assert (np.diag(agreed) > 0.97).all()


def test_merged_states_are_numbered_by_usage_and_so_are_the_parameters(study):
    """Two of four states become one, which is then the commonest but was not the first."""
    result = find(study[0], with_states(3))
    usage = torch.cat(list(result.states.values())).sum(0)
    assert (usage[:-1] > 1.1 * usage[1:]).all()
    model = coarsening.Coarse(
        result.parameters, coarsening.dirichlet.Natural(torch.zeros((3, 0))), None, 0.0
    )
    evidence = [latent_evidence.points(study[0]["r1"], bridge=round(QUICK.bridge_s * FPS))]
    ((_, states),) = coarsening.infer(model, evidence)
    assert_allclose(states, result.states["r1"], atol=1e-9)
    assert sorted(result.linkage[:, :2].flatten().tolist()) == [0, 1, 2, 3]


def test_animals_of_one_movement_have_one_state():
    values = latent.arhmm(
        np.random.default_rng(3), states=1, dims=2, lags=1, frames=3 * 800, duration_frames=15,
        noise_sd=0.3, memory=0.8,
    ).x  # fmt: skip
    series = {
        f"r{i}": LatentSeries(values[800 * i : 800 * (i + 1)] / values.std(0), np.ones(800, bool))
        for i in range(3)
    }
    result = find(series, with_states(None, states=4))
    assert len(result.parameters.weights) == 1
    assert result.linkage.shape == (0, 4)
    assert all(bool((states == 1).all()) for states in result.states.values())


def test_the_number_is_that_on_which_fits_agree(study, monkeypatch):
    """Fits see all animals but one each, are compared on both, and the last fit sees all."""
    trained_on, compared = [], []
    train, infer = coarsening.train, coarsening.infer

    def spy(latents, *rest, **options):
        trained_on.append(sorted(name.partition(".")[0] for name in latents))
        return train(latents, *rest, **options)

    def watched(model, evidence, people=None):
        compared.append([each.latents for each in evidence])
        return infer(model, evidence, people)

    monkeypatch.setattr(discovery, "train", spy)
    monkeypatch.setattr(discovery, "infer", watched)
    monkeypatch.setattr(
        discovery.reproducibility, "best_number", lambda *fits: (2, dict.fromkeys(fits[0], 0.0))
    )
    result = find(study[0], with_states(None, iterations=1))
    assert trained_on == [["r1", "r2"], ["r0", "r2"], ["r0", "r1", "r2"]]
    assert len(result.parameters.weights) == 2
    assert len(compared[0]) == 2
    for left, name in zip(compared[0], ("r0", "r1"), strict=True):
        bridged = latent_evidence.points(study[0][name], bridge=round(QUICK.bridge_s * FPS)).latents
        assert_array_equal(left, bridged)


def test_the_same_seed_gives_the_same_result(study, discovered):
    assert_same(find(study[0]), discovered)


def test_the_number_of_syllables_can_be_given(study, discovered, tmp_path):
    two = find(study[0], with_states(2), place=Place(folder=tmp_path))
    assert len(two.parameters.weights) == 2 and two.agreement.shape == (0, 0)
    # Nothing is compared then, so there is one fit.
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    # Syllables are merged, not found anew: two pairs of the four.
    pairs = [torch.cat(list(part.states.values())).argmax(1).numpy() for part in (two, discovered)]
    table = np.histogram2d(*pairs, bins=(2, 4))[0]
    assert (table.max(0) > 0.95 * table.sum(0)).all()


def test_fits_that_were_stopped_continue(study, discovered, tmp_path, monkeypatch):
    class Killed(Exception):
        pass

    train, calls = coarsening.train, []

    def killed(*arguments, **options):
        calls.append(options["checkpoint"].path.name)
        if len(calls) == 3:
            raise Killed
        return train(*arguments, **options)

    monkeypatch.setattr(discovery, "train", killed)
    with pytest.raises(Killed):
        find(study[0], place=Place(folder=tmp_path, identity="a"))
    assert calls == ["without-0.safetensors", "without-1.safetensors", "checkpoint.safetensors"]
    assert {path.name for path in tmp_path.iterdir()} == set(calls[:2])
    assert_same(find(study[0], place=Place(folder=tmp_path, identity="a")), discovered)


def test_labels_of_people_give_syllables_their_names(study):
    series, truth = study
    labels = {}
    for name, true in truth.items():
        weights = np.zeros((FRAMES, 4), np.float32)
        rows = np.arange(300, 600)
        weights[rows, true[rows]] = 1
        # One behavior is labeled in hardly any frame.
        weights[:, 3] = 0
        weights[np.flatnonzero(true == 3)[:3], 3] = 1
        labels[name] = Annotations(("a", "b", "c", "d"), weights)
    result = find(series, with_states(4), labels=labels)
    assert agreement(result, truth) > 0.9
    labeled = np.concatenate([result.states[name].argmax(1) for name in sorted(truth)])
    true = np.concatenate([truth[name] for name in sorted(truth)])
    for k, name in enumerate(result.classes):
        assert name == ["a", "b", "c", ""][np.bincount(true[labeled == k]).argmax()]


def test_names_are_the_commonest_class_and_no_name_is_used_twice():
    counts = np.array([[20, 5, 0], [40, 0, 3], [10, 2, 0], [20, 15, 10], [0.1, 15.2, 0.1]])
    assert discovery._named(counts, ("run", "rear", "rest")) == ("run", "run 2", "", "", "rear")


def test_annotations_without_a_label_change_nothing(study, discovered):
    empty = {
        name: Annotations(("a",), np.zeros((len(part.values), 1), np.float32))
        for name, part in study[0].items()
    }
    result = find(study[0], labels=empty)
    assert_same(result, discovered)
    assert result.classes == ("",) * 4


def test_a_prior_of_points_is_refused_before_training():
    settings = ModelSettings(prior="arhmm", discovery=QUICK)
    with pytest.raises(BadSetting, match=r"discovery works with prior 'slds'.*'arhmm'"):
        require_choices(settings, "models.slds")


@pytest.mark.parametrize("names", [("r0",), ("r0", "r2")])
def test_few_recordings_are_cut_in_time(study, names, caplog):
    with caplog.at_level(logging.INFO):
        result = find({name: study[0][name] for name in names})
    assert len(result.parameters.weights) == 4
    assert "confirm 4 states" in caplog.text
    assert agreement(result, {name: study[1][name] for name in names}) > 0.9


def test_a_recording_without_frames_has_no_influence(study, discovered):
    empty = LatentSeries(np.zeros((0, 2)), np.zeros(0, bool), np.zeros((0, 2)))
    result = find({**study[0], "s": empty}, with_states(4))
    assert result.states["s"].shape == (0, 4)
    assert agreement(result, study[1]) > 0.9


def test_clamped_fit_raises_the_bound_and_does_not_depend_on_workers(study, discovered):
    series, _ = study
    settings = ModelSettings(prior="slds", discovery=QUICK)
    logits = {name: states.clamp(min=1e-6).log() for name, states in discovered.states.items()}
    fitted = clamped.fit(series, logits, settings, fps=FPS, seed=1)
    bound = fitted.history["bound_nats_per_frame"].to_numpy()
    # With fixed state evidence, updates of the parameters do not lower the bound.
    assert bound[-1] > bound[1] and (np.diff(bound[2:]) > -1e-3).all()
    assert slds.dimensions(fitted.parameters) == 2
    assert len(fitted.parameters.weights) == 4
    parallel = clamped.fit(series, logits, settings, fps=FPS, seed=1, workers=2)
    for left, right in zip(fitted.parameters.dynamics, parallel.parameters.dynamics, strict=True):
        assert_array_equal(left, right)
