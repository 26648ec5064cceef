"""Matrices of sixteen chains at once: the layout, and the algebra in it."""

import numba
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.messages.backends import _matrices
from syllabary.messages.backends._columns import gather, scatter
from syllabary.messages.backends._lanes import BYTES, padded, room


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
    columns = room(padded(size, dtype), lanes, dtype)
    there(memory, places, size, columns)
    expected = np.where(places >= 0, memory[places + np.arange(size)[:, None]], 0)
    assert_array_equal(columns[:size], expected)
    copy = np.full_like(memory, 7)
    back(columns, size, copy, places)
    lost = int(np.setdiff1d(np.arange(lanes) * size, places)[0])
    memory[lost : lost + size] = 7
    assert_array_equal(copy, memory)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 10, 13, 32])
def test_products_and_inverses_are_those_of_dense_algebra(dtype, size, rng):
    lanes = BYTES // np.dtype(dtype).itemsize

    def columns(values):
        filled = room(padded(size**2 + 4 * size, dtype), lanes, dtype)
        if values is not None:
            filled[: values[0].size] = values.reshape(lanes, -1).T
        return filled

    left, right = rng.standard_normal((2, lanes, size, size))
    vector = rng.standard_normal((lanes, size))
    out, more = columns(None), columns(None)
    _matrices.multiply(size, columns(left), columns(right), out)
    close = {"rtol": 0, "atol": 2000 * size * np.finfo(dtype).eps}
    assert_allclose(out[: size**2].T.reshape(left.shape), left @ right, **close)
    _matrices.times(size, columns(left), 1, size, columns(vector), more)
    assert_allclose(more[:size].T, (left.transpose(0, 2, 1) @ vector[..., None])[..., 0], **close)
    matrix = left @ left.transpose(0, 2, 1) + np.eye(size)
    pivots, factor, reciprocal = columns(None), columns(None), columns(None)
    given = columns(np.tril(matrix) + np.triu(np.full((size, size), np.nan), 1))  # never read
    _matrices.invert(size, given, factor, reciprocal, pivots, out)
    assert_allclose(out[: size**2].T.reshape(matrix.shape), np.linalg.inv(matrix), **close)
    expected = np.linalg.slogdet(matrix)[1]
    assert_allclose(np.log(pivots[:size].astype(float)).sum(0), expected, **close)
