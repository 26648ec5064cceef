"""Paths, samples and derivatives in chunks on a GPU are those of one pass, whatever the chain."""

from types import SimpleNamespace

import numba
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from oracles.chains import random_chain, sticky_chain
from oracles.gaussian_chains import switching_chain
from syllabary.errors import ImpossibleEvidence, IndefinitePrecision
from syllabary.messages import hmm, lds
from syllabary.messages.backends import cuda
from syllabary.messages.backends.cuda import chunks
from syllabary.messages.backends.cuda.hmm import calls as hmm_calls
from syllabary.messages.backends.cuda.lds import calls as lds_calls

pytestmark = [
    pytest.mark.skipif(not cuda.available(), reason="no GPU, and not in the simulator"),
    pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning"),
]
DEVICE = "cpu" if numba.config.ENABLE_CUDASIM else "cuda"
DTYPES = [torch.float32, torch.float64]
# In a chain that never forgets a chunk is right once its neighbor is: twice side by side, then in order.
IN_ORDER = [0, 1, 2, 3, 3, 3]


@pytest.fixture
def reruns(monkeypatch):
    """How often each chunk of the first sequence ran again, pass by pass."""
    counted = []

    def spy(*arguments):
        boundaries = chunks.in_chunks(*arguments)
        counted.append(boundaries.reruns[0].cpu().tolist())
        return boundaries

    for module in (hmm_calls, lds_calls):
        monkeypatch.setattr(module, "in_chunks", spy)
    return counted


def on_device(chain, dtype):
    return [torch.tensor(np.asarray(part), dtype=dtype, device=DEVICE) for part in chain]


def on_processor(parts):
    return [part.cpu() for part in parts]


def cyclic_chain(rng, frames, states):
    """A chain that steps through its states in turn, of which evidence says next to nothing."""
    transition = np.full((states, states), -np.inf)
    transition[np.arange(states), (np.arange(states) + 1) % states] = 0
    return np.zeros(states), transition, 1e-2 * rng.standard_normal((frames, states))


def numbers_of(uniform):
    return SimpleNamespace(random=lambda shape: uniform.reshape(shape))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("K", [3, 5])
def test_the_path_of_a_forgetful_chain_is_found_at_once(K, dtype, rng, cut, reruns):
    cut(30, 24)
    chain = on_device(sticky_chain(rng, 100, K, stay=0.2, separation=3.0), dtype)
    path = hmm.path(*chain, backend="cuda")
    assert_array_equal(path.cpu(), hmm.path(*on_processor(chain), backend="cpu"))
    assert reruns == [[0] * 4] * 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_path_of_a_chain_that_never_forgets_is_found_in_order(dtype, rng, cut, reruns):
    cut(10, 4)
    chain = on_device(cyclic_chain(rng, 58, 3), dtype)
    path = hmm.path(*chain, backend="cuda")
    assert_array_equal(path.cpu(), hmm.path(*on_processor(chain), backend="cpu"))
    assert reruns[0] == IN_ORDER
    assert max(reruns[1]) > 0


def test_of_equal_paths_the_lowest_is_found_whatever_the_chunks(cut):
    cut(4, 2)
    chain = on_device((np.zeros(5), np.zeros((5, 5)), np.zeros((17, 5))), torch.float32)
    assert not hmm.path(*chain, backend="cuda").any()
    chain[1].fill_diagonal_(-1)
    expected = hmm.path(*on_processor(chain), backend="cpu")
    assert_array_equal(hmm.path(*chain, backend="cuda").cpu(), expected)


@pytest.mark.parametrize("kind", ["forgetful", "sticky", "cyclic"])
@pytest.mark.parametrize("warm_up", [1, 6])
def test_paths_and_samples_do_not_depend_on_chunks(kind, warm_up, rng, cut):
    """A batch of several lengths, whose padding is NaN."""
    lengths = torch.tensor([25, 7, 0, 1, 11])
    batch = {
        "forgetful": lambda: random_chain(rng, 125, 3),
        "sticky": lambda: sticky_chain(rng, 125, 3, stay=0.999, separation=0.5),
        "cyclic": lambda: cyclic_chain(rng, 125, 3),
    }[kind]()
    initial, transition, evidence = on_device(batch, torch.float64)
    evidence = evidence.reshape(5, 25, 3)
    for i, length in enumerate(lengths):
        evidence[i, length:] = torch.nan
    uniform = rng.random((5, 25))
    chain = initial, transition, evidence
    expected = on_processor(chain)
    paths = hmm.path(*expected, lengths=lengths, backend="cpu")
    drawn = hmm.sample(*expected, numbers_of(uniform), lengths=lengths, backend="cpu")
    for longest in (25, 4):
        cut(longest, warm_up)
        assert_array_equal(hmm.path(*chain, lengths=lengths, backend="cuda").cpu(), paths)
        again = hmm.sample(*chain, numbers_of(uniform), lengths=lengths, backend="cuda")
        assert_array_equal(again.cpu(), drawn)


def test_samples_that_never_meet_are_drawn_in_order(rng, cut, reruns):
    cut(10, 4)
    chain = on_device(cyclic_chain(rng, 58, 3), torch.float64)
    uniform = rng.random(58)
    drawn = hmm.sample(*chain, numbers_of(uniform), backend="cuda")
    expected = hmm.sample(*on_processor(chain), numbers_of(uniform), backend="cpu")
    assert_array_equal(drawn.cpu(), expected)
    assert max(reruns[-1]) > 1


@pytest.mark.parametrize("where", [2, 13, 26])
def test_the_frame_that_no_path_can_pass_is_named_in_whatever_chunk_it_lies(where, rng, cut):
    cut(8, 5)
    chain = on_device(sticky_chain(rng, 30, 3), torch.float32)
    chain[2][where] = -torch.inf
    chain[2][where + 3] = torch.nan
    for function in (hmm.path, lambda *rest, **more: hmm.sample(*rest, rng, **more)):
        with pytest.raises(ImpossibleEvidence, match=f"frame {where}:"):
            function(*chain, backend="cuda")
    # Impossible for the state that the chain must be in: chunks that warmed up elsewhere do not see it.
    chain = on_device(cyclic_chain(rng, 30, 3), torch.float32)
    chain[0][1:] = -torch.inf
    chain[2][where, where % 3] = -torch.inf
    with pytest.raises(ImpossibleEvidence, match=f"frame {where}:"):
        hmm.path(*chain, backend="cuda")


def assert_same_tangent(chain, direction, dtype):
    result = hmm.marginals(*chain, cache=True, backend="cuda")
    moved = hmm.tangent(chain[1], result, direction, backend="cuda")
    exact_chain = [part.double() for part in on_processor(chain)]
    exact = hmm.marginals(*exact_chain, cache=True, backend="cpu")
    expected = hmm.tangent(exact_chain[1], exact, direction.cpu().double(), backend="cpu")
    close = 1e-5 if dtype == torch.float32 else 1e-11
    for part, true in zip(moved, expected, strict=True):
        scale = max(1.0, float(true.abs().max()))
        assert_allclose(part.cpu() / scale, true / scale, rtol=0, atol=close)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_tangent_of_a_forgetful_chain_agrees_at_once(dtype, rng, cut, reruns):
    cut(30, 28)
    chain = on_device(sticky_chain(rng, 100, 3, stay=0.2, separation=1.0), dtype)
    (direction,) = on_device((rng.standard_normal((100, 3)),), dtype)
    assert_same_tangent(chain, direction, dtype)
    assert reruns[-2:] == [[0] * 4] * 2


def test_the_tangent_of_a_chain_that_barely_mixes_goes_in_order(rng, cut, reruns):
    cut(10, 4)
    initial, transition, _ = sticky_chain(rng, 1, 3, stay=0.99999)
    chain = on_device((initial, transition, 1e-2 * rng.standard_normal((58, 3))), torch.float64)
    (direction,) = on_device((rng.standard_normal((58, 3)),), torch.float64)
    assert_same_tangent(chain, direction, torch.float64)
    assert reruns[-2:] == [IN_ORDER] * 2


def persistent(rng, frames):
    """A chain with hardly any evidence, which therefore forgets nothing of its first messages."""
    precision, lower = np.zeros((frames, 2, 2)), np.zeros((frames - 1, 2, 2))
    step = np.linalg.qr(rng.standard_normal((2, 2)))[0]
    precision[1:] += np.eye(2)
    precision[:-1] += step.T @ step
    precision[0] += np.eye(2)
    lower[:] = -step
    return precision, lower, rng.standard_normal((frames, 2))


def gaussian_results(chain, direction, normals, backend):
    """Derivatives and a sample."""
    result = lds.marginals(*chain, cache=True, backend=backend)
    draws = SimpleNamespace(standard_normal=lambda shape: normals.reshape(shape))
    moved = lds.tangent(result, *direction, backend=backend)
    return [*moved, lds.sample(*chain, draws, backend=backend)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["forgetful", "persistent"])
def test_gaussian_tangents_and_samples_are_those_of_one_pass(kind, dtype, rng, cut, reruns):
    T = 100 if kind == "forgetful" else 34
    cut(*((30, 28) if kind == "forgetful" else (6, 2)))
    make = {"forgetful": lambda: switching_chain(rng, T, 2, noise=1.0), "persistent": None}[kind]
    chain = on_device(make() if make else persistent(rng, T), dtype)
    square = rng.standard_normal((T, 2, 2))
    direction = square + square.swapaxes(1, 2), rng.standard_normal((T - 1, 2, 2))
    direction = on_device((*direction, rng.standard_normal((T, 2))), dtype)
    normals = rng.standard_normal((T, 2))
    results = gaussian_results(chain, direction, normals, "cuda")
    exact = [[part.double() for part in on_processor(parts)] for parts in (chain, direction)]
    expected = gaussian_results(*exact, normals, "cpu")
    close = 3e-4 if dtype == torch.float32 else 1e-10
    for part, true in zip(results, expected, strict=True):
        assert_allclose(part.cpu(), true, rtol=0, atol=close * float(true.abs().max()))
    # Marginals have two passes, derivatives two, and a sample a filter and a draw.
    counted = reruns[2:4] + reruns[5:]
    assert counted == [[0] * 4 if kind == "forgetful" else IN_ORDER] * 3


def test_a_sample_without_a_factor_names_its_frame(rng, cut, monkeypatch):
    """The filter inverted a matrix that, rounded, has no Cholesky factor."""
    cut(8, 3)
    chain = on_device(switching_chain(rng, 40, 2), torch.float32)
    filter_ = lds_calls._filter

    def spoil(plan, inputs, partial, totals, fault):
        boundaries = filter_(plan, inputs, partial, totals, fault)
        partial[0][0, [13, 22]] = -1
        return boundaries

    monkeypatch.setattr(lds_calls, "_filter", spoil)
    with pytest.raises(IndefinitePrecision, match="frame 13"):
        lds.sample(*chain, np.random.default_rng(0), backend="cuda")


def test_an_hour_fills_a_large_gpu_and_no_length_is_a_cliff():
    hour = chunks.best_length(100_000, 1, 8, 2, 132)
    assert -(-100_000 // hour) == 264
    assert chunks.best_length(100_000, 1, 1, 9, 132) == 85
    # A frame more never costs more than some frames in each chunk.
    for warps, blocks in ((8, 2), (1, 9), (4, 4)):
        for frames in (99_000, 100_000, 101_000, 101_400, 110_000):
            longest = chunks.best_length(frames, 1, warps, blocks, 132)
            assert -(-frames // longest) <= blocks * 132
    assert chunks.best_length(10_000, 1, 8, 2, 132) < 100
    assert chunks.best_length(512, 256, 4, 4, 132) == 512
    assert chunks.best_length(20, 1, 8, 2, 132) == 20
    assert chunks.best_length(0, 3, 8, 2, 132) == 1
    assert chunks.best_length(100, 0, 8, 2, 132) >= 1
