"""Sixteen chains side by side: one lane of a vector each, and their matrices turned to fit.

In memory a chain's matrices lie one behind the other. Here entry e of sixteen matrices is one
vector, row e of an array (entries, 16), so that a loop nest written for one matrix works on all of
them. ``gather`` and ``scatter`` change from one layout to the other, a square of entries at a time.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ._lanes import Lanes, _call, _constant, _data, _splat, _vector

__all__ = [
    "add_to",
    "at",
    "broadcast",
    "gather",
    "less",
    "more",
    "multiply_into",
    "over",
    "put",
    "root",
    "scatter",
]


def _row(context: Any, builder: Any, array: Any, value: Any, row: Any, vector: Any) -> Any:
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
        place = _row(context, builder, array, given[0], given[1], vector)
        return builder.load(place, align=array.dtype.bitwidth // 8)

    return lanes(array, types.intp), emit


@intrinsic
def put(typing: Any, array: Any, row: Any, value: Any) -> Any:
    """Write a row of an array whose rows are vectors."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = _row(context, builder, array, given[0], given[1], _vector(value))
        builder.store(given[2], place, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), emit


@intrinsic
def broadcast(typing: Any, array: Any, number: Any) -> Any:
    """One number in all lanes."""
    lanes = Lanes(array.dtype)

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return _splat(builder, given[1], _vector(lanes))

    return lanes(array, array.dtype), emit


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
def root(typing: Any, value: Any) -> Any:
    """Square root; NaN of what is negative."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return _call(builder, "sqrt", given[0].type, given[0])

    return value(value), emit


@intrinsic
def over(typing: Any, number: Any, value: Any) -> Any:
    """One number divided by every lane."""

    def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        vector = _vector(value)
        return builder.fdiv(_splat(builder, given[0], vector), given[1])

    return value(value.element, value), emit


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
    lanes = ir.VectorType(left.type, vector.count)
    numbers = ir.Constant(lanes, [ir.Constant(left.type, k) for k in range(vector.count)])
    return builder.icmp_signed("<", numbers, _splat(builder, left, lanes))


def _blocks(context: Any, builder: Any, vector: Any, size: Any, block: Any) -> None:
    """Emit ``block(first entry)`` for every square of entries."""
    whole = ir.Constant(size.type, vector.count)
    with cgutils.for_range_slice(builder, ir.Constant(size.type, 0), size, whole, intp=size.type) as (
        first,
        _,
    ):
        block(first)


def _fetch(builder: Any, pointer: Any, write: int) -> None:
    """Ask for a line of memory that will soon be wanted; of what is not there nothing comes."""
    byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
    call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    flags = [ir.Constant(flag, value) for value in (write, 3, 1)]
    builder.call(call, [builder.bitcast(pointer, byte), *flags])


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
        align = ir.Constant(ir.IntType(32), source.dtype.bitwidth // 8)
        zero = ir.Constant(size.type, 0)

        def block(first: Any) -> None:
            rows = []
            for lane in range(vector.count):
                place = builder.load(builder.gep(spots, [ir.Constant(size.type, lane)]))
                there = builder.icmp_signed(">=", place, zero)
                left = builder.select(there, builder.sub(size, first), zero)
                where = builder.gep(data, [builder.add(place, first)])
                _fetch(builder, builder.gep(where, [ahead]), 0)
                mask, blank = _few(builder, left, vector), _constant(vector, 0.0)
                rows.append(_call(builder, "masked.load", vector, where, align, mask, blank))
            for k, row in enumerate(_turned(builder, rows)):
                at = builder.add(first, ir.Constant(size.type, k))
                builder.store(
                    row,
                    _row(context, builder, target, given[4], at, vector),
                    align=source.dtype.bitwidth // 8,
                )

        _blocks(context, builder, vector, size, block)
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
        align = ir.Constant(ir.IntType(32), source.dtype.bitwidth // 8)
        zero = ir.Constant(size.type, 0)
        name = f"llvm.masked.store.v{vector.count}f{source.dtype.bitwidth}.p0"

        def block(first: Any) -> None:
            rows = []
            for k in range(vector.count):
                at = builder.add(first, ir.Constant(size.type, k))
                rows.append(
                    builder.load(
                        _row(context, builder, source, given[0], at, vector),
                        align=source.dtype.bitwidth // 8,
                    )
                )
            for lane, row in enumerate(_turned(builder, rows)):
                place = builder.load(builder.gep(spots, [ir.Constant(size.type, lane)]))
                there = builder.icmp_signed(">=", place, zero)
                left = builder.select(there, builder.sub(size, first), zero)
                where = builder.gep(data, [builder.add(place, first)])
                _fetch(builder, builder.gep(where, [given[4]]), 1)
                operands = [row, where, align, _few(builder, left, vector)]
                kind = ir.FunctionType(ir.VoidType(), [one.type for one in operands])
                builder.call(cgutils.get_or_insert_function(builder.module, kind, name), operands)

        _blocks(context, builder, vector, size, block)
        return context.get_dummy_value()

    return types.void(source, types.intp, target, places, types.intp), emit
