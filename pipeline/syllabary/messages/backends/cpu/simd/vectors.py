"""Sixty-four bytes of numbers as one value: 16 lanes of float32, or 8 of float64.

Numba has no such type. Here it gets one, whose operations are LLVM's own on ``<16 x float>`` or
``<8 x double>``: where the processor has narrower registers LLVM takes several, so the same code
runs anywhere. A row of K numbers is walked a vector at a time; ``load`` and ``store`` take how
many numbers are left, and do not touch the memory after them.

Numba's cache on disk knows a kernel by its own file alone: after a change here, touch those files.
"""

import operator
from collections.abc import Callable

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, overload, register_model
from numpy.typing import DTypeLike

from ...compiled import Floats
from .emitting import (
    Arguments,
    Builder,
    Context,
    Emitted,
    Intrinsic,
    NumbaType,
    Signature,
    Typing,
    Value,
    VectorType,
)

__all__ = [
    "BYTES",
    "REGISTERS",
    "Lanes",
    "add_exactly",
    "aligned_zeros",
    "call",
    "compact",
    "constant",
    "data_of",
    "highest",
    "lanes_of",
    "larger",
    "larger_of",
    "load",
    "load_between",
    "padded",
    "prefetch",
    "quotient",
    "splat",
    "spread_value",
    "store",
    "total",
    "unknown",
    "vector_type",
]

BYTES = 64
# Vectors that fit into the processor's registers: 32 of 64 bytes, or 16 of 32.
REGISTERS = 32 if llvmlite.binding.get_host_cpu_features().get("avx512f") else 8


def padded(size: int, dtype: DTypeLike) -> int:
    """Size of a row of whole vectors that holds ``size`` numbers."""
    lanes = BYTES // np.dtype(dtype).itemsize
    return -(-size // lanes) * lanes


def aligned_zeros(rows: int, size: int, dtype: DTypeLike) -> Floats:
    """Zeros, (rows, padded size), none of whose vectors lies across two lines of the cache."""
    width, itemsize = padded(size, dtype), np.dtype(dtype).itemsize
    memory = np.zeros(rows * width + BYTES // itemsize, dtype)
    start = -memory.__array_interface__["data"][0] % BYTES // itemsize
    return memory[start : start + rows * width].reshape(rows, width)


class Lanes(types.Type):
    """Numba's type of a vector of ``element``."""

    def __init__(self, element: NumbaType) -> None:
        self.element = element
        self.number = BYTES * 8 // element.bitwidth
        super().__init__(name=f"Lanes({element})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: object, lanes: Lanes) -> None:
        super().__init__(manager, lanes, vector_type(lanes))


def vector_type(lanes: Lanes) -> VectorType:
    """LLVM's type of a vector."""
    scalar = ir.FloatType() if lanes.element == types.float32 else ir.DoubleType()
    return ir.VectorType(scalar, lanes.number)


def call(builder: Builder, name: str, result: VectorType, *operands: Value) -> Value:
    """Call an intrinsic of LLVM on vectors of the result's type."""
    kind = f"v{result.count}f{32 if isinstance(result.element, ir.FloatType) else 64}"
    function_type = ir.FunctionType(result, [operand.type for operand in operands])
    name = f"llvm.{name}.{kind}" + (".p0" if name.startswith("masked") else "")
    return builder.call(cgutils.get_or_insert_function(builder.module, function_type, name), operands)


def spread_value(builder: Builder, scalar: Value, vector: VectorType) -> Value:
    """One scalar in all lanes."""
    blank = ir.Constant(vector, ir.Undefined)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None)
    single = builder.insert_element(blank, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(single, blank, zeros)


def constant(vector: VectorType, value: float) -> Value:
    """One constant in all lanes."""
    return ir.Constant(vector, [ir.Constant(vector.element, value)] * vector.count)


def data_of(context: Context, builder: Builder, array_type: NumbaType, array: Value) -> Value:
    """Pointer to the first entry of an array; a pointer is its own."""
    if isinstance(array_type, types.CPointer):  # type: ignore[attr-defined]
        return array
    return context.make_array(array_type)(context, builder, array).data


def place_of(
    context: Context, builder: Builder, array_type: NumbaType, array: Value, row: Value, column: Value
) -> Value:
    """Pointer to an entry of a contiguous matrix."""
    parts = context.make_array(array_type)(context, builder, array)
    size = cgutils.unpack_tuple(builder, parts.shape)[1]
    return builder.gep(parts.data, [builder.add(builder.mul(row, size), column)])


def mask_before(builder: Builder, left: Value, number: int) -> Value:
    """True in lanes before the ``left``-th."""
    short = ir.IntType(32)  # compared in one go
    vector = ir.VectorType(short, number)
    lanes = ir.Constant(vector, [ir.Constant(short, lane) for lane in range(number)])
    return builder.icmp_signed("<", lanes, spread_value(builder, builder.trunc(left, short), vector))


@intrinsic
def lanes_of(typing: Typing, array: NumbaType) -> Emitted:
    """Lanes of a vector of the array's kind, which the compiler knows."""
    number = Lanes(array.dtype).number

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        return ir.Constant(ir.IntType(64), number)

    return types.int64(array), emit


@intrinsic
def compact(typing: Typing) -> Emitted:
    """Keep the kernel's loops as they are: what unrolling sets up takes longer than a few vectors."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        builder.function.attributes.add("optsize")
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def load(
    typing: Typing, array: NumbaType, row: NumbaType, column: NumbaType, left: NumbaType, fill: NumbaType
) -> Emitted:
    """Vector of ``array[row, column:]``, of which ``left`` numbers are there and others ``fill``."""
    lanes = Lanes(array.dtype)

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        vector = vector_type(lanes)
        place = place_of(context, builder, array, *arguments[:3])
        passed = spread_value(builder, arguments[4], vector)
        align = ir.Constant(ir.IntType(32), array.dtype.bitwidth // 8)
        mask = mask_before(builder, arguments[3], vector.count)
        return call(builder, "masked.load", vector, place, align, mask, passed)

    return lanes(array, types.intp, types.intp, types.intp, array.dtype), emit


@intrinsic
def load_between(
    typing: Typing,
    array: NumbaType,
    row: NumbaType,
    column: NumbaType,
    begin: NumbaType,
    left: NumbaType,
) -> Emitted:
    """As ``load`` with zeros, but lanes before ``begin`` are not there either."""
    lanes = Lanes(array.dtype)

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        vector = vector_type(lanes)
        place = place_of(context, builder, array, *arguments[:3])
        align = ir.Constant(ir.IntType(32), array.dtype.bitwidth // 8)
        before, there = (mask_before(builder, end, vector.count) for end in arguments[3:])
        mask = builder.and_(builder.not_(before), there)
        return call(builder, "masked.load", vector, place, align, mask, constant(vector, 0.0))

    return lanes(array, *[types.intp] * 4), emit


@intrinsic
def splat(typing: Typing, array: NumbaType, value: NumbaType) -> Emitted:
    """Vector of the array's kind with one value in all its lanes."""
    lanes = Lanes(array.dtype)

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        return spread_value(builder, arguments[1], vector_type(lanes))

    return lanes(array, array.dtype), emit


@intrinsic
def prefetch(typing: Typing, array: NumbaType, row: NumbaType, column: NumbaType) -> Emitted:
    """Ask for the memory at an entry, which need not exist, before it is used."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        place = place_of(context, builder, array, *arguments)
        # To be read, and to stay in all caches; it is data.
        operands = [place, *(ir.Constant(ir.IntType(32), code) for code in (0, 3, 1))]
        kind = ir.FunctionType(ir.VoidType(), [operand.type for operand in operands])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0"), operands)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), emit


@intrinsic
def store(
    typing: Typing,
    array: NumbaType,
    row: NumbaType,
    column: NumbaType,
    left: NumbaType,
    value: NumbaType,
) -> Emitted:
    """Write the first ``left`` lanes to ``array[row, column:]``."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        vector = vector_type(value)
        place = place_of(context, builder, array, *arguments[:3])
        align = ir.Constant(ir.IntType(32), array.dtype.bitwidth // 8)
        operands = [arguments[4], place, align, mask_before(builder, arguments[3], vector.count)]
        name = f"llvm.masked.store.v{vector.count}f{array.dtype.bitwidth}.p0"
        kind = ir.FunctionType(ir.VoidType(), [operand.type for operand in operands])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, name), operands)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, types.intp, value), emit


@intrinsic
def add_exactly(
    typing: Typing, doubles: NumbaType, row: NumbaType, column: NumbaType, value: NumbaType
) -> Emitted:
    """Add a vector to as many numbers of a matrix of float64."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        wide = ir.VectorType(ir.DoubleType(), value.number)
        place = place_of(context, builder, doubles, *arguments[:3])
        place = builder.bitcast(place, wide.as_pointer())
        exact = arguments[3] if arguments[3].type == wide else builder.fpext(arguments[3], wide)
        builder.store(builder.fadd(builder.load(place, align=8), exact), place, align=8)
        return context.get_dummy_value()

    return types.void(doubles, types.intp, types.intp, value), emit


def larger_of(builder: Builder, first: Value, second: Value) -> Value:
    """``first if first > second else second``, so the second where the first is NaN."""
    return builder.select(builder.fcmp_ordered(">", first, second), first, second)


def _elementwise(name: str, act: Callable[[Builder, Value, Value], Value]) -> Intrinsic:
    """Operation of vectors, or of a vector and one number for all its lanes."""

    @intrinsic
    def combine(typing: Typing, first: NumbaType, second: NumbaType) -> Emitted:
        alone = not isinstance(second, Lanes)

        def emit(
            context: Context, builder: Builder, signature: Signature, arguments: Arguments
        ) -> Value:
            second = spread_value(builder, arguments[1], vector_type(first)) if alone else arguments[1]
            return act(builder, arguments[0], second)

        return first(first, first.element if alone else second), emit

    combine.__name__ = name
    return combine


def _as_operator(symbol: Callable[..., object], combine: Intrinsic) -> None:
    @overload(symbol)
    def choose(first, second):  # type: ignore[no-untyped-def]
        if isinstance(first, Lanes):
            return lambda first, second: combine(first, second)
        return None


_as_operator(operator.add, _elementwise("add", lambda b, first, second: b.fadd(first, second)))
_as_operator(operator.sub, _elementwise("subtract", lambda b, first, second: b.fsub(first, second)))
_as_operator(operator.mul, _elementwise("multiply", lambda b, first, second: b.fmul(first, second)))
larger = _elementwise("larger", larger_of)


@intrinsic
def quotient(typing: Typing, dividend: NumbaType, divisor: NumbaType, smallest: NumbaType) -> Emitted:
    """``dividend / divisor``, or 0 in lanes where the divisor is less than ``smallest``."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        vector = vector_type(dividend)
        large = builder.fcmp_ordered(">=", arguments[1], spread_value(builder, arguments[2], vector))
        return builder.select(large, builder.fdiv(arguments[0], arguments[1]), constant(vector, 0.0))

    return dividend(dividend, divisor, dividend.element), emit


@intrinsic
def unknown(typing: Typing, value: NumbaType) -> Emitted:
    """1 in lanes that are NaN, else 0."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        ones, zeros = (constant(vector_type(value), number) for number in (1.0, 0.0))
        return builder.select(builder.fcmp_unordered("uno", arguments[0], arguments[0]), ones, zeros)

    return value(value), emit


def _fold(act: Callable[[Builder, Value, Value], Value]) -> Intrinsic:
    """Operation over all lanes of a vector: halves with each other, until one is left."""

    @intrinsic
    def fold(typing: Typing, value: NumbaType) -> Emitted:
        def emit(
            context: Context, builder: Builder, signature: Signature, arguments: Arguments
        ) -> Value:
            (left,) = arguments
            while left.type.count > 1:
                half = left.type.count // 2
                kind = ir.VectorType(ir.IntType(32), half)
                low, high = (
                    builder.shuffle_vector(
                        left, left, ir.Constant(kind, list(range(start, start + half)))
                    )
                    for start in (0, half)
                )
                left = act(builder, low, high)
            return builder.extract_element(left, ir.Constant(ir.IntType(32), 0))

        return value.element(value), emit

    return fold


total = _fold(lambda builder, first, second: builder.fadd(first, second))
highest = _fold(larger_of)
