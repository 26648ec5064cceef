"""Loops of sums that are held in registers, whatever is added up: the core of all products."""

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir

__all__ = ["Sums", "emit_sums", "vector_at"]


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


def emit_sums(builder: Any, rows: int, most: int, columns: Any, depth: Any, sums: Sums) -> None:
    """Emit the sums over ``depth`` ≥ 1 of a few rows and any number of columns.

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
    switch = builder.switch(several, tail)
    for count in range(1, most + 1):
        block = builder.append_basic_block(f"columns{count}")
        switch.add_case(whole(count), block)
        builder.position_at_end(block)
        places = [builder.add(first, whole(c)) for c in range(count)]
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
            added += [sums.step(builder, weight, row[c], held[r * count + c]) for c in range(count)]
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


def vector_at(builder: Any, pointer: Any, offset: Any, vector: Any) -> Any:
    """Pointer to a vector some numbers behind another."""
    return builder.bitcast(builder.gep(pointer, [offset]), vector.as_pointer())
