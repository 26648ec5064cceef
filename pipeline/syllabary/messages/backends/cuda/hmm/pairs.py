"""Expected numbers of steps of discrete chains: sums of outer products over frames, in tiles.

A block has a tile of the K × K sums and a piece of the frames, and a thread some entries of the tile in
registers. Frames come through shared memory, a slice at a time; slices are added up in the numbers' own
precision and their sums in float64. A second kernel adds the pieces, in order.
"""

import numpy as np

from ...compiled import Floats
from ..block import SIMULATED, cuda, kernel, memory_for, unsigned, wide

__all__ = ["CELLS", "PART", "SIDE", "TILE", "add_parts", "sum_parts"]

# Entries of a tile along a side, of a thread, and so threads along a side.
TILE, PER_THREAD = (4, 2) if SIMULATED else (64, 4)
SIDE = TILE // PER_THREAD
# Frames of a slice, and of a piece at most.
SLICE, PART = 32, 512
# Entries of a slice, and of a thread (numba takes no products for the sizes of arrays).
CELLS, ENTRIES = SLICE * TILE, PER_THREAD * PER_THREAD


@kernel
def sum_parts(before: Floats, after: Floats, lengths: Floats, parts: Floats) -> None:
    """Fill pieces (B, P, K, K) float64 with Σ_t before_t(j) after_{t+1}(k) over their frames."""
    i, part, size = cuda.blockIdx.x, cuda.blockIdx.y, parts.shape[3]
    tiles = (size + TILE - 1) // TILE
    down, right = cuda.blockIdx.z // tiles * TILE, cuda.blockIdx.z % tiles * TILE
    thread, threads = unsigned(cuda.threadIdx.x), cuda.blockDim.x
    # The entries of a thread are neighbors, which are read at a time; both slices lie in one array.
    row = thread // unsigned(SIDE) * unsigned(PER_THREAD)
    column = unsigned(CELLS) + thread % unsigned(SIDE) * unsigned(PER_THREAD)
    workspace, zero = memory_for(before), before.dtype.type(0)
    recent = cuda.local.array(ENTRIES, before.dtype)
    total = cuda.local.array(ENTRIES, np.float64)
    for entry_of_thread in range(ENTRIES):
        total[entry_of_thread] = 0
    first = PART * part
    last = min(first + PART, lengths[i] - 1)
    for begin in range(first, last, SLICE):
        cuda.syncthreads()
        for entry in range(thread, CELLS, threads):
            place, m = unsigned(entry), entry % TILE
            t = begin + entry // TILE
            workspace[place] = (
                before[i, wide(t), wide(down + m)] if t < last and down + m < size else zero
            )
            workspace[unsigned(CELLS) + place] = (
                after[i, wide(t + 1), wide(right + m)] if t < last and right + m < size else zero
            )
        cuda.syncthreads()
        for entry_of_thread in range(ENTRIES):
            recent[entry_of_thread] = 0
        for line in range(SLICE):
            above = unsigned(line) * unsigned(TILE)
            for m in range(PER_THREAD):
                number = workspace[above + row + unsigned(m)]
                for n in range(PER_THREAD):
                    recent[m * PER_THREAD + n] += number * workspace[above + column + unsigned(n)]
        for entry_of_thread in range(ENTRIES):
            total[entry_of_thread] += recent[entry_of_thread]
    for m in range(PER_THREAD):
        for n in range(PER_THREAD):
            j, k = down + row + m, right + column - CELLS + n
            if j < size and k < size:
                parts[i, part, j, k] = total[m * PER_THREAD + n]


@kernel
def add_parts(parts: Floats, lengths: Floats, transition: Floats, pairs: Floats) -> None:
    """Add ``P(j, k)`` times the sum of the pieces to the pairs, an entry to a thread."""
    i, size = cuda.blockIdx.x, pairs.shape[2]
    entry = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if entry >= size * size:
        return
    j, k = entry // size, entry % size
    total = 0.0
    for part in range((lengths[i] - 1 + PART - 1) // PART):
        total += parts[i, part, j, k]
    pairs[i, j, k] += total * transition[i % transition.shape[0], j, k]
