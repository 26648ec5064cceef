"""Links between states and latents, their optimum and its derivative: loops and dense algebra."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from oracles import switching
from oracles.chains import enumerate_paths
from oracles.gaussian_chains import assemble, dense
from syllabary.messages import lds, meanfield
from syllabary.messages.meanfield import cross_potentials, implicit

MODELS = [(True, True), (False, True), (True, False), (False, False)]


def tensors(parts):
    return [torch.from_numpy(np.ascontiguousarray(part)) for part in parts]


def potentials(shared):
    """The oracle's global parameters as the package takes them."""
    initial, transition, start, regression = shared
    return meanfield.Potentials(
        torch.from_numpy(initial),
        None if transition is None else torch.from_numpy(transition),
        None if start is None else meanfield.Regression(*tensors(start)),
        meanfield.Regression(*tensors(regression)),
    )


def batch(problems):
    """Evidence of sequences, padded with NaN, and their lengths."""
    lengths = [len(problem.observed) for problem in problems]
    size = problems[0].observed.shape[1]
    parts = np.full((2, len(problems), max(lengths), size), np.nan)
    for i, problem in enumerate(problems):
        parts[0, i, : lengths[i]], parts[1, i, : lengths[i]] = problem.observed, problem.trust
    return meanfield.Evidence(*tensors(parts)), torch.tensor(lengths)


def draw(rng, lengths, K, D, *, dynamic=True, chain=True, sure=False, missing=0.2):
    """Sequences that share their parameters."""
    shared = switching.random_globals(rng, K, D, dynamic=dynamic, chain=chain, sure=sure)
    return [
        switching.Problem(*shared, *switching.random_evidence(rng, T, D, missing=missing))
        for T in lengths
    ]


def random_weights(rng, *shape):
    return rng.dirichlet(np.ones(shape[-1]), shape[:-1])


def random_latents(rng, T, D):
    means = rng.standard_normal((T, D))
    covariances = switching.positive(rng, T, D)
    return means, covariances, 0.2 * rng.standard_normal((max(T - 1, 0), D, D))


def cotangent(rng, B, T, K, D):
    covariances = rng.standard_normal((B, T, D, D))
    parts = rng.standard_normal((B, T, D)), covariances + covariances.swapaxes(-1, -2)
    return meanfield.Cotangent(*tensors([*parts, rng.standard_normal((B, T, K))]))


def inner(left, right):
    return sum(float((a * b).sum()) for a, b in zip(left, right, strict=True))


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


def test_the_links_transpose_is_its_transpose(rng):
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
def test_both_tangents_are_symmetric_and_positive_through_the_link(dynamic, chain, rng):
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


# The optimum


def test_no_turn_lowers_the_objective_of_200_random_problems(rng):
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


def test_turns_at_once_are_turns_one_by_one(rng):
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


def test_edges_are_schur_complements_and_messages(rng):
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


def test_a_window_with_its_edges_gives_back_the_full_solution(window):
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
def test_said_states_come_from_what_is_said_alone_and_latents_from_them(dynamic, chain, rng):
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


def test_what_the_latents_would_say_said_by_hand_gives_the_same_optimum(window):
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


def test_a_window_of_said_states_gives_back_the_full_solution(rng):
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


def test_the_derivative_under_said_states_is_that_of_the_latents_alone(rng):
    (problem,) = draw(rng, [9], 3, 2)
    inputs, (evidence, _) = potentials(problem[:4]), batch([problem])
    evidence = evidence._replace(states=torch.from_numpy(rng.standard_normal((1, 9, 3))))
    result = meanfield.solve(inputs, evidence)
    wanted = cotangent(rng, 1, 9, 3, 2)
    sent = meanfield.derivative(inputs, evidence, result, wanted)
    assert int(sent.iterations.max()) == 0 and float(sent.states.abs().max()) == 0
    way = torch.from_numpy(rng.standard_normal(evidence.mean.shape))

    def scalar(step):
        other = meanfield.solve(inputs, evidence._replace(mean=evidence.mean + step * way))
        return inner(wanted, (other.latents.means, other.latents.covariances, other.states.states))

    expected = (scalar(1e-5) - scalar(-1e-5)) / 2e-5
    expected = float((evidence.precision * sent.latents.means * way).sum())
    assert_allclose(expected, expected, rtol=1e-6)


def test_edges_do_not_lower_the_objective_and_pass_the_gradient(window, rng):
    inputs, part, _, boundary, _ = window
    heights, states = [], None
    for _ in range(20):
        result = meanfield.solve(inputs, part, boundary=boundary, start=states, max_iterations=1)
        heights.append(float(result.objective))
        states = result.states.states
    assert (np.diff(heights) >= -1e-10 * abs(heights[-1])).all()
    options = {"boundary": boundary, "max_iterations": 300, "tolerance": -np.inf}
    result = meanfield.solve(inputs, part, **options)
    wanted = cotangent(rng, *part.mean.shape[:2], 3, 2)
    sent = meanfield.derivative(inputs, part, result, wanted, tolerance=1e-13, iterations=100)
    way = torch.from_numpy(rng.standard_normal(part.mean.shape))

    def scalar(step):
        moved = part._replace(mean=part.mean + step * way)
        other = meanfield.solve(inputs, moved, start=result.states.states, **options)
        marginals = (other.latents.means, other.latents.covariances, other.states.states)
        return inner(wanted, marginals)

    expected = (scalar(1e-5) - scalar(-1e-5)) / 2e-5
    expected = float((part.precision * sent.latents.means * way).sum())
    # Rounding over the step, and the step's square.
    assert_allclose(expected, expected, rtol=1e-6)


# Its derivative


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


# Sums


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


# Extremes


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
