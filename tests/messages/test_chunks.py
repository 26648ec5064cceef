"""Long sequences in chunks: one pass, every chunk boundary, every thread; and the vectors below them."""

import tracemalloc

import numba
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from oracles.chains import random_chain, sticky_chain
from syllabary.messages import hmm
from syllabary.messages.backends.cpu import chunking
from syllabary.messages.backends.cpu.hmm import calls, chunks
from syllabary.messages.backends.cpu.simd import exponentials, tiles, vectors


@pytest.fixture
def threads():
    """Set torch's threads; the number there was comes back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture
def passes(monkeypatch):
    """Passes of every attempt that a call makes, in order."""
    made = []

    class Recorded(chunks.Passes):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(calls, "Passes", Recorded)
    return made


def in_one_pass(monkeypatch, function):
    with monkeypatch.context() as patch:
        for name in ("cut", "cut_for_waiting"):
            patch.setattr(chunks, name, lambda frames, together=1: np.array([0, frames]))
        return function()


def in_logs(initial, transition, evidence):
    """Marginals, sums of pairs and log normalizer of a chain, a frame at a time, in logs."""
    forward = [initial + evidence[0]]
    for potential in evidence[1:]:
        forward.append(np.logaddexp.reduce(forward[-1][:, None] + transition, axis=0) + potential)
    total = np.logaddexp.reduce(forward[-1])
    states, pairs, backward = np.zeros_like(evidence), np.zeros_like(transition), np.zeros(len(initial))
    for t in range(len(evidence) - 1, -1, -1):
        states[t] = np.exp(forward[t] + backward - total)
        if t > 0:
            weighted = evidence[t] + backward
            pairs += np.exp(forward[t - 1][:, None] + transition + weighted - total)
            backward = np.logaddexp.reduce(transition + weighted, axis=1)
    return states, pairs, total


@pytest.mark.parametrize("frames", [1, 511, 1023, 1024, 4095, 4096, 12_289, 100_000])
def test_chunks_cover_a_sequence_and_are_longer_than_any_warm_up(frames):
    for places in (chunking.cut(frames, chunks.TOGETHER), chunks.cut_for_waiting(frames)):
        assert places[0] == 0
        assert places[-1] == frames
        assert (np.diff(places) > 0).all()
    lengths = np.diff(chunking.cut(frames, chunks.TOGETHER))
    assert len(lengths) == 1 or lengths.min() > 2 * max(chunks.TRIED)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_chunks_match_a_pass_in_logs(dtype, passes, rng):
    initial, transition, evidence = random_chain(rng, 5000, 5)
    evidence = evidence.astype(dtype)
    result = hmm.marginals(initial, transition, evidence)
    assert len(passes[0].first) == 8
    states, pairs, total = in_logs(initial, transition, evidence.astype(float))
    # float64: the logs grow to 10^4 nats, of which they keep 1e-12.
    close = 2e-6 if dtype == np.float32 else 2e-11
    assert_allclose(result.states, states, rtol=0, atol=close)
    assert_allclose(result.transitions, pairs, rtol=10 * close)
    assert_allclose(result.log_normalizer, total, rtol=close)


@pytest.mark.parametrize("keep", ["all", "filter", "sums"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_chunks_give_what_one_pass_gives(keep, dtype, passes, monkeypatch, rng):
    initial, transition, evidence = sticky_chain(rng, 20_000, 12, stay=0.9, separation=1.5)
    evidence = evidence.astype(dtype)

    def answer():
        return hmm.marginals(initial, transition, evidence, keep=keep)

    result, whole = answer(), in_one_pass(monkeypatch, answer)
    assert passes[0].warm_up.all()
    assert len(passes[0].first) > len(passes[1].first) == 1
    close = 64 * np.finfo(dtype).eps
    for part, expected in zip(result, whole, strict=True):
        if part is not None:
            assert_allclose(part, expected, rtol=0, atol=close * max(1, float(abs(expected).max())))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(20))
def test_batches_in_very_short_chunks_match_a_pass_in_logs(seed, dtype, monkeypatch, threads):
    """Lengths, warm-ups, groups and threads at random, so that every branch of a pass is taken."""
    rng = np.random.default_rng(seed)
    K, count, T = rng.choice([1, 5, 8, 9, 16, 17, 25, 33]), rng.integers(1, 5), rng.integers(1, 500)
    shortest = int(rng.choice([20, 40, 64]))
    for module in (chunking, chunks):
        monkeypatch.setattr(module, "SHORTEST", shortest)
    monkeypatch.setattr(chunks, "TOGETHER", int(rng.choice([2, 3, 5, 8])))
    monkeypatch.setattr(chunking, "LONGEST", shortest * int(rng.integers(1, 6)))
    monkeypatch.setattr(chunks, "WAITING", int(rng.choice([30, 100, 8192])))
    monkeypatch.setattr(chunks, "TRIED", (1, 2, 4, 8) if rng.random() < 0.5 else (3, 9))
    monkeypatch.setattr(chunks, "PUT_OFF", int(rng.choice([0, 4, 100])))
    monkeypatch.setattr(chunks, "FILTERED_AGAIN", int(rng.choice([100, 6_000_000])))
    threads(int(rng.integers(1, 4)))
    stay, nats = rng.choice([0.5, 0.9, 0.9999]), rng.choice([0.1, 1.0, 3.0])
    initial = np.log(rng.dirichlet(np.ones(K)))
    transition = np.log(stay * np.eye(K) + (1 - stay) * rng.dirichlet(np.ones(K), K))
    lengths = rng.integers(0, T + 1, count)
    lengths[rng.integers(count)] = T
    evidence = (nats * rng.standard_normal((count, T, K))).astype(dtype)
    evidence[np.arange(T) >= lengths[:, None]] = np.nan
    result = hmm.marginals(initial, transition, evidence, lengths=lengths, cache=bool(seed % 2))
    sums = hmm.marginals(initial, transition, evidence, lengths=lengths, keep="sums")
    for name in ("transitions", "initial", "log_scales"):
        assert_array_equal(getattr(sums, name), getattr(result, name))
    close = 5e-5 if dtype == np.float32 else 1e-9
    for i in np.flatnonzero(lengths):
        frames = lengths[i]
        states, pairs, total = in_logs(initial, transition, evidence[i, :frames].astype(float))
        assert_allclose(result.states[i, :frames], states, rtol=0, atol=close)
        assert_allclose(result.transitions[i], pairs, rtol=0, atol=close * frames)
        assert_allclose(result.log_normalizer[i], total, rtol=0, atol=close * max(frames, abs(total)))
        assert not result.states[i, frames:].any()


@pytest.mark.parametrize("keep", ["all", "sums"])
@pytest.mark.parametrize("cache", [False, True])
def test_chunks_that_began_with_a_wrong_message_run_again(keep, cache, passes, monkeypatch, rng):
    """Two frames of warm-up are never enough: no boundary agrees, in both directions or one."""
    initial, transition, evidence = sticky_chain(rng, 6000, 12, stay=0.98, separation=0.5)
    evidence = evidence.astype(np.float32)

    def answer():
        return hmm.marginals(initial, transition, evidence, keep=keep, cache=cache)

    whole = in_one_pass(monkeypatch, answer)
    for share in (4, 0):  # whether chunks wait backward after wrong messages forward
        monkeypatch.setattr(chunks, "PUT_OFF", share)
        monkeypatch.setattr(chunks.Passes, "_warm_up_from", lambda self, places: 2)
        result = answer()
        boundaries = len(passes[-1].first) - 1
        assert boundaries == 7
        assert passes[-1].reruns.sum() == 2 * boundaries
        for part, expected in zip(result[:-2], whole[:-2], strict=True):
            if part is not None:
                assert_allclose(part, expected, rtol=1e-6, atol=1e-6)
        if cache and keep == "all":
            assert_allclose(result.filtered, whole.filtered, rtol=0, atol=1e-6)


def test_a_chain_that_barely_mixes_has_no_warm_up(passes, monkeypatch, rng):
    initial, transition, _ = sticky_chain(rng, 1, 6, stay=0.99999)
    evidence = 1e-3 * rng.standard_normal((20_000, 6)).astype(np.float32)

    def answer():
        return hmm.marginals(initial, transition, evidence)

    result, whole = answer(), in_one_pass(monkeypatch, answer)
    assert not passes[0].warm_up.any()
    # Every chunk except one waits for its neighbor, in both directions.
    assert len(passes[0].first) == 3
    assert passes[0].reruns.sum() == 4
    assert_array_equal(result.states, whole.states)
    assert_array_equal(result.log_scales, whole.log_scales)
    assert_allclose(result.transitions, whole.transitions, rtol=1e-6, atol=1e-12)


def test_sums_of_long_sequences_are_those_of_all_and_a_batch_is_its_loop(rng):
    initial, transition, evidence = sticky_chain(rng, 3 * 9000, 7, stay=0.9, separation=1.0)
    evidence = evidence.astype(np.float32).reshape(3, 9000, 7)
    lengths = np.array([9000, 5001, 700])
    evidence[np.arange(9000) >= lengths[:, None]] = np.nan
    result = hmm.marginals(initial, transition, evidence, lengths=lengths, cache=True)
    sums = hmm.marginals(initial, transition, evidence, lengths=lengths, keep="sums")
    for name in ("transitions", "initial", "log_scales"):
        assert_array_equal(getattr(sums, name), getattr(result, name))
    for i, T in enumerate(lengths):
        single = hmm.marginals(initial, transition, evidence[i, :T])
        assert_array_equal(result.states[i, :T], single.states)
        assert_array_equal(result.transitions[i], single.transitions)
        assert_array_equal(result.log_scales[i, :T], single.log_scales)
        assert not result.states[i, T:].any()
        forward = hmm.marginals(initial, transition, evidence[i, :T], keep="filter")
        assert_array_equal(result.filtered[i, :T], forward.states)


@pytest.mark.parametrize("keep", ["all", "sums"])
@pytest.mark.parametrize("stay", [0.9, 0.9999])
def test_one_long_sequence_has_the_same_bits_on_any_number_of_threads(keep, stay, threads, rng):
    initial, transition, evidence = sticky_chain(rng, 30_000, 7, stay=stay, separation=0.5)
    evidence = evidence.astype(np.float32)
    answers = []
    for number in (1, 2, 5):
        threads(number)
        answers.append(hmm.marginals(initial, transition, evidence, keep=keep))
    for other in answers[1:]:
        for part, same in zip(answers[0], other, strict=True):
            assert_array_equal(part, same)


def test_only_the_sequence_that_lost_something_runs_again(passes, rng):
    """State 0 is 400 nats ahead of the others, which then have 440 more: too far for float32."""
    transition = np.full((3, 3), np.log(0.5))
    transition[0] = transition[:, 0] = -np.inf
    transition[0, 0] = 0.0
    initial, evidence = np.zeros(3), 0.01 * rng.standard_normal((2, 3000, 3)).astype(np.float32)
    evidence[1, 1400:1420, 0] += 20
    evidence[1, 1420:1440, 1] += 22
    result = hmm.marginals(initial, transition, evidence)
    assert [len(attempt.numbers) for attempt in passes] == [2, 1]
    assert_array_equal(passes[0].failed, [False, True])
    for i in range(2):
        states, _, total = in_logs(initial, transition, evidence[i].astype(float))
        assert_allclose(result.states[i], states, rtol=0, atol=1e-5)
        assert_allclose(result.log_normalizer[i], total, rtol=1e-6, atol=1e-4)


def test_sums_alone_take_no_memory_that_grows_like_the_evidence(rng):
    initial, transition, _ = sticky_chain(rng, 1, 100, stay=0.9)
    evidence = torch.from_numpy(rng.standard_normal((100_000, 100), dtype=np.float32))
    hmm.marginals(initial, transition, evidence[:10_000], keep="sums")
    tracemalloc.start()
    hmm.marginals(initial, transition, evidence, keep="sums")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Log scales are torch's own, and are not in it: another 0.8 MB. The evidence has 40 MB.
    assert peak < 9e6


@numba.njit
def _exponentials(values, out):
    lanes = vectors.lanes_of(values)
    for k in range(0, len(values[0]), lanes):
        left = len(values[0]) - k
        vectors.store(out, 0, k, left, exponentials.exp(vectors.load(values, 0, k, left, 0.0)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exponentials_of_vectors(dtype, rng):
    numbers = np.finfo(dtype)
    lowest = float(np.log(numbers.tiny))
    values = np.concatenate([rng.uniform(lowest, 0, 1000), [0, -np.inf, np.nan, 2 * lowest, -1e9]])
    values = values.astype(dtype)[None]
    out = np.full((2, values.shape[1]), 7, dtype)
    _exponentials(values, out)
    assert_allclose(out[0, :1000], np.exp(values[0, :1000].astype(np.longdouble)), rtol=2 * numbers.eps)
    assert_array_equal(out[0, 1000:], [1, 0, np.nan, 0, 0])
    assert (out[1] == 7).all()  # nothing is written backward a row


@numba.njit
def _logarithms(values, out):
    lanes = vectors.lanes_of(values)
    for k in range(0, len(values[0]), lanes):
        left = len(values[0]) - k
        vectors.store(out, 0, k, left, exponentials.log(vectors.load(values, 0, k, left, 1.0)))


def test_logarithms_of_vectors(rng):
    numbers = np.finfo(np.float64)
    root = np.sqrt(0.5)
    edges = [1, 0.5, 2, root, np.nextafter(root, 0), np.nextafter(root, 1), numbers.tiny, numbers.max]
    near_one = 1 + np.concatenate([[numbers.eps, -numbers.epsneg], rng.uniform(-1e-3, 1e-3, 500)])
    values = np.concatenate([edges, near_one, np.exp(rng.uniform(-700, 700, 1000))])[None]
    out = np.empty_like(values)
    _logarithms(values, out)
    assert_allclose(out[0], np.log(values[0].astype(np.longdouble)), rtol=4 * numbers.eps)


@numba.njit
def _products(left, matrix, columns, single, double, four):
    width, depth = matrix.shape[1], matrix.shape[0]
    tiles.product_of_one(single, 0, left, 0, width, 1, depth, matrix, 0, width, width)
    tiles.product_of_two(double, 0, left, 0, width, 1, depth, matrix, 0, width, columns)
    tiles.product_of_four(four, 0, left, 0, width, 1, depth, matrix, 0, width, columns)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 8, 16, 17, 25, 100, 104, 105, 300])
def test_a_row_of_a_product_is_the_same_in_any_company(dtype, size, rng):
    """And where only half of the last vector is summed: what is backward it is left alone."""
    left, matrix = (vectors.aligned_zeros(rows, size, dtype) for rows in (4, size))
    left[:, :size], matrix[:] = rng.random((4, size)), rng.random(matrix.shape)
    columns = tiles.columns_of(size, left)
    assert size <= columns < size + 64 // left.itemsize // 2
    result = [np.full_like(vectors.aligned_zeros(rows, size, dtype), -1) for rows in (1, 2, 4)]
    _products(left, matrix, columns, *result)
    assert_allclose(
        result[2][:, :columns], left[:, :size] @ matrix[:, :columns], rtol=size * np.finfo(dtype).eps
    )
    for few in result[:2]:
        assert_array_equal(few[:, :columns], result[2][: len(few), :columns])
    for several in result[1:]:
        assert (several[:, columns:] == -1).all()
