"""A few rows times a matrix, with all sums held in registers: what most of the time goes into.

A sum runs over the depth from first to last, whatever the rows and columns done together, so that a
row's answer does not depend on its company.
"""

import math
from collections.abc import Callable

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from ...compiled import Floats, kernel
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
from .sums import Column, Sums, emit_sums, low_half, vector_at
from .vectors import (
    REGISTERS,
    Lanes,
    call,
    constant,
    data_of,
    lanes_of,
    larger_of,
    spread_value,
    vector_type,
)

__all__ = [
    "added_of_four",
    "added_of_one",
    "columns_of",
    "product_of_four",
    "product_of_one",
    "product_of_two",
    "reach_of_one",
    "squares_of_four",
    "squares_of_one",
]


@kernel
def columns_of(size: int, array: Floats) -> int:
    """Columns to sum for a row of so many numbers: whole halves of the array's vectors."""
    half = lanes_of(array) // 2
    return (size + half - 1) // half * half


Step = Callable[[Builder, Value, Value, Value], Value]


def _fused(builder: Builder, left: Value, right: Value, added: Value) -> Value:
    return call(builder, "fma", left.type, left, right, added)


def _adding(builder: Builder, vector: VectorType) -> Step:
    """Prepare sums of products."""
    return _fused


def _comparing(builder: Builder, vector: VectorType) -> Step:
    """Prepare the largest of sums.

    AMD's units that add are those that compare, and others multiply. So a number is added to one times
    the other, and this one is hidden from the compiler.
    """
    number = ir.IntType(32 if isinstance(vector.element, ir.FloatType) else 64)
    unity = builder.bitcast(ir.Constant(vector.element, 1.0), number)
    hidden = builder.asm(ir.FunctionType(number, [number]), "", "=r,0", [unity], False)
    unit = spread_value(builder, builder.bitcast(hidden, vector.element), vector)

    def best(builder: Builder, left: Value, right: Value, highest: Value) -> Value:
        factor = unit if right.type == vector else low_half(builder, unit)
        return larger_of(builder, _fused(builder, right, factor, left), highest)

    return best


def _kept(builder: Builder, place: Value, value: Value, align: int) -> Value:
    """Return the value to store: the sum itself."""
    return value


def _added(builder: Builder, place: Value, value: Value, align: int) -> Value:
    """Return the value to store: the old value plus the sum."""
    return builder.fadd(builder.load(place, align=align), value)


def _taken_squared(builder: Builder, place: Value, value: Value, align: int) -> Value:
    """Return the value to store: the old value minus the square of the sum."""
    before = builder.load(place, align=align)
    return _fused(builder, builder.fneg(value), value, before)


def _tile(
    rows: int,
    start: float,
    prepare: Callable[[Builder, VectorType], Step],
    left_there: Callable[[Builder, Value, Value, int], Value] = _kept,
) -> Intrinsic:
    """Emit ``out[r] = Σ_j left[r, j] right[j]`` for a few rows, whatever sum and product are.

    ``left_there`` turns a sum into the value that is stored.

    Arguments are arrays with the entry at which each begins, counted through the array; row r's
    entry j of ``left`` lies ``r * row_step + j * depth_step`` after it. Rows of ``out`` and
    ``right`` are ``width`` apart, and ``columns`` of them, whole halves of vectors, are summed;
    ``depth`` ≥ 1.
    """
    # In registers: sums, a row of the matrix for all of them, and one weight. No more than eight,
    # for each number of columns is compiled.
    max_columns = min(8, max(1, (REGISTERS - 1) // (rows + 1)))

    @intrinsic
    def tile(
        typing: Typing,
        out: NumbaType,
        out_at: NumbaType,
        left: NumbaType,
        left_at: NumbaType,
        row_step: NumbaType,
        depth_step: NumbaType,
        depth: NumbaType,
        right: NumbaType,
        right_at: NumbaType,
        width: NumbaType,
        columns: NumbaType,
    ) -> Emitted:
        lanes = Lanes(out.dtype)

        def emit(
            context: Context, builder: Builder, signature: Signature, arguments: Arguments
        ) -> Value:
            vector, number, align = vector_type(lanes), arguments[1].type, out.dtype.bitwidth // 8
            narrow = ir.VectorType(vector.element, vector.count // 2)
            to, into, from_, begin, across, along, depth, by, at, width, columns = arguments
            target = builder.gep(data_of(context, builder, out, to), [into])
            source = builder.gep(data_of(context, builder, left, from_), [begin])
            matrix = builder.gep(data_of(context, builder, right, by), [at])

            def place(b: Builder, pointer: Value, row: Value, column: Column) -> Value:
                offset = b.mul(column.at, ir.Constant(number, lanes.number))
                kind = narrow if column.half else vector
                return vector_at(b, pointer, b.add(b.mul(row, width), offset), kind)

            def weight(b: Builder, r: int, j: Value) -> Value:
                offset = b.add(b.mul(across, ir.Constant(number, r)), b.mul(along, j))
                return spread_value(b, b.load(b.gep(source, [offset])), vector)

            def finish(b: Builder, r: int, column: Column, value: Value) -> None:
                spot = place(b, target, ir.Constant(number, r), column)
                b.store(left_there(b, spot, value, align), spot, align=align)

            sums = Sums(
                start=lambda b, r, column: constant(narrow if column.half else vector, start),
                weight=weight,
                entry=lambda b, j, column: b.load(place(b, matrix, j, column), align=align),
                step=prepare(builder, vector),
                finish=finish,
            )
            lane = ir.Constant(number, lanes.number - 1)
            vectors = builder.udiv(builder.add(columns, lane), ir.Constant(number, lanes.number))
            half = builder.icmp_signed("!=", builder.and_(columns, lane), ir.Constant(number, 0))
            emit_sums(builder, rows, max_columns, vectors, depth, sums, half)
            return context.get_dummy_value()

        numbers = [types.intp] * 4
        return types.void(out, types.intp, left, *numbers, right, *[types.intp] * 3), emit

    return tile


product_of_one, product_of_two, product_of_four = (_tile(rows, 0.0, _adding) for rows in (1, 2, 4))
reach_of_one = _tile(1, -math.inf, _comparing)
# ``out[r] += Σ_j left[r, j] right[j]``
added_of_one, added_of_four = (_tile(rows, 0.0, _adding, _added) for rows in (1, 4))
# ``out[r] −= (Σ_j left[r, j] right[j])²``
squares_of_one, squares_of_four = (_tile(rows, 0.0, _adding, _taken_squared) for rows in (1, 4))
