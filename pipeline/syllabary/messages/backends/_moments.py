"""Sums of outer products of frames, weighted by each state's probability."""

import numpy as np
from torch import Tensor

from ._compiled import Floats, kernel
from ._lanes import product_of_four, product_of_one, room

__all__ = ["weighted_moments"]

# Frames of which those of one state are gathered: few enough to stay in the nearest caches.
BLOCK = 256


def weighted_moments(joint: Tensor, weights: Tensor, negligible: float, totals: Tensor) -> None:
    """Add ``Σ_t weights_tk joint_t joint_tᵀ`` to the totals.

    A frame belongs to few states, so that their own frames make ten times less work than all.

    Parameters
    ----------
    joint : (N, W)
    weights : (N, K)
        Those of no larger size than ``negligible`` are left out.
    totals : (K, W, W) float64
    """
    width = joint.shape[1]
    left, right = (room(BLOCK, width, np.float64) for _ in range(2))
    product = room(width, width, np.float64)
    _add(joint.numpy(), weights.numpy(), negligible, left, right, product, totals.numpy())


@kernel
def _add(
    joint: Floats,
    weights: Floats,
    negligible: float,
    left: Floats,
    right: Floats,
    product: Floats,
    totals: Floats,
) -> None:
    """A block of frames after the other; in it one state after the other."""
    frames, width = joint.shape
    padded = product.shape[1]
    for begin in range(0, frames, BLOCK):
        stop = min(begin + BLOCK, frames)
        for k in range(weights.shape[1]):
            count = 0
            for t in range(begin, stop):
                weight = np.float64(weights[t, k])
                if abs(weight) <= negligible:
                    continue
                for i in range(width):
                    value = np.float64(joint[t, i])
                    right[count, i] = value
                    left[count, i] = weight * value
                count += 1
            if count == 0:
                continue
            i = 0
            while i < width:
                if i + 4 <= width:
                    product_of_four(product, i * padded, left, i, 1, padded, count, right, 0, padded)
                    i += 4
                else:
                    product_of_one(product, i * padded, left, i, 1, padded, count, right, 0, padded)
                    i += 1
            for i in range(width):
                for j in range(width):
                    totals[k, i, j] += product[i, j]
