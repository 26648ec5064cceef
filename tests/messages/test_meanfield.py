"""Cross potentials of states and latents, and their optimum: loops and dense algebra."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from oracles import switching
from oracles.gaussian_chains import dense
from oracles.meanfield_problems import (
    MODELS,
    batch,
    cotangent,
    draw,
    inner,
    potentials,
    random_latents,
    random_weights,
    tensors,
)
from syllabary.messages import lds, meanfield
from syllabary.messages.meanfield import cross_potentials, implicit

# The links


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize(("T", "K", "D"), [(1, 1, 1), (1, 3, 2), (2, 1, 3), (7, 4, 3)])
def test_node_potentials_match_loops_over_raw_moments(dynamic, T, K, D, rng):
    (problem,) = draw(rng, [T], K, D, dynamic=dynamic)
    latents = random_latents(rng, T, D)
    result = meanfield.node_potentials(
        potentials(problem[:4]).regression,
        meanfield.Latents(*(part[None] for part in tensors(latents))),
        dynamic=dynamic,
    )
    expected = switching.node_potentials(problem.regression, *switching.raw(*latents), dynamic=dynamic)
    # float64: rounding alone
    assert_allclose(result[0], expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("dynamic", "chain"), MODELS)
@pytest.mark.parametrize(("T", "K", "D"), [(1, 2, 2), (2, 1, 1), (6, 3, 3)])
def test_the_latents_given_the_states_match_loops_and_a_dense_inverse(dynamic, chain, T, K, D, rng):
    (problem,) = draw(rng, [T], K, D, dynamic=dynamic, chain=chain)
    weights = random_weights(rng, T, K)
    evidence, _ = batch([problem])
    result = meanfield.solve(
        potentials(problem[:4]), evidence, start=torch.from_numpy(weights[None]), max_iterations=1
    )
    expected = dense(*switching.latent_chain(problem, weights))
    for part, theirs in zip(result.latents, expected[:3], strict=True):
        assert_allclose(part[0], theirs, rtol=1e-10, atol=1e-12)


def test_the_transpose_of_the_cross_potentials_is_their_transpose(rng):
    """⟨u, M dx⟩ = ⟨Mᵀ u, dx⟩, the pairing being that of potentials and moments."""
    for case in range(40):
        B, T, K, D = (int(rng.integers(low, 6)) for low in (1, 1, 1, 1))
        dynamic = bool(case % 2)
        problem = draw(rng, [T], K, D, dynamic=dynamic)[0]
        regression = potentials(problem[:4]).regression
        latents = meanfield.Latents(
            *(
                torch.stack(parts)
                for parts in zip(*(tensors(random_latents(rng, T, D)) for _ in range(B)), strict=True)
            )
        )
        change = [torch.from_numpy(rng.standard_normal(part.shape)) for part in latents]
        change[1] = change[1] + change[1].mT
        weights = torch.from_numpy(rng.standard_normal((B, T, K)))
        if dynamic:
            weights[:, 0] = 0
        sent = cross_potentials.node_tangent(regression, latents, meanfield.Latents(*change), dynamic)
        back = cross_potentials.chain_tangent(regression, latents, weights, dynamic)
        # A change of J, of what is below its diagonal and of h meets −½ dS, −dC and dμ.
        returned = inner(back, (-0.5 * change[1], -change[2], change[0]))
        scale = float((weights * sent).abs().sum())
        assert abs(float((weights * sent).sum()) - returned) <= 1e-10 * max(scale, 1)


@pytest.mark.parametrize(("dynamic", "chain"), MODELS)
def test_both_tangents_are_symmetric_and_positive_through_the_cross_potentials(dynamic, chain, rng):
    T, K, D = 5, 3, 2
    (problem,) = draw(rng, [T], K, D, dynamic=dynamic, chain=chain)
    inputs, (evidence, _) = potentials(problem[:4]), batch([problem])
    result = meanfield.solve(inputs, evidence)
    size = T * K

    def of_states(direction):
        return implicit.tangent_of_states(inputs, result.states, direction, None).states

    def through_latents(weights):
        change = cross_potentials.chain_tangent(inputs.regression, result.latents, weights, dynamic)
        moved = meanfield.Latents(*lds.tangent(result.gaussian, *change))
        return cross_potentials.node_tangent(inputs.regression, result.latents, moved, dynamic)

    units = torch.eye(size, dtype=torch.float64).reshape(size, 1, T, K)
    for operator in (of_states, through_latents):
        matrix = torch.stack([operator(unit).flatten() for unit in units], 1).numpy()
        scale = np.abs(matrix).max()
        assert_allclose(matrix, matrix.T, rtol=0, atol=1e-12 * scale)
        assert np.linalg.eigvalsh(matrix)[0] > -1e-12 * scale


def test_no_iteration_lowers_the_objective_of_200_random_problems(rng):
    count = 0
    while count < 200:
        dynamic, chain = MODELS[count % 4]
        K, D, B = int(rng.integers(1, 7)), int(rng.integers(1, 5)), int(rng.integers(1, 5))
        lengths = [int(n) for n in rng.integers(1, 40, B)]
        problems = draw(
            rng, lengths, K, D, dynamic=dynamic, chain=chain, missing=float(rng.choice([0, 0.2, 0.9]))
        )
        inputs, (evidence, spans) = potentials(problems[0][:4]), batch(problems)
        states = torch.from_numpy(random_weights(rng, B, max(lengths), K)) if count % 3 else None
        heights = []
        for _ in range(8):
            result = meanfield.solve(inputs, evidence, lengths=spans, start=states, max_iterations=1)
            heights.append(result.objective.numpy())
            states = result.states.states
        rises = np.diff(heights, axis=0)
        assert (rises >= -1e-10 * np.abs(heights[-1]).max()).all()
        count += B


@pytest.mark.parametrize(("dynamic", "chain"), MODELS)
@pytest.mark.parametrize("T", [1, 2, 5])
def test_states_objective_and_divergence_match_enumeration_and_a_dense_gaussian(dynamic, chain, T, rng):
    K, D = 3, 2
    (problem,) = draw(rng, [T], K, D, dynamic=dynamic, chain=chain)
    evidence, _ = batch([problem])
    weights = random_weights(rng, T, K)
    for _ in range(3):
        result = meanfield.solve(
            potentials(problem[:4]), evidence, start=torch.from_numpy(weights[None]), max_iterations=1
        )
        expected = switching.turn(problem, weights)
        assert_allclose(result.states.states[0], expected.states.states, rtol=1e-9, atol=1e-13)
        if chain:
            assert_allclose(
                result.states.transitions[0], expected.states.transitions, rtol=1e-9, atol=1e-13
            )
        assert_allclose(result.objective[0], expected.objective, rtol=1e-10)
        assert_allclose(result.divergence[0], expected.divergence, rtol=1e-10, atol=1e-10)
        weights = expected.states.states


@pytest.mark.parametrize("dynamic", [True, False])
def test_one_state_that_is_known_exactly_gives_the_dense_gaussian_and_its_evidence(dynamic, rng):
    problems = draw(rng, [1, 6, 9], 1, 3, dynamic=dynamic, sure=True)
    for problem in problems:
        # Without any doubt about the state, its potentials are zero.
        problem = problem._replace(initial=np.zeros(1), transition=np.zeros((1, 1)))
        evidence, _ = batch([problem])
        result = meanfield.solve(potentials(problem[:4]), evidence)
        expected = dense(*switching.latent_chain(problem, np.ones((len(problem.observed), 1))))
        for part, theirs in zip(result.latents, expected[:3], strict=True):
            assert_allclose(part[0], theirs, rtol=1e-10, atol=1e-12)
        assert_allclose(result.objective[0], switching.log_evidence(problem), rtol=1e-10, atol=1e-10)
        assert bool(result.converged) and int(result.iterations) == 2


@pytest.mark.parametrize(("dynamic", "chain"), MODELS)
def test_a_batch_of_ragged_sequences_is_its_loop_and_padding_is_invisible(dynamic, chain, rng):
    problems = draw(rng, [9, 1, 17, 4], 4, 3, dynamic=dynamic, chain=chain)
    inputs, (evidence, spans) = potentials(problems[0][:4]), batch(problems)
    start = torch.from_numpy(random_weights(rng, 4, 17, 4))
    wanted = cotangent(rng, 4, 17, 4, 3)
    for i, stop in enumerate(spans):
        start[i, stop:] = torch.nan
        for part in wanted:
            part[i, stop:] = torch.nan
    for begin in (None, start):
        result = meanfield.solve(inputs, evidence, lengths=spans, start=begin, max_iterations=6)
        sent = meanfield.derivative(inputs, evidence, result, wanted, lengths=spans, tolerance=1e-4)
        transitions = []
        for i, problem in enumerate(problems):
            stop = int(spans[i])
            current, _ = batch([problem])
            single = meanfield.solve(
                inputs,
                current,
                start=None if begin is None else begin[i : i + 1, :stop],
                max_iterations=6,
            )
            part = meanfield.Cotangent(*(values[i : i + 1, :stop] for values in wanted))
            back = meanfield.derivative(inputs, current, single, part, tolerance=1e-4)
            # The same sums, in products of matrices of other shapes.
            for part, theirs in (
                (result.states.states, single.states.states),
                (result.gaussian.means, single.gaussian.means),
                (result.gaussian.covariances, single.gaussian.covariances),
                (sent.states, back.states),
                (sent.latents.means, back.latents.means),
                (sent.latents.covariances, back.latents.covariances),
            ):
                assert_allclose(part[i, :stop], theirs[0], rtol=1e-9, atol=1e-11)
                assert (part[i, stop:] == 0).all()
            assert_allclose(result.objective[i], single.objective[0], rtol=1e-11)
            assert int(result.iterations[i]) == int(single.iterations[0])
            assert int(sent.iterations[i]) == int(back.iterations[0])
            transitions.append(back.transitions)
        if chain:
            assert_allclose(sent.transitions, sum(transitions), rtol=1e-9, atol=1e-11)


def test_iterations_at_once_are_iterations_in_calls_of_their_own(rng):
    problems = draw(rng, [12, 7], 3, 2)
    inputs, (evidence, spans) = potentials(problems[0][:4]), batch(problems)
    result = meanfield.solve(inputs, evidence, lengths=spans, max_iterations=5, tolerance=-np.inf)
    states = None
    for _ in range(5):
        single = meanfield.solve(inputs, evidence, lengths=spans, start=states, max_iterations=1)
        states = single.states.states
    assert_allclose(result.objective, single.objective, rtol=1e-14)
    assert_allclose(result.states.states, states, rtol=1e-12)
    assert result.iterations.tolist() == [5, 5] and not result.converged.any()


@pytest.mark.parametrize("dynamic", [True, False])
def test_sums_and_their_derivative_match_loops(dynamic, rng):
    T, K, D = 6, 3, 2
    problems = draw(rng, [T, T], K, D, dynamic=dynamic)
    regression = potentials(problems[0][:4]).regression
    latents = [random_latents(rng, T, D) for _ in problems]
    weights = random_weights(rng, 2, T, K)
    weights[1, 4:] = 0

    def loops(shift=0.0):
        width = D + 1 if dynamic else 1
        totals = [np.zeros((K, *shape)) for shape in ((width, width), (D, width), (D, D), ())]
        for i, current in enumerate(latents):
            first, second, cross = switching.raw(
                *(a + shift * b for a, b in zip(current, ways[i], strict=True))
            )
            shares = weights[i] + shift * ways[i + 2]
            for t in range(int(dynamic), T):
                parts = (
                    switching.bordered((second, cross), first, t)
                    if dynamic
                    else (np.ones((1, 1)), first[t][:, None], second[t])
                )
                for k in range(K):
                    for total, part in zip(totals, (*parts, 1.0), strict=True):
                        total[k] += shares[t, k] * part
        return totals

    def stacked(parts):
        return meanfield.Latents(*tensors(np.stack(current) for current in zip(*parts, strict=True)))

    ways = [random_latents(rng, T, D) for _ in problems] + list(rng.standard_normal((2, T, K)))
    current = stacked(latents), torch.from_numpy(weights)
    for part, theirs in zip(meanfield.sums(regression, *current, dynamic=dynamic), loops(), strict=True):
        assert_allclose(part, theirs, rtol=1e-11, atol=1e-12)
    change = stacked(ways[:2]), torch.from_numpy(np.stack(ways[2:]))
    result = meanfield.sums(regression, *current, dynamic=dynamic, change=change)
    above, below = loops(1e-4), loops(-1e-4)
    for expected, high, low in zip(result, above, below, strict=True):
        # Cubic in the step: its square is left.
        assert_allclose(expected, (high - low) / 2e-4, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("dynamic", "chain"), MODELS)
@pytest.mark.parametrize("case", ["no noise", "more states than frames", "one frame", "all missing"])
def test_extremes_stay_finite(case, dynamic, chain, dtype, rng):
    K, D = (30 if case == "more states than frames" else 3), 2
    lengths = [1, 1] if case == "one frame" else [6, 4]
    problems = draw(rng, lengths, K, D, dynamic=dynamic, chain=chain)
    if case == "all missing":
        problems = [problem._replace(trust=0 * problem.trust) for problem in problems]
    inputs = potentials(problems[0][:4])
    if case == "no noise":
        # Beyond 1e7 times what is seen, float32 cannot tell the sum from the dynamics alone.
        factor = (1e8 if dtype == torch.float64 else 1e5) / inputs.regression.precision.diagonal(
            dim1=-2, dim2=-1
        ).mean()
        sharp = inputs.regression._replace(
            precision=factor * inputs.regression.precision,
            log_det=inputs.regression.log_det + D * float(torch.log(factor)),
        )
        inputs = inputs._replace(regression=sharp)
    evidence, spans = batch(problems)
    evidence = meanfield.Evidence(*(part.to(dtype) for part in evidence[:2]))
    result = meanfield.solve(inputs, evidence, lengths=spans)
    wanted = meanfield.Cotangent(*(part.to(dtype) for part in cotangent(rng, 2, max(lengths), K, D)))
    sent = meanfield.derivative(inputs, evidence, result, wanted, lengths=spans)
    for part in (*result.latents, result.states.states, result.objective, *sent.latents, sent.states):
        assert torch.isfinite(part).all()
    if case == "all missing":
        # Nothing is seen, so the objective is at most what probabilities sum to.
        assert (result.objective <= 1e-6).all()
