"""The compiler of kernels: numba-cuda or its simulator, and nothing else of the project imports it.

``SYLLABARY_CUDA_COMPILER`` names a successor that speaks the same language. The simulator runs kernels
in Python, and has neither shuffles nor a compiler, so that a warp is one thread there.
"""

import importlib
import os
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from numba import config

__all__ = [
    "PACKAGE",
    "SIMULATED",
    "WARP_SIZE",
    "Kernel",
    "bounded",
    "cuda",
    "device",
    "kernel",
]

# A kernel that is compiled for each type of its arguments, or a function of the simulator.
Kernel: TypeAlias = Any
Function = TypeVar("Function", bound=Callable[..., object])

SIMULATED = bool(config.ENABLE_CUDASIM)
WARP_SIZE = 1 if SIMULATED else 32
# The distribution that has to be installed, named as Python imports it.
PACKAGE = os.environ.get("SYLLABARY_CUDA_COMPILER", "numba_cuda")

_compiler: Any = importlib.import_module("numba.cuda" if PACKAGE == "numba_cuda" else f"{PACKAGE}.cuda")
cuda: Any = _compiler

# No fastmath, which would let the compiler forget infinities and NaN. ``binaries`` keeps compiled code.
kernel = _compiler.jit
device = _compiler.jit(device=True)


def bounded(threads: int, blocks: int) -> Callable[[Callable[..., None]], Kernel]:
    """Compile a kernel for so many threads, ``blocks`` of whose blocks share a multiprocessor."""
    return kernel if SIMULATED else _compiler.jit(launch_bounds=(threads, blocks))


if SIMULATED:
    # The simulator swaps a function's ``cuda`` for the running block's and swaps it back when the
    # first thread leaves, under the feet of the others. So here it is looked up at every use.
    from numba.cuda.simulator.kernel import _get_kernel_context

    class _RunningBlock:
        def __getattr__(self, name: str) -> object:
            return getattr(_get_kernel_context(), name)

    cuda = _RunningBlock()

    def device(function: Function) -> Function:
        """Leave a function as it is."""
        return function
