"""Every backend that can run here offers the functions and agrees with the oracles."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from oracles.chains import enumerate_filter, enumerate_paths, random_chain
from syllabary import registry
from syllabary.messages import hmm

FOLDER = "syllabary.messages.backends"
FUNCTIONS = {
    "hmm_marginals", "hmm_tangent", "hmm_path", "hmm_sample",
    "lds_marginals", "lds_tangent", "lds_sample", "ar_log_likelihood",
}  # fmt: skip
# Rounding of a few frames.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


@pytest.fixture(params=registry.names(FOLDER))
def backend(request):
    if not registry.find(FOLDER, request.param).available():
        pytest.skip(f"backend {request.param!r} has no machine here")
    return request.param


@pytest.fixture(params=TOLERANCE, ids=str)
def chain(request, backend, rng):
    device = "cpu" if backend == "cpu" else backend
    return [torch.tensor(part, dtype=request.param, device=device) for part in random_chain(rng, 6, 3)]


def assert_close(found, expected, chain):
    tolerance = TOLERANCE[chain[2].dtype]
    assert_allclose(found.cpu(), expected, rtol=tolerance, atol=tolerance)


def as_arrays(chain):
    return [part.cpu().double().numpy() for part in chain]


@pytest.mark.parametrize("name", registry.names(FOLDER))
def test_a_backend_offers_the_functions_that_the_front_page_names(name):
    module = registry.find(FOLDER, name)
    assert set(module.__all__) >= FUNCTIONS | {"available"}
    front_page = registry.importlib.import_module(FOLDER).__doc__
    assert all(function in front_page for function in set(module.__all__))
    assert module.available() in (True, False)


def test_marginals_match_enumeration(backend, chain):
    expected = enumerate_paths(*as_arrays(chain))
    found = hmm.marginals(*chain, backend=backend)
    assert found.states.dtype == chain[2].dtype
    assert found.states.device == chain[2].device
    assert_close(found.states, expected.states, chain)
    assert_close(found.transitions, expected.transitions, chain)
    assert_close(found.initial, expected.initial, chain)
    assert_close(found.log_normalizer, expected.log_normalizer, chain)
    sums = hmm.marginals(*chain, keep="sums", backend=backend)
    assert_close(sums.transitions, expected.transitions, chain)


def test_filter_matches_enumeration(backend, chain):
    found = hmm.marginals(*chain, keep="filter", backend=backend)
    states, log_scales = enumerate_filter(*as_arrays(chain))
    assert_close(found.states, states, chain)
    assert_close(found.log_scales, log_scales, chain)


def test_path_matches_enumeration(backend, chain):
    assert_array_equal(hmm.path(*chain, backend=backend).cpu(), enumerate_paths(*as_arrays(chain)).best)


def test_samples_have_the_posterior_marginals(backend, chain, rng):
    number = 5000
    many = chain[2].expand(number, *chain[2].shape)
    drawn = hmm.sample(chain[0], chain[1], many, rng, backend=backend).cpu().numpy()
    expected = enumerate_paths(*as_arrays(chain)).states
    found = (drawn[..., None] == np.arange(3)).mean(0)
    # Five standard errors of a frequency.
    assert np.all(np.abs(found - expected) < 5 * np.sqrt(expected * (1 - expected) / number) + 1e-3)


def test_regressions_match_the_sum_over_states(backend, chain, rng):
    like = {"dtype": chain[2].dtype, "device": chain[2].device}
    latents, regressors = torch.randn(9, 2, **like), torch.randn(9, 3, **like)
    weights = rng.standard_normal((4, 2, 3))
    precision = np.broadcast_to(np.diag([2.0, 3.0]), (4, 2, 2))
    covariance = np.broadcast_to(0.1 * np.eye(3), (4, 3, 3))
    given = [
        torch.as_tensor(np.array(part), device=chain[2].device)
        for part in (weights, covariance, precision, np.full(4, np.log(6)))
    ]
    found = hmm.ar_log_likelihood(latents, regressors, *given, backend=backend)
    x, s = as_arrays([latents, regressors])
    residual = x[:, None] - np.einsum("kdp,tp->tkd", weights, s)
    expected = -0.5 * (residual**2 * [2.0, 3.0]).sum(-1) - 0.1 * (s**2).sum(-1)[:, None]
    assert_close(found, expected + 0.5 * np.log(6) - np.log(2 * np.pi), chain)
