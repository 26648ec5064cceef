"""Second opinions: hmmlearn and dynamax on the same chain."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from syllabary.messages import hmm

pytestmark = pytest.mark.peers


@pytest.fixture
def problem(rng):
    T, K = 500, 5
    initial, rows = rng.dirichlet(np.ones(K)), rng.dirichlet(np.ones(K), K)
    means, values = rng.standard_normal((K, 2)), rng.standard_normal((T, 2))
    evidence = np.stack([stats.multivariate_normal.logpdf(values, mean) for mean in means], -1)
    return initial, rows, means, values, evidence


def test_hmmlearn_agrees(problem):
    hmmlearn = pytest.importorskip("hmmlearn.hmm")
    initial, rows, means, values, evidence = problem
    peer = hmmlearn.GaussianHMM(len(means), covariance_type="diag", init_params="", params="")
    peer.startprob_, peer.transmat_, peer.means_ = initial, rows, means
    peer.n_features = 2
    peer.covars_ = np.ones((len(means), 2))
    found = hmm.marginals(np.log(initial), np.log(rows), evidence)
    score, states = peer.score_samples(values)
    assert_allclose(found.states, states, atol=1e-10)
    assert_allclose(found.log_normalizer, score, rtol=1e-10)
    assert_array_equal(hmm.path(np.log(initial), np.log(rows), evidence), peer.decode(values)[1])


def test_dynamax_agrees(problem):
    inference = pytest.importorskip("dynamax.hidden_markov_model")
    initial, rows, _, _, evidence = problem
    peer = inference.hmm_two_filter_smoother(initial, rows, evidence)
    found = hmm.marginals(np.log(initial), np.log(rows), evidence)
    # dynamax runs in float32.
    assert_allclose(found.states, peer.smoothed_probs, atol=1e-4)
    assert_allclose(found.log_normalizer, peer.marginal_loglik, rtol=1e-5)
