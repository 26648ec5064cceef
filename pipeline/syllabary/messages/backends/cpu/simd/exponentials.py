"""Exponentials and logarithms of vectors."""

import math
from fractions import Fraction

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .emitting import Arguments, Builder, Context, Emitted, NumbaType, Signature, Typing, Value
from .vectors import call, constant, vector_type

__all__ = ["exp", "log"]

# To twice the digits of a float64.
LOG_TWO = Fraction("0.693147180559945309417232121458176568")


@intrinsic
def exp(typing: Typing, value: NumbaType) -> Emitted:
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

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        (x,), vector = arguments, vector_type(value)
        integers = ir.VectorType(whole, vector.count)
        moved = call(
            builder, "fma", vector, x, constant(vector, 1 / math.log(2)), constant(vector, large)
        )
        twos, rest = builder.fsub(moved, constant(vector, large)), x
        for part in (coarse, float(LOG_TWO - Fraction(coarse))):
            rest = call(builder, "fma", vector, twos, constant(vector, -part), rest)
        series = constant(vector, 1 / math.factorial(degree))
        for power in range(degree - 1, -1, -1):
            term = constant(vector, 1 / math.factorial(power))
            series = call(builder, "fma", vector, series, rest, term)
        shift = ir.Constant(integers, [ir.Constant(whole, exponent)] * vector.count)
        power = builder.bitcast(builder.shl(builder.bitcast(moved, integers), shift), vector)
        tiny = builder.fcmp_ordered("<", x, constant(vector, lowest * math.log(2)))
        return builder.select(tiny, constant(vector, 0.0), builder.fmul(series, power))

    return value(value), emit


@intrinsic
def log(typing: Typing, value: NumbaType) -> Emitted | None:
    """Logarithm of normal float64 numbers above zero.

    x = 2ⁿ m with m around 1, and log m = 2 s (1 + s²/3 + s⁴/5 + ...), s = (m − 1) / (m + 1): its next
    term is less than a tenth of the rounding.
    """
    if value.element != types.float64:
        return None

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        (x,), vector = arguments, vector_type(value)
        integers = ir.VectorType(ir.IntType(64), vector.count)

        def whole(number: int) -> Value:
            return ir.Constant(integers, [ir.Constant(ir.IntType(64), number)] * vector.count)

        bits = builder.bitcast(x, integers)
        # The bits of √½: the exponent grows by one where m would lie below it.
        twos = builder.ashr(builder.sub(bits, whole(0x3FE6A09E667F3BCD)), whole(52))
        m = builder.bitcast(builder.sub(bits, builder.shl(twos, whole(52))), vector)
        ones, n = constant(vector, 1.0), builder.sitofp(twos, vector)
        s = builder.fdiv(builder.fsub(m, ones), builder.fadd(m, ones))
        square = builder.fmul(s, s)
        series = constant(vector, 1 / 21)
        for power in range(19, 0, -2):
            series = call(builder, "fma", vector, series, square, constant(vector, 1 / power))
        coarse = round(math.log(2) * 2**30) / 2**30  # whose products with n are exact
        rest = builder.fmul(n, constant(vector, float(LOG_TWO - Fraction(coarse))))
        small = call(builder, "fma", vector, builder.fadd(s, s), series, rest)
        return call(builder, "fma", vector, n, constant(vector, coarse), small)

    return value(value), emit
