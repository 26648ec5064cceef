"""Derivative of the marginals of a discrete chain along a change of the evidence."""

import numpy as np

from ._compiled import Floats, kernel

__all__ = ["LOST", "sweep"]

# Mass that a frame's pairs may miss, in units of the rounding; what they sum up is some ten.
LOST = 100


@kernel
def sweep(
    transition: Floats,
    transposed: Floats,
    filtered: Floats,
    states: Floats,
    direction: Floats,
    ahead: Floats,
    behind: Floats,
    ratio: Floats,
    floor: float,
    limit: float,
) -> bool:
    """Fill the derivatives of the log messages, centred under the marginals.

    ``ahead[t, k]`` is that of the filtered message, f_t = dl_t + (averages of f_{t-1} over where
    the chain came from); ``behind[t, k]`` is h_t = dl_t + g_t, with g_t the averages of h_{t+1}
    over where it goes. ``ratio`` is w_t over the prediction of frame t, so that the pair of t and
    t + 1 is a_t(j) P(j, k) ratio_{t+1}(k). A prediction below ``floor`` counts as zero.

    The derivative of w_t(k) is w_t(k) (f_t + h_t − dl_t)(k), centred.

    False where pairs do not add up to w_t, but for ``limit``: then a_t has lost what later frames
    bring back. Where they do, they are the true ones: of all a_t(j) P(j, k) r(k) for some a_t and r
    only one has both margins right.
    """
    frames, size = states.shape
    weighted = np.empty(size, states.dtype)
    predicted = np.empty(size, states.dtype)
    average = np.empty(size, states.dtype)
    for t in range(frames):
        for k in range(size):
            average[k] = 0
            predicted[k] = 1
        if t > 0:
            for k in range(size):
                weighted[k] = filtered[t - 1, k] * ahead[t - 1, k]
                predicted[k] = 0
            for j in range(size):
                sure, moved = filtered[t - 1, j], weighted[j]
                for k in range(size):
                    predicted[k] += sure * transition[j, k]
                    average[k] += moved * transition[j, k]
        mean = 0.0
        for k in range(size):
            if predicted[k] >= floor:
                ahead[t, k] = direction[t, k] + average[k] / predicted[k]
                ratio[t, k] = states[t, k] / predicted[k]
            else:
                ahead[t, k] = direction[t, k]
                ratio[t, k] = 0
            mean += states[t, k] * ahead[t, k]
        for k in range(size):
            ahead[t, k] -= mean
    for t in range(frames - 1, -1, -1):
        for k in range(size):
            average[k] = 0
            predicted[k] = 0
        if t + 1 < frames:
            for k in range(size):
                sure, moved = ratio[t + 1, k], ratio[t + 1, k] * behind[t + 1, k]
                for j in range(size):
                    predicted[j] += sure * transposed[k, j]
                    average[j] += moved * transposed[k, j]
        mean, lost = 0.0, 0.0
        for k in range(size):
            behind[t, k] = direction[t, k]
            if predicted[k] > 0:
                behind[t, k] += average[k] / predicted[k]
            mean += states[t, k] * behind[t, k]
            lost += abs(states[t, k] - filtered[t, k] * predicted[k])
        if t + 1 < frames and not lost <= limit:
            return False
        for k in range(size):
            behind[t, k] -= mean
    return True
