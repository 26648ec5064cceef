"""Long Gaussian chains are cut into stretches; nothing of that is to be seen in an answer."""

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
def repeated(monkeypatch):
    """What the backend's calls said of stretches that were swept twice, in order."""
    said = []
    for name in ("lds_marginals", "lds_tangent", "lds_sample"):
        kernel = getattr(cpu, name)

        def call(*arguments, kernel=kernel):
            said.append(kernel(*arguments))
            return said[-1]

        monkeypatch.setattr(cpu, name, call)
    return said


@pytest.fixture
def uncut(monkeypatch):
    """Answers of one pass over whole sequences."""

    def answer(function, *arguments, **settings):
        with monkeypatch.context() as inside:
            inside.setattr(chunks, "cut", lambda frames: np.array([0, frames]))
            return function(*arguments, **settings)

    return answer


def forgetful(rng, dtype, frames=FRAMES):
    return [part.astype(dtype) for part in switching_chain(rng, frames, 3, noise=0.1)]


def elephant(rng, dtype):
    """A chain that is hardly told anything, and so forgets nothing of what it once was told."""
    precision, lower, mean = (np.zeros(s) for s in ((FRAMES, 3, 3), (FRAMES - 1, 3, 3), (FRAMES, 3)))
    step = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    precision[1:] += np.eye(3)
    precision[:-1] += step.T @ step
    lower[:] = -step
    precision[0] += np.eye(3)
    precision[::500] += 1e-3 * np.eye(3)
    mean[::500] = rng.standard_normal((len(mean[::500]), 3))
    return [part.astype(dtype) for part in (precision, lower, mean)]


def assert_same(found, expected, dtype):
    tolerance = {np.float32: 3e-4, np.float64: 1e-11}[dtype]
    for name in ("means", "covariances", "cross", "log_normalizer"):
        one, other = getattr(found, name), getattr(expected, name)
        assert_allclose(one, other, rtol=0, atol=tolerance * float(other.abs().max()), err_msg=name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_stretches_of_a_forgetful_chain_fit_at_once(dtype, rng, repeated, uncut):
    chain = forgetful(rng, dtype)
    found = lds.marginals(*chain)
    assert repeated == [calls.Repeated(0, 0)]
    assert_same(found, uncut(lds.marginals, *chain), dtype)


def test_stretches_of_a_chain_that_remembers_are_swept_again(rng, repeated, uncut):
    chain = elephant(rng, np.float64)
    found = lds.marginals(*chain)
    assert repeated[0].forward > calls.SLOW  # then it goes back in one piece
    assert repeated[0].backward == 0
    assert_same(found, uncut(lds.marginals, *chain), np.float64)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_wrong_messages_are_found_out_on_the_way_back_too(dtype, rng, repeated, uncut, monkeypatch):
    monkeypatch.setattr(chunks, "APPROACH", 1)
    monkeypatch.setattr(calls, "SLOW", 10**6)
    chain = forgetful(rng, dtype)
    found = lds.marginals(*chain)
    seams = len(chunks.cut(FRAMES)) - 2
    assert repeated[0] == calls.Repeated(seams, seams)
    assert_same(found, uncut(lds.marginals, *chain), dtype)


@pytest.mark.parametrize("approach", [1, 64])
def test_derivatives_do_not_see_stretches(approach, rng, repeated, uncut, monkeypatch):
    monkeypatch.setattr(chunks, "APPROACH", approach)
    chain = forgetful(rng, np.float64)
    found = lds.marginals(*chain, cache=True)
    change = rng.standard_normal((FRAMES, 3, 3))
    direction = (
        change + change.mT,
        rng.standard_normal((FRAMES - 1, 3, 3)),
        rng.standard_normal((FRAMES, 3)),
    )
    moved = lds.tangent(found, *direction)
    assert (repeated[-1].forward > 0) == (repeated[-1].backward > 0) == (approach == 1)
    expected = uncut(lds.tangent, found, *direction)
    for one, other in zip(moved, expected, strict=True):
        assert_allclose(one, other, rtol=0, atol=1e-11 * float(other.abs().max()))


@pytest.mark.parametrize("approach", [1, 64])
def test_samples_do_not_see_stretches(approach, rng, repeated, uncut, monkeypatch):
    monkeypatch.setattr(chunks, "APPROACH", approach)
    monkeypatch.setattr(calls, "SLOW", 10**6)
    chain = forgetful(rng, np.float64)
    drawn = lds.sample(*chain, np.random.default_rng(1))
    seams = len(chunks.cut(FRAMES)) - 2
    assert repeated[-1] == calls.Repeated(*(seams * (approach == 1),) * 2)
    expected = uncut(lds.sample, *chain, np.random.default_rng(1))
    assert_allclose(drawn, expected, rtol=0, atol=1e-11 * float(expected.abs().max()))


def test_samples_of_a_chain_that_remembers_are_drawn_in_one_piece(rng, repeated, uncut):
    chain = elephant(rng, np.float64)
    drawn = lds.sample(*chain, np.random.default_rng(1))
    assert repeated[-1].forward > calls.SLOW
    assert repeated[-1].backward == 0
    expected = uncut(lds.sample, *chain, np.random.default_rng(1))
    assert_allclose(drawn, expected, rtol=0, atol=1e-9 * float(expected.abs().max()))


def test_the_frame_of_a_fault_is_named_in_whatever_stretch_it_lies(rng, repeated):
    chain = forgetful(rng, np.float32)
    chain[0][3210] = -np.eye(3)
    with pytest.raises(IndefinitePrecision, match="frame 3210"):
        lds.marginals(*chain)
    chain[0][1700, 2, 1] = np.nan
    with pytest.raises(IndefinitePrecision, match="frame 1700"):
        lds.marginals(*chain)


def test_stretches_have_the_same_bits_on_any_number_of_threads(rng):
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
        assert_array_equal(*(getattr(one, name) for one in answers))
