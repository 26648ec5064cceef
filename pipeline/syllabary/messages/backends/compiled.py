"""How kernels are compiled: without the interpreter's lock, kept on disk, safe for infinities."""

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["Bools", "Floats", "Indices", "kernel"]

Floats = NDArray[np.float32 | np.float64]
Indices = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Infinities and NaN keep their meaning: neither "nnan" nor "ninf".
kernel = numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "arcp", "nsz"})
