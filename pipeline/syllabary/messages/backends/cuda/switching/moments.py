"""What a warp does for one state: moments of x_t given the past, and given the frame.

Entries are divided among the threads of a warp, which wait for each other between steps; the simulator
has warps of one thread. All matrices lie in the GPU's own memory.
"""

import math

from ...compiled import Floats
from ..block import SIMULATED, WARP_SIZE, Number, cuda, device, warp_sum

__all__ = ["condition", "score_state"]


@device
def together() -> None:
    """Wait for the other threads of the warp, and see what they wrote."""
    if not SIMULATED:
        cuda.syncwarp()


@device
def score_state(
    b: int,
    k: int,
    moves: bool,
    observed: bool,
    model: tuple[Floats, ...],
    frame: tuple[Floats, Floats, Floats],
    spread: Floats,
    mean: Floats,
    workspace: tuple[Floats, ...],
) -> Number:
    """Log evidence of a state of a sequence. ``calls`` lists the parts of ``workspace``."""
    offsets, noise, dynamic = model[3][k], model[4][k], model[2].shape[2] > 0
    moved, inner, centers = workspace[0][b, k], workspace[1][b, k], workspace[2][b, k]
    if moves:
        predict(model[2][k], offsets, noise, spread, mean, moved, inner, centers)
    else:
        begin(dynamic, offsets, noise, spread, mean, moved, inner, centers)
    if not observed:
        return 0.0
    product, factor, surprise = workspace[3][b, k], workspace[4][b, k], workspace[5][b, k]
    return score(frame, inner, centers, product, factor, surprise)


@device
def begin(
    dynamic: bool,
    offsets: Floats,
    noise: Floats,
    spread: Floats,
    mean: Floats,
    moved: Floats,
    inner: Floats,
    centers: Floats,
) -> None:
    """Moments of a frame that depends on none: the first, whose past is like itself, or any."""
    member, (size, width) = cuda.threadIdx.x % WARP_SIZE, moved.shape
    for entry in range(member, size * width, WARP_SIZE):
        i, b = entry // width, entry % width
        moved[i, b] = spread[i * width + b]
        if b < size:
            inner[i, b] = spread[i * width + b] if dynamic else noise[i, b]
    for i in range(member, size, WARP_SIZE):
        centers[i] = mean[i] if dynamic else offsets[i]
    together()


@device
def predict(
    weights: Floats,
    offsets: Floats,
    noise: Floats,
    spread: Floats,
    mean: Floats,
    moved: Floats,
    inner: Floats,
    centers: Floats,
) -> None:
    """Moments of x_t under a state: W P, W P Wᵀ + Q and W m + b; ``spread`` is P, flat."""
    member, (size, width) = cuda.threadIdx.x % WARP_SIZE, weights.shape
    for entry in range(member, size * width, WARP_SIZE):
        i, b = entry // width, entry % width
        value = 0.0
        for a in range(width):
            value += weights[i, a] * spread[a * width + b]
        moved[i, b] = value
    together()
    for entry in range(member, size * (size + 1), WARP_SIZE):
        i, j = entry // (size + 1), entry % (size + 1)
        if j == size:
            value = offsets[i]
            for a in range(width):
                value += weights[i, a] * mean[a]
            centers[i] = value
        elif j <= i:
            value = noise[i, j]
            for a in range(width):
                value += moved[i, a] * weights[j, a]
            inner[i, j] = value
            inner[j, i] = value
    together()


@device
def score(
    frame: tuple[Floats, Floats, Floats],
    inner: Floats,
    centers: Floats,
    product: Floats,
    factor: Floats,
    surprise: Floats,
) -> Number:
    """Log evidence of a state, in every thread: gᵀ (m − y) + ½ gᵀ P g − ½ |u|² − log |L|.

    L Lᵀ = I + Cᵀ P C and u = L⁻¹ Cᵀ (y − m − P g). ``product`` receives P C, ``factor`` L and
    ``surprise`` u.
    """
    root, y, linear = frame
    member, (size, rank) = cuda.threadIdx.x % WARP_SIZE, root.shape
    count = size if rank == 1 else rank
    total = 0.0
    for i in range(member, size, WARP_SIZE):
        pull = 0.0
        for j in range(size):
            pull += inner[i, j] * linear[j]
        total += linear[i] * (centers[i] - y[i] + 0.5 * pull)
        factor[i, 0] = y[i] - centers[i] - pull  # until the product is there
    if rank > 1:
        for entry in range(member, size * rank, WARP_SIZE):
            i, j = entry // rank, entry % rank
            value = 0.0
            for k in range(size):
                value += inner[i, k] * root[k, j]
            product[i, j] = value
    together()
    for i in range(member, count, WARP_SIZE):
        if rank == 1:
            surprise[i] = root[i, 0] * factor[i, 0]
        else:
            value = 0.0
            for k in range(size):
                value += root[k, i] * factor[k, 0]
            surprise[i] = value
    together()
    for entry in range(member, count * count, WARP_SIZE):
        i, j = entry // count, entry % count
        value = 1.0 if i == j else 0.0
        if rank == 1:
            value += root[i, 0] * inner[i, j] * root[j, 0]
        else:
            for k in range(size):
                value += root[k, i] * product[k, j]
        factor[i, j] = value
    together()
    return warp_sum(total) + solve(count, factor, surprise)


@device
def solve(count: int, factor: Floats, vector: Floats) -> Number:
    """Factor a matrix and solve for a vector, a column at a time; −½ |u|² − log |L| in every thread."""
    member, total = cuda.threadIdx.x % WARP_SIZE, 0.0
    for j in range(count):
        pivot = factor[j, j]
        length = math.sqrt(pivot) if pivot > 0 else math.nan
        value = vector[j] / length
        total -= 0.5 * value * value + math.log(length)
        together()
        for i in range(j + member, count, WARP_SIZE):
            entry = length if i == j else factor[i, j] / length
            factor[i, j] = entry
            vector[i] = value if i == j else vector[i] - entry * value
        together()
        for i in range(j + 1 + member, count, WARP_SIZE):
            for k in range(j + 1, i + 1):
                factor[i, k] -= factor[i, j] * factor[k, j]
        together()
    return total


@device
def condition(
    sequence: int,
    k: int,
    observed: bool,
    frame: tuple[Floats, Floats, Floats],
    before: Floats,
    workspace: tuple[Floats, ...],
) -> None:
    """Mean under a state, m + P g + Sᵀ u, and S = L⁻¹ Cᵀ [x_t, past]; a column to a thread."""
    root, linear = frame[0], frame[2]
    moved, inner, centers = (
        workspace[0][sequence, k],
        workspace[1][sequence, k],
        workspace[2][sequence, k],
    )
    factor, surprise = workspace[4][sequence, k], workspace[5][sequence, k]
    gain, mean = workspace[6][sequence, k], workspace[7][sequence, k]
    member, (size, width), rank = cuda.threadIdx.x % WARP_SIZE, gain.shape, root.shape[1]
    count = size if rank == 1 else rank
    for b in range(member, width, WARP_SIZE):
        value = centers[b] if b < size else before[b - size]
        if observed:
            for i in range(size):
                value += linear[i] * (inner[i, b] if b < size else moved[i, b - size])
            for i in range(count):
                entry = 0.0
                if rank == 1:
                    entry = root[i, 0] * (inner[i, b] if b < size else moved[i, b - size])
                else:
                    for k in range(size):
                        entry += root[k, i] * (inner[k, b] if b < size else moved[k, b - size])
                for k in range(i):
                    entry -= factor[i, k] * gain[k, b]
                gain[i, b] = entry / factor[i, i]
                value += gain[i, b] * surprise[i]
        mean[b] = value
