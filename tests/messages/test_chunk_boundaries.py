"""Long Gaussian chains are cut into chunks, which changes no answer beyond rounding."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from oracles.gaussian_chains import switching_chain
from syllabary.errors import IndefinitePrecision
from syllabary.messages import lds
from syllabary.messages.backends import cpu
from syllabary.messages.backends.cpu.lds import calls, chunks

FRAMES = 5000


@pytest.fixture
def reruns(monkeypatch):
    """How many chunks ran again in each call of the backend, in order."""
    counts = []
    for name in ("lds_marginals", "lds_tangent", "lds_sample"):
        kernel = getattr(cpu, name)

        def call(*arguments, kernel=kernel):
            counts.append(kernel(*arguments))
            return counts[-1]

        monkeypatch.setattr(cpu, name, call)
    return counts


@pytest.fixture
def uncut(monkeypatch):
    """Answers of one pass over whole sequences."""

    def answer(function, *arguments, **settings):
        with monkeypatch.context() as inside:
            inside.setattr(chunks, "cut", lambda frames, together: np.array([0, frames]))
            return function(*arguments, **settings)

    return answer


def forgetful(rng, dtype, frames=FRAMES):
    return [part.astype(dtype) for part in switching_chain(rng, frames, 3, noise=0.1)]


def persistent(rng, dtype):
    """A chain with hardly any evidence, which therefore forgets nothing of its first messages."""
    precision, lower, mean = (np.zeros(s) for s in ((FRAMES, 3, 3), (FRAMES - 1, 3, 3), (FRAMES, 3)))
    step = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    precision[1:] += np.eye(3)
    precision[:-1] += step.T @ step
    lower[:] = -step
    precision[0] += np.eye(3)
    precision[::500] += 1e-3 * np.eye(3)
    mean[::500] = rng.standard_normal((len(mean[::500]), 3))
    return [part.astype(dtype) for part in (precision, lower, mean)]


def assert_same(result, expected, dtype):
    tolerance = {np.float32: 3e-4, np.float64: 1e-11}[dtype]
    for name in ("means", "covariances", "cross", "log_normalizer"):
        part, whole = getattr(result, name), getattr(expected, name)
        assert_allclose(part, whole, rtol=0, atol=tolerance * float(whole.abs().max()), err_msg=name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_chunks_of_a_forgetful_chain_agree_at_once(dtype, rng, reruns, uncut):
    chain = forgetful(rng, dtype)
    result = lds.marginals(*chain)
    assert reruns == [calls.Reruns(0, 0)]
    assert_same(result, uncut(lds.marginals, *chain), dtype)


def test_chunks_of_a_persistent_chain_run_again(rng, reruns, uncut):
    chain = persistent(rng, np.float64)
    result = lds.marginals(*chain)
    assert reruns[0].forward > calls.SLOW  # then it runs backward as a whole
    assert reruns[0].backward == 0
    assert_same(result, uncut(lds.marginals, *chain), np.float64)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_wrong_messages_are_repaired_backward_too(dtype, rng, reruns, uncut, monkeypatch):
    monkeypatch.setattr(chunks, "WARM_UP", 1)
    monkeypatch.setattr(calls, "SLOW", 10**6)
    chain = forgetful(rng, dtype)
    result = lds.marginals(*chain)
    boundaries = len(chunks.cut(FRAMES, chunks.TOGETHER)) - 2
    assert reruns[0] == calls.Reruns(boundaries, boundaries)
    assert_same(result, uncut(lds.marginals, *chain), dtype)


@pytest.mark.parametrize("warm_up", [1, 64])
def test_derivatives_do_not_depend_on_chunks(warm_up, rng, reruns, uncut, monkeypatch):
    monkeypatch.setattr(chunks, "WARM_UP", warm_up)
    chain = forgetful(rng, np.float64)
    result = lds.marginals(*chain, cache=True)
    change = rng.standard_normal((FRAMES, 3, 3))
    direction = (
        change + change.mT,
        rng.standard_normal((FRAMES - 1, 3, 3)),
        rng.standard_normal((FRAMES, 3)),
    )
    moved = lds.tangent(result, *direction)
    assert (reruns[-1].forward > 0) == (reruns[-1].backward > 0) == (warm_up == 1)
    expected = uncut(lds.tangent, result, *direction)
    for part, whole in zip(moved, expected, strict=True):
        assert_allclose(part, whole, rtol=0, atol=1e-11 * float(whole.abs().max()))


@pytest.mark.parametrize("warm_up", [1, 64])
def test_samples_do_not_depend_on_chunks(warm_up, rng, reruns, uncut, monkeypatch):
    monkeypatch.setattr(chunks, "WARM_UP", warm_up)
    monkeypatch.setattr(calls, "SLOW", 10**6)
    chain = forgetful(rng, np.float64)
    drawn = lds.sample(*chain, np.random.default_rng(1))
    boundaries = len(chunks.cut(FRAMES, chunks.TOGETHER)) - 2
    assert reruns[-1] == calls.Reruns(*(boundaries * (warm_up == 1),) * 2)
    expected = uncut(lds.sample, *chain, np.random.default_rng(1))
    assert_allclose(drawn, expected, rtol=0, atol=1e-11 * float(expected.abs().max()))


def test_samples_of_a_persistent_chain_are_drawn_without_chunks(rng, reruns, uncut):
    chain = persistent(rng, np.float64)
    drawn = lds.sample(*chain, np.random.default_rng(1))
    assert reruns[-1].forward > calls.SLOW
    assert reruns[-1].backward == 0
    expected = uncut(lds.sample, *chain, np.random.default_rng(1))
    assert_allclose(drawn, expected, rtol=0, atol=1e-9 * float(expected.abs().max()))


def test_the_frame_of_a_fault_is_named_in_whatever_chunk_it_lies(rng, reruns):
    chain = forgetful(rng, np.float32)
    chain[0][3210] = -np.eye(3)
    with pytest.raises(IndefinitePrecision, match="frame 3210"):
        lds.marginals(*chain)
    chain[0][1700, 2, 1] = np.nan
    with pytest.raises(IndefinitePrecision, match="frame 1700"):
        lds.marginals(*chain)


def test_chunks_have_the_same_bits_on_any_number_of_threads(rng):
    chain = forgetful(rng, np.float32, 20_000)
    before = torch.get_num_threads()
    try:
        answers = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            answers.append(lds.marginals(*chain))
    finally:
        torch.set_num_threads(before)
    for name in ("means", "covariances", "cross", "log_normalizer"):
        assert_array_equal(*(getattr(answer, name) for answer in answers))
