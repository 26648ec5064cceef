"""Sums over frames and products of their rows, at sizes that fill blocks, runs and vectors or do not."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from syllabary.messages import moments, products
from syllabary.messages.backends import _moments

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


def exactly(rows, shares):
    """Second moments in float64, one frame after the other, and the sums of their sizes."""
    found = np.zeros((shares.shape[1], rows.shape[1], rows.shape[1]))
    sizes = np.zeros_like(found)
    for row, share in zip(rows.astype(float), shares.astype(float), strict=True):
        one = share[:, None, None] * np.outer(row, row)
        found += one
        sizes += abs(one)
    return found, sizes


def test_second_moments(frames, dtype):
    rows, shares = frames
    found = moments.weighted_moments(*map(torch.from_numpy, frames), negligible=0.0).numpy()
    expected, sizes = exactly(rows, shares)
    assert np.array_equal(found, found.swapaxes(1, 2))
    assert (abs(found - expected) <= 10 * LOST[dtype] * sizes + NOTHING).all()
    assert abs(found - expected).max() <= LOST[dtype] * sizes.max()


def test_sums_of_rows(frames, dtype):
    halves = [
        torch.from_numpy(part[: len(part) // 2 * 2].reshape(2, -1, part.shape[1])) for part in frames
    ]
    found = moments.weighted_sums(*halves, negligible=0.0).numpy()
    whole = [half.flatten(0, 1).double().numpy() for half in halves]
    sizes = abs(whole[1]).T @ abs(whole[0])
    assert_allclose(
        found, whole[1].T @ whole[0], rtol=0, atol=10 * LOST[dtype] * max(1, sizes.max(initial=0))
    )


def test_products_are_added(frames, size, dtype, rng):
    rows, shares = (torch.from_numpy(part)[None] for part in frames)
    matrix = torch.from_numpy(rng.standard_normal((size[1], size[2])).astype(dtype))
    found = products.add_products(shares.clone(), rows, matrix)
    expected = shares.double() + rows.double() @ matrix.double()
    sizes = float((shares.double() + rows.double().abs() @ matrix.double().abs()).max())
    assert_allclose(found, expected, rtol=0, atol=10 * LOST[dtype] * sizes)


def test_no_bit_depends_on_threads(frames, size, rng, threads):
    rows, shares = map(torch.from_numpy, frames)
    matrix = torch.from_numpy(rng.standard_normal((size[1], size[2]))).to(rows)

    def everything():
        return [
            moments.weighted_moments(rows, shares),
            moments.weighted_sums(rows[None], shares[None]),
            products.add_products(shares[None].clone(), rows[None], matrix),
        ]

    found = everything()
    torch.set_num_threads(1)
    assert all(torch.equal(one, other) for one, other in zip(found, everything(), strict=True))


def test_sequences_do_not_see_one_another(rng, dtype):
    """A batch equals its loop, bit for bit, whatever tiles a sequence's end cuts."""
    rows = torch.from_numpy(rng.standard_normal((5, 39, 6)).astype(dtype))
    matrix = torch.from_numpy(rng.standard_normal((6, 20)).astype(dtype))
    found = products.add_products(torch.zeros(5, 38, 20, dtype=rows.dtype), rows, matrix, skipped=(0, 1))
    for row, one in zip(rows, found, strict=True):
        alone = products.add_products(torch.zeros(1, 38, 20, dtype=rows.dtype), row[None, 1:], matrix)
        assert torch.equal(alone[0], one)


def test_what_is_unknown_is_not_lost(rng):
    """NaN in a share that counts, or in a row, is seen in the sums of its state."""
    rows, shares = torch.ones(200, 3), torch.full((200, 6), 0.5)
    shares[150, 2] = torch.nan
    told = moments.weighted_moments(rows, shares), moments.weighted_sums(rows[None], shares[None])
    for found in told:
        assert found[2].isnan().all()
        assert not found[[0, 1, 3, 4, 5]].isnan().any()


def test_negligible_shares_cost_nothing_and_are_left_out():
    rows, shares = torch.ones(_moments.RUN, 2), torch.full((_moments.RUN, 5), 1e-15)
    shares[3, 1] = 1.0
    assert moments.weighted_moments(rows, shares)[:, 0, 0].tolist() == [0, 1, 0, 0, 0]
    found = moments.weighted_sums(rows[None], shares[None])[:, 0]
    assert found[4] == 0  # none of its neighbours has a share
    assert_allclose(found[:4], [0, 1, 0, 0], atol=1e-10)
