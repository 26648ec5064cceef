"""What the threads of a block do together: sums, largest entries, small dense matrices.

The same text runs on a device and in numba's simulator. On a device the 32 threads of a warp
exchange numbers by shuffles and warps through shared memory; the simulator has no shuffles, so
there a warp is one thread. Sums are added in an order that depends on the number of threads
alone, so that no answer changes from run to run.

Everything here is called by all threads of a block at once. ``scratch`` is a shared array of
``WARPS`` entries; a function first waits until its last user has read it. Matrices are flat,
``matrix[i * size + j]``: numba cuts no two-dimensional array out of shared memory.
"""

import math
from typing import Any, TypeAlias

import numpy as np

from ..compiled import Floats, Indices
from .compiler import SIMULATED, WARP_SIZE, Kernel, bounded, cuda, device, kernel

__all__ = [
    "DOUBLE",
    "SIMULATED",
    "WARPS",
    "WARP_SIZE",
    "Kernel",
    "Number",
    "block_argmax",
    "block_max",
    "block_sum",
    "bounded",
    "cholesky",
    "cuda",
    "device",
    "invert",
    "kernel",
    "memory_for",
    "multiply",
    "unsigned",
    "warp_sum",
    "wide",
]

# A float32 or float64, as the arrays of a call are.
Number: TypeAlias = Any

WARPS = 32
EVERYONE = 0xFFFFFFFF
# Type of all shared memory as float64; the simulator takes no class there.
DOUBLE = np.dtype(np.float64) if SIMULATED else np.float64
# Indices that cannot be negative, so that no access asks whether one counts from the end; the second is
# for numbers of all frames.
unsigned, wide = (int, int) if SIMULATED else (np.uint32, np.uint64)

if SIMULATED:

    def memory_for(like: Floats) -> Floats:
        """All shared memory of a launch, as numbers like these."""
        return cuda.shared.array(0, like.dtype)

else:

    @kernel(device=True, inline="always")
    def memory_for(like: Floats) -> Floats:
        """All shared memory of a launch, as numbers like these, of which four are read at a time."""
        return cuda.shared.array(0, like.dtype, 16)


@device
def warp_sum(value: Number) -> Number:
    """Sum over a warp, in every one of its threads."""
    offset = WARP_SIZE // 2
    while offset > 0:
        value += cuda.shfl_xor_sync(EVERYONE, value, offset)
        offset //= 2
    return value


@device
def block_sum(value: Number, scratch: Floats) -> Number:
    """Sum over the block, in every thread."""
    value = warp_sum(value)
    cuda.syncthreads()
    if cuda.threadIdx.x % WARP_SIZE == 0:
        scratch[cuda.threadIdx.x // WARP_SIZE] = value
    cuda.syncthreads()
    total = scratch[0]
    for warp in range(1, cuda.blockDim.x // WARP_SIZE):
        total += scratch[warp]
    return total


@device
def block_max(value: Number, scratch: Floats) -> Number:
    """Largest over the block, in every thread; no thread may bring NaN."""
    offset = WARP_SIZE // 2
    while offset > 0:
        other = cuda.shfl_xor_sync(EVERYONE, value, offset)
        value = other if other > value else value
        offset //= 2
    cuda.syncthreads()
    if cuda.threadIdx.x % WARP_SIZE == 0:
        scratch[cuda.threadIdx.x // WARP_SIZE] = value
    cuda.syncthreads()
    largest = scratch[0]
    for warp in range(1, cuda.blockDim.x // WARP_SIZE):
        largest = scratch[warp] if scratch[warp] > largest else largest
    return largest


@device
def block_argmax(value: Number, index: int, scratch: Floats, places: Indices) -> int:
    """Index of the largest over the block, the lowest of equals, in every thread.

    ``places`` is a second scratch, of integers.
    """
    offset = WARP_SIZE // 2
    while offset > 0:
        other = cuda.shfl_xor_sync(EVERYONE, value, offset)
        place = cuda.shfl_xor_sync(EVERYONE, index, offset)
        if other > value or (other == value and place < index):
            value, index = other, place
        offset //= 2
    cuda.syncthreads()
    if cuda.threadIdx.x % WARP_SIZE == 0:
        scratch[cuda.threadIdx.x // WARP_SIZE] = value
        places[cuda.threadIdx.x // WARP_SIZE] = index
    cuda.syncthreads()
    largest, first = scratch[0], places[0]
    for warp in range(1, cuda.blockDim.x // WARP_SIZE):
        other, place = scratch[warp], places[warp]
        if other > largest or (other == largest and place < first):
            largest, first = other, place
    return first


@device
def multiply(left: Floats, right: Floats, out: Floats, size: int) -> None:
    """Matrix product; whoever reads ``out`` waits first."""
    for entry in range(cuda.threadIdx.x, size * size, cuda.blockDim.x):
        i, j = entry // size, entry % size
        value = left[i * size] * right[j]
        for k in range(1, size):
            value += left[i * size + k] * right[k * size + j]
        out[entry] = value


@device
def cholesky(matrix: Floats, size: int) -> float:
    """Turn the lower half of a symmetric matrix into its factor; log det, or NaN.

    Every thread finds the pivot of a column for itself and so knows whether to go on.
    """
    log_det = 0.0
    for j in range(size):
        cuda.syncthreads()
        pivot = matrix[j * size + j]
        for k in range(j):
            pivot -= matrix[j * size + k] * matrix[j * size + k]
        if not pivot > 0:
            return math.nan
        log_det += math.log(pivot)
        root = math.sqrt(pivot)
        cuda.syncthreads()
        for i in range(j + cuda.threadIdx.x, size, cuda.blockDim.x):
            value = matrix[i * size + j]
            for k in range(j):
                value -= matrix[i * size + k] * matrix[j * size + k]
            matrix[i * size + j] = root if i == j else value / root
    cuda.syncthreads()
    return log_det


@device
def invert(matrix: Floats, inverse: Floats, size: int) -> float:
    """Inverse of a symmetric matrix of which the lower half is read, and overwritten; log det, or NaN.

    ``inverse`` first receives L⁻¹ above the diagonal, transposed: a column to a thread. Then the
    entries of L⁻ᵀ L⁻¹ are handed out.
    """
    log_det = cholesky(matrix, size)
    if not -math.inf < log_det < math.inf:
        return math.nan
    for j in range(cuda.threadIdx.x, size, cuda.blockDim.x):
        inverse[j * size + j] = 1 / matrix[j * size + j]
        for i in range(j + 1, size):
            value = matrix[i * size + j] * inverse[j * size + j]
            for k in range(j + 1, i):
                value += matrix[i * size + k] * inverse[j * size + k]
            inverse[j * size + i] = -value / matrix[i * size + i]
    cuda.syncthreads()
    for entry in range(cuda.threadIdx.x, size * size, cuda.blockDim.x):
        i, j = entry // size, entry % size
        if j <= i:
            value = inverse[i * size + i] * inverse[j * size + i]
            for k in range(i + 1, size):
                value += inverse[i * size + k] * inverse[j * size + k]
            matrix[i * size + j] = value
            matrix[j * size + i] = value
    cuda.syncthreads()
    for entry in range(cuda.threadIdx.x, size * size, cuda.blockDim.x):
        inverse[entry] = matrix[entry]
    cuda.syncthreads()
    return log_det
