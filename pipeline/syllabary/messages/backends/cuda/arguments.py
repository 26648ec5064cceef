"""A kernel's arguments as the words of 8 bytes that compiled code reads.

An array is two references that only host code uses, the number of its entries, bytes of an entry,
its address, its shape, and its strides in bytes. A tuple is its parts, one after the other. A kernel
is compiled for a signature, the kinds of its arguments in a tuple: ``"int"``, ``"float"``, an array's
dtype, axes and layout as in ``"float32 2 C"`` (``A`` if it has gaps), or a tuple of them.
"""

from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from ....errors import BadInput

__all__ = ["Packed", "Signature", "Word", "first_tensor", "flatten", "types_of", "words_format"]

Kind: TypeAlias = "str | tuple[Kind, ...]"
Signature: TypeAlias = tuple[Kind, ...]
Word: TypeAlias = int | float


class Packed(NamedTuple):
    """Arguments that several launches share, flattened once; they stand for themselves among others."""

    arguments: tuple[object, ...]
    """Kept, for the words are addresses."""
    signature: Signature
    words: list[Word]


def first_tensor(arguments: tuple[object, ...]) -> Tensor | None:
    """Return the first tensor of the arguments, which says where a kernel runs."""
    for part in arguments:
        if isinstance(part, Tensor):
            return part
        if isinstance(part, tuple):
            tensor = first_tensor(part)
            if tensor is not None:
                return tensor
    return None


def flatten(arguments: tuple[object, ...], device: int, words: list[Word]) -> Signature:
    """Append the words of the arguments; return their signature.

    Parameters
    ----------
    arguments : tuple of tensors, int, float, tuples of them, and ``Packed``
    device : int
        Number of the device that has all tensors.
    words : list

    Raises
    ------
    BadInput
        A tensor is elsewhere.
    """
    parts: list[Kind] = []
    for part in arguments:
        if isinstance(part, Tensor):
            if part.get_device() != device:
                raise BadInput(
                    f"an array of a call is on {part.device}, but a kernel sees device {device} alone; "
                    "move all of them to one with .to()."
                )
            kind, before, after = _described(part.dtype, part.shape, part.stride())
            words += before
            words.append(part.data_ptr())
            words += after
            parts.append(kind)
        elif isinstance(part, Packed):
            words += part.words
            parts += part.signature
        elif isinstance(part, tuple):
            parts.append(flatten(part, device, words))
        else:
            assert isinstance(part, int | float) and not isinstance(part, bool)
            words.append(part)
            parts.append(type(part).__name__)
    return tuple(parts)


def words_format(signature: Signature) -> str:
    """Format of ``struct`` for the words of arguments of a signature."""
    return "".join(
        words_format(kind)
        if isinstance(kind, tuple)
        else {"int": "q", "float": "d"}.get(kind) or "q" * (5 + 2 * int(kind.split()[1]))
        for kind in signature
    )


def types_of(signature: Signature, types: Any) -> tuple[Any, ...]:
    """Types of the compiler, whose module of types is given, for arguments of a signature."""

    def type_of(kind: Kind) -> Any:
        if isinstance(kind, tuple):
            return types.BaseTuple.from_types(tuple(map(type_of, kind)))
        if kind in ("int", "float"):
            return types.int64 if kind == "int" else types.float64
        dtype, axes, layout = kind.split()
        return types.Array(getattr(types, dtype), int(axes), layout)

    return tuple(map(type_of, signature))


@lru_cache(maxsize=4096)
def _described(
    dtype: torch.dtype, shape: tuple[int, ...], strides: tuple[int, ...]
) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    """Kind of an array, and its words before and after the address."""
    has_gaps, entries = False, 1
    for length, stride in zip(reversed(shape), reversed(strides), strict=True):
        has_gaps |= length > 1 and stride != entries
        entries *= length
    layout = "A" if has_gaps and entries else "C"
    kind = f"{str(dtype).removeprefix('torch.')} {len(shape)} {layout}"
    size = dtype.itemsize
    return kind, (0, 0, entries, size), (*shape, *(stride * size for stride in strides))
