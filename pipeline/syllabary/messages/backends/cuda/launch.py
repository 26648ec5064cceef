"""How kernels are launched on a GPU, if there is one, or in numba's simulator.

A launch costs a few microseconds: compiled code is looked up by the arguments' signature, and their
numbers go to the driver as they are.
"""

from collections.abc import Callable
from functools import cache, wraps
from importlib.util import find_spec
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ....errors import BadInput
from .arguments import Packed, Signature, Word, first_tensor, flatten
from .binaries import binary_for
from .compiler import PACKAGE, SIMULATED, WARP_SIZE, Kernel, cuda
from .driver import Loaded, capability, undisturbed

__all__ = [
    "NUMBERS",
    "THREADS",
    "available",
    "launch",
    "packed",
    "place",
    "reporting",
    "shared_memory",
    "threads_for",
]

# Threads of a block at most; the simulator's cost milliseconds each, and two show what sharing breaks.
THREADS = 2 if SIMULATED else 256
# Shared memory that every device grants a block, less what the kernels' fixed arrays take, bytes.
SHARED_BYTES = 48 * 1024 - 1024
# What every device allows: threads of a block, and blocks of a grid along its axes.
MAX_THREADS, MAX_GRID = 1024, (2**31 - 1, 65535, 65535)
Grid = int | tuple[int, ...]
Result = TypeVar("Result")
NUMBERS = {torch.float32: np.float32, torch.float64: np.float64}

_loaded: dict[tuple[Kernel, int, Signature], Loaded] = {}


@cache
def available() -> bool:
    """Whether there is an NVIDIA GPU, and numba-cuda to compile for it; or the simulator runs."""
    return SIMULATED or (torch.cuda.is_available() and find_spec(PACKAGE) is not None)


def launch(kernel: Kernel, spec: tuple[Grid, int, int], *arguments: object) -> None:
    """Run a kernel on torch's current stream.

    Parameters
    ----------
    kernel : dispatcher of the compiler
    spec : (grid, int, int)
        Blocks along up to three axes, threads of a block, and bytes of shared memory.
    arguments : tensors of one device, int, float, and tuples of them

    Raises
    ------
    BadInput
        There is no GPU that could run it, or the tensors are on several, or the grid is too large.
    """
    grid, threads, shared = spec
    if SIMULATED:
        views = [_each(part, Tensor.numpy) for part in arguments]
        kernel[grid, threads, 0, shared](*views)
        return
    tensor = first_tensor(arguments)
    assert tensor is not None
    ordinal, stream = place(tensor)
    words: list[Word] = []
    signature = flatten(arguments, tensor.get_device(), words)
    x, y, z = (grid, 1, 1) if isinstance(grid, int) else (*grid, 1, 1)[:3]
    blocks = x, y, z
    if threads > MAX_THREADS or any(map(int.__gt__, blocks, MAX_GRID)):
        raise BadInput(
            f"a call this large needs {blocks} blocks of {threads} threads, and a GPU takes at most "
            f"{MAX_GRID} of {MAX_THREADS}; give it fewer sequences at once, or move them to the CPU."
        )
    key = kernel, ordinal, signature
    loaded = _loaded.get(key)
    if loaded is None:
        with undisturbed(), cuda.gpus[ordinal]:
            binary = binary_for(kernel, signature, capability(ordinal))
        loaded = _loaded[key] = Loaded(ordinal, binary, signature)
    loaded.launch(blocks, threads, shared, stream, words)


def packed(arguments: tuple[object, ...]) -> tuple[object, ...]:
    """Flatten arguments that several launches share; the result stands among theirs."""
    tensor = first_tensor(arguments)
    if SIMULATED or tensor is None:
        return arguments
    words: list[Word] = []
    return (Packed(arguments, flatten(arguments, tensor.get_device(), words), words),)


def place(tensor: Tensor) -> tuple[int, int]:
    """Return the number of the GPU that has a tensor, and torch's current stream there.

    Raises
    ------
    BadInput
        It is on no GPU, or there is no compiler for one.
    """
    if not tensor.is_cuda or not available():
        raise BadInput(
            "backend 'cuda' needs tensors of an NVIDIA GPU and numba-cuda, but these are on "
            f"{tensor.device} and numba-cuda is {'here' if find_spec(PACKAGE) else 'missing'}; "
            "move them with .to('cuda'), and install syllabary[gpu]."
        )
    return tensor.get_device(), torch.cuda.current_stream(tensor.device).cuda_stream


def reporting(call: Callable[..., Result]) -> Callable[..., Result]:
    """Let a function fill its last argument, ``fault``, on the device, and read it once at its end."""

    @wraps(call)
    def with_report(*arguments: Any) -> Result:
        *inputs, fault = arguments
        tensor = first_tensor(tuple(inputs))
        assert tensor is not None
        there = tensor.new_full(fault.shape, -1, dtype=torch.int64)
        result = call(*inputs, there)
        fault.copy_(there)
        return result

    return with_report


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
