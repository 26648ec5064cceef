"""Loops of sums that are held in registers, for any terms; all products use them."""

from collections.abc import Callable
from typing import NamedTuple

from llvmlite import ir

from .emitting import Builder, Value, VectorType

__all__ = ["Column", "Sums", "emit_sums", "low_half", "vector_at"]


class Column(NamedTuple):
    """A vector of every row."""

    at: Value
    """Vectors before it."""
    half: bool
    """Whether only its first half is there."""


class Sums(NamedTuple):
    """What to add up, for ``emit_sums``; every field emits code and takes the builder first."""

    start: Callable[..., Value]
    """(row, column) to the vector that a sum begins with."""
    weight: Callable[..., Value]
    """(row, j) to the vector that multiplies row j of the matrix."""
    entry: Callable[..., Value]
    """(j, column) to a vector of the matrix."""
    step: Callable[..., Value]
    """(weight, entry, sum) to the sum."""
    finish: Callable[..., Value]
    """(row, column, sum), stored."""


def emit_sums(
    builder: Builder,
    rows: int,
    max_columns: int,
    columns: Value,
    depth: Value,
    sums: Sums,
    halved: Value | None = None,
) -> None:
    """Emit the sums over ``depth`` ≥ 1 of a few rows and any columns, of which the last may be halved.

    Columns are taken in groups of at most ``max_columns`` whose sums are held in registers; the last two
    groups are about equal, for a small one waits for its own sums.
    """
    number = columns.type

    def whole(value: int) -> Value:
        return ir.Constant(number, value)

    entry = builder.block
    head, choose, tail, done = (
        builder.append_basic_block(name) for name in ("head", "choose", "tail", "done")
    )
    builder.branch(head)
    builder.position_at_end(head)
    first = builder.phi(number)
    first.add_incoming(whole(0), entry)
    builder.cbranch(builder.icmp_signed("<", first, columns), choose, done)
    builder.position_at_end(choose)
    ahead = builder.sub(columns, first)
    half = builder.lshr(builder.add(ahead, whole(1)), whole(1))
    fair = builder.select(
        builder.icmp_signed("<=", ahead, whole(2 * max_columns)), half, whole(max_columns)
    )
    several = builder.select(builder.icmp_signed("<=", ahead, whole(max_columns)), ahead, fair)
    cases = [(count, False) for count in range(1, max_columns + 1)]
    case = several
    if halved is not None:
        cases += [(count, True) for count in range(1, max_columns + 1)]
        ends = builder.and_(halved, builder.icmp_signed("==", several, ahead))
        case = builder.select(ends, builder.add(several, whole(max_columns)), several)
    switch = builder.switch(case, tail)
    for kind, (count, short) in enumerate(cases, 1):
        block = builder.append_basic_block(f"columns{count}")
        switch.add_case(whole(kind), block)
        builder.position_at_end(block)
        places = [Column(builder.add(first, whole(c)), short and c == count - 1) for c in range(count)]
        begun = [sums.start(builder, r, place) for r in range(rows) for place in places]
        loop = builder.append_basic_block(f"loop{count}")
        after = builder.append_basic_block(f"after{count}")
        before = builder.block
        builder.branch(loop)
        builder.position_at_end(loop)
        j = builder.phi(number)
        j.add_incoming(whole(0), before)
        held = []
        for value in begun:
            held.append(builder.phi(value.type))
            held[-1].add_incoming(value, before)
        row = [sums.entry(builder, j, place) for place in places]
        added = []
        for r in range(rows):
            weight = sums.weight(builder, r, j)
            for c, place in enumerate(places):
                factor = low_half(builder, weight) if place.half else weight
                added.append(sums.step(builder, factor, row[c], held[r * count + c]))
        following = builder.add(j, whole(1))
        j.add_incoming(following, loop)
        for phi, value in zip(held, added, strict=True):
            phi.add_incoming(value, loop)
        builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
        builder.position_at_end(after)
        for r in range(rows):
            for c, place in enumerate(places):
                sums.finish(builder, r, place, added[r * count + c])
        builder.branch(tail)
    builder.position_at_end(tail)
    first.add_incoming(builder.add(first, several), tail)
    builder.branch(head)
    builder.position_at_end(done)


def low_half(builder: Builder, vector: Value) -> Value:
    """First half of a vector."""
    number = vector.type.count // 2
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), number), list(range(number)))
    return builder.shuffle_vector(vector, vector, lanes)


def vector_at(builder: Builder, pointer: Value, offset: Value, vector: VectorType) -> Value:
    """Pointer to a vector some numbers after another."""
    return builder.bitcast(builder.gep(pointer, [offset]), vector.as_pointer())
