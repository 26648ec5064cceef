"""The filter of a switching process on the processor: from tensors to sequences."""

import numpy as np
import torch
from torch import Tensor

from ...compiled import Floats
from ..simd.vectors import BYTES, aligned_zeros
from ..threads import each, sequences
from .filtering import filter_forward

__all__ = ["switching_filter"]

LANES = BYTES // np.dtype(np.float64).itemsize

Tensors = tuple[Tensor, ...]


def switching_filter(
    model: Tensors, evidence: Tensors, lengths: Tensor, results: Tensors, fault: Tensor
) -> None:
    """Fill the evidence of the states and the last frame's belief; see ``messages.switching.filter``."""
    first, rows, weights, offsets, noise, center, covariance = (part.numpy() for part in model)
    root, means, linear = (part.numpy() for part in evidence)
    nodes, log_density, states, mean, spread = (part.numpy() for part in results)
    faults, size, reach = fault.numpy(), offsets.shape[1], len(center)
    groups = -(-len(first) // LANES)
    plain = first, rows, weights, center, covariance
    vectors = tuple(_in_lanes(part, groups) for part in (weights, offsets, noise))
    line, square = groups * size, groups * size**2
    # moved, scratch, inner, centers, factor, surprise, scores, apart, pivots, shares, scale, each, sums
    counts: tuple[int, ...] = (
        line * (reach + 1),
        size * reach,
        square,
        line,
        square,
        line,
        groups,
        2 * reach,
        2,
    )
    counts += (groups, groups, groups * reach, reach**2)

    def run(i: int, length: int) -> None:
        workspace = tuple(aligned_zeros(count, LANES, np.float64) for count in counts)
        frames = root[i, :length], means[i, :length], linear[i, :length]
        outputs = nodes[i], log_density[i], states[i], mean[i], spread[i]
        faults[i] = filter_forward(plain, vectors, frames, workspace, outputs)

    each(run, sequences(lengths), torch.get_num_threads())


def _in_lanes(array: Floats, groups: int) -> Floats:
    """Entries of every state's array, (K, ...), as rows that hold those of eight states."""
    flat = array.reshape(len(array), -1)
    whole = np.zeros((groups * LANES, flat.shape[1]))
    whole[: len(flat)] = flat
    result = aligned_zeros(groups * flat.shape[1], LANES, np.float64)
    result[:] = whole.reshape(groups, LANES, -1).swapaxes(1, 2).reshape(-1, LANES)
    return result
