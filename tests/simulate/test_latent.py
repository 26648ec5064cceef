"""Chains have the moments their parameters state."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from syllabary.errors import BadSetting
from syllabary.simulate import latent


def regressors(x, lags):
    past = [x[lags - lag : len(x) - lag] for lag in range(1, lags + 1)]
    return np.hstack([*past, np.ones((len(x) - lags, 1))])


@pytest.mark.parametrize("lags", [1, 3])
def test_residuals_are_the_noise(rng, lags):
    chain = latent.arhmm(rng, states=3, dims=2, lags=lags, frames=30_000, duration_frames=12)
    design = regressors(chain.x, lags)
    states = chain.z[lags:]
    for k in range(3):
        residual = chain.x[lags:][states == k] - design[states == k] @ chain.weights[k].T
        count = len(residual)
        assert count > 2000
        scale = np.sqrt(np.diag(chain.noise[k]))
        assert (np.abs(residual.mean(0)) < 4 * scale / np.sqrt(count)).all()
        # A sample covariance is off by some sqrt(2 / count), 2-3 %.
        assert_allclose(np.cov(residual.T), chain.noise[k], atol=0.12 * scale.max() ** 2)


def test_least_squares_gives_the_weights(rng):
    chain = latent.arhmm(rng, states=2, dims=2, lags=2, frames=40_000, duration_frames=30)
    design = regressors(chain.x, 2)
    for k in range(2):
        chosen = chain.z[2:] == k
        fitted, *_ = np.linalg.lstsq(design[chosen], chain.x[2:][chosen])
        assert_allclose(fitted.T, chain.weights[k], atol=0.06)


def test_bouts_last_as_asked(rng):
    chain = latent.arhmm(rng, states=4, dims=1, lags=1, frames=60_000, duration_frames=15)
    bouts = 1 + (np.diff(chain.z) != 0).sum()
    assert len(chain.z) / bouts == pytest.approx(15, rel=0.06)
    counts = np.zeros((4, 4))
    np.add.at(counts, (chain.z[:-1], chain.z[1:]), 1)
    assert_allclose(counts / counts.sum(1, keepdims=True), chain.transition, atol=0.01)


def test_no_switching_makes_it_run_away(rng):
    chain = latent.arhmm(rng, states=8, dims=4, lags=3, frames=20_000, duration_frames=2, memory=0.99)
    assert np.abs(chain.x).max() < 100
    size = 4
    for weights in chain.weights:
        norms = [np.linalg.norm(weights[:, i * size : (i + 1) * size], 2) for i in range(3)]
        assert sum(norms) == pytest.approx(0.99)


def test_slds_outputs(rng):
    chain = latent.slds(rng, states=3, dims=2, outputs=5, frames=30_000, duration_frames=10)
    residual = chain.y - chain.x @ chain.emission.T - chain.offset
    assert_allclose(residual.var(0), chain.emission_noise, rtol=0.06)
    assert_allclose(np.corrcoef(residual.T), np.eye(5), atol=0.04)
    assert chain.y.shape == (30_000, 5)


@pytest.mark.parametrize("lags", [1, 3])
def test_another_draw_of_the_same_parameters(rng, lags):
    chain = latent.arhmm(rng, states=3, dims=2, lags=lags, frames=20_000, duration_frames=12)
    other = latent.again(chain, rng, 20_000)
    assert (other.z != chain.z).any()
    assert_allclose(other.x.mean(0), chain.x.mean(0), atol=0.2)
    assert_allclose(other.x.std(0), chain.x.std(0), rtol=0.15)


def test_one_state_and_one_frame(rng):
    chain = latent.arhmm(rng, states=1, dims=1, lags=3, frames=1, duration_frames=5)
    assert chain.x.shape == (1, 1)
    assert_allclose(chain.transition, [[1.0]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"states": 0}, "states = 0"),
        ({"frames": 0}, "frames = 0"),
        ({"duration_frames": 0.5}, "lasts at least 1 frame"),
        ({"memory": 1.0}, "run away"),
    ],
)
def test_out_of_range(rng, change, message):
    sizes = {"states": 2, "dims": 2, "lags": 1, "frames": 10, "duration_frames": 5, **change}
    with pytest.raises(BadSetting, match=message):
        latent.arhmm(rng, **sizes)


def test_slds_needs_outputs(rng):
    with pytest.raises(BadSetting, match="outputs = 0"):
        latent.slds(rng, states=1, dims=1, outputs=0, frames=3, duration_frames=2)
