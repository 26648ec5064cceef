"""The filter of a switching process on a GPU: a block of threads to a sequence."""

from torch import Tensor

from ..block import WARP_SIZE, WARPS
from ..launch import THREADS, launch, reporting, shared_memory
from .filtering import filter_forward

__all__ = ["switching_filter"]

Tensors = tuple[Tensor, ...]


@reporting
def switching_filter(
    model: Tensors, evidence: Tensors, lengths: Tensor, results: Tensors, fault: Tensor
) -> None:
    """Fill the evidence of the states and the last frame's belief; see ``messages.switching.filter``."""
    (count, _, size, rank), (states, reach) = evidence[0].shape, (len(model[0]), len(model[5]))
    like = results[0]
    shapes = (size, reach), (size, size), (size,), (size, rank), (size, size), (size,), (size, reach)
    # moved, inner, centers, products with C, factor, surprise, gain, means
    workspace = tuple(like.new_empty((count, states, *shape)) for shape in (*shapes, (reach,)))
    threads = min(THREADS, states * WARP_SIZE)
    shared = shared_memory(like.dtype, WARPS + reach * (reach + 1) + 2 * states)
    launch(
        filter_forward,
        (count, threads, shared),
        model,
        evidence,
        lengths,
        workspace,
        results,
        fault,
    )
