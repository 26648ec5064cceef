"""What public functions do before a kernel runs: tensors, leading axes, lengths, the backend."""

import math
from functools import cache
from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import registry
from ..errors import BadInput, ShapeError

__all__ = [
    "KEEP",
    "Array",
    "as_lengths",
    "as_tensor",
    "backend_for",
    "flatten",
    "has_padding",
    "name_of",
    "no_fault",
    "refuse_endless",
    "spoiled",
    "sum_rows",
    "zeros",
]

KEEP = ("all", "filter", "sums")
FOLDER = "syllabary.messages.backends"

BLOCK = 128  # numbers that are summed together
unset = np.empty  # tests have NaN there

Array = Tensor | NDArray[np.generic]


def as_tensor(array: Array) -> Tensor:
    """Return a tensor of float32 or float64 on the same memory where possible."""
    if isinstance(array, np.ndarray) and not array.flags.writeable:
        array = array.copy()  # torch has no read-only memory and warns
    tensor = torch.as_tensor(array)
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.double()


def flatten(array: Tensor, leading: tuple[int, ...], inner_axes: int, name: str) -> Tensor:
    """Make one leading axis of all but the last ``inner_axes`` axes.

    Parameters
    ----------
    array : (..., *core axes)
        Its leading axes broadcast against ``leading``.
    leading : tuple of int
        Leading axes of the call.
    inner_axes : int
        Axes that belong to one sequence.
    name : str
        Of the argument, for the message.

    Returns
    -------
    (B, *core axes), or (1, *core axes) where all sequences share them; contiguous.

    Raises
    ------
    ShapeError
        The leading axes do not broadcast.
    """
    inner = array.shape[array.ndim - inner_axes :]
    outer = array.shape[: array.ndim - inner_axes]
    if math.prod(outer) == 1:
        return array.reshape(1, *inner).contiguous()
    try:
        return array.expand(*leading, *inner).reshape(math.prod(leading), *inner).contiguous()
    except RuntimeError:
        raise ShapeError(
            f"{name} has leading axes {tuple(outer)}, which do not broadcast to the evidence's "
            f"{leading}; give one for all sequences or one for each."
        ) from None


def as_lengths(
    lengths: Array | None, leading: tuple[int, ...], frames: int, device: torch.device
) -> Tensor:
    """Check and flatten ``lengths``: (B) int64 on a device, all ``frames`` by default.

    Raises
    ------
    ShapeError
        Their shape is not that of the leading axes, or one lies outside 0..T.
    """
    if lengths is None:
        return torch.full((math.prod(leading),), frames, dtype=torch.int64, device=device)
    result = torch.as_tensor(lengths)
    if tuple(result.shape) != leading:
        raise ShapeError(
            f"lengths has shape {tuple(result.shape)} but the sequences have leading axes {leading}; "
            "give one length per sequence."
        )
    if result.numel():
        # One read, for those of a GPU are waited for.
        shortest, longest = torch.stack(result.aminmax()).tolist()
        if shortest < 0 or longest > frames:
            raise ShapeError(
                f"lengths runs from {shortest} to {longest} but sequences have T={frames} frames; a "
                "length counts the frames from the first, 0 to T."
            )
    return result.reshape(-1).to(device, torch.int64, non_blocking=True).contiguous()


def zeros(
    shape: tuple[int, ...], like: Tensor, dtype: torch.dtype | None = None, *, padded: bool = True
) -> Tensor:
    """Zeros on the device of ``like``; on the processor by NumPy.

    NumPy gets large pages, ten times as fast. It does not wake torch's threads either, which would take
    time from ours. Setting memory to zeros that is used again takes a tenth of the time of a pass.

    Parameters
    ----------
    shape : tuple of int
    like : (...)
        Gives the device.
    dtype : torch.dtype, optional
        That of ``like`` by default.
    padded : bool
        If false the memory is left uninitialized, because the kernels overwrite all of it.
    """
    dtype = like.dtype if dtype is None else dtype
    if like.device.type != "cpu":
        return (like.new_zeros if padded else like.new_empty)(shape, dtype=dtype)
    kind = np.float32 if dtype == torch.float32 else np.float64
    return torch.from_numpy((np.zeros if padded else unset)(shape, kind))


def has_padding(lengths: Array | None, frames: int) -> bool:
    """Whether a sequence has less than all frames; true for lengths on a GPU, without waiting for it."""
    if lengths is None:
        return False
    result = torch.as_tensor(lengths)
    return result.device.type != "cpu" or bool((result < frames).any())


def sum_rows(array: Tensor) -> Tensor:
    """Sum over the last axis, (B, T) to (B); zeros at its end change no bit.

    By NumPy, for the same reasons as ``zeros``. NumPy's order of addition depends on the number of
    entries, so that blocks of a fixed size are summed first.

    Parameters
    ----------
    array : (B, T)
    """
    if array.device.type != "cpu":
        return array.sum(-1)
    count, frames = array.shape
    blocks = frames // BLOCK + 1
    whole = np.zeros((count, blocks * BLOCK))
    whole[:, :frames] = array.numpy()
    return torch.from_numpy(whole.reshape(count, blocks, BLOCK).sum(-1).cumsum(-1)[:, -1].copy())


def no_fault(count: int) -> Tensor:
    """Faults of so many sequences before a kernel reports any, (B) int64.

    On the processor whatever the device, so that a backend's report is the one thing that waits for it.
    """
    return torch.full((count,), -1, dtype=torch.int64)


def spoiled(initial: Tensor, transition: Tensor) -> Tensor:
    """Initial potentials, NaN where transitions are no numbers: then no state is possible.

    So a GPU's potentials are looked at, which waits for it, only when a sequence was refused.

    Parameters
    ----------
    initial : (B or 1, K)
    transition : (B or 1, K, K)
    """
    is_good = transition.amax((1, 2)) < math.inf
    return torch.where(is_good[:, None], initial, math.nan)


def refuse_endless(name: str, potential: Tensor) -> None:
    """Look for NaN and +inf, which waits for the device.

    Parameters
    ----------
    name : str
        Of the potential, for the message.
    potential : (...)
        Logs, of a discrete chain.

    Raises
    ------
    BadInput
        It holds one.
    """
    if potential.numel() and not float(potential.max()) < math.inf:
        raise BadInput(f"{name} holds NaN or +inf; a log potential is a finite number or -inf.")


def name_of(sequence: int, leading: tuple[int, ...]) -> str:
    """Return the beginning of an error message about one flattened sequence."""
    if not leading:
        return ""
    return f"sequence {', '.join(str(int(i)) for i in np.unravel_index(sequence, leading))}, "


def backend_for(name: str, tensor: Tensor) -> ModuleType:
    """Find a backend by name.

    Parameters
    ----------
    name : str
        A name in ``backends/``. ``"auto"`` is the backend of the tensor's device, and ``reference``
        where that device has none.
    tensor : (...)
        Only its device matters.

    Raises
    ------
    UnknownName
        There is no such backend.
    """
    return _find(FOLDER, _backend_of(tensor.device.type) if name == "auto" else name)


@cache
def _backend_of(device: str) -> str:
    return device if device in registry.names(FOLDER) else "reference"


_find = cache(registry.find)  # looks into the folder each time
