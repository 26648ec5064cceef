"""The loop over frames of the filter of a switching model, a block of threads to a sequence.

States are divided among the warps of a block. What they have in common, mean and covariance of the last
frame and the states' probabilities, is in shared memory.
"""

import math

from ...compiled import Floats
from ..block import WARP_SIZE, WARPS, block_max, block_sum, cuda, device, kernel
from .moments import condition, score_state

__all__ = ["filter_forward"]


@kernel
def filter_forward(
    model: tuple[Floats, ...],
    evidence: tuple[Floats, Floats, Floats],
    lengths: Floats,
    workspace: tuple[Floats, ...],
    results: tuple[Floats, Floats, Floats, Floats, Floats],
    fault: Floats,
) -> None:
    """Filter a sequence; ``cpu.switching.filtering`` has the arguments, here of all sequences."""
    first, rows, weights = model[0], model[1], model[2]
    b, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    root, y, linear = evidence[0][b], evidence[1][b], evidence[2][b]
    states, mean, covariance = results[2][b], results[3][b], results[4][b]
    size, count, reach = y.shape[1], len(first), len(mean)
    rank = size if root.shape[2] == 1 else root.shape[2]
    shared = cuda.shared.array(0, mean.dtype)
    scratch, spread = shared[:WARPS], shared[WARPS : WARPS + reach * reach]
    before = shared[WARPS + reach * reach : WARPS + reach * (reach + 1)]
    belief = shared[WARPS + reach * (reach + 1) :]
    share = belief[count:]
    keep(model[5], model[6], before, spread)
    for t in range(lengths[b]):
        frame = root[t], y[t], linear[t]
        observed = is_observed(root[t], linear[t])
        moves = weights.shape[2] > 0 and t > 0
        cuda.syncthreads()
        for k in range(thread // WARP_SIZE, count, threads // WARP_SIZE):
            value = score_state(b, k, moves, observed, model, frame, spread, before, workspace)
            if thread % WARP_SIZE == 0:
                results[0][b, t, k] = value
        step(t, first, rows, share, belief)
        total = share_out(belief, results[0][b, t], share, scratch)
        if thread == 0:
            results[1][b, t] = total
        if not -math.inf < total < math.inf:
            if thread == 0:
                fault[b] = t
            return
        for k in range(thread // WARP_SIZE, count, threads // WARP_SIZE):
            condition(b, k, observed, frame, before, workspace)
        cuda.syncthreads()
        collapse(b, rank if observed else 0, share, spread, workspace, mean, covariance)
        keep(mean, covariance, before, spread)
    cuda.syncthreads()
    if lengths[b] > 0:
        for k in range(thread, count, threads):
            states[k] = share[k]


@device
def keep(mean: Floats, covariance: Floats, before: Floats, spread: Floats) -> None:
    """Copy moments to shared memory."""
    width = len(mean)
    for entry in range(cuda.threadIdx.x, width * width, cuda.blockDim.x):
        spread[entry] = covariance[entry // width, entry % width]
    for a in range(cuda.threadIdx.x, width, cuda.blockDim.x):
        before[a] = mean[a]


@device
def is_observed(root: Floats, linear: Floats) -> bool:
    """Whether a frame has a potential."""
    for i in range(root.shape[0]):
        if linear[i] != 0:
            return True
        for j in range(root.shape[1]):
            if root[i, j] != 0:
                return True
    return False


@device
def step(t: int, first: Floats, rows: Floats, states: Floats, belief: Floats) -> None:
    """Probabilities of the states before their frame is observed."""
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
    sequence: int,
    count: int,
    share: Floats,
    spread: Floats,
    workspace: tuple[Floats, ...],
    mean: Floats,
    covariance: Floats,
) -> None:
    """One Gaussian for the mixture of all states: ``count`` rows of S of each were found."""
    moved, inner = workspace[0][sequence], workspace[1][sequence]
    gain, means = workspace[6][sequence], workspace[7][sequence]
    thread, threads, states, width = cuda.threadIdx.x, cuda.blockDim.x, means.shape[0], len(mean)
    size = inner.shape[1]
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
