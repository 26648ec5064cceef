"""What every file in ``priors/`` must keep to."""

import numpy as np
import pytest
import torch

from oracles import arhmm as oracle
from syllabary import registry
from syllabary.priors._evidence import PointEvidence, total

PRIORS = registry.names("syllabary.priors")
OFFERED = (
    "Parameters", "Settings", "adapt", "dimensions", "divergence", "filter", "infer", "initial", "merge",
    "reorder", "sample", "update", "with_kappa",
)  # fmt: skip


@pytest.fixture(params=PRIORS)
def prior(request):
    return registry.find("syllabary.priors", request.param)


@pytest.fixture
def trained(prior, rng):
    dynamics = oracle.draw_dynamics(rng, 3, 3)
    latents = [torch.from_numpy(oracle.draw(rng, dynamics, n)[0]) for n in (200, 150)]
    latents[1][40:42] = torch.nan
    settings = prior.Settings(states=5)
    evidence = [PointEvidence(x, torch.isfinite(x).all(-1)) for x in latents]
    return settings, evidence, prior.initial(settings, latents, None, rng)


def test_offers_the_interface(prior):
    assert [name for name in OFFERED if not hasattr(prior, name)] == []


def test_no_sweep_lowers_the_bound(prior, trained):
    settings, evidence, parameters = trained
    bounds = []
    for _ in range(12):
        found = [prior.infer(parameters, one) for one in evidence]
        cost = sum(float(one.divergence) for one in found)
        bounds.append(-cost - float(prior.divergence(parameters, settings)))
        parameters = prior.update(parameters, total([one.statistics for one in found]), settings)
        parameters = prior.adapt(parameters)
    assert bounds[-1] > bounds[0] and (np.diff(bounds) >= -1e-9 * abs(bounds[-1])).all()


def test_divergence_is_positive_and_probabilities_sum_to_one(prior, trained):
    settings, evidence, parameters = trained
    assert float(prior.divergence(parameters, settings)) >= 0
    for one in evidence:
        local = prior.infer(parameters, one, paths=True)
        torch.testing.assert_close(local.states.sum(-1), torch.ones(len(local.states)).double())
        assert local.path.shape == local.states.shape[:-1]


def test_two_half_steps_are_three_quarters_of_a_step(prior, trained):
    settings, evidence, parameters = trained
    statistics = total([prior.infer(parameters, one).statistics for one in evidence])
    full = prior.update(parameters, statistics, settings)
    half = prior.update(parameters, statistics, settings, rate=0.5)
    twice = prior.update(half, statistics, settings, rate=0.5)
    expected = 0.25 * parameters.dynamics.scatter + 0.75 * full.dynamics.scatter
    torch.testing.assert_close(twice.dynamics.scatter, expected)


def test_predictions_of_a_frame_do_not_see_it_or_what_follows(prior, trained):
    _, evidence, parameters = trained
    whole = prior.filter(parameters, evidence[0]).log_density
    part = prior.filter(parameters, PointEvidence(*(one[:100] for one in evidence[0]))).log_density
    torch.testing.assert_close(whole[:100], part, rtol=1e-9, atol=1e-9)


def test_samples_have_the_shape_asked_for(prior, trained, rng):
    _, _, parameters = trained
    drawn = prior.sample(parameters, rng, T=17)
    assert drawn.states.shape == (17,) and drawn.latents.shape == (17, prior.dimensions(parameters))
    assert torch.isfinite(drawn.latents).all()
