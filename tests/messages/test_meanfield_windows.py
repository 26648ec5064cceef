"""Windows of a sequence and evidence of the states: boundary messages give the full solution."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from oracles import switching
from oracles.chains import enumerate_paths
from oracles.gaussian_chains import assemble
from oracles.meanfield_problems import (
    MODELS,
    batch,
    cotangent,
    draw,
    inner,
    potentials,
)
from syllabary.messages import meanfield
from syllabary.messages.meanfield import cross_potentials


def messages(initial, rows, nodes):
    """Log messages of the discrete chain: what is before a frame and its own node, and what follows."""
    T, K = nodes.shape
    before, after = np.zeros((T, K)), np.zeros((T, K))
    for t in range(T):
        past = initial if t == 0 else np.logaddexp.reduce(before[t - 1][:, None] + rows, axis=0)
        before[t] = past + nodes[t]
    for t in range(T - 2, -1, -1):
        after[t] = np.logaddexp.reduce(rows + nodes[t + 1] + after[t + 1], axis=1)
    return before, after


def dense_edges(problem, weights, nodes, begin, stop):
    """What a window [begin, stop) is to know of the rest: Schur complements and messages."""
    T, D = problem.observed.shape
    precision, lower, linear = switching.latent_chain(problem, weights)
    whole = assemble(precision, lower)
    inside = np.zeros((T, D), bool)
    inside[begin:stop] = True
    inside, outside = np.flatnonzero(inside), np.flatnonzero(~inside)
    gain = np.linalg.solve(whole[np.ix_(outside, outside)], whole[np.ix_(outside, inside)]).T
    kept = whole[np.ix_(inside, inside)] - gain @ whole[np.ix_(outside, inside)]
    pull = linear.ravel()[inside] - gain @ linear.ravel()[outside]
    blank = problem.start._replace(precision=0 * problem.start.precision)
    current = problem._replace(
        observed=problem.observed[begin:stop], trust=problem.trust[begin:stop], start=blank
    )
    precision, lower, linear = switching.latent_chain(current, weights[begin:stop])
    beyond = (kept - assemble(precision, lower)).reshape(stop - begin, D, stop - begin, D)
    beyond_linear = pull.reshape(-1, D) - linear
    before, after = messages(problem.initial, problem.transition, nodes)
    parts = (
        before[begin],
        after[stop - 1],
        (beyond[0, :, 0].copy(), beyond_linear[0]),
        (beyond[-1, :, -1].copy(), beyond_linear[-1]),
    )
    # All that the rest says is said to the two ends.
    beyond[0, :, 0] = beyond[-1, :, -1] = 0
    assert np.abs(beyond).max() < 1e-9 and np.abs(beyond_linear[1:-1]).max(initial=0) < 1e-9
    initial, final, first, last = parts
    return meanfield.BoundaryMessages(
        *(torch.from_numpy(part[None].copy()) for part in (initial, final)),
        *(tuple(torch.from_numpy(part[None].copy()) for part in pair) for pair in (first, last)),
    )


@pytest.fixture
def window(rng):
    """A settled sequence, a window of it and its edges."""
    T, K, D, begin, stop = 40, 3, 2, 13, 27
    (problem,) = draw(rng, [T], K, D)
    inputs, (evidence, _) = potentials(problem[:4]), batch([problem])
    result = meanfield.solve(inputs, evidence, max_iterations=400, tolerance=-np.inf)
    assert float(result.residual) < 1e-12
    states = result.states.states[0].numpy()
    moments = switching.raw(*(part[0].numpy() for part in result.latents))
    nodes = switching.node_potentials(problem.regression, *moments)
    rows = slice(begin, stop)
    part = meanfield.Evidence(*(current[:, rows] for current in evidence[:2]))
    return inputs, part, result, dense_edges(problem, states, nodes, begin, stop), rows


def test_boundary_messages_are_schur_complements_and_messages(rng):
    T, K, D = 30, 3, 2
    (problem,) = draw(rng, [T], K, D)
    inputs, (evidence, _) = potentials(problem[:4]), batch([problem])
    # Of the states that the latents follow from, so settled.
    result = meanfield.solve(inputs, evidence, max_iterations=400, tolerance=-np.inf)
    assert float(result.residual) < 1e-12
    moments = switching.raw(*(part[0].numpy() for part in result.latents))
    nodes = switching.node_potentials(problem.regression, *moments)
    cuts = [(0, 9), (9, 20), (14, 16), (20, T), (0, T)]
    boundary = meanfield.boundary_of(
        inputs, result, *(torch.tensor(ends) for ends in zip(*cuts, strict=True))
    )
    for i, (begin, stop) in enumerate(cuts):
        expected = dense_edges(problem, result.states.states[0].numpy(), nodes, begin, stop)
        for part, theirs in (
            *zip(boundary.first, expected.first, strict=True),
            *zip(boundary.last, expected.last, strict=True),
        ):
            assert_allclose(part[i], theirs[0], rtol=1e-8, atol=1e-9)
        # Messages are known up to a factor.
        for part, theirs in (
            (boundary.initial[i], expected.initial[0]),
            (boundary.final[i], expected.final[0]),
        ):
            apart = (part - theirs).numpy()
            assert_allclose(apart, np.full(K, apart.mean()), rtol=0, atol=1e-8)


def test_a_window_with_its_boundary_messages_gives_the_full_solution(window):
    inputs, part, result, boundary, rows = window
    full = result.states.states[:, rows]
    for iterations in (1, 300):
        inside = meanfield.solve(
            inputs, part, boundary=boundary, start=full, max_iterations=iterations, tolerance=-np.inf
        )
        pairs = slice(rows.start, rows.stop - 1)
        # What is left of 400 turns, and inverses by other routes.
        options = {"rtol": 1e-8, "atol": 1e-10}
        assert_allclose(inside.states.states, full, **options)
        assert_allclose(inside.latents.means, result.latents.means[:, rows], **options)
        assert_allclose(inside.latents.covariances, result.latents.covariances[:, rows], **options)
        assert_allclose(inside.latents.cross, result.latents.cross[:, pairs], **options)
        assert_allclose(inside.states.log_normalizer, result.states.log_normalizer, rtol=1e-10)


@pytest.mark.parametrize(("dynamic", "chain"), MODELS)
def test_states_follow_from_their_own_evidence_and_latents_from_the_states(dynamic, chain, rng):
    problems = draw(rng, [7, 4, 1], 3, 2, dynamic=dynamic, chain=chain)
    inputs, (evidence, spans) = potentials(problems[0][:4]), batch(problems)
    state_evidence = torch.from_numpy(rng.standard_normal((3, 7, 3)))
    for i, n in enumerate(spans):
        state_evidence[i, n:] = torch.nan
    result = meanfield.solve(inputs, evidence._replace(states=state_evidence), lengths=spans)
    for i, problem in enumerate(problems):
        n = int(spans[i])
        states = enumerate_paths(*switching.state_chain(problem, state_evidence[i, :n].numpy()))
        assert_allclose(result.states.states[i, :n], states.states, rtol=1e-9)
        expected = switching.turn(problem, states.states)
        assert_allclose(result.latents.means[i, :n], expected.gaussian.means, rtol=1e-8, atol=1e-12)


def test_state_evidence_equal_to_that_of_the_latents_gives_the_same_optimum(window):
    inputs, part, result, boundary, rows = window
    nodes = cross_potentials.node_potentials(inputs.regression, result.latents)[:, rows]
    # The step into the first frame is among the edges.
    nodes[:, 0] = 0
    inside = meanfield.solve(inputs, part._replace(states=nodes), boundary=boundary)
    assert_allclose(inside.states.states, result.states.states[:, rows], rtol=1e-8, atol=1e-10)
    optimum = meanfield.solve(
        inputs,
        part,
        boundary=boundary,
        start=result.states.states[:, rows],
        max_iterations=300,
        tolerance=-np.inf,
    )
    for name in ("objective", "divergence"):
        assert_allclose(getattr(inside, name), getattr(optimum, name), rtol=1e-9)


def test_a_window_with_state_evidence_gives_the_full_solution(rng):
    (problem,) = draw(rng, [40], 3, 2)
    inputs, (evidence, _) = potentials(problem[:4]), batch([problem])
    evidence = evidence._replace(states=torch.from_numpy(rng.standard_normal((1, 40, 3))))
    result = meanfield.solve(inputs, evidence)
    for begin, stop in ((0, 12), (13, 27), (30, 40)):
        ends = torch.tensor([begin]), torch.tensor([stop])
        boundary = meanfield.boundary_of(inputs, result, *ends, fixed_states=True)
        rows = slice(begin, stop)
        part = meanfield.Evidence(*(current[:, rows] for current in evidence))
        inside = meanfield.solve(inputs, part, boundary=boundary)
        assert_allclose(inside.states.states, result.states.states[:, rows], rtol=1e-8)
        assert_allclose(inside.latents.means, result.latents.means[:, rows], rtol=1e-7, atol=1e-10)
        assert_allclose(inside.latents.covariances, result.latents.covariances[:, rows], rtol=1e-7)


def test_the_derivative_under_state_evidence_matches_differences(rng):
    (problem,) = draw(rng, [9], 3, 2)
    inputs, (evidence, _) = potentials(problem[:4]), batch([problem])
    evidence = evidence._replace(states=torch.from_numpy(rng.standard_normal((1, 9, 3))))
    result = meanfield.solve(inputs, evidence)
    wanted = cotangent(rng, 1, 9, 3, 2)
    sent = meanfield.derivative(inputs, evidence, result, wanted)
    assert int(sent.iterations.max()) == 0 and float(sent.states.abs().max()) == 0

    def scalar(inputs, evidence):
        """Return the objective plus a scalar of the marginals, of which ``wanted`` is the gradient."""
        other = meanfield.solve(inputs, evidence)
        marginals = other.latents.means, other.latents.covariances, other.states.states
        return float(other.objective) + float(inner(wanted, marginals))

    def difference(of):
        return (scalar(*of(1e-5)) - scalar(*of(-1e-5))) / 2e-5

    way = torch.from_numpy(rng.standard_normal(evidence.mean.shape))
    expected = difference(lambda step: (inputs, evidence._replace(mean=evidence.mean + step * way)))
    by_mean = evidence.precision * (sent.latents.means - (evidence.mean - result.latents.means))
    # Differences of a bound of some hundred nats, with a step of 1e-5.
    assert_allclose(float((by_mean * way).sum()), expected, rtol=1e-6)
    # The objective has the pairs of states as its explicit gradient by the log transitions.
    pairs = result.states.transitions.sum(0)
    for row in range(3):
        for column in range(3):
            change = torch.zeros(3, 3, dtype=torch.float64)
            change[row, column] = 1.0

            def moved(step, change=change):
                return inputs._replace(transition=inputs.transition + step * change), evidence

            exact = pairs[row, column] + sent.transitions[row, column]
            assert_allclose(float(exact), difference(moved), rtol=1e-6, atol=1e-8)
