"""Sixty-four bytes of numbers as one value: 16 lanes of float32, or 8 of float64.

Numba has no such type. Here it gets one, whose operations are LLVM's own on ``<16 x float>`` or
``<8 x double>``: where the processor has narrower registers LLVM takes several, so the same code
runs anywhere. A row of K numbers is walked a vector at a time; ``load`` and ``store`` take how
many numbers are left, and leave the memory behind them alone.

Numba's cache on disk knows a kernel by its own file alone: after a change here, touch those files.
"""

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, overload, register_model

from ...compiled import Floats

__all__ = [
    "add_exactly",
    "aligned_zeros",
    "compact",
    "exp",
    "highest",
    "lanes_of",
    "larger",
    "load",
    "load_between",
    "log",
    "padded",
    "prefetch",
    "quotient",
    "splat",
    "store",
    "total",
    "unknown",
]

BYTES = 64
# Vectors that fit into the processor's registers: 32 of 64 bytes, or 16 of 32.
REGISTERS = 32 if llvmlite.binding.get_host_cpu_features().get("avx512f") else 8

# To twice the digits of a float64.
LOG_TWO = Fraction("0.693147180559945309417232121458176568")


def padded(size: int, dtype: Any) -> int:
    """Size of a row of whole vectors that holds ``size`` numbers."""
    lanes = BYTES // np.dtype(dtype).itemsize
    return -(-size // lanes) * lanes


def aligned_zeros(rows: int, size: int, dtype: Any) -> Floats:
    """Zeros, (rows, padded size), none of whose vectors lies across two lines of the cache."""
    width, itemsize = padded(size, dtype), np.dtype(dtype).itemsize
    memory = np.zeros(rows * width + BYTES // itemsize, dtype)
    start = -memory.__array_interface__["data"][0] % BYTES // itemsize
    return memory[start : start + rows * width].reshape(rows, width)


class Lanes(types.Type):
    """Numba's type of a vector of ``element``."""

    def __init__(self, element: Any) -> None:
        self.element = element
        self.number = BYTES * 8 // element.bitwidth
        super().__init__(name=f"Lanes({element})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        super().__init__(manager, lanes, _vector(lanes))


def _vector(lanes: Lanes) -> Any:
    scalar = ir.FloatType() if lanes.element == types.float32 else ir.DoubleType()
    return ir.VectorType(scalar, lanes.number)


def _call(builder: Any, name: str, result: Any, *operands: Any) -> Any:
    """Call an intrinsic of LLVM on vectors of the result's type."""
    kind = f"v{result.count}f{32 if isinstance(result.element, ir.FloatType) else 64}"
    function_type = ir.FunctionType(result, [operand.type for operand in operands])
    name = f"llvm.{name}.{kind}" + (".p0" if name.startswith("masked") else "")
    return builder.call(cgutils.get_or_insert_function(builder.module, function_type, name), operands)


def _splat(builder: Any, scalar: Any, vector: Any) -> Any:
    blank = ir.Constant(vector, ir.Undefined)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None)
    one = builder.insert_element(blank, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, blank, zeros)


def _constant(vector: Any, value: float) -> Any:
    return ir.Constant(vector, [ir.Constant(vector.element, value)] * vector.count)


def _data(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    if isinstance(array_type, types.CPointer):  # type: ignore[attr-defined]
        return array
    return context.make_array(array_type)(context, builder, array).data


def _place(context: Any, builder: Any, array_type: Any, array: Any, row: Any, column: Any) -> Any:
    """Pointer to an entry of a contiguous matrix."""
    found = context.make_array(array_type)(context, builder, array)
    size = cgutils.unpack_tuple(builder, found.shape)[1]
    return builder.gep(found.data, [builder.add(builder.mul(row, size), column)])


def _mask(builder: Any, left: Any, number: int) -> Any:
    """True in lanes before the ``left``-th."""
    short = ir.IntType(32)  # compared in one go
    vector = ir.VectorType(short, number)
    lanes = ir.Constant(vector, [ir.Constant(short, lane) for lane in range(number)])
    return builder.icmp_signed("<", lanes, _splat(builder, builder.trunc(left, short), vector))


@intrinsic
def lanes_of(typing: Any, array: Any) -> Any:
    """Lanes of a vector of the array's kind, which the compiler knows."""
    number = Lanes(array.dtype).number

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return ir.Constant(ir.IntType(64), number)

    return types.int64(array), emit


@intrinsic
def compact(typing: Any) -> Any:
    """Keep the kernel's loops as they are: what unrolling sets up takes longer than a few vectors."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        builder.function.attributes.add("optsize")
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def load(typing: Any, array: Any, row: Any, column: Any, left: Any, fill: Any) -> Any:
    """Vector of ``array[row, column:]``, of which ``left`` numbers are there and others ``fill``."""
    lanes = Lanes(array.dtype)

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        vector = _vector(lanes)
        place = _place(context, builder, array, *given[:3])
        passed = _splat(builder, given[4], vector)
        align = ir.Constant(ir.IntType(32), array.dtype.bitwidth // 8)
        mask = _mask(builder, given[3], vector.count)
        return _call(builder, "masked.load", vector, place, align, mask, passed)

    return lanes(array, types.intp, types.intp, types.intp, array.dtype), emit


@intrinsic
def load_between(typing: Any, array: Any, row: Any, column: Any, begin: Any, left: Any) -> Any:
    """As ``load`` with zeros, but lanes before ``begin`` are not there either."""
    lanes = Lanes(array.dtype)

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        vector = _vector(lanes)
        place = _place(context, builder, array, *given[:3])
        align = ir.Constant(ir.IntType(32), array.dtype.bitwidth // 8)
        before, there = (_mask(builder, end, vector.count) for end in given[3:])
        mask = builder.and_(builder.not_(before), there)
        return _call(builder, "masked.load", vector, place, align, mask, _constant(vector, 0.0))

    return lanes(array, *[types.intp] * 4), emit


@intrinsic
def splat(typing: Any, array: Any, value: Any) -> Any:
    """Vector of the array's kind with one value in all its lanes."""
    lanes = Lanes(array.dtype)

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return _splat(builder, given[1], _vector(lanes))

    return lanes(array, array.dtype), emit


@intrinsic
def prefetch(typing: Any, array: Any, row: Any, column: Any) -> Any:
    """Ask for the memory at an entry, which need not exist, before it is used."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _place(context, builder, array, *given)
        # To be read, and to stay in all caches; it is data.
        operands = [place, *(ir.Constant(ir.IntType(32), code) for code in (0, 3, 1))]
        kind = ir.FunctionType(ir.VoidType(), [operand.type for operand in operands])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0"), operands)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), emit


@intrinsic
def store(typing: Any, array: Any, row: Any, column: Any, left: Any, value: Any) -> Any:
    """Write the first ``left`` lanes to ``array[row, column:]``."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        vector = _vector(value)
        place = _place(context, builder, array, *given[:3])
        align = ir.Constant(ir.IntType(32), array.dtype.bitwidth // 8)
        operands = [given[4], place, align, _mask(builder, given[3], vector.count)]
        name = f"llvm.masked.store.v{vector.count}f{array.dtype.bitwidth}.p0"
        kind = ir.FunctionType(ir.VoidType(), [operand.type for operand in operands])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, name), operands)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, types.intp, value), emit


@intrinsic
def add_exactly(typing: Any, doubles: Any, row: Any, column: Any, value: Any) -> Any:
    """Add a vector to as many numbers of a matrix of float64."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        wide = ir.VectorType(ir.DoubleType(), value.number)
        place = _place(context, builder, doubles, *given[:3])
        place = builder.bitcast(place, wide.as_pointer())
        exact = given[3] if given[3].type == wide else builder.fpext(given[3], wide)
        builder.store(builder.fadd(builder.load(place, align=8), exact), place, align=8)
        return context.get_dummy_value()

    return types.void(doubles, types.intp, types.intp, value), emit


def _larger(builder: Any, one: Any, other: Any) -> Any:
    """Where one is NaN the other, as ``one if one > other else other`` has it."""
    return builder.select(builder.fcmp_ordered(">", one, other), one, other)


def _elementwise(name: str, act: Callable[[Any, Any, Any], Any]) -> Any:
    """Operation of vectors, or of a vector and one number for all its lanes."""

    @intrinsic
    def combine(typing: Any, one: Any, other: Any) -> Any:
        alone = not isinstance(other, Lanes)

        def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            second = _splat(builder, given[1], _vector(one)) if alone else given[1]
            return act(builder, given[0], second)

        return one(one, one.element if alone else other), emit

    combine.__name__ = name
    return combine


def _as_operator(symbol: Any, combine: Any) -> None:
    @overload(symbol)
    def choose(one, other):  # type: ignore[no-untyped-def]
        if isinstance(one, Lanes):
            return lambda one, other: combine(one, other)
        return None


_as_operator(operator.add, _elementwise("add", lambda b, one, other: b.fadd(one, other)))
_as_operator(operator.sub, _elementwise("subtract", lambda b, one, other: b.fsub(one, other)))
_as_operator(operator.mul, _elementwise("multiply", lambda b, one, other: b.fmul(one, other)))
larger = _elementwise("larger", _larger)


@intrinsic
def quotient(typing: Any, one: Any, other: Any, least: Any) -> Any:
    """``one / other``, or 0 in lanes where the divisor is less than ``least``."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        vector = _vector(one)
        large = builder.fcmp_ordered(">=", given[1], _splat(builder, given[2], vector))
        return builder.select(large, builder.fdiv(given[0], given[1]), _constant(vector, 0.0))

    return one(one, other, one.element), emit


@intrinsic
def unknown(typing: Any, value: Any) -> Any:
    """1 in lanes that are NaN, else 0."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        one, none = (_constant(_vector(value), number) for number in (1.0, 0.0))
        return builder.select(builder.fcmp_unordered("uno", given[0], given[0]), one, none)

    return value(value), emit


def _fold(act: Callable[[Any, Any, Any], Any]) -> Any:
    """Operation over all lanes of a vector: halves with each other, until one is left."""

    @intrinsic
    def fold(typing: Any, value: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            (left,) = given
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


total = _fold(lambda builder, one, other: builder.fadd(one, other))
highest = _fold(_larger)


@intrinsic
def exp(typing: Any, value: Any) -> Any:
    """Exponential of numbers that are not positive, or NaN; zero below the smallest normal number.

    2ⁿ eʳ with whole n and |r| ≤ ½ log 2, and eʳ by its Taylor series: its next term is less than
    a tenth of the rounding.
    """
    single = value.element == types.float32
    whole, exponent, bias = (ir.IntType(32), 23, 127) if single else (ir.IntType(64), 52, 1023)
    degree, digits, lowest = (7, 11, -126) if single else (13, 30, -1022)
    coarse = round(math.log(2) * 2**digits) / 2**digits  # whose products with n are exact
    # Numbers this large have no fraction, and a number added to them lies in their lowest bits.
    large = 1.5 * 2**exponent + bias

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        (x,), vector = given, _vector(value)
        integers = ir.VectorType(whole, vector.count)
        moved = _call(
            builder, "fma", vector, x, _constant(vector, 1 / math.log(2)), _constant(vector, large)
        )
        twos, rest = builder.fsub(moved, _constant(vector, large)), x
        for part in (coarse, float(LOG_TWO - Fraction(coarse))):
            rest = _call(builder, "fma", vector, twos, _constant(vector, -part), rest)
        series = _constant(vector, 1 / math.factorial(degree))
        for power in range(degree - 1, -1, -1):
            term = _constant(vector, 1 / math.factorial(power))
            series = _call(builder, "fma", vector, series, rest, term)
        shift = ir.Constant(integers, [ir.Constant(whole, exponent)] * vector.count)
        power = builder.bitcast(builder.shl(builder.bitcast(moved, integers), shift), vector)
        tiny = builder.fcmp_ordered("<", x, _constant(vector, lowest * math.log(2)))
        return builder.select(tiny, _constant(vector, 0.0), builder.fmul(series, power))

    return value(value), emit


@intrinsic
def log(typing: Any, value: Any) -> Any:
    """Logarithm of normal float64 numbers above zero.

    x = 2ⁿ m with m around 1, and log m = 2 s (1 + s²/3 + s⁴/5 + ...), s = (m − 1) / (m + 1): its next
    term is less than a tenth of the rounding.
    """
    if value.element != types.float64:
        return None

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        (x,), vector = given, _vector(value)
        integers = ir.VectorType(ir.IntType(64), vector.count)

        def whole(number: int) -> Any:
            return ir.Constant(integers, [ir.Constant(ir.IntType(64), number)] * vector.count)

        bits = builder.bitcast(x, integers)
        # The bits of √½: what is added to the exponent where m would lie below it.
        twos = builder.ashr(builder.sub(bits, whole(0x3FE6A09E667F3BCD)), whole(52))
        m = builder.bitcast(builder.sub(bits, builder.shl(twos, whole(52))), vector)
        one, n = _constant(vector, 1.0), builder.sitofp(twos, vector)
        s = builder.fdiv(builder.fsub(m, one), builder.fadd(m, one))
        square = builder.fmul(s, s)
        series = _constant(vector, 1 / 21)
        for power in range(19, 0, -2):
            series = _call(builder, "fma", vector, series, square, _constant(vector, 1 / power))
        coarse = round(math.log(2) * 2**30) / 2**30  # whose products with n are exact
        rest = builder.fmul(n, _constant(vector, float(LOG_TWO - Fraction(coarse))))
        small = _call(builder, "fma", vector, builder.fadd(s, s), series, rest)
        return _call(builder, "fma", vector, n, _constant(vector, coarse), small)

    return value(value), emit
