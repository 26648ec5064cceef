"""Derivative of the optimum of mean field: dense systems, conjugate gradients, tolerance."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from oracles import switching
from oracles.meanfield_problems import (
    MODELS,
    batch,
    cotangent,
    draw,
    potentials,
)
from syllabary.messages import meanfield


@pytest.fixture(params=MODELS, ids=lambda kind: f"dynamic={kind[0]},chain={kind[1]}")
def optimum(request, rng):
    dynamic, chain = request.param
    T, K, D = 5, 3, 2
    (problem,) = draw(rng, [T], K, D, dynamic=dynamic, chain=chain, missing=0.1)
    inputs, (evidence, _) = potentials(problem[:4]), batch([problem])
    result = meanfield.solve(inputs, evidence, max_iterations=300, tolerance=-np.inf)
    wanted = cotangent(rng, 1, T, K, D)
    weights = result.states.states[0].numpy()
    moments = switching.raw(*(part[0].numpy() for part in result.latents))
    nodes = switching.node_potentials(problem.regression, *moments, dynamic=dynamic)

    def expected(**options):
        parts = (part[0].numpy() for part in wanted)
        return switching.derivative(problem, weights, nodes, *parts, **options)

    return inputs, evidence, result, wanted, expected


def assert_sent(sent, expected, chain, rtol=1e-9):
    scale = max(np.abs(expected.means).max(), np.abs(expected.covariances).max())
    for part, theirs in zip(sent.latents, expected[:3], strict=True):
        assert_allclose(part[0], theirs, rtol=rtol, atol=rtol * scale)
    assert_allclose(sent.states[0], expected.states, rtol=rtol, atol=rtol * scale)
    if chain:
        assert_allclose(sent.transitions, expected.transitions, rtol=rtol, atol=rtol * scale)


def test_conjugate_gradients_solve_the_dense_system(optimum):
    inputs, evidence, result, wanted, expected = optimum
    sent = meanfield.derivative(inputs, evidence, result, wanted, tolerance=1e-14, iterations=60)
    assert not bool(sent.indefinite) and float(sent.residual) < 1e-12
    assert_sent(sent, expected(), inputs.transition is not None)


def test_the_system_is_self_adjoint_and_positive_in_the_states_own_inner_product(optimum):
    *_, expected = optimum
    answer = expected()
    product = answer.states_tangent @ answer.system
    scale = np.abs(product).max()
    assert_allclose(product, product.T, rtol=0, atol=1e-12 * scale)
    assert np.linalg.eigvalsh(product)[0] > -1e-12 * scale
    rho = np.linalg.eigvals(np.eye(len(product)) - answer.system)
    assert np.abs(rho.imag).max() < 1e-7 and rho.real.min() > -1e-9 and rho.real.max() < 1


def test_no_step_holds_the_states_and_one_whole_step_is_one_neumann_term(optimum):
    inputs, evidence, result, wanted, expected = optimum
    chain = inputs.transition is not None
    frozen = meanfield.derivative(inputs, evidence, result, wanted, iterations=0)
    assert (frozen.states == 0).all() and int(frozen.iterations) == 0
    assert_sent(frozen, expected(terms=0), chain)
    for terms in (1, 2, 4):
        sent = meanfield.derivative(
            inputs, evidence, result, wanted, iterations=terms, damping=1.0, tolerance=0
        )
        assert_sent(sent, expected(terms=terms), chain)
    damped = meanfield.derivative(
        inputs, evidence, result, wanted, iterations=3000, damping=0.5, tolerance=1e-13
    )
    assert_sent(damped, expected(), chain)


def test_a_looser_tolerance_stops_earlier_and_is_kept(optimum):
    inputs, evidence, result, wanted, _ = optimum
    used = []
    for tolerance in (1e-1, 1e-2, 1e-4, 1e-8):
        sent = meanfield.derivative(inputs, evidence, result, wanted, tolerance=tolerance, iterations=60)
        assert float(sent.residual) <= tolerance
        used.append(int(sent.iterations))
    assert used == sorted(used) and used[-1] <= 15
