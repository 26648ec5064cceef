"""Matrices of sixteen chains at once: the layout, and the algebra in it."""

import numba
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.messages.backends.cpu.lds import matrices as kernels
from syllabary.messages.backends.cpu.lds.columns import gather, scatter
from syllabary.messages.backends.cpu.simd import small_products
from syllabary.messages.backends.cpu.simd.vectors import BYTES, aligned_zeros, padded


@numba.njit
def there(source, places, size, target):
    gather(source, places, size, size, target)


@numba.njit
def back(source, size, target, places):
    scatter(source, size, target, places, size)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 9, 16, 33])
def test_numbers_come_back_to_where_they_were(dtype, size, rng):
    lanes = BYTES // np.dtype(dtype).itemsize
    memory = rng.standard_normal(lanes * size).astype(dtype)
    places = rng.permutation(lanes).astype(np.int64) * size
    places[1] = -1
    columns = aligned_zeros(padded(size, dtype), lanes, dtype)
    there(memory, places, size, columns)
    expected = np.where(places >= 0, memory[places + np.arange(size)[:, None]], 0)
    assert_array_equal(columns[:size], expected)
    copy = np.full_like(memory, 7)
    back(columns, size, copy, places)
    lost = int(np.setdiff1d(np.arange(lanes) * size, places)[0])
    memory[lost : lost + size] = 7
    assert_array_equal(copy, memory)


def columns(values, dtype):
    """Matrices of all chains with a row for each entry."""
    lanes = BYTES // np.dtype(dtype).itemsize
    filled = aligned_zeros(max(16, values[0].size), lanes, dtype)
    filled[: values[0].size] = values.reshape(lanes, -1).T
    return filled


@numba.njit
def multiplied(size, left, right, out):
    kernels.multiply(size, left, right, out)


@numba.njit
def part_multiplied(size, rows, depth, left, right, out):
    """Of Aᵀ B the first rows, a sum over the first entries only."""
    small_products.product(rows, depth, size, out, 0, size, 1, left, 0, 1, size, right, 0, size, 1)


@numba.njit
def subtracted(size, out, left, right):
    kernels.subtract_from_lower(size, out, left, size, 1, right, 1, size)
    kernels.mirror(size, size, out)


@numba.njit
def inverted(size, matrix, factor, root, pivots, out):
    kernels.invert(size, matrix, factor, root, pivots, out)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 10, 11, 13, 32])
def test_products_and_inverses_are_those_of_dense_algebra(dtype, size, rng):
    lanes = BYTES // np.dtype(dtype).itemsize
    left, right = rng.standard_normal((2, lanes, size, size))
    close = {"rtol": 0, "atol": 2000 * size * np.finfo(dtype).eps}

    def matrices(result):
        return result[: size**2].T.reshape(lanes, size, size)

    out = columns(np.full_like(left, np.nan), dtype)
    multiplied(size, columns(left, dtype), columns(right, dtype), out)
    assert_allclose(matrices(out), left @ right, **close)
    rows, depth = -(-size // 2), -(-size // 3)
    part_multiplied(size, rows, depth, columns(left, dtype), columns(right, dtype), out)
    expected = left[:, :depth, :rows].transpose(0, 2, 1) @ right[:, :depth]
    assert_allclose(matrices(out)[:, :rows], expected, **close)
    symmetric = left @ left.transpose(0, 2, 1)
    out = columns(symmetric, dtype)
    subtracted(size, out, columns(left, dtype), columns(left, dtype))
    assert_allclose(matrices(out), 0 * left, **close)
    assert_array_equal(matrices(out), matrices(out).transpose(0, 2, 1))
    matrix = symmetric + np.eye(size)
    pivots, factor, root = (columns(part, dtype) for part in (left, left, 0 * left))
    inputs = np.tril(matrix) + np.triu(np.full((size, size), np.nan), 1)  # never read
    inverted(size, columns(inputs, dtype), factor, root, pivots, out)
    assert_allclose(matrices(out), np.linalg.inv(matrix), **close)
    assert_array_equal(matrices(out), matrices(out).transpose(0, 2, 1))
    expected = np.linalg.slogdet(matrix)[1]
    assert_allclose(np.log(pivots[:size].astype(float)).sum(0), expected, **close)


@pytest.mark.parametrize("size", [3, 8])
@pytest.mark.parametrize("bad", [0, 2])
def test_a_pivot_that_is_not_positive_spoils_its_own_chain_alone(size, bad, rng):
    matrix = np.broadcast_to(np.eye(size), (16, size, size)).copy()
    matrix[5, bad, bad] = -1
    matrix[5, -1, -1] = -1  # two of them: a product of pivots would be positive
    pivots, factor, root, out = (columns(0 * matrix, np.float32) for _ in range(4))
    inverted(size, columns(matrix, np.float32), factor, root, pivots, out)
    product = pivots[:size].prod(0)
    assert not product[5] > 0
    assert_array_equal(np.delete(product, 5), 1)


@pytest.mark.parametrize("size", [5, 10, 16, 32])
def test_an_inverse_loses_no_more_digits_than_its_condition_has(size, rng):
    """Blocks are joined by triangular factors; by explicit inverses the loss would be its square."""
    axes = np.linalg.qr(rng.standard_normal((16, size, size)))[0]
    values = 1e4 ** -rng.uniform(0, 1, (16, size))
    values[:, 0], values[:, -1] = 1, 1e-4
    matrix = ((axes * values[:, None]) @ axes.transpose(0, 2, 1)).astype(np.float32)
    exact = np.linalg.inv(np.tril(matrix) + np.tril(matrix, -1).transpose(0, 2, 1).astype(float))
    pivots, factor, root, out = (columns(0 * matrix, np.float32) for _ in range(4))
    inverted(size, columns(matrix, np.float32), factor, root, pivots, out)
    error = np.abs(out[: size**2].T.reshape(exact.shape) - exact).max((1, 2))
    # Seen: 0.3 of it at most.
    assert np.all(error < 1e4 * np.finfo(np.float32).eps * np.abs(exact).max((1, 2)))
