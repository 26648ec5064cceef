"""Small dense matrices of sixteen chains at once, in columns: entry (i, j) is row i D + j.

Sums of products are taken four at a time, so that one is added to while another waits; entries up
to three rows behind the last may be read, and are not used.
"""

from typing import Any

from ._columns import at, broadcast, less, more, over, put, root
from ._compiled import Floats, kernel

__all__ = ["four", "invert", "multiply", "times"]


@kernel
def multiply(size: int, left: Floats, right: Floats, out: Floats) -> None:
    """Matrix product."""
    for i in range(size):
        for j in range(0, size, 4):
            j = _block(j, size)
            sums = four(left, i * size, 1, right, j, size, 1, size)
            for c, found in enumerate(sums):
                put(out, i * size + j + c, found)


@kernel
def times(size: int, matrix: Floats, across: int, along: int, vector: Floats, out: Floats) -> None:
    """Matrix times vector, whose entry (i, k) is row ``i * across + k * along``."""
    for i in range(0, size, 4):
        i = _block(i, size)
        sums = four(vector, 0, 1, matrix, i * across, along, across, size)
        for c, found in enumerate(sums):
            put(out, i + c, found)


@kernel
def invert(
    size: int, matrix: Floats, factor: Floats, reciprocal: Floats, pivots: Floats, inverse: Floats
) -> None:
    """Inverse of symmetric matrices of which the lower halves are read, and squares of L's diagonal.

    ``reciprocal`` receives L⁻¹; above its diagonal it comes with zeros and keeps them.
    """
    for j in range(size):
        pivot = at(matrix, j * size + j)
        for k in range(j):
            one = at(factor, j * size + k)
            pivot = less(pivot, one, one)
        put(pivots, j, pivot)
        share = over(matrix.dtype.type(1), root(pivot))
        put(reciprocal, j * size + j, share)
        i = j + 1
        while i < size:
            few = i + 4 > size
            if few:
                found = at(matrix, i * size + j)
                for k in range(j):
                    found = less(found, at(factor, i * size + k), at(factor, j * size + k))
                put(factor, i * size + j, found * share)
                i += 1
            else:
                sums = four(factor, j * size, 1, factor, i * size, 1, size, j)
                for c, found in enumerate(sums):
                    row = (i + c) * size + j
                    put(factor, row, (at(matrix, row) - found) * share)
                i += 4
    for i in range(1, size):
        # Of what is beside the diagonal: −L⁻¹(i, i) Σ_k L(i, k) L⁻¹(k, j), from zeros for k < j.
        share = at(reciprocal, i * size + i) * matrix.dtype.type(-1)
        for j in range(0, i, 4):
            sums = four(factor, i * size + j, 1, reciprocal, j * size + j, size, 1, i - j)
            for c, found in enumerate(sums):
                if j + c < i:
                    put(reciprocal, i * size + j + c, found * share)
    for i in range(size):
        for j in range(0, i + 1, 4):
            sums = four(reciprocal, i * size + i, size, reciprocal, i * size + j, size, 1, size - i)
            for c, found in enumerate(sums):
                if j + c <= i:
                    put(inverse, i * size + j + c, found)
                    put(inverse, (j + c) * size + i, found)


@kernel
def _block(start: int, size: int) -> int:
    """Start of four columns: the last four overlap with those before, if they have to."""
    return max(0, min(start, size - 4))


@kernel
def four(
    left: Floats,
    at_left: int,
    along: int,
    right: Floats,
    at_right: int,
    down: int,
    across: int,
    count: int,
) -> Any:
    """Four sums of products, ``Σ_k left[at_left + k along] right[at_right + k down + c across]``."""
    a = b = c = d = broadcast(left, left.dtype.type(0))
    for k in range(count):
        one, place = at(left, at_left + k * along), at_right + k * down
        a = more(a, one, at(right, place))
        b = more(b, one, at(right, place + across))
        c = more(c, one, at(right, place + 2 * across))
        d = more(d, one, at(right, place + 3 * across))
    return a, b, c, d
