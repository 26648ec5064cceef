"""Products of small matrices of sixteen chains at once, by sums that are held in registers.

``product_by_one`` multiplies the matrices of all chains by one matrix of numbers, not of vectors.

An operand is given by four arguments: the array, in which every entry of a matrix is a row; the row
of its first entry; and the steps to the entry below and to that beside. So transposes, parts of
matrices and vectors are operands like any other.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

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
)
from .sums import Column, Sums, emit_sums, vector_at
from .vectors import REGISTERS, Lanes, call, constant, data_of, spread_value, vector_type

__all__ = ["negative", "product", "product_by_one", "subtract"]


def _products(sign: int, *, update: bool, by_one: bool = False) -> Intrinsic:
    """Emit ``out[i, j] = ± Σ_k left[i, k] right[k, j]``, or add that to ``out``.

    Rows are taken in pairs: two vectors of ``left`` and up to six of ``right`` make twelve products.
    """

    @intrinsic
    def products(
        typing: Typing,
        rows: NumbaType,
        depth: NumbaType,
        columns: NumbaType,
        out: NumbaType,
        out_at: NumbaType,
        out_below: NumbaType,
        out_beside: NumbaType,
        left: NumbaType,
        left_at: NumbaType,
        left_below: NumbaType,
        left_beside: NumbaType,
        right: NumbaType,
        right_at: NumbaType,
        right_below: NumbaType,
        right_beside: NumbaType,
    ) -> Emitted:
        lanes = Lanes(out.dtype)

        def emit(
            context: Context, builder: Builder, signature: Signature, arguments: Arguments
        ) -> Value:
            rows, depth, columns = arguments[:3]
            vector, number, align = vector_type(lanes), rows.type, out.dtype.bitwidth // 8

            def whole(value: int) -> Value:
                return ir.Constant(number, value)

            def operand(
                kind: NumbaType, wide: int, array: Value, first: Value, below: Value, beside: Value
            ) -> Value:
                steps = [builder.mul(step, whole(wide)) for step in (first, below, beside)]
                begin = builder.gep(data_of(context, builder, kind, array), [steps[0]])

                def place(b: Builder, i: Value, j: Value) -> Value:
                    offset = b.add(b.mul(i, steps[1]), b.mul(j, steps[2]))
                    return b.gep(begin, [offset]) if wide == 1 else vector_at(b, begin, offset, vector)

                return place

            types_of = (out, left, right)
            widths = (lanes.number, lanes.number, 1 if by_one else lanes.number)
            to, by, of = (
                operand(kind, wide, *arguments[3 + 4 * k : 7 + 4 * k])
                for k, (kind, wide) in enumerate(zip(types_of, widths, strict=True))
            )

            def entry(b: Builder, k: Value, column: Column) -> Value:
                value = b.load(of(b, k, column.at), align=align)
                return spread_value(b, value, vector) if by_one else value

            def several(first: Value, count: int) -> None:
                """Emit ``count`` rows from ``first`` on."""

                def weight(b: Builder, r: int, k: Value) -> Value:
                    value = b.load(by(b, b.add(first, whole(r)), k), align=align)
                    return value if sign > 0 else b.fneg(value)

                def start(b: Builder, r: int, column: Value) -> Value:
                    there = to(b, b.add(first, whole(r)), column.at)
                    return b.load(there, align=align) if update else constant(vector, 0.0)

                def finish(b: Builder, r: int, column: Value, value: Value) -> None:
                    b.store(value, to(b, b.add(first, whole(r)), column.at), align=align)

                sums = Sums(
                    start=start,
                    weight=weight,
                    entry=entry,
                    step=lambda b, weight, entry, total: call(b, "fma", vector, weight, entry, total),
                    finish=finish,
                )
                max_columns = min(6, max(1, (REGISTERS - 1) // (count + 1)))
                emit_sums(builder, count, max_columns, columns, depth, sums)

            paired = builder.and_(rows, whole(-2))
            with cgutils.for_range_slice(builder, whole(0), paired, whole(2), intp=number) as (i, _):
                several(i, 2)
            with builder.if_then(builder.icmp_signed("<", paired, rows)):
                several(paired, 1)
            return context.get_dummy_value()

        operands = [out, left, right]
        arguments = [types.intp] * 3
        for kind in operands:
            arguments += [kind, *[types.intp] * 3]
        return types.void(*arguments), emit

    return products


product, negative, subtract = (
    _products(sign, update=update) for sign, update in ((1, False), (-1, False), (-1, True))
)
product_by_one = _products(1, update=False, by_one=True)
