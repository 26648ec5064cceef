"""How kernels are compiled: without the interpreter's lock, kept on disk, safe for infinities."""

from typing import Any

import numba
from numpy.typing import NDArray

__all__ = ["Floats", "kernel"]

Floats = NDArray[Any]

# Infinities and NaN keep their meaning: neither "nnan" nor "ninf".
kernel = numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "arcp", "nsz"})
