"""The path from many states to one."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import linear_sum_assignment
from scipy.special import digamma

from svae.discovery.conftest import FRAMES, GAPS, train
from syllabary.expfam import dirichlet, mniw
from syllabary.priors import arhmm
from syllabary.priors.blocks import autoregression
from syllabary.svae.discovery import coarsening
from syllabary.svae.settings import DiscoverySettings

# The first frame of a recording, the long gap and the frame after it have no past.
USABLE = 3 * (FRAMES - 1 - 13)


def labels_of(model, trained, people=None):
    parts = coarsening.infer(model, trained.evidence, people)
    return np.concatenate([states.argmax(-1).numpy() for _, states in parts])


def accuracy(labels, truth):
    table = pd.crosstab(labels, truth).to_numpy()
    return table[linear_sum_assignment(-table)].sum() / len(truth)


def all_of(truth):
    return np.concatenate([truth[name] for name in sorted(truth)])


def one_hot(z, classes):
    return torch.eye(classes, dtype=torch.float64)[torch.as_tensor(z)]


def test_the_path_loses_a_state_at_a_time_and_passes_the_true_ones(path, trained, study):
    numbers = [len(model.parameters.weights) for model in path]
    assert numbers == list(range(8, 0, -1))
    four = path[numbers.index(4)]
    # The other three per cent are frames next to a change of state.
    assert accuracy(labels_of(four, trained), all_of(study[1])) > 0.97
    # Until then a merge costs next to nothing, and then what the state is worth.
    costs = [model.cost_nats for model in path]
    assert costs[0] == 0 and max(costs[: numbers.index(4) + 1]) < 0.01
    assert min(costs[numbers.index(3) :]) > 0.05


def test_every_model_counts_every_usable_frame_once(path, study):
    assert all(study[0][name].observed.sum() == FRAMES - len(GAPS) for name in study[0])
    for model in path:
        K = len(model.parameters.weights)
        assert float(model.statistics.dynamics.observations.sum()) == pytest.approx(USABLE, abs=1e-6)
        # Every tick has a state: three first ones, and the steps between the others.
        assert float(model.statistics.initial.concentration.sum()) == pytest.approx(3)
        assert float(model.statistics.transition.concentration.sum()) == pytest.approx(3 * (FRAMES - 1))
        assert float(model.parameters.weights.sum()) == pytest.approx(1)
        shapes = [part.shape[0] for part in (*model.parameters.dynamics, model.classes.concentration)]
        assert shapes == [K] * 5


def test_states_that_no_frame_uses_are_not_on_the_path(trained):
    """A copy of the parameters with two states whose noise and offset fit nothing."""
    hyperprior = trained.parameters.hyperprior
    far = torch.full_like(hyperprior.precision_mean, 0.0)
    far[:, -1] = 1e4 * hyperprior.precision[-1, -1]
    scatter = hyperprior.scatter + far @ torch.linalg.inv(hyperprior.precision) @ far.mT
    lost = mniw.Natural(hyperprior.precision, far, scatter, hyperprior.observations)
    old = trained.parameters
    wider = old._replace(
        initial=dirichlet.Natural(torch.cat([old.initial.concentration, torch.ones(2).double()])),
        transition=dirichlet.Natural(
            torch.block_diag(old.transition.concentration, torch.eye(2).double()) + 1e-3
        ),
        dynamics=mniw.Natural(
            *(torch.cat([a, b[None], b[None]]) for a, b in zip(old.dynamics, lost, strict=True))
        ),
        weights=torch.full((10,), 0.1, dtype=torch.float64),
    )
    first = next(coarsening.coarsen(trained._replace(parameters=wider)))
    assert len(first.parameters.weights) == 8


def test_class_evidence_is_the_expected_log_probability_of_the_labels(rng):
    counts = rng.gamma(1.0, 3.0, (4, 3)) + 0.1
    labels = np.array([[1, 0, 0], [0, 0.25, 0.5], [0, 0, 0], [0, 1, 0]])
    result = coarsening.class_evidence(dirichlet.Natural(torch.from_numpy(counts)), torch.tensor(labels))
    expected = np.zeros((4, 4))
    for t in range(4):
        for k in range(4):
            for c in range(3):
                expected[t, k] += labels[t, c] * (digamma(counts[k, c]) - digamma(counts[k].sum()))
    assert_allclose(result, expected, rtol=1e-9)


def test_how_far_people_and_states_agree_is_learned(trained, study):
    """People label a third of the frames, and are wrong in a fifth of them."""
    rng = np.random.default_rng(4)
    people, labeled = [], 0
    for name in sorted(study[1]):
        z = study[1][name]
        wrong = rng.random(FRAMES) < 0.2
        answers = np.where(wrong, rng.integers(4, size=FRAMES), z)
        weights = one_hot(answers, 4)
        weights[FRAMES // 3 :] = 0
        people.append(weights)
        labeled += FRAMES // 3
    annotated = trained._replace(people=people)
    (four,) = (m for m in coarsening.coarsen(annotated) if len(m.parameters.weights) == 4)
    counts = four.classes.concentration.numpy() - coarsening.CLASS_COUNT
    assert counts.sum() == pytest.approx(labeled)
    share = counts / counts.sum(1, keepdims=True)
    expected = 0.2 / 4 + 0.8 * np.eye(4)
    # 750 labels of each state: errors of 0.015, and states that are three per cent wrong.
    assert_allclose(share[share.argmax(0)], expected, atol=0.06)
    assert accuracy(labels_of(four, annotated, people), all_of(study[1])) > 0.97


def halved(z, rng):
    """The same states, but every bout of state 0 or 1 gets another number in half of the cases."""
    result, begin = z.copy(), 0
    for stop in [*(np.flatnonzero(np.diff(z)) + 1), len(z)]:
        if z[begin] < 2 and rng.random() < 0.5:
            result[begin:stop] = z[begin] + 4
        begin = stop
    return result


@pytest.fixture(scope="module")
def halves(trained, study):
    """A model of six states: 0 and 4 move alike, and so do 1 and 5. People tell 0 from 4 alone."""
    rng = np.random.default_rng(7)
    classes = [halved(study[1][name], rng) for name in sorted(study[1])]
    parts, people = [], []
    for evidence, z in zip(trained.evidence, classes, strict=True):
        shares = one_hot(z, 6)
        usable = autoregression.usable(evidence.observed, 1)
        steps = shares[:-1].T @ shares[1:]
        parts.append((shares[0], steps, autoregression.sums(evidence, usable, shares, 1)))
        people.append(shares[:, [0, 4]])
    settings = arhmm.Settings(states=6, lags=1, kappa=1000.0)
    latents = [each.latents for each in trained.evidence]
    start = arhmm.initial(settings, latents, None, np.random.default_rng(0))
    statistics = arhmm.Statistics(
        dirichlet.Natural(sum(part[0] for part in parts)),
        dirichlet.Natural(sum(part[1] for part in parts)),
        mniw.Natural(*(sum(each) for each in zip(*(part[2] for part in parts), strict=True))),
    )
    parameters = arhmm.update(start, statistics, settings)
    return trained._replace(parameters=parameters, people=people), np.concatenate(classes)


def together(model, trained, classes, pair):
    """Whether most frames of two kinds have the same label."""
    labels = labels_of(model, trained, trained.people)
    each = [np.bincount(labels[classes == kind]).argmax() for kind in pair]
    return each[0] == each[1]


def test_labels_keep_apart_what_moves_alike(halves):
    trained, classes = halves
    six, five, four, *_ = coarsening.coarsen(trained)
    numbers = [len(model.parameters.weights) for model in (six, five, four)]
    assert numbers == [6, 5, 4]
    assert together(five, trained, classes, (1, 5)) and not together(five, trained, classes, (0, 4))
    annotated = (classes == 0) | (classes == 4)
    labels = labels_of(five, trained, trained.people)
    assert accuracy(labels[annotated], classes[annotated]) > 0.97
    # What people tell apart costs a bit for each frame that they labeled.
    alone = trained._replace(people=[None] * 3)
    free = [model for model in coarsening.coarsen(alone) if len(model.parameters.weights) <= 5]
    assert together(free[1], alone, classes, (0, 4)) and together(free[1], alone, classes, (1, 5))
    assert five.cost_nats < 0.01 and max(model.cost_nats for model in free[:2]) < 0.01
    bit = annotated.sum() * np.log(2) / USABLE
    assert four.cost_nats > 0.9 * min(bit, free[2].cost_nats) > 0.1


def test_a_labeled_frame_decides_between_states_that_move_alike(halves):
    trained, classes = halves
    six = next(coarsening.coarsen(trained))
    first = classes[:FRAMES]
    (bouts,) = np.nonzero((first == 0) | (first == 4))
    middle = bouts[len(bouts) // 2]
    some = torch.zeros((FRAMES, 2), dtype=torch.float64)
    states = {}
    for answers in (0, 1):
        some[middle] = 0
        some[middle, answers] = 1
        (_, result) = next(coarsening.infer(six, trained.evidence[:1], [some]))
        states[answers] = result[middle].argmax().item()
    assert states[0] != states[1]


def test_training_begins_with_recordings_in_the_order_of_their_names(study):
    settings = DiscoverySettings(states=3, lags=2, iterations=1, bridge_s=0)
    series = dict(reversed({name: part for name, part in study[0].items() if name != "r1"}.items()))
    people = {name: np.full((FRAMES, 2), float(i)) for i, name in enumerate(sorted(series))}
    result = train(series, people, settings)
    assert len(result.parameters.weights) == 3 and arhmm.lags(result.parameters) == 2
    for i, name in enumerate(sorted(series)):
        assert_array_equal(result.people[i], people[name])
        assert_array_equal(result.evidence[i].observed, series[name].observed)


def test_stickiness_has_a_limit_for_each_frame(study):
    settings = DiscoverySettings(states=4, lags=1, iterations=3, max_stickiness=0.01)
    result = train({"r0": study[0]["r0"]}, None, settings, target_duration_s=5.0)
    assert 0 < float(result.parameters.kappa) <= 0.01 * FRAMES
