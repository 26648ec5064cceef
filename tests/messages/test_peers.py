"""Second opinions: hmmlearn and dynamax on the same chains, at the size people use."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from oracles.chains import sticky_chain
from syllabary.messages import hmm, lds

pytestmark = pytest.mark.peers

FRAMES, STATES = 2000, 50


@pytest.fixture(params=[1.0, 6.0], ids=["overlapping", "apart"])
def chain(request, rng):
    """Log potentials, normalized as the peers want them."""
    initial, transition, evidence = sticky_chain(rng, FRAMES, STATES, separation=request.param)
    return initial, transition - np.logaddexp.reduce(transition, axis=1, keepdims=True), evidence


@pytest.fixture
def jax():
    """Give jax in float64, as long as the test lasts."""
    pytest.importorskip("dynamax")
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield jax
    jax.config.update("jax_enable_x64", before)


def test_hmmlearn_agrees(chain):
    hmmlearn_module = pytest.importorskip("hmmlearn.base")

    class FixedEvidence(hmmlearn_module.BaseHMM):
        """A model whose observations are the log evidence itself."""

        def _compute_log_likelihood(self, X):
            return X

    peer = FixedEvidence(n_components=STATES)
    peer.startprob_, peer.transmat_ = np.exp(chain[0]), np.exp(chain[1])
    result = hmm.marginals(*chain)
    score, states = peer.score_samples(chain[2])
    # Both float64, hmmlearn in logs or scaled: rounding over 2,000 frames.
    assert_allclose(result.states, states, rtol=0, atol=1e-10)
    assert_allclose(result.log_normalizer, score, rtol=1e-12)
    log_probability, path = peer.decode(chain[2])
    result = hmm.path(*chain).numpy()
    assert_array_equal(result, path)
    t = np.arange(FRAMES)
    total = chain[0][result[0]] + chain[1][result[:-1], result[1:]].sum() + chain[2][t, result].sum()
    assert_allclose(log_probability, total, rtol=1e-12)


def test_dynamax_hmm_agrees(chain, jax):
    inference = pytest.importorskip("dynamax.hidden_markov_model")
    initial, transition = np.exp(chain[0]), np.exp(chain[1])
    result = hmm.marginals(*chain)
    peer = inference.hmm_smoother(initial, transition, chain[2])
    assert peer.smoothed_probs.dtype == np.float64
    # dynamax lifts every probability below 1e-15 to that. A state that comes back after being as
    # improbable as this is then found too probable: by 4e-9 here, where hmmlearn agrees to 1e-10.
    close = {"rtol": 0, "atol": 1e-8}
    assert_allclose(result.states, peer.smoothed_probs, **close)
    assert_allclose(result.transitions, peer.trans_probs, **close)
    assert_allclose(result.log_normalizer, peer.marginal_loglik, rtol=1e-12)
    assert_allclose(result.initial, peer.initial_probs, **close)
    two_filter = inference.hmm_two_filter_smoother(initial, transition, chain[2])
    assert_allclose(result.states, two_filter.smoothed_probs, **close)
    filtered = hmm.marginals(*chain, keep="filter")
    assert_allclose(filtered.states, peer.filtered_probs, **close)
    path = inference.hmm_posterior_mode(initial, transition, chain[2])
    assert_array_equal(hmm.path(*chain), path)


def test_float32_agrees_with_dynamax_in_float64(chain, jax):
    inference = pytest.importorskip("dynamax.hidden_markov_model")
    observed = chain[2].astype(np.float32)
    result = hmm.marginals(*chain[:2], observed)
    peer = inference.hmm_smoother(np.exp(chain[0]), np.exp(chain[1]), observed.astype(float))
    assert result.states.dtype == torch.float32
    # float32 messages: eps over some tens of terms.
    assert_allclose(result.states, peer.smoothed_probs, rtol=0, atol=1e-5)
    assert_allclose(result.log_normalizer, peer.marginal_loglik, rtol=1e-6)


@pytest.mark.parametrize("D", [2, 10])
def test_dynamax_kalman_smoother_agrees(D, jax, rng):
    """x_{t+1} = A x_t + b + noise Q, y_t = C x_t + noise R, in moments there and in information here."""
    ssm = pytest.importorskip("dynamax.linear_gaussian_ssm")
    T, observed = FRAMES, D + 2
    rotation = rng.standard_normal((D, D))
    weights = 0.98 * np.linalg.qr(np.eye(D) + 0.1 * (rotation - rotation.T))[0]
    bias = 0.1 * rng.standard_normal(D)
    root = rng.standard_normal((D, D))
    noise = 0.01 * (np.eye(D) + root @ root.T / D)
    emission, spread = rng.standard_normal((observed, D)), np.diag(rng.uniform(0.01, 0.1, observed))
    first_mean, first = rng.standard_normal(D), np.eye(D)

    latents = np.empty((T, D))
    latents[0] = rng.multivariate_normal(first_mean, first)
    kicks = rng.multivariate_normal(np.zeros(D), noise, T - 1)
    for t in range(T - 1):
        latents[t + 1] = weights @ latents[t] + bias + kicks[t]
    values = latents @ emission.T + rng.multivariate_normal(np.zeros(observed), spread, T)

    params = ssm.ParamsLGSSM(
        initial=ssm.ParamsLGSSMInitial(mean=first_mean, cov=first),
        dynamics=ssm.ParamsLGSSMDynamics(
            weights=weights, bias=bias, input_weights=np.zeros((D, 0)), cov=noise
        ),
        emissions=ssm.ParamsLGSSMEmissions(
            weights=emission, bias=np.zeros(observed), input_weights=np.zeros((observed, 0)), cov=spread
        ),
    )
    peer = ssm.lgssm_smoother(
        jax.tree_util.tree_map(jax.numpy.asarray, params), jax.numpy.asarray(values)
    )
    assert peer.smoothed_means.dtype == np.float64

    inner, outer, start = (np.linalg.inv(part) for part in (noise, spread, first))
    precision = np.broadcast_to(emission.T @ outer @ emission, (T, D, D)).copy()
    precision_mean = values @ outer @ emission
    precision[0] += start
    precision_mean[0] += start @ first_mean
    precision[1:] += inner
    precision_mean[1:] += inner @ bias
    precision[:-1] += weights.T @ inner @ weights
    precision_mean[:-1] -= weights.T @ inner @ bias
    lower = np.broadcast_to(-inner @ weights, (T - 1, D, D))
    result = lds.marginals(precision, lower, precision_mean)

    # What completing squares left out, in nats: the potentials' own constants.
    rest = np.einsum("ti,ij,tj", values, outer, values) + first_mean @ start @ first_mean
    rest += (T - 1) * bias @ inner @ bias
    for covariance, count in ((first, 1), (noise, T - 1), (spread, T)):
        rest += count * np.linalg.slogdet(2 * np.pi * covariance)[1]

    # dynamax adds 1e-9 to the diagonal of what it solves with, a covariance of some 1e-2: 1e-7
    # of the answer. Without that the two agree to 2e-12.
    close = 1e-6
    second = np.asarray(peer.smoothed_cross_covariances)
    # dynamax gives E x_t x_{t+1}ᵀ; here it is a covariance, with the later frame in rows.
    mean = np.asarray(peer.smoothed_means)
    cross = second.swapaxes(-1, -2) - mean[1:, :, None] * mean[:-1, None]
    assert_allclose(result.means, mean, rtol=0, atol=close * np.abs(mean).max())
    scale = float(result.covariances.abs().max())
    assert_allclose(result.covariances, peer.smoothed_covariances, rtol=0, atol=close * scale)
    assert_allclose(result.cross, cross, rtol=0, atol=close * scale)
    assert_allclose(float(result.log_normalizer) - 0.5 * rest, float(peer.marginal_loglik), rtol=1e-9)
    filtered = lds.marginals(precision, lower, precision_mean, keep="filter")
    # The last frame has no frames after it; before, information holds its own future step.
    assert_allclose(filtered.means[-1], peer.filtered_means[-1], rtol=0, atol=close * np.abs(mean).max())
