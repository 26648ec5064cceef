"""Dynamics of several lags, fitted to states that are known."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from syllabary.errors import BadInput
from syllabary.expfam import mniw
from syllabary.priors import slds
from syllabary.priors.types import GaussianEvidence
from syllabary.svae import dynamics
from syllabary.svae.process import chain, filtering
from syllabary.svae.process.generative import generative_process

# Springs of two dimensions, slow and fast: each needs two lags.
SPRINGS = np.array([[[a, 0.0, -0.8, 0.0], [0.0, a, 0.0, -0.8]] for a in (1.6, 1.1)])
NOISE_SD, EVIDENCE_SD = 0.1, 0.05
FRAMES, BOUT = 3000, 30


@pytest.fixture
def springs(rng):
    """Evidence of two recordings, and their states."""
    evidence, states = [], []
    for _ in range(2):
        z = np.repeat(rng.integers(2, size=FRAMES // BOUT), BOUT)
        x = np.zeros((FRAMES, 2))
        for t in range(2, FRAMES):
            past = np.concatenate([x[t - 1], x[t - 2]])
            x[t] = SPRINGS[z[t]] @ past + NOISE_SD * rng.standard_normal(2)
        observed = torch.from_numpy(x + EVIDENCE_SD * rng.standard_normal(x.shape))
        precision = torch.full_like(observed, EVIDENCE_SD**-2)
        precision[100:110] = 0
        observed[100:110] = torch.nan
        evidence.append(GaussianEvidence(observed, precision))
        states.append(torch.from_numpy(np.eye(2)[z]))
    return evidence, states


def blank(evidence):
    settings = slds.Settings(states=2, gamma=2.0, kappa=100.0)
    points = [torch.where(each.precision > 0, each.mean, torch.nan) for each in evidence]
    return slds.initial(settings, points, None, np.random.default_rng(0)), settings


def test_two_lags_are_found_through_noise(springs):
    evidence, states = springs
    parameters, settings = blank(evidence)
    result = generative_process(
        dynamics.refit(parameters, evidence, states, 2, settings, max_iterations=20)
    )
    # Six thousand frames of AR noise 0.1 leave coefficients an error of about 0.01.
    assert_allclose(result.weights.numpy(), SPRINGS, atol=0.06)
    assert_allclose(result.noise.numpy(), NOISE_SD**2 * np.eye(2)[None].repeat(2, 0), atol=2e-3)
    assert_allclose(result.rows, generative_process(parameters).rows)


def test_what_is_to_come_is_foretold_better_by_two_lags_than_by_one(springs):
    evidence, states = springs
    parameters, settings = blank(evidence)
    nats = []
    for lags in (1, 2):
        motion = generative_process(dynamics.refit(parameters, evidence[:1], states[:1], lags, settings))
        each = evidence[1]
        potential = chain.Potential(
            torch.diag_embed(each.precision)[None], (each.precision * each.mean.nan_to_num())[None]
        )
        nodes = filtering.filtered(motion, potential).nodes[0]
        nats.append(float((nodes * states[1]).sum() / FRAMES))
    assert nats[1] > nats[0] + 0.2


def test_windows_change_next_to_nothing(springs, monkeypatch):
    evidence, states = springs
    parameters, settings = blank(evidence)
    whole = dynamics.refit(parameters, evidence, states, 2, settings)
    monkeypatch.setattr(dynamics, "WINDOW", 700)
    cut = dynamics.refit(parameters, evidence, states, 2, settings)
    weights = [mniw.to_standard(each.dynamics).mean for each in (whole, cut)]
    # Ten borders in six thousand frames.
    assert_allclose(weights[0], weights[1], atol=0.02)


def test_a_piece_counts_every_frame_but_its_first_and_agrees_with_points(springs):
    """Seen almost exactly, the sums are those of an autoregression of points."""
    evidence, states = springs
    parameters, settings = blank(evidence)
    motion = generative_process(dynamics.refit(parameters, evidence, states, 2, settings))
    exact = torch.from_numpy(np.random.default_rng(0).standard_normal((50, 2)))
    potential = chain.Potential(torch.eye(2).expand(50, 2, 2).double() * 1e12, exact * 1e12)
    shares = states[0][:50]
    result = dynamics._sums(motion, potential, shares, 2, 2)
    assert_allclose(result.observations, shares[1:].sum(0))
    regressor = torch.cat([exact[1:-1], exact[:-2], torch.ones(48, 1)], -1)
    weighted = shares[2:, 0, None] * regressor
    first = torch.cat([exact[0], exact[0], torch.ones(1)])
    expected = weighted.T @ regressor + shares[1, 0] * torch.outer(first, first)
    assert_allclose(result.precision[0], expected, atol=1e-6)
    cross = (shares[2:, 0, None] * exact[2:]).T @ regressor + shares[1, 0] * torch.outer(exact[1], first)
    assert_allclose(result.precision_mean[0], cross, atol=1e-6)


def test_nothing_to_learn_from_is_told(springs):
    evidence, states = springs
    parameters, settings = blank(evidence)
    none = [each._replace(precision=torch.zeros_like(each.precision)) for each in evidence]
    with pytest.raises(BadInput, match="has 2 observed frames before it"):
        dynamics.refit(parameters, none, states, 2, settings)
