"""Derivatives of the marginals of discrete chains: oracles, differences, symmetry; and entropies."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from oracles import chains
from oracles.chains import enumerate_entropy, enumerate_paths, enumerate_tangent
from oracles.differences import gradient
from syllabary.errors import ShapeError
from syllabary.messages import hmm


@pytest.fixture
def threads():
    """Set torch's threads; the number there was comes back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def hmm_tangent(chain, direction, **options):
    result = hmm.marginals(*chain, cache=True, **options)
    return hmm.tangent(chain[1], result, direction, **options)


@pytest.mark.parametrize(("T", "K"), [(1, 1), (1, 3), (7, 1), (6, 3), (7, 4)])
def test_hmm_tangent_matches_enumerated_covariances(T, K, rng):
    chain, direction = chains.random_chain(rng, T, K), rng.standard_normal((T, K))
    result = hmm_tangent(chain, direction)
    d_states, d_transitions = enumerate_tangent(*chain, direction)
    # float64: rounding alone
    assert_allclose(result.states, d_states, rtol=1e-10, atol=1e-14)
    assert_allclose(result.transitions, d_transitions, rtol=1e-10, atol=1e-14)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    T=st.integers(1, 6),
    K=st.integers(1, 3),
    impossible=st.sampled_from([0.0, 0.2, 0.5]),
    scale=st.sampled_from([1.0, 10.0]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_hmm_tangent_of_any_chain_matches_enumeration(seed, T, K, impossible, scale, dtype):
    """Impossible first states, steps and frames: what has no share neither moves nor spreads NaN."""
    rng = np.random.default_rng(seed)
    initial, transition, evidence = chains.random_chain(rng, T, K, impossible=impossible, scale=scale)
    chain = initial, transition, evidence.astype(dtype)
    if enumerate_paths(*chain).log_normalizer == -np.inf:
        return
    direction = rng.standard_normal((T, K)).astype(dtype)
    result = hmm_tangent(chain, direction)
    d_states, d_transitions = enumerate_tangent(*chain, direction)
    assert result.states.numpy().dtype == dtype
    assert result.transitions.dtype == torch.float64
    # Rounding of sums of T numbers of size 1.
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    assert_allclose(result.states, d_states, atol=tolerance)
    assert_allclose(result.transitions, d_transitions, atol=tolerance)


def test_hmm_tangent_matches_differences_of_the_marginals(rng):
    chain, direction = chains.random_chain(rng, 60, 5, scale=2.0), rng.standard_normal((60, 5))
    result, step = hmm_tangent(chain, direction), 1e-5
    above, below = (hmm.marginals(*chain[:2], chain[2] + s * direction) for s in (step, -step))
    # Central differences: rounding 1e-15 · 60 / 1e-5, and the square of the step.
    assert_allclose(result.states, (above.states - below.states) / (2 * step), atol=1e-8)
    assert_allclose(result.transitions, (above.transitions - below.transitions) / (2 * step), atol=1e-8)


def test_hmm_tangent_is_symmetric_positive_and_its_pairs_are_a_cotangent(rng):
    """The whole map as a matrix, one direction per column."""
    T, K = 5, 3
    initial, transition, evidence = chains.random_chain(rng, T, K, scale=2.0)
    many = np.broadcast_to(evidence, (T * K, T, K))
    columns = hmm_tangent((initial, transition, many), np.eye(T * K).reshape(T * K, T, K))
    whole = columns.states.reshape(T * K, T * K).numpy()
    assert_allclose(whole, whole.T, rtol=1e-10, atol=1e-15)
    values = np.linalg.eigvalsh(whole)
    assert values.min() > -1e-14
    # What all states of a frame share is null: T directions, and no more.
    assert (values < 1e-12).sum() == T

    direction = rng.standard_normal((T, K))
    result = hmm_tangent((initial, transition, evidence), direction)

    def mean_direction(part, position):
        parts = [initial, transition]
        parts[position] = part
        return float((hmm.marginals(*parts, evidence).states.numpy() * direction).sum())

    for position, cotangent in enumerate((result.states[0], result.transitions)):
        slopes = gradient(
            lambda part, p=position: mean_direction(part, p), (initial, transition)[position]
        )
        # Central differences of step 1e-5.
        assert_allclose(cotangent, slopes, atol=1e-8)


def test_hmm_tangent_is_symmetric_over_a_long_chain(rng):
    initial, transition, evidence = chains.sticky_chain(rng, 3000, 12, separation=1.0)
    u, v = rng.standard_normal((2, 3000, 12))
    chain = initial, transition, evidence
    pulled, pushed = hmm_tangent(chain, u).states.numpy(), hmm_tangent(chain, v).states.numpy()
    scale = np.sqrt((u * pulled).sum() * (v * pushed).sum())
    assert abs((u * pushed).sum() - (v * pulled).sum()) < 1e-10 * scale
    assert (u * pulled).sum() > 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_all_states_share_changes_nothing(dtype, rng):
    initial, transition, evidence = chains.random_chain(rng, 200, 6, scale=3.0)
    shared = np.repeat(rng.standard_normal((200, 1)), 6, axis=1)
    result = hmm_tangent((initial, transition, evidence.astype(dtype)), shared)
    # Averages of equal numbers, rounded: a few eps.
    tolerance = 20 * np.finfo(dtype).eps
    assert_allclose(result.states, 0, atol=tolerance)
    assert_allclose(result.transitions, 0, atol=200 * tolerance)


def test_hmm_tangent_sums(rng):
    """Derivatives of shares sum to zero over states, those of pairs to those of their margins."""
    chain = chains.random_chain(rng, 80, 5, impossible=0.1)
    chain = (np.zeros(5), np.where(np.eye(5) > 0, 0.0, chain[1]), np.maximum(chain[2], -1e3))
    result = hmm_tangent(chain, rng.standard_normal((80, 5)))
    assert_allclose(result.states.sum(-1), 0, atol=1e-13)
    assert_allclose(result.transitions.sum(1), result.states[:-1].sum(0), atol=1e-12)
    assert_allclose(result.transitions.sum(0), result.states[1:].sum(0), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hmm_tangent_of_a_batch_is_its_loop_and_padding_is_invisible(dtype, rng):
    lengths = np.array([[9, 1, 0], [12, 7, 2]])
    initial, transition, _ = chains.random_chain(rng, 1, 4)
    evidence, direction = rng.standard_normal((2, 2, 3, 12, 4)).astype(dtype)
    evidence[np.arange(12) >= lengths[..., None]] = np.nan
    direction[np.arange(12) >= lengths[..., None]] = np.nan
    result = hmm_tangent((initial, transition, evidence), direction, lengths=lengths)
    assert result.transitions.shape == (2, 3, 4, 4)
    for index in np.ndindex(2, 3):
        T = lengths[index]
        single = hmm_tangent((initial, transition, evidence[index][:T]), direction[index][:T])
        assert_array_equal(result.states[index][:T], single.states)
        assert_array_equal(result.transitions[index], single.transitions)
        assert not result.states[index][T:].any()


def test_hmm_tangent_takes_transitions_for_each_sequence(rng):
    parts = [np.stack(p) for p in zip(*(chains.random_chain(rng, 9, 3) for _ in range(3)), strict=True)]
    direction = rng.standard_normal((3, 9, 3))
    result = hmm_tangent(parts, direction)
    for i in range(3):
        single = hmm_tangent([part[i] for part in parts], direction[i])
        assert_array_equal(result.transitions[i], single.transitions)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hmm_tangent_of_one_state_is_zero(dtype, rng):
    chain = np.zeros(1), np.full((1, 1), -0.3), rng.standard_normal((30, 1)).astype(dtype)
    result = hmm_tangent(chain, rng.standard_normal((30, 1)))
    assert not result.states.any()
    assert not result.transitions.any()


@pytest.mark.parametrize("switch", [-np.inf, -60.0, -150.0, -1500.0])
@pytest.mark.parametrize(
    ("dtype", "ahead"), [(np.float32, 20.0), (np.float32, 100.0), (np.float64, 100.0), (np.float64, 1e3)]
)
def test_tangent_of_a_state_left_behind_that_comes_back(dtype, ahead, switch, rng):
    """Two paths of equal weight, of which the filter believes in one alone for half the time.

    Its probability of the other falls below e**-87 (float32) or e**-708 (float64), and is cached
    as zero; where neither state can follow the other, both stay possible to the end.
    """
    chain, direction = partial(8, ahead, switch, dtype), rng.standard_normal((8, 2)).astype(dtype)
    assert_enumerated(hmm_tangent(chain, direction), chain, direction)


def partial(T, ahead, switch, dtype):
    """A chain of two states: first the evidence is for one, then for the other."""
    evidence = np.zeros((T, 2), dtype)
    evidence[: T // 2, 0] = evidence[T // 2 :, 1] = ahead
    return np.zeros(2), np.where(np.eye(2) > 0, 0.0, switch), evidence


def assert_enumerated(result, chain, direction):
    """The tangent is that of the enumerated paths, up to rounding of sums over some frames."""
    d_states, d_transitions = enumerate_tangent(*chain, direction)
    tolerance = 1e-5 if chain[2].dtype == np.float32 else 1e-11
    assert_allclose(result.states, d_states, atol=tolerance)
    assert_allclose(result.transitions, d_transitions, atol=tolerance * len(direction))


@pytest.mark.parametrize(("dtype", "ahead"), [(np.float32, 100.0), (np.float64, 1e3)])
def test_tangent_of_states_that_come_back_among_impossible_ones(dtype, ahead, rng):
    """A chain twice, with holes, and no step between the two: first one is likely, then the other."""
    T, K = 6, 3
    initial, steps, observed = chains.random_chain(rng, T, K)
    initial[0] = steps[0, 1] = steps[2, 2] = observed[1, 0] = observed[4, 1] = -np.inf
    transition = np.full((2 * K, 2 * K), -np.inf)
    transition[:K, :K] = transition[K:, K:] = steps
    evidence = np.tile(observed, 2).astype(dtype)
    evidence[: T // 2, :K] += dtype(ahead)
    evidence[T // 2 :, K:] += dtype(ahead)
    chain, direction = (np.tile(initial, 2), transition, evidence), rng.standard_normal((T, 2 * K))
    result = hmm.marginals(*chain, cache=True)
    assert ((result.filtered == 0) & (result.states > 0.1)).any()  # the cache does not know
    tangent = hmm.tangent(transition, result, direction)
    assert_enumerated(tangent, chain, direction)
    assert not tangent.states[result.states == 0].any()


@pytest.mark.parametrize("share", [1e-9, 1e-6, 1e-3])
@pytest.mark.parametrize(("dtype", "ahead"), [(np.float32, 100.0), (np.float64, 1e3)])
def test_tangent_of_a_small_share_that_is_left_behind(dtype, ahead, share, rng):
    """What is too little to be noticed changes nothing beyond rounding."""
    _, transition, evidence = partial(8, ahead, -np.inf, dtype)
    chain, direction = (np.log([1, share]), transition, evidence), rng.standard_normal((8, 2))
    result, (d_states, _) = hmm_tangent(chain, direction), enumerate_tangent(*chain, direction)
    # A hundred units of rounding may be missed, times the sum of the direction.
    assert_allclose(result.states, d_states, atol=2e-4 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize(("dtype", "ahead"), [(np.float32, 100.0), (np.float64, 1e3)])
def test_of_a_batch_the_sequence_that_lost_a_state_is_done_again_alone(dtype, ahead, rng):
    lengths, T = np.array([8, 6, 0, 8]), 8
    initial, transition, lost = partial(T, ahead, -np.inf, dtype)
    evidence, direction = rng.standard_normal((2, 4, T, 2)).astype(dtype)
    evidence[3] = lost
    evidence[1, 6:] = direction[1, 6:] = evidence[2] = direction[2] = np.nan
    result = hmm_tangent((initial, transition, evidence), direction, lengths=lengths)
    for i, length in enumerate(lengths):
        chain = evidence[i, :length], direction[i, :length]
        single = hmm_tangent((initial, transition, chain[0]), chain[1])
        assert_array_equal(result.states[i, :length], single.states)
        assert_array_equal(result.transitions[i], single.transitions)
        assert not result.states[i, length:].any()
    chain = initial, transition, lost
    assert_enumerated(hmm.ChainTangent(result.states[3], result.transitions[3]), chain, direction[3])


def test_tangent_of_a_state_left_behind_takes_potentials_for_each_sequence(rng):
    """Rows that lost a state find their own initial and transition potentials."""
    many = [partial(8, 1e3, switch, float) for switch in (-np.inf, -1.0, -np.inf)]
    initial, transition, evidence = (np.stack(part) for part in zip(*many, strict=True))
    initial[0], initial[2] = np.log([1, 3]), np.log([5, 1])
    direction = rng.standard_normal((3, 8, 2))
    result = hmm_tangent((initial, transition, evidence), direction)
    for i in (0, 2):
        chain = initial[i], transition[i], evidence[i]
        assert_enumerated(hmm.ChainTangent(result.states[i], result.transitions[i]), chain, direction[i])


def test_the_marginals_keep_their_potentials_for_the_tangent_alone(rng):
    chain = tuple(torch.from_numpy(part) for part in chains.random_chain(rng, 5, 3))
    result = hmm.marginals(*chain, cache=True)
    assert result.potentials.evidence.data_ptr() == chain[2].data_ptr()
    assert torch.equal(result.potentials.initial, chain[0])
    assert hmm.marginals(*chain).potentials is None


def test_hmm_tangent_refuses_what_it_cannot_use(rng):
    chain = chains.random_chain(rng, 5, 3)
    direction = np.zeros((5, 3))
    for options in ({}, {"keep": "filter", "cache": True}, {"keep": "sums", "cache": True}):
        with pytest.raises(ShapeError, match="without cache=True"):
            hmm.tangent(chain[1], hmm.marginals(*chain, **options), direction)
    result = hmm.marginals(*chain, cache=True)
    with pytest.raises(ShapeError, match=r"direction is \(4, 3\)"):
        hmm.tangent(chain[1], result, direction[:4])
    with pytest.raises(ShapeError, match=r"transition \(4, 4\)"):
        hmm.tangent(np.zeros((4, 4)), result, direction)


def test_any_number_of_threads_gives_the_same_tangent(threads, rng):
    initial, transition, _ = chains.random_chain(rng, 1, 5)
    evidence, direction = rng.standard_normal((2, 4, 50, 5)).astype(np.float32)
    answers = []
    for number in (1, 2, 4):
        threads(number)
        answers.append(hmm_tangent((initial, transition, evidence), direction))
        assert torch.get_num_threads() == number
    for other in answers[1:]:
        assert_array_equal(answers[0].states, other.states)
        assert_array_equal(answers[0].transitions, other.transitions)


def test_hmm_without_frames_has_no_derivative(rng):
    initial, transition, _ = chains.random_chain(rng, 1, 3)
    for shape in [(0, 3), (2, 0, 3), (0, 5, 3)]:
        result = hmm_tangent((initial, transition, np.zeros(shape)), np.zeros(shape))
        assert result.states.shape == shape
        assert result.transitions.shape == (*shape[:-2], 3, 3)
        assert not result.transitions.any()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    T=st.integers(1, 6),
    K=st.integers(1, 3),
    impossible=st.sampled_from([0.0, 0.3]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_hmm_entropy_is_that_of_enumerated_paths(seed, T, K, impossible, dtype):
    rng = np.random.default_rng(seed)
    chain = chains.random_chain(rng, T, K, impossible=impossible)
    chain = (*chain[:2], chain[2].astype(dtype))
    if enumerate_paths(*chain).log_normalizer == -np.inf:
        return
    result = hmm.entropy(hmm.marginals(*chain), *chain)
    # Some nats per frame: rounding alone.
    assert_allclose(result, enumerate_entropy(*chain), atol=1e-5 if dtype == np.float32 else 1e-12)


def test_entropies_of_a_ragged_batch_are_those_of_its_loop(rng):
    lengths = np.array([6, 1, 0, 4])
    initial, transition, _ = chains.random_chain(rng, 1, 3)
    evidence = rng.standard_normal((4, 6, 3))
    evidence[np.arange(6) >= lengths[:, None]] = np.nan
    result = hmm.marginals(initial, transition, evidence, lengths=lengths)
    entropies = hmm.entropy(result, initial, transition, evidence, lengths=lengths)
    for i, T in enumerate(lengths[lengths > 0]):
        expected = enumerate_entropy(initial, transition, evidence[lengths > 0][i][:T])
        assert_allclose(entropies[lengths > 0][i], expected, rtol=1e-10)
    assert entropies[2] == 0
    with pytest.raises(ShapeError, match='keep="all"'):
        few = hmm.marginals(initial, transition, evidence, lengths=lengths, keep="sums")
        hmm.entropy(few, initial, transition, evidence, lengths=lengths)


def test_float32_hmm_tangents_stay_with_float64(rng):
    """Ten thousand frames: the derivatives contract along the chain, as the messages do."""
    chain = chains.sticky_chain(rng, 10_000, 25, separation=1.0)
    direction, observed = rng.standard_normal((10_000, 25)), chain[2].astype(np.float32)
    single, double = (
        hmm_tangent((*chain[:2], part), direction) for part in (observed, observed.astype(float))
    )
    assert_allclose(single.states, double.states, atol=2e-5)
    assert_allclose(single.transitions / 1e4, double.transitions / 1e4, atol=1e-6)
