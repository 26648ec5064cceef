"""Derivative of the marginals of a discrete chain along a change of the evidence."""

from numba import cuda

from ...compiled import Floats
from ..block import WARPS, block_sum, kernel

__all__ = ["WORKSPACE", "backward", "forward"]

# Shared memory: the scratch and so many vectors of K messages.
WORKSPACE = 2


@kernel
def forward(
    transition: Floats,
    filtered: Floats,
    states: Floats,
    direction: Floats,
    lengths: Floats,
    ahead: Floats,
    ratio: Floats,
    floor: float,
) -> None:
    """Fill f_t = dl_t + (averages of f_{t-1} over where the chain came from), centered; and ratios.

    ``ratio`` is w_t over the prediction of frame t, so that the pair of t and t + 1 is
    a_t(j) P(j, k) ratio_{t+1}(k). A prediction below ``floor`` counts as zero.
    """
    i, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    size, step = states.shape[2], transition[i % transition.shape[0]]
    workspace = cuda.shared.array(0, states.dtype)
    scratch, sure, moved = workspace[:WARPS], workspace[WARPS : WARPS + size], workspace[WARPS + size :]
    for t in range(lengths[i]):
        mean = states.dtype.type(0)
        for k in range(thread, size, threads):
            predicted, average = states.dtype.type(1), states.dtype.type(0)
            if t > 0:
                predicted = states.dtype.type(0)
                for j in range(size):
                    predicted += sure[j] * step[j, k]
                    average += moved[j] * step[j, k]
            value, share = direction[i, t, k], states.dtype.type(0)
            if predicted >= floor:
                value += average / predicted
                share = states[i, t, k] / predicted
            ahead[i, t, k] = value
            ratio[i, t, k] = share
            mean += states[i, t, k] * value
        mean = block_sum(mean, scratch)
        for k in range(thread, size, threads):
            ahead[i, t, k] -= mean
            sure[k] = filtered[i, t, k]
            moved[k] = filtered[i, t, k] * ahead[i, t, k]
        cuda.syncthreads()


@kernel
def backward(
    transposed: Floats,
    filtered: Floats,
    states: Floats,
    direction: Floats,
    lengths: Floats,
    ahead: Floats,
    ratio: Floats,
    back: Floats,
    d_states: Floats,
    lost: Floats,
) -> None:
    """Fill h_t = dl_t + g_t, centered, with g_t the averages of h_{t+1} over where the chain goes.

    The derivative of w_t(k) is w_t(k) (f_t + h_t − dl_t)(k), centered. ``lost`` is the most that
    the pairs of a frame miss of w_t: see the CPU's.
    """
    i, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    size, length, step = states.shape[2], lengths[i], transposed[i % transposed.shape[0]]
    workspace = cuda.shared.array(0, states.dtype)
    scratch, sure, moved = workspace[:WARPS], workspace[WARPS : WARPS + size], workspace[WARPS + size :]
    for t in range(length - 1, -1, -1):
        mean, center, missed = states.dtype.type(0), states.dtype.type(0), states.dtype.type(0)
        for k in range(thread, size, threads):
            predicted, average = states.dtype.type(0), states.dtype.type(0)
            if t + 1 < length:
                for j in range(size):
                    predicted += sure[j] * step[j, k]
                    average += moved[j] * step[j, k]
            value = direction[i, t, k]
            if predicted > 0:
                value += average / predicted
            back[i, t, k] = value
            mean += states[i, t, k] * value
            if t + 1 < length:
                missed += abs(states[i, t, k] - filtered[i, t, k] * predicted)
        mean, missed = block_sum(mean, scratch), block_sum(missed, scratch)
        # NaN counts as most, and stays.
        if thread == 0 and lost[i] == lost[i] and not missed <= lost[i]:
            lost[i] = missed
        for k in range(thread, size, threads):
            back[i, t, k] -= mean
            sure[k] = ratio[i, t, k]
            moved[k] = ratio[i, t, k] * back[i, t, k]
            d_states[i, t, k] = ahead[i, t, k] + back[i, t, k] - direction[i, t, k]
            center += states[i, t, k] * d_states[i, t, k]
        center = block_sum(center, scratch)
        for k in range(thread, size, threads):
            d_states[i, t, k] = states[i, t, k] * (d_states[i, t, k] - center)
