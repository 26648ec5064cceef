"""A few rows times a matrix, with all sums held in registers: what most of the time goes into.

A sum runs over the depth from first to last, whatever the rows and columns done together, so that a
row's answer does not depend on its company.
"""

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from ...compiled import Floats, kernel
from .sums import Column, Sums, emit_sums, low_half, vector_at
from .vectors import REGISTERS, Lanes, _call, _constant, _data, _larger, _splat, _vector, lanes_of

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


Step = Callable[[Any, Any, Any, Any], Any]


def _fused(builder: Any, one: Any, other: Any, added: Any) -> Any:
    return _call(builder, "fma", one.type, one, other, added)


def _adding(builder: Any, vector: Any) -> Step:
    """Prepare sums of products."""
    return _fused


def _comparing(builder: Any, vector: Any) -> Step:
    """Prepare the largest of sums.

    AMD's units that add are those that compare, and others multiply. So a number is added to one times
    the other, and the compiler is not told that it is one.
    """
    number = ir.IntType(32 if isinstance(vector.element, ir.FloatType) else 64)
    one = builder.bitcast(ir.Constant(vector.element, 1.0), number)
    hidden = builder.asm(ir.FunctionType(number, [number]), "", "=r,0", [one], False)
    unit = _splat(builder, builder.bitcast(hidden, vector.element), vector)

    def best(builder: Any, one: Any, other: Any, found: Any) -> Any:
        factor = unit if other.type == vector else low_half(builder, unit)
        return _larger(builder, _fused(builder, other, factor, one), found)

    return best


def _kept(builder: Any, place: Any, value: Any, align: int) -> Any:
    """Return what is to be stored: the sum itself."""
    return value


def _added(builder: Any, place: Any, value: Any, align: int) -> Any:
    """Return what was there before, plus the sum."""
    return builder.fadd(builder.load(place, align=align), value)


def _taken_squared(builder: Any, place: Any, value: Any, align: int) -> Any:
    """Return what was there before, minus the square of the sum."""
    before = builder.load(place, align=align)
    return _fused(builder, builder.fneg(value), value, before)


def _tile(
    rows: int,
    start: float,
    prepare: Callable[[Any, Any], Step],
    left_there: Callable[[Any, Any, Any, int], Any] = _kept,
) -> Any:
    """Emit ``out[r] = Σ_j left[r, j] right[j]`` for a few rows, whatever sum and product are.

    What is stored of the sums is up to ``left_there``.

    Arguments are arrays with the entry at which each begins, counted through the array; row r's
    entry j of ``left`` lies ``r * row_step + j * depth_step`` behind. Rows of ``out`` and
    ``right`` are ``width`` apart, and ``columns`` of them, whole halves of vectors, are summed;
    ``depth`` ≥ 1.
    """
    # In registers: sums, a row of the matrix for all of them, and one weight. No more than eight,
    # for each number of columns is compiled.
    most = min(8, max(1, (REGISTERS - 1) // (rows + 1)))

    @intrinsic
    def tile(
        typing: Any,
        out: Any,
        out_at: Any,
        left: Any,
        left_at: Any,
        row_step: Any,
        depth_step: Any,
        depth: Any,
        right: Any,
        right_at: Any,
        width: Any,
        columns: Any,
    ) -> Any:
        lanes = Lanes(out.dtype)

        def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            vector, number, align = _vector(lanes), given[1].type, out.dtype.bitwidth // 8
            narrow = ir.VectorType(vector.element, vector.count // 2)
            to, into, from_, begin, across, along, depth, by, at, width, columns = given
            target = builder.gep(_data(context, builder, out, to), [into])
            source = builder.gep(_data(context, builder, left, from_), [begin])
            matrix = builder.gep(_data(context, builder, right, by), [at])

            def place(b: Any, pointer: Any, row: Any, column: Column) -> Any:
                behind = b.mul(column.at, ir.Constant(number, lanes.number))
                kind = narrow if column.half else vector
                return vector_at(b, pointer, b.add(b.mul(row, width), behind), kind)

            def weight(b: Any, r: int, j: Any) -> Any:
                behind = b.add(b.mul(across, ir.Constant(number, r)), b.mul(along, j))
                return _splat(b, b.load(b.gep(source, [behind])), vector)

            def finish(b: Any, r: int, column: Column, value: Any) -> None:
                spot = place(b, target, ir.Constant(number, r), column)
                b.store(left_there(b, spot, value, align), spot, align=align)

            sums = Sums(
                start=lambda b, r, column: _constant(narrow if column.half else vector, start),
                weight=weight,
                entry=lambda b, j, column: b.load(place(b, matrix, j, column), align=align),
                step=prepare(builder, vector),
                finish=finish,
            )
            lane = ir.Constant(number, lanes.number - 1)
            vectors = builder.udiv(builder.add(columns, lane), ir.Constant(number, lanes.number))
            half = builder.icmp_signed("!=", builder.and_(columns, lane), ir.Constant(number, 0))
            emit_sums(builder, rows, most, vectors, depth, sums, half)
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
