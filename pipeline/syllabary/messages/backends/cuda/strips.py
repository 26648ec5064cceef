"""A vector times a matrix that the threads of a block hold in registers.

A thread has two columns of so many rows, a strip, and reads the vector from shared memory: each of
its numbers serves two products. Strips of the same columns are added up in shared memory. The sum of
the vector is found meanwhile, one product late: that is how messages are normalized without a wait of
their own. Matrices too large for registers are read from where they lie, which is near:
blocks of a multiprocessor share its cache.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from ....errors import BadInput
from ..compiled import Floats
from .block import EVERYONE, SIMULATED, WARP_SIZE, Number, cuda, device, unsigned, warp_sum

__all__ = ["Layout", "Reaches", "Strips", "layout", "reaches", "strips", "warp_max"]

# States whose transitions fit into registers, and that a warp has to itself. Threads of a block that
# leave each the registers it needs, and of a device's largest block, for more states than those.
HELD, WARP, AMPLE_THREADS, MAX_THREADS = (4, 2, 8, 1024) if SIMULATED else (128, 32, 512, 1024)


class Layout(NamedTuple):
    """How a matrix K by K is handed out to a block."""

    width: int
    """K or more: twice the threads that have a strip of the same rows."""
    groups: int
    """Strips of a column."""
    rows: int
    """Rows of a strip in registers; 0 if the matrix stays where it lies."""

    @property
    def threads(self) -> int:
        """Threads of a block: at least one for every entry of a vector."""
        return self.groups * self.width // 2

    @property
    def numbers(self) -> int:
        """Shared memory of a vector and of the sums of strips."""
        return self.width * (1 + self.groups) + self.width // WARP_SIZE


def layout(size: int) -> Layout:
    """Whole warps for ``size`` states; strips of fours, so that similar sizes share a kernel.

    Raises
    ------
    BadInput
        A block has no thread for every state.
    """
    if size > MAX_THREADS:
        raise BadInput(
            f"a chain has {size} states, and a GPU's kernels take {MAX_THREADS} at most; "
            "move the arrays to the CPU."
        )
    whole = max(2, WARP_SIZE)
    width = -(-size // whole) * whole
    groups = 2 if size <= WARP or 2 * width > AMPLE_THREADS else 4
    rows = -(-size // (4 * groups)) * 4 if size <= HELD else 0
    return Layout(width, groups, min(rows, width // groups))


class Strips(NamedTuple):
    """What a block does with a matrix; all threads call it at once."""

    hold: Callable[..., None]
    """(matrix, own): fill a thread's strip."""
    multiply: Callable[..., None]
    """(vector, matrix, own, sums): leave sums of strips; wait before and after."""
    gather: Callable[..., tuple[Number, Number]]
    """(sums, k): entry k of the product, and the sum of the vector."""


class Reaches(NamedTuple):
    """The same with a maximum of sums instead of a sum of products, which no order rounds otherwise."""

    hold: Callable[..., None]
    reach: Callable[..., None]
    """(vector, top, matrix, own, sums): of the vector minus ``top``; wait before and after."""
    gather: Callable[..., Number]
    """(sums, k): entry k of the result."""


@cache
def _holds(width: int, rows: int) -> Callable[..., None]:
    half = width // 2

    @device
    def hold(matrix: Floats, held: Floats) -> None:
        part = matrix[cuda.threadIdx.x // half * rows * width + cuda.threadIdx.x % half :]
        for r in range(rows):
            held[r] = part[r * width]
            held[rows + r] = part[r * width + half]

    return hold


@cache
def strips(width: int, groups: int, rows: int) -> Strips:
    """Make the functions for one layout; a matrix is flat, (width²), padded with zeros."""
    half = width // 2

    @device
    def multiply(vector: Floats, matrix: Floats, held: Floats, sums: Floats) -> None:
        thread = unsigned(cuda.threadIdx.x)
        group, column = thread // unsigned(half), thread % unsigned(half)
        left, right = sums.dtype.type(0), sums.dtype.type(0)
        if thread < width:  # whole warps
            total = warp_sum(vector[thread])
            if thread % unsigned(WARP_SIZE) == 0:
                sums[unsigned(groups * width) + thread // unsigned(WARP_SIZE)] = total
        if rows > 0:
            for r in range(rows):
                number = vector[group * unsigned(rows) + unsigned(r)]
                left += number * held[r]
                right += number * held[rows + r]
        else:
            for j in range(group, width, groups):
                number = vector[j]
                left += number * matrix[j * width + column]
                right += number * matrix[j * width + column + half]
        sums[group * unsigned(width) + column] = left
        sums[group * unsigned(width) + column + unsigned(half)] = right

    @device
    def gather(sums: Floats, k: int) -> tuple[Number, Number]:
        product, total = sums[k], sums[groups * width]
        for group in range(1, groups):
            product += sums[group * width + k]
        for warp in range(1, width // WARP_SIZE):
            total += sums[groups * width + warp]
        return product, total

    return Strips(_holds(width, rows), multiply, gather)


@cache
def reaches(width: int, groups: int, rows: int) -> Reaches:
    """Make the functions for one layout; a matrix is flat, (width²), padded with -inf."""
    half = width // 2

    @device
    def reach(vector: Floats, top: Number, matrix: Floats, held: Floats, sums: Floats) -> None:
        thread = unsigned(cuda.threadIdx.x)
        group, column = thread // unsigned(half), thread % unsigned(half)
        left, right = sums.dtype.type(-math.inf), sums.dtype.type(-math.inf)
        if rows > 0:
            for r in range(rows):
                number = vector[group * unsigned(rows) + unsigned(r)] - top
                left = max(left, number + held[r])
                right = max(right, number + held[rows + r])
        else:
            for j in range(group, width, groups):
                number = vector[j] - top
                left = max(left, number + matrix[j * width + column])
                right = max(right, number + matrix[j * width + column + half])
        sums[group * unsigned(width) + column] = left
        sums[group * unsigned(width) + column + unsigned(half)] = right

    @device
    def gather(sums: Floats, k: int) -> Number:
        best = sums[k]
        for group in range(1, groups):
            best = max(best, sums[group * width + k])
        return best

    return Reaches(_holds(width, rows), reach, gather)


@device
def warp_max(value: Number) -> Number:
    """Largest of a warp, in every one of its threads; no thread may bring NaN."""
    offset = WARP_SIZE // 2
    while offset > 0:
        value = max(value, cuda.shfl_xor_sync(EVERYONE, value, offset))
        offset //= 2
    return value
