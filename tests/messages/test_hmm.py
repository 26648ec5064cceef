"""Marginals of hidden Markov chains against enumerated paths, and laws."""

import math
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from oracles.chains import enumerate_filter, enumerate_paths, random_chain
from oracles.differences import gradient
from syllabary.errors import BadInput, ImpossibleEvidence, ShapeError, UnknownName
from syllabary.messages import dispatch, hmm

SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture
def threads():
    """Set torch's threads; the number there was comes back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def assert_same(result, expected, **tolerance):
    for part, expected_part in zip(result, expected, strict=True):
        assert_allclose(part, expected_part, **tolerance)


@pytest.mark.parametrize(("T", "K"), [(1, 1), (1, 3), (7, 1), (6, 3), (7, 4)])
def test_marginals_match_enumeration(T, K, rng):
    chain = random_chain(rng, T, K)
    result = hmm.marginals(*chain)
    expected = enumerate_paths(*chain)
    # float64: rounding alone
    assert_allclose(result.states, expected.states, rtol=1e-10)
    assert_allclose(result.transitions, expected.transitions, rtol=1e-10)
    assert_allclose(result.initial, expected.initial, rtol=1e-10)
    assert_allclose(result.log_normalizer, expected.log_normalizer, rtol=1e-12)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    seed=SEEDS,
    T=st.integers(1, 6),
    K=st.integers(1, 3),
    impossible=st.sampled_from([0.0, 0.2, 0.5]),
    scale=st.sampled_from([1.0, 60.0, 2000.0]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_any_chain_matches_enumeration(seed, T, K, impossible, scale, dtype):
    """Impossible entries, and potentials so far apart that plain probabilities underflow."""
    rng = np.random.default_rng(seed)
    chain = random_chain(rng, T, K, impossible=impossible, scale=scale)
    chain = (chain[0], chain[1], chain[2].astype(dtype))
    expected = enumerate_paths(*chain)
    if expected.log_normalizer == -np.inf:
        for function in (hmm.marginals, hmm.path):
            with pytest.raises(ImpossibleEvidence):
                function(*chain)
        return
    # Potentials of some thousand nats carry rounding of 1e-13 (float64: evidence is exact).
    close = {
        "rtol": 1e-4 if dtype == np.float32 else 1e-8,
        "atol": 1e-6 if dtype == np.float32 else 1e-10,
    }
    result = hmm.marginals(*chain)
    assert_allclose(result.states, expected.states, **close)
    assert_allclose(result.transitions, expected.transitions, **close)
    assert_allclose(result.log_normalizer, expected.log_normalizer, rtol=1e-6, atol=1e-5)
    filtered = hmm.marginals(*chain, keep="filter")
    states, log_scales = enumerate_filter(*chain)
    assert_allclose(filtered.states, states, **close)
    assert_allclose(filtered.log_scales, log_scales, rtol=1e-5, atol=1e-5)


def test_filter_gives_one_step_predictions(rng):
    chain = random_chain(rng, 6, 3)
    result = hmm.marginals(*chain, keep="filter")
    states, log_scales = enumerate_filter(*chain)
    assert_allclose(result.states, states, rtol=1e-10)
    assert_allclose(result.log_scales, log_scales, rtol=1e-10)
    assert_allclose(result.log_scales.sum(), result.log_normalizer, rtol=1e-12)
    assert result.transitions is None
    assert result.initial is None


@pytest.mark.parametrize("T", [1, 2, 31, 32, 33, 34, 100])
def test_sums_are_those_of_all(T, rng):
    """Lengths on both sides of the blocks in which pairs are added up."""
    chain = random_chain(rng, T, 5)
    everything, sums = hmm.marginals(*chain), hmm.marginals(*chain, keep="sums")
    assert sums.states is None
    assert_array_equal(sums.transitions, everything.transitions)
    assert_array_equal(sums.initial, everything.initial)
    assert_array_equal(sums.log_normalizer, everything.log_normalizer)
    assert_allclose(everything.transitions.sum(), T - 1, rtol=1e-10)
    assert_allclose(everything.transitions.sum(0), everything.states[1:].sum(0), rtol=1e-9, atol=1e-12)
    assert_allclose(everything.transitions.sum(1), everything.states[:-1].sum(0), rtol=1e-9, atol=1e-12)


def test_gradient_of_log_normalizer_is_the_expected_statistics(rng):
    chain = random_chain(rng, 40, 3)
    result = hmm.marginals(*chain)
    for position, statistics in enumerate((result.initial, result.transitions, result.states)):

        def log_normalizer(part, position=position):
            changed = [*chain[:position], part, *chain[position + 1 :]]
            return float(hmm.marginals(*changed).log_normalizer)

        # Central differences of step 1e-5: rounding 1e-14 * 40 / 1e-5.
        assert_allclose(statistics, gradient(log_normalizer, chain[position]), atol=1e-7)


@pytest.mark.parametrize("frames", [0, 1, 7, 9, 127, 128, 129, 1000])
def test_zeros_at_the_end_of_a_row_change_no_bit_of_its_sum(frames, rng):
    row = torch.from_numpy(rng.standard_normal(frames))
    rows = torch.zeros(3, 1303, dtype=torch.float64)
    rows[1, :frames] = row
    (alone,), several = dispatch.sum_rows(row[None]), dispatch.sum_rows(rows)
    assert_array_equal(several, [0, alone, 0])
    assert_allclose(alone, math.fsum(row.tolist()), atol=1e-13)


@pytest.mark.parametrize("keep", ["all", "filter", "sums"])
def test_batch_equals_its_loop_and_padding_is_invisible(keep, rng):
    initial, transition, _ = random_chain(rng, 1, 4)
    lengths = np.array([[9, 1, 0], [12, 7, 2]])
    evidence = rng.standard_normal((2, 3, 12, 4))
    padding = np.arange(12) >= lengths[..., None]
    evidence[padding] = np.nan
    result = hmm.marginals(initial, transition, evidence, lengths=lengths, keep=keep)
    for index in np.ndindex(2, 3):
        T = lengths[index]
        single = hmm.marginals(initial, transition, evidence[index][:T], keep=keep)
        assert_array_equal(result.log_normalizer[index], single.log_normalizer)
        assert_array_equal(result.log_scales[index][:T], single.log_scales)
        if keep != "sums":
            assert_array_equal(result.states[index][:T], single.states)
            assert not result.states[index][T:].any()
        if keep != "filter":
            assert_array_equal(result.transitions[index], single.transitions)
            assert_array_equal(result.initial[index], single.initial)
    assert result.log_normalizer[0, 2] == 0
    assert not result.log_scales[torch.from_numpy(padding)].any()


def test_potentials_may_be_shared_or_one_for_each(rng):
    chains = [random_chain(rng, 8, 3) for _ in range(6)]
    stacked = [np.stack(parts).reshape(2, 3, *parts[0].shape) for parts in zip(*chains, strict=True)]
    result = hmm.marginals(*stacked)
    for index, chain in zip(np.ndindex(2, 3), chains, strict=True):
        single = hmm.marginals(*chain)
        assert_array_equal(result.states[index], single.states)
        assert_array_equal(result.transitions[index], single.transitions)
    fewer = hmm.marginals(stacked[0][:, :1], stacked[1][1, 2], stacked[2])
    single = hmm.marginals(stacked[0][1, 0], stacked[1][1, 2], stacked[2][1, 1])
    assert_array_equal(fewer.states[1, 1], single.states)


def test_renamed_states_rename_answers(rng):
    initial, transition, evidence = random_chain(rng, 50, 6)
    order = rng.permutation(6)
    result = hmm.marginals(initial, transition, evidence)
    renamed = hmm.marginals(initial[order], transition[np.ix_(order, order)], evidence[:, order])
    assert_allclose(renamed.states, result.states[:, order], rtol=1e-9)
    assert_allclose(renamed.transitions, result.transitions[np.ix_(order, order)], rtol=1e-9)
    assert_allclose(renamed.log_normalizer, result.log_normalizer, rtol=1e-12)


def test_float32_stays_with_float64_over_a_long_recording(rng):
    initial, transition, evidence = random_chain(rng, 100_000, 10, scale=2.0)
    single = hmm.marginals(initial, transition, evidence.astype(np.float32))
    double = hmm.marginals(initial, transition, evidence.astype(np.float32).astype(np.float64))
    assert single.states.dtype == torch.float32
    assert single.transitions.dtype == single.log_normalizer.dtype == torch.float64
    # Messages are normalized at every frame, so errors do not grow with T.
    assert_allclose(single.states, double.states, atol=1e-5)
    assert_allclose(single.transitions / 1e5, double.transitions / 1e5, atol=1e-6)
    assert_allclose(single.log_normalizer, double.log_normalizer, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("switch", [-np.inf, -60.0, -150.0, -1500.0])
def test_a_state_left_behind_by_hundreds_of_nats_can_come_back(dtype, switch):
    """Its filtered probability underflows, and later frames make it the only explanation."""
    transition = np.where(np.eye(2) > 0, 0.0, switch)
    evidence = np.zeros((40, 2), dtype)
    evidence[:20, 0] = 100
    evidence[20:, 1] = 100.5
    chain = np.zeros(2), transition, evidence
    # Two states: the paths that matter are told apart by at most one switch, at frame 20.
    stay = [evidence[:, k].sum(dtype=float) for k in range(2)]
    once = evidence.max(1).sum(dtype=float) + switch
    certain = np.argmax([*stay, once])
    expected = [np.repeat(0, 40), np.repeat(1, 40), np.repeat([0, 1], 20)][certain]
    total = np.logaddexp.reduce([*stay, once])
    for keep in ("all", "filter", "sums"):
        result = hmm.marginals(*chain, keep=keep)
        assert_allclose(result.log_normalizer, total, rtol=1e-6)
    smoothed = hmm.marginals(*chain)
    assert_allclose(smoothed.states[np.arange(40), expected], 1, atol=2e-4)
    if total - max(*stay, once) < 1e-9:  # no rival within reach
        assert_array_equal(hmm.path(*chain), expected)
        assert_array_equal(hmm.sample(*chain, np.random.default_rng(0)), expected)


@pytest.mark.parametrize(("dtype", "ahead"), [(np.float32, 90), (np.float64, 712)])
def test_what_underflows_is_missed_even_where_something_is_left(dtype, ahead):
    """The state ahead keeps a normalizer just above zero, and would take all the probability."""
    transition = np.where(np.eye(2) > 0, 0.0, -np.inf)
    evidence = np.repeat([[ahead, 0], [0, ahead - 5]], 5, axis=0).astype(dtype) / 5
    result = hmm.marginals(np.zeros(2), transition, evidence)
    expected = enumerate_paths(np.zeros(2), transition, evidence)
    assert_allclose(result.states, expected.states, rtol=1e-6)
    assert_allclose(result.states[4, 1], 1 / (1 + np.exp(5)), rtol=1e-4)


@pytest.mark.parametrize("frame", [0, 1])
def test_what_underflows_is_missed_after_an_unlikely_step(frame):
    """A frame 104 nats for the one state that the step before made e**-46 probable."""
    initial = np.array([-46.0, 0.0]) if frame == 0 else np.array([-np.inf, 0.0])
    transition = np.array([[0.0, -np.inf], [-46.0 if frame else -np.inf, 0.0]])
    evidence = np.zeros((frame + 2, 2), np.float32)
    evidence[frame:] = [[104, 0], [0, 60]]
    result = hmm.marginals(initial, transition, evidence)
    expected = enumerate_paths(initial, transition, evidence)
    assert 0.1 < expected.states[frame, 0] < 0.9
    assert_allclose(result.states, expected.states, rtol=1e-5)
    assert_allclose(result.transitions, expected.transitions, rtol=1e-5, atol=1e-12)


def test_no_frames_no_sequences(rng):
    initial, transition, _ = random_chain(rng, 1, 3)
    for shape in [(0, 3), (2, 0, 3), (0, 5, 3)]:
        result = hmm.marginals(initial, transition, np.zeros(shape))
        assert result.states.shape == shape
        assert result.transitions.shape == (*shape[:-2], 3, 3)
        assert not result.transitions.any()
        assert not result.initial.any()
        assert result.log_normalizer.shape == shape[:-2]
        assert not result.log_normalizer.any()


def test_any_number_of_threads_gives_the_same_bits(threads, rng):
    initial, transition, _ = random_chain(rng, 1, 7)
    evidence = rng.standard_normal((5, 60, 7)).astype(np.float32)
    answers = []
    for number in (1, 2, 4):
        threads(number)
        answers.append(hmm.marginals(initial, transition, evidence))
        assert torch.get_num_threads() == number
    for expected in answers[1:]:
        for part, same in zip(answers[0], expected, strict=True):
            assert_array_equal(part, same)


def test_inputs_are_left_as_they_were(rng):
    chain = random_chain(rng, 30, 4)
    copies = [part.copy() for part in chain]
    hmm.marginals(*chain)
    hmm.path(*chain)
    hmm.sample(*chain, rng)
    for part, copy in zip(chain, copies, strict=True):
        assert_array_equal(part, copy)


@pytest.mark.parametrize("flushing", [False, True])
def test_the_callers_subnormal_numbers_stay_as_they_were(flushing, rng):
    chain = random_chain(rng, 20, 4)
    try:
        torch.set_flush_denormal(flushing)
        hmm.marginals(*chain)
        result = sys.float_info.min / 2 == 0
    finally:
        torch.set_flush_denormal(False)
    assert result == flushing


def test_read_only_arrays_are_taken(rng):
    initial, transition, evidence = random_chain(rng, 20, 4)
    expected = hmm.marginals(initial, transition, evidence)
    evidence.flags.writeable = False
    assert_array_equal(hmm.marginals(initial, transition, evidence).states, expected.states)


def test_tensors_and_views_of_any_layout(rng):
    initial, transition, evidence = random_chain(rng, 20, 4)
    expected = hmm.marginals(initial, transition, evidence)
    result = hmm.marginals(
        torch.from_numpy(initial),
        torch.from_numpy(transition.T.copy()).T,
        np.repeat(evidence, 2, axis=1)[:, ::2],
    )
    assert_array_equal(result.states, expected.states)


@pytest.mark.parametrize(
    ("shapes", "lengths", "sentence"),
    [
        (
            [(12,), (10, 10), (4, 12)],
            None,
            r"evidence has K=12 states but transition is \(10, 10\); potentials of one chain share K\.",
        ),
        ([(3,), (4, 4), (9, 4)], None, r"evidence has K=4 states but initial is \(3,\)"),
        ([(4,), (4, 4), (4,)], None, r"evidence has shape \(4,\); it is \(\.\.\., T, K\)"),
        ([(4,), (4, 4), (2, 9, 4)], [3], r"lengths has shape \(1,\).*leading axes \(2,\)"),
        ([(4,), (4, 4), (2, 9, 4)], [3, 10], r"lengths runs from 3 to 10 but sequences have T=9 frames"),
        ([(3, 4), (4, 4), (2, 9, 4)], None, r"initial has leading axes \(3,\).*evidence's \(2,\)"),
    ],
)
def test_shapes_that_disagree_are_named(shapes, lengths, sentence):
    chain = [np.zeros(shape) for shape in shapes]
    for function in (hmm.marginals, hmm.path):
        with pytest.raises(ShapeError, match=sentence):
            function(*chain, lengths=None if lengths is None else np.array(lengths))


def test_unknown_words_are_named(rng):
    chain = random_chain(rng, 3, 2)
    with pytest.raises(UnknownName, match=r"no keep 'some'\. Known: all, filter, sums\."):
        hmm.marginals(*chain, keep="some")
    with pytest.raises(UnknownName, match=r"no messages\.backends 'gpu'"):
        hmm.marginals(*chain, backend="gpu")


@pytest.mark.parametrize("bad", [-np.inf, np.nan, np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_frame_without_a_possible_state_is_named(bad, dtype, rng):
    initial, transition, _ = random_chain(rng, 1, 3)
    evidence = rng.standard_normal((2, 3, 9, 3)).astype(dtype)
    evidence[1, 2, 5] = bad
    for function in (hmm.marginals, hmm.path, lambda *chain: hmm.sample(*chain, rng)):
        with pytest.raises(ImpossibleEvidence, match=r"sequence 1, 2, frame 5: no state is possible"):
            function(initial, transition, evidence)
    with pytest.raises(ImpossibleEvidence, match=r"^frame 5: no state"):
        hmm.marginals(initial, transition, evidence[1, 2])
    # The same frame as padding is nobody's business.
    hmm.marginals(initial, transition, evidence[1, 2], lengths=np.array(5))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("position", [0, 1])
def test_potentials_that_are_not_numbers_are_refused(bad, position, rng):
    chain = random_chain(rng, 9, 3, scale=900.0)
    chain[position][..., 1] = bad
    for function in (hmm.marginals, hmm.path, lambda *chain: hmm.sample(*chain, rng)):
        with pytest.raises(BadInput, match=f"{('initial', 'transition')[position]} holds NaN or"):
            function(*chain)


def test_one_nan_among_states_is_named(rng):
    initial, transition, evidence = random_chain(rng, 9, 3)
    evidence[4, 1] = np.nan
    for function in (hmm.marginals, hmm.path):
        with pytest.raises(ImpossibleEvidence, match="frame 4"):
            function(initial, transition, evidence)
