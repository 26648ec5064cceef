"""Sixteen chains side by side: one lane of a vector each, and their matrices turned to fit.

In memory a chain's matrices lie one after the other. Here entry e of sixteen matrices is one
vector, row e of an array (entries, 16), so that a loop nest written for one matrix works on all of
them. ``gather`` and ``scatter`` change from one layout to the other, a square of entries at a time.
"""

from collections.abc import Callable

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import DTypeLike

from ...compiled import Floats, kernel
from ..simd.emitting import (
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
from ..simd.vectors import (
    BYTES,
    Lanes,
    aligned_zeros,
    call,
    constant,
    data_of,
    spread_value,
    vector_type,
)

__all__ = [
    "absent",
    "add_to",
    "at",
    "first_of",
    "gather",
    "less",
    "matrices",
    "more",
    "multiply_into",
    "put",
    "reciprocal_root",
    "row_at",
    "scatter",
    "vectors",
    "within",
    "workspace_for",
]


# Matrices and as many vectors in the workspace of a kernel, each with space for a square of entries.
PLACES, SQUARE = 6, 16


def workspace_for(size: int, dtype: DTypeLike) -> Floats:
    """Zeros, a row for each entry of all matrices and vectors of ``size``."""
    rows = PLACES * (max(SQUARE, size * size) + max(SQUARE, size))
    return aligned_zeros(rows, BYTES // np.dtype(dtype).itemsize, dtype)


def first_of(size: int, workspace: Floats) -> tuple[Floats, Floats]:
    """First matrix and first vector, (D², lanes) and (D, lanes)."""
    begin = PLACES * max(SQUARE, size * size)
    return workspace[: size * size], workspace[begin : begin + size]


@intrinsic
def _six(typing: Typing, workspace: NumbaType, first: NumbaType, step: NumbaType) -> Emitted:
    """Places in an array whose rows are vectors: row ``first``, and each ``step`` on.

    Kernels hand one another places and not arrays, to whose references they would count: that takes
    as long as a product of small matrices.
    """
    place = types.CPointer(workspace.dtype)  # type: ignore[attr-defined]

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        rows = [arguments[1]]
        for _ in range(PLACES - 1):
            rows.append(builder.add(rows[-1], arguments[2]))
        count = ir.Constant(arguments[1].type, Lanes(workspace.dtype).number)
        data = data_of(context, builder, workspace, arguments[0])
        result = [builder.gep(data, [builder.mul(row, count)]) for row in rows]
        return context.make_tuple(builder, signature.return_type, result)

    result = types.UniTuple(place, PLACES)  # type: ignore[attr-defined]
    return result(workspace, types.intp, types.intp), emit


@kernel
def matrices(size: int, workspace: Floats) -> NumbaType:
    """Places of all matrices."""
    return _six(workspace, 0, max(SQUARE, size * size))


@kernel
def vectors(size: int, workspace: Floats) -> NumbaType:
    """Places of all vectors."""
    return _six(workspace, PLACES * max(SQUARE, size * size), max(SQUARE, size))


def row_at(
    context: Context, builder: Builder, array: NumbaType, value: Value, row: Value, vector: VectorType
) -> Value:
    """Pointer to a row, which is one vector."""
    result = data_of(context, builder, array, value)
    step = builder.mul(row, ir.Constant(row.type, vector.count))
    return builder.bitcast(builder.gep(result, [step]), vector.as_pointer())


@intrinsic
def at(typing: Typing, array: NumbaType, row: NumbaType) -> Emitted:
    """Row of an array whose rows are vectors."""
    lanes = Lanes(array.dtype)

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        vector = vector_type(lanes)
        place = row_at(context, builder, array, arguments[0], arguments[1], vector)
        return builder.load(place, align=array.dtype.bitwidth // 8)

    return lanes(array, types.intp), emit


@intrinsic
def absent(typing: Typing, places: NumbaType, like: NumbaType) -> Emitted:
    """One in lanes whose place is negative, else zero."""
    lanes = Lanes(like.dtype)

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        vector = vector_type(lanes)
        wide = ir.VectorType(ir.IntType(64), vector.count)
        spots = builder.bitcast(data_of(context, builder, places, arguments[0]), wide.as_pointer())
        none = builder.icmp_signed("<", builder.load(spots, align=8), ir.Constant(wide, None))
        return builder.select(none, constant(vector, 1.0), constant(vector, 0.0))

    return lanes(places, like), emit


@intrinsic
def put(typing: Typing, array: NumbaType, row: NumbaType, value: NumbaType) -> Emitted:
    """Write a row of an array whose rows are vectors."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        place = row_at(context, builder, array, arguments[0], arguments[1], vector_type(value))
        builder.store(arguments[2], place, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), emit


@intrinsic
def more(typing: Typing, added: NumbaType, left: NumbaType, right: NumbaType) -> Emitted:
    """``added + one * other``, rounded once."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        return call(builder, "fma", arguments[0].type, arguments[1], arguments[2], arguments[0])

    return added(added, left, right), emit


@intrinsic
def less(typing: Typing, added: NumbaType, left: NumbaType, right: NumbaType) -> Emitted:
    """``added - one * other``, rounded once."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        return call(
            builder, "fma", arguments[0].type, builder.fneg(arguments[1]), arguments[2], arguments[0]
        )

    return added(added, left, right), emit


@intrinsic
def reciprocal_root(typing: Typing, value: NumbaType) -> Emitted:
    """One over the square root; NaN for negative numbers."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        vector = vector_type(value)
        return builder.fdiv(constant(vector, 1.0), call(builder, "sqrt", vector, arguments[0]))

    return value(value), emit


def _wider(name: str, act: Callable[[Builder, Value, Value], Value]) -> Intrinsic:
    @intrinsic
    def update(typing: Typing, doubles: NumbaType, value: NumbaType) -> Emitted:
        def emit(
            context: Context, builder: Builder, signature: Signature, arguments: Arguments
        ) -> Value:
            wide = ir.VectorType(ir.DoubleType(), value.number)
            place = builder.bitcast(data_of(context, builder, doubles, arguments[0]), wide.as_pointer())
            exact = arguments[1] if arguments[1].type == wide else builder.fpext(arguments[1], wide)
            builder.store(act(builder, builder.load(place, align=8), exact), place, align=8)
            return context.get_dummy_value()

        return types.void(doubles, value), emit

    update.__doc__ = f"{name} a vector to one of float64, an array of so many numbers."
    return update


add_to = _wider("Add", lambda builder, old, value: builder.fadd(old, value))
multiply_into = _wider("Multiply", lambda builder, old, value: builder.fmul(old, value))


@intrinsic
def within(
    typing: Typing, doubles: NumbaType, value: NumbaType, low: NumbaType, high: NumbaType
) -> Emitted:
    """Whether all of as many numbers of float64 as a vector has lanes lie between two others."""

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        wide = ir.VectorType(ir.DoubleType(), value.number)
        place = builder.bitcast(data_of(context, builder, doubles, arguments[0]), wide.as_pointer())
        result = builder.load(place, align=8)
        above = builder.fcmp_ordered(">", result, spread_value(builder, arguments[2], wide))
        below = builder.fcmp_ordered("<", result, spread_value(builder, arguments[3], wide))
        bits = ir.IntType(value.number)
        inside = builder.bitcast(builder.and_(above, below), bits)
        return builder.icmp_unsigned("==", inside, ir.Constant(bits, -1))

    return types.boolean(doubles, value, types.float64, types.float64), emit


def _turned(builder: Builder, rows: list[Value]) -> list[Value]:
    """Transpose a square of vectors: halves of rows change places, then halves of halves."""
    count = len(rows)
    kind = ir.VectorType(ir.IntType(32), count)
    half = count // 2
    while half:
        turned = list(rows)
        low = [k if not k & half else count + k - half for k in range(count)]
        high = [k + half if not k & half else count + k for k in range(count)]
        for r in range(count):
            if not r & half:
                left, right = rows[r], rows[r + half]
                turned[r] = builder.shuffle_vector(left, right, ir.Constant(kind, low))
                turned[r + half] = builder.shuffle_vector(left, right, ir.Constant(kind, high))
        rows, half = turned, half // 2
    return rows


def _few(builder: Builder, left: Value, vector: VectorType) -> Value:
    """True in lanes before the ``left``-th."""
    lanes = ir.VectorType(ir.IntType(32), vector.count)
    numbers = ir.Constant(lanes, [ir.Constant(ir.IntType(32), k) for k in range(vector.count)])
    return builder.icmp_signed("<", numbers, spread_value(builder, left, lanes))


def _blocks(
    builder: Builder, count: int, size: Value, block: Callable[[Value, Value | None], None]
) -> None:
    """Emit ``block(first entry, entries or None for all)`` for every square of entries.

    The last overlaps with that before, if there is one; if there is not it may be a part.
    """
    whole, zero = ir.Constant(size.type, count), ir.Constant(size.type, 0)
    last = builder.sub(size, whole)
    with builder.if_else(builder.icmp_signed("<", last, zero)) as (few, many):
        with few:
            block(zero, builder.trunc(size, ir.IntType(32)))
        with many, cgutils.for_range_slice(builder, zero, size, whole, intp=size.type) as (at, _):
            block(builder.select(builder.icmp_signed("<", at, last), at, last), None)


def _fetch(builder: Builder, pointer: Value, write: int) -> None:
    """Prefetch a line of memory that is needed soon; the address may be invalid."""
    byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
    call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    flags = [ir.Constant(flag, value) for value in (write, 3, 1)]
    builder.call(call, [builder.bitcast(pointer, byte), *flags])


def _spot(
    builder: Builder, spots: Value, lane: int, data: Value, first: Value, vector: VectorType, idle: Value
) -> Value:
    """Where a lane's entries are from ``first`` on, or ``idle`` if it has none."""
    place = builder.load(builder.gep(spots, [ir.Constant(first.type, lane)]))
    there = builder.icmp_signed(">=", place, ir.Constant(place.type, 0))
    where = builder.gep(data, [builder.add(place, first)])
    return where, builder.bitcast(builder.select(there, where, idle), vector.as_pointer())


@intrinsic
def gather(
    typing: Typing,
    source: NumbaType,
    places: NumbaType,
    size: NumbaType,
    ahead: NumbaType,
    target: NumbaType,
) -> Emitted:
    """Read ``size`` numbers that begin at ``places[lane]`` of flat memory; zeros if that is negative.

    ``target`` has a row for each of them, and so many more that whole squares fit. What lies
    ``ahead`` is prefetched: processors do not predict as many streams as there are lanes.
    """
    lanes = Lanes(source.dtype)

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        vector = vector_type(lanes)
        data, spots = (
            data_of(context, builder, k, v) for k, v in zip((source, places), arguments[:2], strict=True)
        )
        size, ahead = arguments[2:4]
        align = source.dtype.bitwidth // 8
        idle = cgutils.alloca_once_value(builder, constant(vector, 0.0))
        nothing = builder.bitcast(idle, vector.element.as_pointer())

        def block(first: Value, few: Value | None) -> None:
            rows = []
            for lane in range(vector.count):
                where, there = _spot(builder, spots, lane, data, first, vector, nothing)
                _fetch(builder, builder.gep(where, [ahead]), 0)
                if few is None:
                    rows.append(builder.load(there, align=align))
                else:
                    aligned, blank = ir.Constant(ir.IntType(32), align), constant(vector, 0.0)
                    mask = _few(builder, few, vector)
                    rows.append(call(builder, "masked.load", vector, there, aligned, mask, blank))
            for k, row in enumerate(_turned(builder, rows)):
                at = builder.add(first, ir.Constant(size.type, k))
                builder.store(
                    row, row_at(context, builder, target, arguments[4], at, vector), align=align
                )

        _blocks(builder, vector.count, size, block)
        return context.get_dummy_value()

    return types.void(source, places, types.intp, types.intp, target), emit


@intrinsic
def scatter(
    typing: Typing,
    source: NumbaType,
    size: NumbaType,
    target: NumbaType,
    places: NumbaType,
    ahead: NumbaType,
) -> Emitted:
    """Write the first ``size`` rows to flat memory that begins at ``places[lane]``, if not negative."""
    lanes = Lanes(source.dtype)

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        vector = vector_type(lanes)
        size = arguments[1]
        data, spots = (
            data_of(context, builder, target, arguments[2]),
            data_of(context, builder, places, arguments[3]),
        )
        align = source.dtype.bitwidth // 8
        idle = builder.bitcast(cgutils.alloca_once(builder, vector), vector.element.as_pointer())
        name = f"llvm.masked.store.v{vector.count}f{source.dtype.bitwidth}.p0"

        def block(first: Value, few: Value | None) -> None:
            rows = []
            for k in range(vector.count):
                at = builder.add(first, ir.Constant(size.type, k))
                place = row_at(context, builder, source, arguments[0], at, vector)
                rows.append(builder.load(place, align=align))
            for lane, row in enumerate(_turned(builder, rows)):
                where, there = _spot(builder, spots, lane, data, first, vector, idle)
                _fetch(builder, builder.gep(where, [arguments[4]]), 1)
                if few is None:
                    builder.store(row, there, align=align)
                else:
                    aligned = ir.Constant(ir.IntType(32), align)
                    operands = [row, there, aligned, _few(builder, few, vector)]
                    kind = ir.FunctionType(ir.VoidType(), [operand.type for operand in operands])
                    builder.call(cgutils.get_or_insert_function(builder.module, kind, name), operands)

        _blocks(builder, vector.count, size, block)
        return context.get_dummy_value()

    return types.void(source, types.intp, target, places, types.intp), emit
