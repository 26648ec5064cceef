"""How well regressions explain a frame."""

import numpy as np

from ._compiled import Floats, kernel

__all__ = ["sum_squares"]


@kernel
def sum_squares(whitened: Floats, constant: Floats, log_likelihood: Floats) -> None:
    """Fill ``constant − ½ Σ_f whitened²``, one row per frame."""
    frames, rows, size = whitened.shape
    total = np.empty(size, whitened.dtype)
    for t in range(frames):
        for k in range(size):
            total[k] = 0
        for f in range(rows):
            for k in range(size):
                total[k] += whitened[t, f, k] * whitened[t, f, k]
        for k in range(size):
            log_likelihood[t, k] = constant[k] - total[k] / 2
