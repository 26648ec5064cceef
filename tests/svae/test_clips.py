import numpy as np
import pytest
import torch

from oracles import arhmm as oracle
from svae.test_training import FPS, components
from syllabary import registry
from syllabary.priors._evidence import GaussianEvidence, PointEvidence, total
from syllabary.svae import clips
from syllabary.svae.model import Model
from syllabary.svae.settings import ModelSettings
from syllabary.svae.training import Fitted

PRIORS = registry.names("syllabary.priors")


@pytest.fixture(params=PRIORS)
def model(request, rng):
    """A model of known states, a little trained."""
    prior = registry.find("syllabary.priors", request.param)
    dynamics = oracle.draw_dynamics(rng, 3, 3)
    latents = torch.from_numpy(oracle.draw(rng, dynamics, 400)[0])
    few = {} if prior.Settings().states == 1 else {"states": 6}
    settings = prior.Settings(**few)
    parameters = prior.initial(settings, [latents], None, rng)
    if prior.Evidence is PointEvidence:
        evidence = PointEvidence(latents, torch.ones(400, dtype=torch.bool))
    else:
        evidence = GaussianEvidence(latents, torch.full_like(latents, 100.0))
    for _ in range(3):
        statistics = total([prior.infer(parameters, evidence).statistics])
        parameters = prior.update(parameters, statistics, settings)
    chosen = ModelSettings(prior=request.param, prior_settings=few)
    return Model.of(chosen, Fitted(parameters, None), components(3), fps=FPS)


def test_every_syllable_in_use_has_a_movie_of_plausible_crops(model):
    found = clips.decode(model, seed=1)
    size = model.pca().mean.shape
    assert 1 <= len(found.syllable) <= 6
    assert found.poses.shape == (len(found.syllable), 60, *size)
    assert (np.diff(found.syllable) > 0).all()
    assert ((found.length >= 15) & (found.length <= 60)).all()
    assert (
        np.isfinite(found.latents).all() and np.abs(found.latents[:, 1:]).max() <= clips.FARTHEST + 1e-6
    )
    assert found.simulated_heights.shape == (4, 300, *size)
    for movie, length in zip(found.latents, found.length, strict=True):
        assert (movie[length:] == movie[length - 1]).all(), "the last pose is held"


def test_a_movie_follows_the_states_own_dynamics(model):
    found = clips.decode(model, seed=1)
    weights = model.parameters.dynamics
    width = weights.precision.shape[-1]
    if width != 4:
        pytest.skip("of one lag: other priors look further back, or not at all")
    mean = torch.linalg.solve(weights.precision, weights.precision_mean.mT).mT.numpy()
    k, movie = int(found.syllable[0]), found.latents[0]
    expected = movie[:10] @ mean[k][:, :3].T + mean[k][:, 3]
    np.testing.assert_allclose(movie[1:11], np.clip(expected, -4, 4), rtol=1e-6, atol=1e-9)


def test_the_same_seed_draws_the_same_sequences(model):
    one, again, other = (clips.decode(model, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.simulated_heights, again.simulated_heights)
    assert (one.simulated_heights != other.simulated_heights).any()
