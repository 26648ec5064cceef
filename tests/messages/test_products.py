"""Sums over frames and products of their rows, at sizes that fill blocks, runs and vectors or do not."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from syllabary.messages import moments, products
from syllabary.messages.backends.cpu.links import moments as kernels

# Half a rounding times the root of the frames of a run, relative to the sum of sizes; subnormal
# numbers count as nothing.
LOST = {np.float32: 5e-7, np.float64: 1e-14}
NOTHING = 1e-30
SIZES = [(1, 1, 1), (63, 5, 3), (65, 17, 4), (2100, 41, 33), (100, 31, 130)]


@pytest.fixture(params=SIZES, ids=str)
def size(request):
    """Frames, numbers of a frame, states."""
    return request.param


@pytest.fixture(params=LOST, ids=lambda dtype: dtype.__name__)
def dtype(request):
    return request.param


@pytest.fixture
def frames(rng, size, dtype):
    """Rows, and shares of which most are nothing."""
    count, width, states = size
    shares = rng.dirichlet(0.05 * np.ones(states), count)
    return rng.standard_normal((count, width)).astype(dtype), shares.astype(dtype)


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def one_sequence(frames):
    return [torch.from_numpy(part)[None] for part in frames]


def exactly(rows, shares):
    """Second moments in float64, one frame after the other, and the sums of their sizes."""
    result = np.zeros((shares.shape[1], rows.shape[1], rows.shape[1]))
    sizes = np.zeros_like(result)
    for row, share in zip(rows.astype(float), shares.astype(float), strict=True):
        moments = share[:, None, None] * np.outer(row, row)
        result += moments
        sizes += abs(moments)
    return result, sizes


def test_second_moments(frames, dtype):
    rows, shares = frames
    result = moments.weighted_moments(*one_sequence(frames), negligible=0.0).numpy()
    expected, sizes = exactly(rows, shares)
    assert np.array_equal(result, result.swapaxes(1, 2))
    assert (abs(result - expected) <= 10 * LOST[dtype] * sizes + NOTHING).all()
    assert abs(result - expected).max() <= LOST[dtype] * sizes.max()


@pytest.mark.parametrize("dynamic", [False, True])
def test_moments_of_what_is_uncertain(rng, dtype, dynamic):
    """Covariances add to products of means: of a frame, of the one before, and between the two."""
    size, states, length = 11, 5, 150
    weights = rng.dirichlet(np.ones(states), (3, length)).astype(dtype)
    covariances = rng.standard_normal((3, length, size, size)).astype(dtype)
    covariances += covariances.swapaxes(2, 3)
    cross = rng.standard_normal((3, length - 1, size, size)).astype(dtype) if dynamic else None
    counted, width = length - dynamic, (2 if dynamic else 1) * size + 1
    joint = rng.standard_normal((3, counted, width)).astype(dtype)
    inputs = [torch.from_numpy(part) for part in (joint, weights, covariances)]
    result = moments.weighted_moments(
        *inputs[:2], covariances=inputs[2], cross=torch.from_numpy(cross) if dynamic else None
    ).numpy()
    each = np.einsum("bti,btj->btij", joint.astype(float), joint)
    now, past = slice(0, size), slice(size, 2 * size)
    each[:, :, now, now] += covariances[:, length - counted :]
    if dynamic:
        each[:, :, past, past] += covariances[:, :-1]
        each[:, :, now, past] += cross
        each[:, :, past, now] += cross.swapaxes(2, 3)
    weighted = weights[:, length - counted :].astype(float)
    expected = np.einsum("btk,btij->kij", weighted, each)
    sizes = np.einsum("btk,btij->kij", weighted, abs(each))
    assert_allclose(result, expected, rtol=0, atol=10 * LOST[dtype] * sizes.max())


def test_products_are_added(frames, size, dtype, rng):
    rows, shares = (torch.from_numpy(part)[None] for part in frames)
    matrix = torch.from_numpy(rng.standard_normal((size[1], size[2])).astype(dtype))
    result = products.add_products(shares.clone(), products.Term(rows, matrix))
    expected = shares.double() + rows.double() @ matrix.double()
    sizes = float((shares.double() + rows.double().abs() @ matrix.double().abs()).max())
    assert_allclose(result, expected, rtol=0, atol=10 * LOST[dtype] * sizes)


def test_no_bit_depends_on_threads(frames, size, rng, threads):
    rows, shares = one_sequence(frames)
    matrix = torch.from_numpy(rng.standard_normal((size[1], size[2]))).to(rows)

    def everything():
        return [
            moments.weighted_moments(rows, shares),
            products.add_products(shares.clone(), products.Term(rows, matrix)),
        ]

    result = everything()
    torch.set_num_threads(1)
    assert all(torch.equal(*pair) for pair in zip(result, everything(), strict=True))


def test_sequences_do_not_see_one_another(rng, dtype):
    """A batch equals its loop, bit for bit, whatever tiles a sequence's end cuts."""
    rows = torch.from_numpy(rng.standard_normal((5, 39, 6)).astype(dtype))
    matrix = torch.from_numpy(rng.standard_normal((6, 20)).astype(dtype))
    result = products.add_products(
        torch.zeros(5, 38, 20, dtype=rows.dtype), products.Term(rows, matrix, (0, 1))
    )
    for row, part in zip(rows, result, strict=True):
        alone = products.add_products(
            torch.zeros(1, 38, 20, dtype=rows.dtype), products.Term(row[None, 1:], matrix)
        )
        assert torch.equal(alone[0], part)


def test_what_is_unknown_is_not_lost():
    """NaN in a share is seen in the sums of its state and of no other."""
    rows, shares = torch.ones(1, 200, 3), torch.full((1, 200, 6), 0.5)
    shares[0, 150, 2] = torch.nan
    result = moments.weighted_moments(rows, shares)
    assert result[2].isnan().all()
    assert not result[[0, 1, 3, 4, 5]].isnan().any()


def test_negligible_shares_are_left_out():
    rows, shares = torch.ones(1, kernels.RUN, 2), torch.full((1, kernels.RUN, 5), 1e-15)
    shares[0, 3, 1] = 1.0
    result = moments.weighted_moments(rows, shares)[:, 0, 0]
    assert result[4] == 0  # none of its neighbors has a share
    assert_allclose(result[:4], [0, 1, 0, 0], atol=1e-10)
