"""How well regressions explain a frame."""

from numba import cuda

from ._block import kernel
from ._compiled import Floats

__all__ = ["sum_squares"]


@kernel
def sum_squares(whitened: Floats, constant: Floats, log_likelihood: Floats) -> None:
    """Fill ``constant − ½ Σ_f whitened²``: frames and states are handed out to all threads."""
    frames, rows, size = whitened.shape
    entry = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    if entry >= frames * size:
        return
    t, k = entry // size, entry % size
    total = whitened.dtype.type(0)
    for f in range(rows):
        total += whitened[t, f, k] * whitened[t, f, k]
    log_likelihood[t, k] = constant[k] - total / 2
