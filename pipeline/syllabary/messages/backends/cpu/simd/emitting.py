"""Types of what intrinsics are made of: numba asks for a function that emits LLVM's instructions.

An intrinsic is called with numba's types of its arguments. It returns its signature and ``emit``, which
gets the values of the arguments and returns the value of the result.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from llvmlite.ir import IRBuilder as Builder
from llvmlite.ir import Type as LlvmType
from llvmlite.ir import Value, VectorType
from numba.core.base import BaseContext as Context
from numba.core.typing.context import BaseContext as Typing
from numba.core.typing.templates import Signature

__all__ = [
    "Arguments",
    "Builder",
    "Context",
    "Emitted",
    "Intrinsic",
    "LlvmType",
    "NumbaType",
    "Signature",
    "Typing",
    "Value",
    "VectorType",
]

Arguments: TypeAlias = Sequence[Value]
Emitted: TypeAlias = tuple[Signature, Callable[[Context, Builder, Signature, Arguments], Value]]
# Numba's stubs of its types lack what arrays and vectors have, and it has none of intrinsics.
NumbaType: TypeAlias = Any
Intrinsic: TypeAlias = Any
