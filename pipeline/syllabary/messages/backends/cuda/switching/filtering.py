"""The loop over frames of the filter of a switching process, a block of threads to a sequence.

States are divided among the warps of a block. What they have in common, mean and covariance of the last
frame and the states' probabilities, is in shared memory.
"""

import math

from ...compiled import Floats
from ..block import WARP_SIZE, WARPS, block_max, block_sum, cuda, device, kernel
from .moments import condition, predict, score

__all__ = ["filter_forward"]


@kernel
def filter_forward(
    process: tuple[Floats, ...],
    evidence: tuple[Floats, Floats, Floats],
    lengths: Floats,
    workspace: tuple[Floats, ...],
    results: tuple[Floats, Floats, Floats, Floats, Floats],
    fault: Floats,
) -> None:
    """Filter a sequence; ``cpu.switching.filtering`` has the arguments, here of all sequences."""
    first, rows, weights, offsets, noise, start, start_covariance = process
    b, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    root, y, linear = evidence[0][b], evidence[1][b], evidence[2][b]
    moved, inner, centers, product = workspace[0][b], workspace[1][b], workspace[2][b], workspace[3][b]
    factor, surprise, gain, means = workspace[4][b], workspace[5][b], workspace[6][b], workspace[7][b]
    nodes, log_density, states = results[0][b], results[1][b], results[2][b]
    mean, covariance = results[3][b], results[4][b]
    size, width, count, reach = y.shape[1], weights.shape[2], len(first), len(mean)
    shared = cuda.shared.array(0, mean.dtype)
    scratch, spread = shared[:WARPS], shared[WARPS : WARPS + reach * reach]
    before = shared[WARPS + reach * reach : WARPS + reach * (reach + 1)]
    belief = shared[WARPS + reach * (reach + 1) :]
    share = belief[count:]
    warp, warps = thread // WARP_SIZE, threads // WARP_SIZE
    for entry in range(thread, reach * reach, threads):
        spread[entry] = start_covariance[entry // reach, entry % reach]
    for a in range(thread, reach, threads):
        before[a] = start[a]
    for t in range(lengths[b]):
        frame = root[t], y[t], linear[t]
        seen = is_seen(root[t], linear[t])
        cuda.syncthreads()
        for k in range(warp, count, warps):
            if width > 0 and t > 0:
                predict(
                    weights[k], offsets[k], noise[k], spread, before, moved[k], inner[k], centers[k]
                )
            else:
                begin(width > 0, offsets[k], noise[k], spread, before, moved[k], inner[k], centers[k])
            value = 0.0
            if seen:
                value = score(
                    root[t], y[t], linear[t], inner[k], centers[k], product[k], factor[k], surprise[k]
                )
            if thread % WARP_SIZE == 0:
                nodes[t, k] = value
        step(t, first, rows, share, belief)
        total = share_out(belief, nodes[t], share, scratch)
        if thread == 0:
            log_density[t] = total
        if not -math.inf < total < math.inf:
            if thread == 0:
                fault[b] = t
            return
        for k in range(warp, count, warps):
            condition(
                seen, frame, inner[k], moved[k], centers[k], before, factor[k], surprise[k], gain[k], means[k]
            )
        cuda.syncthreads()
        rank = size if root.shape[2] == 1 else root.shape[2]
        collapse(size, rank if seen else 0, share, inner, moved, gain, means, spread, mean, covariance)
        for entry in range(thread, reach * reach, threads):
            spread[entry] = covariance[entry // reach, entry % reach]
        for a in range(thread, reach, threads):
            before[a] = mean[a]
    cuda.syncthreads()
    if lengths[b] > 0:
        for k in range(thread, count, threads):
            states[k] = share[k]


@device
def is_seen(root: Floats, linear: Floats) -> bool:
    """Whether a frame has a potential."""
    for i in range(root.shape[0]):
        if linear[i] != 0:
            return True
        for j in range(root.shape[1]):
            if root[i, j] != 0:
                return True
    return False


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
    lane, (size, width) = cuda.threadIdx.x % WARP_SIZE, moved.shape
    for entry in range(lane, size * width, WARP_SIZE):
        i, b = entry // width, entry % width
        moved[i, b] = spread[i * width + b]
        if b < size:
            inner[i, b] = spread[i * width + b] if dynamic else noise[i, b]
    for i in range(lane, size, WARP_SIZE):
        centers[i] = mean[i] if dynamic else offsets[i]


@device
def step(t: int, first: Floats, rows: Floats, states: Floats, belief: Floats) -> None:
    """Probabilities of the states before their frame is seen."""
    for k in range(cuda.threadIdx.x, len(first), cuda.blockDim.x):
        value = first[k]
        if t > 0:
            value = 0.0
            for j in range(len(first)):
                value += states[j] * rows[j, k]
        belief[k] = value
    cuda.syncthreads()


@device
def share_out(belief: Floats, scores: Floats, states: Floats, scratch: Floats) -> float:
    """Probabilities of the states given a frame; its log density, in every thread."""
    thread, threads, highest, total = cuda.threadIdx.x, cuda.blockDim.x, -math.inf, 0.0
    for k in range(thread, len(scores), threads):
        joint = (math.log(belief[k]) if belief[k] > 0 else -math.inf) + scores[k]
        highest = max(highest, joint) if joint == joint else math.inf
        states[k] = joint
    highest = block_max(highest, scratch)
    for k in range(thread, len(scores), threads):
        states[k] = math.exp(states[k] - highest)
        total += states[k]
    total = block_sum(total, scratch)
    for k in range(thread, len(scores), threads):
        states[k] /= total
    cuda.syncthreads()
    return highest + math.log(total) if total > 0 else math.nan


@device
def collapse(
    size: int,
    count: int,
    share: Floats,
    inner: Floats,
    moved: Floats,
    gain: Floats,
    means: Floats,
    spread: Floats,
    mean: Floats,
    covariance: Floats,
) -> None:
    """One Gaussian for the mixture of all states: ``count`` rows of S of each were found."""
    thread, threads, states, width = cuda.threadIdx.x, cuda.blockDim.x, means.shape[0], len(mean)
    for b in range(thread, width, threads):
        value = 0.0
        for k in range(states):
            value += share[k] * means[k, b]
        mean[b] = value
    cuda.syncthreads()
    for entry in range(thread, width * width, threads):
        a, b = entry // width, entry % width
        if b >= a:
            total = spread[(a - size) * width + b - size] if a >= size else 0.0
            for k in range(states):
                value = (means[k, a] - mean[a]) * (means[k, b] - mean[b])
                if a < size:
                    value += inner[k, a, b] if b < size else moved[k, a, b - size]
                for i in range(count):
                    value -= gain[k, i, a] * gain[k, i, b]
                total += share[k] * value
            covariance[a, b] = total
            covariance[b, a] = total
    cuda.syncthreads()
