"""How kernels are launched on a GPU, if there is one, or in numba's simulator."""

import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

import numpy as np
import torch
from numba import cuda
from numba.core.errors import NumbaPerformanceWarning
from torch import Tensor

from ....errors import BadInput
from .block import SIMULATED, WARP_SIZE, Kernel

__all__ = ["NUMBERS", "THREADS", "available", "launch", "shared_memory", "threads_for"]

# Threads of a block at most; the simulator's cost milliseconds each, and two show what sharing breaks.
THREADS = 2 if SIMULATED else 256
# Shared memory that every device grants a block, less what the kernels' fixed arrays take, bytes.
SHARED_BYTES = 48 * 1024 - 1024
Grid = int | tuple[int, ...]
NUMBERS = {torch.float32: np.float32, torch.float64: np.float64}


@cache
def available() -> bool:
    """Whether there is an NVIDIA GPU, and numba-cuda to compile for it; or the simulator runs."""
    return SIMULATED or (torch.cuda.is_available() and find_spec("numba_cuda") is not None)


def launch(kernel: Kernel, spec: tuple[Grid, int, int], *arguments: object) -> None:
    """Run a kernel on torch's current stream; ``spec`` is grid, threads, and bytes of shared memory."""
    grid, threads, shared = spec
    if SIMULATED:
        views = [_each(part, Tensor.numpy) for part in arguments]
        kernel[grid, threads, 0, shared](*views)
        return
    device = next(part.device for part in arguments if isinstance(part, Tensor))
    if device.type != "cuda" or not available():
        raise BadInput(
            "backend 'cuda' needs tensors of an NVIDIA GPU and numba-cuda, but these are on "
            f"{device} and numba-cuda is {'here' if find_spec('numba_cuda') else 'missing'}; "
            "move them with .to('cuda'), and install syllabary[gpu]."
        )
    stream = torch.cuda.current_stream(device).cuda_stream
    with cuda.gpus[device.index], warnings.catch_warnings():
        # A grid of few chains is intended.
        warnings.simplefilter("ignore", NumbaPerformanceWarning)
        views = [_each(part, cuda.as_cuda_array) for part in arguments]
        kernel[grid, threads, cuda.external_stream(stream), shared](*views)


def threads_for(entries: int) -> int:
    """Threads for so many entries: whole warps."""
    return min(THREADS, -(-entries // WARP_SIZE) * WARP_SIZE)


def shared_memory(dtype: torch.dtype, numbers: int) -> int:
    """Bytes of so many numbers, if a block can have them."""
    wanted = numbers * dtype.itemsize
    if wanted > SHARED_BYTES:
        raise BadInput(
            f"a chain of this size needs {wanted} bytes of a GPU's shared memory, which grants a block "
            f"{SHARED_BYTES}; move the arrays to the CPU."
        )
    return wanted


def _each(argument: object, view: Callable[[Tensor], object]) -> object:
    """A kernel's argument, tensors in it as it sees them."""
    if isinstance(argument, tuple):
        return tuple(_each(part, view) for part in argument)
    return view(argument) if isinstance(argument, Tensor) else argument
