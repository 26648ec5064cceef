"""Loops of sums that are held in registers, whatever is added up: the core of all products."""

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir

__all__ = ["Column", "Sums", "emit_sums", "low_half", "vector_at"]


class Column(NamedTuple):
    """A vector of every row."""

    at: Any
    """Vectors before it."""
    half: bool
    """Whether only its first half is there."""


class Sums(NamedTuple):
    """What to add up, for ``emit_sums``; every field emits code and takes the builder first."""

    start: Callable[..., Any]
    """(row, column) to the vector that a sum begins with."""
    weight: Callable[..., Any]
    """(row, j) to the vector that multiplies row j of the matrix."""
    entry: Callable[..., Any]
    """(j, column) to a vector of the matrix."""
    step: Callable[..., Any]
    """(weight, entry, sum) to the sum."""
    finish: Callable[..., Any]
    """(row, column, sum), stored."""


def emit_sums(
    builder: Any, rows: int, most: int, columns: Any, depth: Any, sums: Sums, halved: Any = None
) -> None:
    """Emit the sums over ``depth`` ≥ 1 of a few rows and any columns, of which the last may be halved.

    Columns are taken in groups of at most ``most`` whose sums are held in registers; the last two
    groups are about equal, for a small one waits for its own sums.
    """
    number = columns.type

    def whole(value: int) -> Any:
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
    fair = builder.select(builder.icmp_signed("<=", ahead, whole(2 * most)), half, whole(most))
    several = builder.select(builder.icmp_signed("<=", ahead, whole(most)), ahead, fair)
    kinds = [(count, False) for count in range(1, most + 1)]
    case = several
    if halved is not None:
        kinds += [(count, True) for count in range(1, most + 1)]
        ends = builder.and_(halved, builder.icmp_signed("==", several, ahead))
        case = builder.select(ends, builder.add(several, whole(most)), several)
    switch = builder.switch(case, tail)
    for kind, (count, short) in enumerate(kinds, 1):
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
        for one, value in zip(held, added, strict=True):
            one.add_incoming(value, loop)
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


def low_half(builder: Any, vector: Any) -> Any:
    """First half of a vector."""
    number = vector.type.count // 2
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), number), list(range(number)))
    return builder.shuffle_vector(vector, vector, lanes)


def vector_at(builder: Any, pointer: Any, offset: Any, vector: Any) -> Any:
    """Pointer to a vector some numbers behind another."""
    return builder.bitcast(builder.gep(pointer, [offset]), vector.as_pointer())
