import dataclasses

import numpy as np
import pytest
import torch

from oracles import arhmm as oracle
from svae.training.test_em import FPS, components
from syllabary import registry
from syllabary.expfam import mniw
from syllabary.priors.types import GaussianEvidence, PointEvidence, total
from syllabary.svae import clips
from syllabary.svae.model import Model
from syllabary.svae.settings import ModelSettings
from syllabary.svae.training.fitted import Fitted

PRIORS = registry.names("syllabary.priors")


def trained(name, latents, rng):
    """A model a little trained on latents (T, 3)."""
    prior = registry.find("syllabary.priors", name)
    latents = torch.from_numpy(latents)
    few = {} if prior.Settings().states == 1 else {"states": 6}
    settings = prior.Settings(**few)
    parameters = prior.initial(settings, [latents], None, rng)
    if prior.TAKES_POINTS:
        evidence = PointEvidence(latents, torch.ones(len(latents), dtype=torch.bool))
    else:
        evidence = GaussianEvidence(latents, torch.full_like(latents, 100.0))
    for _ in range(3):
        statistics = total([prior.infer(parameters, evidence).statistics])
        parameters = prior.update(parameters, statistics, settings)
    chosen = ModelSettings(prior=name, prior_settings=few)
    return Model.of(chosen, Fitted(parameters, None), components(3), fps=FPS)


@pytest.fixture(params=PRIORS)
def model(request, rng):
    """A model of known states."""
    return trained(request.param, oracle.draw(rng, oracle.draw_dynamics(rng, 3, 3), 400)[0], rng)


def restless(model, factor):
    """The same model, every motion so many times as strong."""
    standard = mniw.to_standard(model.parameters.dynamics)
    dynamics = mniw.from_standard(standard._replace(mean=factor * standard.mean))
    return dataclasses.replace(model, parameters=model.parameters._replace(dynamics=dynamics))


def test_every_state_in_use_has_a_movie_of_plausible_crops(model):
    result = clips.decode(model, seed=1)
    size = model.pca().mean.shape
    assert 1 <= len(result.state) <= 6
    assert result.poses.shape == (len(result.state), 60, *size)
    assert (np.diff(result.state) > 0).all()
    assert ((result.length >= 15) & (result.length <= 60)).all()
    assert np.isfinite(result.latents).all()
    assert result.simulated_heights.shape == (4, 300, *size)
    for movie, length in zip(result.latents, result.length, strict=True):
        assert (movie[length:] == movie[length - 1]).all(), "the last pose is held"


def test_a_movie_follows_the_states_own_dynamics(model):
    result = clips.decode(model, seed=1)
    weights = model.parameters.dynamics
    mean = torch.linalg.solve(weights.precision, weights.precision_mean.mT).mT.numpy()
    k, movie = int(result.state[0]), result.latents[0]
    size = movie.shape[1]
    lags = mean.shape[-1] // size
    past = [movie[lags - lag : 11 - lag] for lag in range(1, lags + 1)]
    regressors = np.concatenate([np.zeros((11 - lags, 0)), *past], 1)
    expected = regressors @ mean[k][:, :-1].T + mean[k][:, -1]
    np.testing.assert_allclose(movie[lags:11], expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["gmm", "hmm"])  # states of the others are motions, wherever they are
def test_a_rare_pose_far_from_all_others_is_shown_where_it_is(name, rng):
    latents = 0.3 * rng.standard_normal((1000, 3))
    latents[500:550] += [9.0, 0.0, 0.0]
    result = clips.decode(trained(name, latents, rng), seed=1)
    assert np.abs(result.latents[..., 0] - 9).min() < 0.5
    assert result.latents.max() < 9 + 3


@pytest.mark.parametrize("factor", [3.0, 1e3])
def test_motions_that_run_away_stay_where_their_frames_were(model, factor):
    wild = restless(model, factor)
    with np.errstate(all="ignore"):
        result = clips.decode(wild, seed=1)
    sums = [a - b for a, b in zip(wild.parameters.dynamics, wild.parameters.hyperprior, strict=True)]
    low, high = clips._range(mniw.Natural(*sums))
    used = result.state.astype(int)
    assert (result.latents >= low[used, None].numpy() - 1e-9).all()
    assert (result.latents <= high[used, None].numpy() + 1e-9).all()


def test_threads_do_not_change_a_movie(model, monkeypatch):
    threads = []
    networks = Model.networks
    monkeypatch.setattr(
        Model, "networks", lambda self: (threads.append(torch.get_num_threads()), networks(self))[1]
    )
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        clips.decode(model, seed=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(threads) == {1}


def test_the_same_seed_draws_the_same_sequences(model):
    each, again, other = (clips.decode(model, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(each.simulated_heights, again.simulated_heights)
    assert (each.simulated_heights != other.simulated_heights).any()
