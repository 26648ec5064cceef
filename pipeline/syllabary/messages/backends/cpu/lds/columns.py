"""Sixteen chains side by side: one lane of a vector each, and their matrices turned to fit.

In memory a chain's matrices lie one behind the other. Here entry e of sixteen matrices is one
vector, row e of an array (entries, 16), so that a loop nest written for one matrix works on all of
them. ``gather`` and ``scatter`` change from one layout to the other, a square of entries at a time.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ...compiled import Floats, kernel
from ..simd.vectors import BYTES, Lanes, _call, _constant, _data, _splat, _vector, aligned_zeros

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


# Matrices and as many vectors for a kernel to work on, each with room for a whole square of entries.
PLACES, SQUARE = 6, 16


def workspace_for(size: int, dtype: Any) -> Floats:
    """Zeros, a row for each entry of all matrices and vectors of ``size``."""
    rows = PLACES * (max(SQUARE, size * size) + max(SQUARE, size))
    return aligned_zeros(rows, BYTES // np.dtype(dtype).itemsize, dtype)


def first_of(size: int, work: Floats) -> tuple[Floats, Floats]:
    """First matrix and first vector, (D², lanes) and (D, lanes)."""
    begin = PLACES * max(SQUARE, size * size)
    return work[: size * size], work[begin : begin + size]


@intrinsic
def _six(typing: Any, work: Any, first: Any, step: Any) -> Any:
    """Places in an array whose rows are vectors: row ``first``, and each ``step`` on.

    Kernels hand one another places and not arrays, to whose references they would count: that takes
    as long as a product of small matrices.
    """
    place = types.CPointer(work.dtype)  # type: ignore[attr-defined]

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        rows = [given[1]]
        for _ in range(PLACES - 1):
            rows.append(builder.add(rows[-1], given[2]))
        count = ir.Constant(given[1].type, Lanes(work.dtype).number)
        data = _data(context, builder, work, given[0])
        found = [builder.gep(data, [builder.mul(row, count)]) for row in rows]
        return context.make_tuple(builder, signature.return_type, found)

    found = types.UniTuple(place, PLACES)  # type: ignore[attr-defined]
    return found(work, types.intp, types.intp), emit


@kernel
def matrices(size: int, work: Floats) -> Any:
    """Places of all matrices."""
    return _six(work, 0, max(SQUARE, size * size))


@kernel
def vectors(size: int, work: Floats) -> Any:
    """Places of all vectors."""
    return _six(work, PLACES * max(SQUARE, size * size), max(SQUARE, size))


def row_at(context: Any, builder: Any, array: Any, value: Any, row: Any, vector: Any) -> Any:
    """Pointer to a row, which is one vector."""
    found = _data(context, builder, array, value)
    step = builder.mul(row, ir.Constant(row.type, vector.count))
    return builder.bitcast(builder.gep(found, [step]), vector.as_pointer())


@intrinsic
def at(typing: Any, array: Any, row: Any) -> Any:
    """Row of an array whose rows are vectors."""
    lanes = Lanes(array.dtype)

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        vector = _vector(lanes)
        place = row_at(context, builder, array, given[0], given[1], vector)
        return builder.load(place, align=array.dtype.bitwidth // 8)

    return lanes(array, types.intp), emit


@intrinsic
def absent(typing: Any, places: Any, like: Any) -> Any:
    """One in lanes whose place is negative, else zero."""
    lanes = Lanes(like.dtype)

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        vector = _vector(lanes)
        wide = ir.VectorType(ir.IntType(64), vector.count)
        spots = builder.bitcast(_data(context, builder, places, given[0]), wide.as_pointer())
        none = builder.icmp_signed("<", builder.load(spots, align=8), ir.Constant(wide, None))
        return builder.select(none, _constant(vector, 1.0), _constant(vector, 0.0))

    return lanes(places, like), emit


@intrinsic
def put(typing: Any, array: Any, row: Any, value: Any) -> Any:
    """Write a row of an array whose rows are vectors."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = row_at(context, builder, array, given[0], given[1], _vector(value))
        builder.store(given[2], place, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), emit


@intrinsic
def more(typing: Any, added: Any, one: Any, other: Any) -> Any:
    """``added + one * other``, rounded once."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return _call(builder, "fma", given[0].type, given[1], given[2], given[0])

    return added(added, one, other), emit


@intrinsic
def less(typing: Any, added: Any, one: Any, other: Any) -> Any:
    """``added - one * other``, rounded once."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return _call(builder, "fma", given[0].type, builder.fneg(given[1]), given[2], given[0])

    return added(added, one, other), emit


@intrinsic
def reciprocal_root(typing: Any, value: Any) -> Any:
    """One over the square root; NaN of what is negative."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        vector = _vector(value)
        return builder.fdiv(_constant(vector, 1.0), _call(builder, "sqrt", vector, given[0]))

    return value(value), emit


def _wider(name: str, act: Any) -> Any:
    @intrinsic
    def update(typing: Any, doubles: Any, value: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            wide = ir.VectorType(ir.DoubleType(), value.number)
            place = builder.bitcast(_data(context, builder, doubles, given[0]), wide.as_pointer())
            exact = given[1] if given[1].type == wide else builder.fpext(given[1], wide)
            builder.store(act(builder, builder.load(place, align=8), exact), place, align=8)
            return context.get_dummy_value()

        return types.void(doubles, value), emit

    update.__doc__ = f"{name} a vector to one of float64, an array of so many numbers."
    return update


add_to = _wider("Add", lambda builder, old, value: builder.fadd(old, value))
multiply_into = _wider("Multiply", lambda builder, old, value: builder.fmul(old, value))


@intrinsic
def within(typing: Any, doubles: Any, value: Any, low: Any, high: Any) -> Any:
    """Whether all of as many numbers of float64 as a vector has lanes lie between two others."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        wide = ir.VectorType(ir.DoubleType(), value.number)
        place = builder.bitcast(_data(context, builder, doubles, given[0]), wide.as_pointer())
        found = builder.load(place, align=8)
        above = builder.fcmp_ordered(">", found, _splat(builder, given[2], wide))
        below = builder.fcmp_ordered("<", found, _splat(builder, given[3], wide))
        bits = ir.IntType(value.number)
        inside = builder.bitcast(builder.and_(above, below), bits)
        return builder.icmp_unsigned("==", inside, ir.Constant(bits, -1))

    return types.boolean(doubles, value, types.float64, types.float64), emit


def _turned(builder: Any, rows: list[Any]) -> list[Any]:
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
                one, other = rows[r], rows[r + half]
                turned[r] = builder.shuffle_vector(one, other, ir.Constant(kind, low))
                turned[r + half] = builder.shuffle_vector(one, other, ir.Constant(kind, high))
        rows, half = turned, half // 2
    return rows


def _few(builder: Any, left: Any, vector: Any) -> Any:
    """True in lanes before the ``left``-th."""
    lanes = ir.VectorType(ir.IntType(32), vector.count)
    numbers = ir.Constant(lanes, [ir.Constant(ir.IntType(32), k) for k in range(vector.count)])
    return builder.icmp_signed("<", numbers, _splat(builder, left, lanes))


def _blocks(builder: Any, count: int, size: Any, block: Any) -> None:
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


def _fetch(builder: Any, pointer: Any, write: int) -> None:
    """Ask for a line of memory that will soon be wanted; of what is not there nothing comes."""
    byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
    call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    flags = [ir.Constant(flag, value) for value in (write, 3, 1)]
    builder.call(call, [builder.bitcast(pointer, byte), *flags])


def _spot(builder: Any, spots: Any, lane: int, data: Any, first: Any, vector: Any, idle: Any) -> Any:
    """Where a lane's entries are from ``first`` on, or ``idle`` if it has none."""
    place = builder.load(builder.gep(spots, [ir.Constant(first.type, lane)]))
    there = builder.icmp_signed(">=", place, ir.Constant(place.type, 0))
    where = builder.gep(data, [builder.add(place, first)])
    return where, builder.bitcast(builder.select(there, where, idle), vector.as_pointer())


@intrinsic
def gather(typing: Any, source: Any, places: Any, size: Any, ahead: Any, target: Any) -> Any:
    """Read ``size`` numbers that begin at ``places[lane]`` of flat memory; zeros if that is negative.

    ``target`` has a row for each of them, and so many more that whole squares fit. What lies
    ``ahead`` is asked for: no processor foresees as many streams as there are lanes.
    """
    lanes = Lanes(source.dtype)

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        vector = _vector(lanes)
        data, spots = (
            _data(context, builder, k, v) for k, v in zip((source, places), given[:2], strict=True)
        )
        size, ahead = given[2:4]
        align = source.dtype.bitwidth // 8
        idle = cgutils.alloca_once_value(builder, _constant(vector, 0.0))
        nothing = builder.bitcast(idle, vector.element.as_pointer())

        def block(first: Any, few: Any) -> None:
            rows = []
            for lane in range(vector.count):
                where, there = _spot(builder, spots, lane, data, first, vector, nothing)
                _fetch(builder, builder.gep(where, [ahead]), 0)
                if few is None:
                    rows.append(builder.load(there, align=align))
                else:
                    aligned, blank = ir.Constant(ir.IntType(32), align), _constant(vector, 0.0)
                    mask = _few(builder, few, vector)
                    rows.append(_call(builder, "masked.load", vector, there, aligned, mask, blank))
            for k, row in enumerate(_turned(builder, rows)):
                at = builder.add(first, ir.Constant(size.type, k))
                builder.store(row, row_at(context, builder, target, given[4], at, vector), align=align)

        _blocks(builder, vector.count, size, block)
        return context.get_dummy_value()

    return types.void(source, places, types.intp, types.intp, target), emit


@intrinsic
def scatter(typing: Any, source: Any, size: Any, target: Any, places: Any, ahead: Any) -> Any:
    """Write the first ``size`` rows to flat memory that begins at ``places[lane]``, if not negative."""
    lanes = Lanes(source.dtype)

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        vector = _vector(lanes)
        size = given[1]
        data, spots = (
            _data(context, builder, target, given[2]),
            _data(context, builder, places, given[3]),
        )
        align = source.dtype.bitwidth // 8
        idle = builder.bitcast(cgutils.alloca_once(builder, vector), vector.element.as_pointer())
        name = f"llvm.masked.store.v{vector.count}f{source.dtype.bitwidth}.p0"

        def block(first: Any, few: Any) -> None:
            rows = []
            for k in range(vector.count):
                at = builder.add(first, ir.Constant(size.type, k))
                place = row_at(context, builder, source, given[0], at, vector)
                rows.append(builder.load(place, align=align))
            for lane, row in enumerate(_turned(builder, rows)):
                where, there = _spot(builder, spots, lane, data, first, vector, idle)
                _fetch(builder, builder.gep(where, [given[4]]), 1)
                if few is None:
                    builder.store(row, there, align=align)
                else:
                    aligned = ir.Constant(ir.IntType(32), align)
                    operands = [row, there, aligned, _few(builder, few, vector)]
                    kind = ir.FunctionType(ir.VoidType(), [one.type for one in operands])
                    builder.call(cgutils.get_or_insert_function(builder.module, kind, name), operands)

        _blocks(builder, vector.count, size, block)
        return context.get_dummy_value()

    return types.void(source, types.intp, target, places, types.intp), emit
