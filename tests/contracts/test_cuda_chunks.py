"""Long chains are cut into chunks on a GPU, which changes no answer beyond rounding."""

import numba
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from oracles.chains import random_chain, sticky_chain
from oracles.gaussian_chains import switching_chain
from syllabary.errors import IndefinitePrecision
from syllabary.messages import hmm, lds
from syllabary.messages.backends import cuda

pytestmark = [
    pytest.mark.skipif(not cuda.available(), reason="no GPU, and not in the simulator"),
    pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning"),
]
DEVICE = "cpu" if numba.config.ENABLE_CUDASIM else "cuda"


@pytest.fixture
def reruns(monkeypatch):
    """How often each chunk ran again in each call of the backend, in order."""
    counted = []
    for name in ("hmm_marginals", "lds_marginals"):
        kernel = getattr(cuda, name)

        def call(*arguments, kernel=kernel):
            counted.append(kernel(*arguments))
            return counted[-1]

        monkeypatch.setattr(cuda, name, call)
    return counted


def on_device(chain, dtype):
    return [torch.tensor(part, dtype=dtype, device=DEVICE) for part in chain]


def assert_same(result, chain, keep="all"):
    """The processor's answer in float64 and in one pass, to rounding."""
    exact = hmm.marginals(*(part.cpu().double() for part in chain), keep=keep, cache=keep == "all")
    close = 1e-5 if chain[2].dtype == torch.float32 else 1e-11
    for name in ("states", "transitions", "initial", "log_normalizer", "log_scales", "filtered"):
        part, true = getattr(result, name), getattr(exact, name)
        assert (part is None) == (true is None)
        if part is not None:
            assert_allclose(part.cpu(), true, rtol=close, atol=close, err_msg=name)


def counts(counted):
    return [part.cpu().tolist() for part in counted]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("K", [3, 5])
def test_chunks_of_a_forgetful_chain_agree_at_once(K, dtype, rng, cut, reruns):
    cut(30, 24)
    chain = on_device(sticky_chain(rng, 100, K, stay=0.2, separation=1.0), dtype)
    assert_same(hmm.marginals(*chain, cache=True, backend="cuda"), chain)
    assert counts(reruns[0]) == [[[0] * 4]] * 2


def test_chunks_after_a_short_warm_up_are_repaired_side_by_side(rng, cut, reruns):
    cut(30, 1)
    chain = on_device(sticky_chain(rng, 100, 3, stay=0.2, separation=1.0), torch.float32)
    assert_same(hmm.marginals(*chain, cache=True, backend="cuda"), chain)
    assert counts(reruns[0]) == [[[0, 1, 1, 1]]] * 2


@pytest.mark.parametrize("keep", ["all", "sums", "filter"])
def test_a_chain_that_barely_mixes_goes_in_order(keep, rng, cut, reruns):
    """A chunk is right once its neighbor is: two times side by side, and then one after another."""
    cut(10, 4)
    initial, transition, _ = sticky_chain(rng, 1, 3, stay=0.99999)
    evidence = 1e-2 * rng.standard_normal((58, 3))
    chain = on_device((initial, transition, evidence), torch.float64)
    assert_same(hmm.marginals(*chain, keep=keep, cache=keep == "all", backend="cuda"), chain, keep)
    counted = [part for part in reruns[0] if part is not None]
    assert len(counted) == (1 if keep == "filter" else 2)
    assert counts(counted) == [[[0, 1, 2, 3, 3, 3]]] * len(counted)


def test_sequences_of_a_batch_are_cut_each_for_itself(rng, cut, reruns):
    cut(10, 6)
    lengths = torch.tensor([25, 7, 0, 11])
    chain = on_device(sticky_chain(rng, 100, 3, stay=0.2, separation=1.0), torch.float32)
    evidence = chain[2].reshape(4, 25, 3)
    for i, length in enumerate(lengths):
        evidence[i, length:] = torch.nan
    result = hmm.marginals(*chain[:2], evidence, lengths=lengths, cache=True, backend="cuda")
    for i, length in enumerate(lengths.tolist()):
        assert not result.states[i, length:].any()
        if length:
            alone = hmm.marginals(*chain[:2], evidence[i, :length], cache=True, backend="cuda")
            assert torch.equal(result.states[i, :length], alone.states)
            assert torch.equal(result.filtered[i, :length], alone.filtered)
            assert torch.equal(result.transitions[i], alone.transitions)
            assert torch.equal(result.log_scales[i, :length], alone.log_scales)
    assert reruns[0].forward.shape == (4, 3)


@pytest.mark.parametrize("depth", [60, 2000])
def test_a_state_that_vanishes_in_one_chunk_is_brought_back_in_another(depth, rng, cut):
    cut(8, 3)
    initial, transition, evidence = random_chain(rng, 30, 3)
    transition[~np.eye(3, dtype=bool)] = -np.inf
    evidence[3:9, 0] -= depth
    evidence[25, 1:] = -np.inf
    chain = on_device((initial, transition, evidence), torch.float32)
    result = hmm.marginals(*chain, backend="cuda")
    assert_allclose(result.states.cpu(), np.eye(3)[[0] * 30], atol=1e-6)
    assert_same(hmm.marginals(*chain, cache=True, backend="cuda"), chain)


def assert_same_gaussian(result, chain, keep="all"):
    """The processor's answer in float64 and in one pass, relative to the largest entry."""
    exact = lds.marginals(*(part.cpu().double() for part in chain), keep=keep)
    close = 3e-4 if chain[2].dtype == torch.float32 else 1e-10
    parts = [(result.means, exact.means), (result.log_normalizer, exact.log_normalizer)]
    parts += [] if keep == "sums" else [(result.covariances, exact.covariances)]
    parts += [(result.cross, exact.cross)] if keep == "all" else []
    parts += list(zip(result.sums, exact.sums, strict=True)) if keep == "sums" else []
    for part, true in parts:
        assert_allclose(part.cpu(), true, rtol=0, atol=close * float(true.abs().max()))


def persistent(rng, frames):
    """A chain with hardly any evidence, which therefore forgets nothing of its first messages."""
    precision, lower = np.zeros((frames, 2, 2)), np.zeros((frames - 1, 2, 2))
    step = np.linalg.qr(rng.standard_normal((2, 2)))[0]
    precision[1:] += np.eye(2)
    precision[:-1] += step.T @ step
    precision[0] += np.eye(2)
    lower[:] = -step
    return precision, lower, rng.standard_normal((frames, 2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("keep", ["all", "sums"])
def test_chunks_of_a_forgetful_gaussian_chain_agree_at_once(keep, dtype, rng, cut, reruns):
    cut(30, 28)
    chain = on_device(switching_chain(rng, 100, 2, noise=1.0), dtype)
    assert_same_gaussian(lds.marginals(*chain, keep=keep, backend="cuda"), chain, keep)
    assert counts(reruns[0]) == [[[0] * 4]] * 2


@pytest.mark.parametrize("keep", ["all", "sums", "filter"])
def test_a_persistent_gaussian_chain_goes_in_order(keep, rng, cut, reruns):
    cut(6, 2)
    chain = on_device(persistent(rng, 34), torch.float64)
    assert_same_gaussian(lds.marginals(*chain, keep=keep, backend="cuda"), chain, keep)
    counted = [part for part in reruns[0] if part is not None]
    assert len(counted) == (1 if keep == "filter" else 2)
    assert counts(counted) == [[[0, 1, 2, 3, 3, 3]]] * len(counted)


def test_gaussian_sequences_of_a_batch_are_cut_each_for_itself(rng, cut):
    cut(8, 3)
    lengths = torch.tensor([20, 5, 0, 9])
    batch = [
        torch.stack(part)
        for part in zip(
            *(on_device(switching_chain(rng, 20, 2), torch.float32) for _ in lengths), strict=True
        )
    ]
    for i, length in enumerate(lengths):
        batch[0][i, length:] = batch[2][i, length:] = torch.nan
        batch[1][i, max(length - 1, 0) :] = torch.nan
    for keep in ("all", "sums"):
        result = lds.marginals(*batch, lengths=lengths, keep=keep, backend="cuda")
        for i, T in enumerate(lengths.tolist()):
            assert not result.means[i, T:].any()
            if T:
                chain = batch[0][i, :T], batch[1][i, : T - 1], batch[2][i, :T]
                alone = lds.marginals(*chain, keep=keep, backend="cuda")
                assert torch.equal(result.means[i, :T], alone.means)
                assert torch.equal(result.log_normalizer[i], alone.log_normalizer)
                if keep == "all":
                    assert torch.equal(result.covariances[i, :T], alone.covariances)
                    assert torch.equal(result.cross[i, : T - 1], alone.cross)
                else:
                    pairs = zip(result.sums, alone.sums, strict=True)
                    assert all(torch.equal(part[i], right) for part, right in pairs)


def test_the_frame_of_a_fault_is_named_in_whatever_chunk_it_lies(rng, cut):
    cut(8, 3)
    chain = on_device(switching_chain(rng, 40, 2), torch.float32)
    chain[0][29] = -torch.eye(2)
    with pytest.raises(IndefinitePrecision, match="frame 29"):
        lds.marginals(*chain, backend="cuda")
    chain[2][11, 1] = torch.nan
    with pytest.raises(IndefinitePrecision, match="frame 11"):
        lds.marginals(*chain, keep="sums", backend="cuda")
