"""Products of small matrices of sixteen chains at once, by sums that are held in registers.

An operand is given by four arguments: the array, in which every entry of a matrix is a row; the row
of its first entry; and the steps to the entry below and to that beside. So transposes, parts of
matrices and vectors are operands like any other.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .sums import Sums, emit_sums, vector_at
from .vectors import REGISTERS, Lanes, _call, _constant, _data, _vector

__all__ = ["negative", "product", "subtract"]


def _products(sign: int, *, update: bool) -> Any:
    """Emit ``out[i, j] = ± Σ_k left[i, k] right[k, j]``, or add that to what is there.

    Rows are taken in pairs: two vectors of ``left`` and up to six of ``right`` make twelve products.
    """

    @intrinsic
    def products(
        typing: Any,
        rows: Any,
        depth: Any,
        columns: Any,
        out: Any,
        out_at: Any,
        out_below: Any,
        out_beside: Any,
        left: Any,
        left_at: Any,
        left_below: Any,
        left_beside: Any,
        right: Any,
        right_at: Any,
        right_below: Any,
        right_beside: Any,
    ) -> Any:
        lanes = Lanes(out.dtype)

        def emit(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            rows, depth, columns = given[:3]
            vector, number, align = _vector(lanes), rows.type, out.dtype.bitwidth // 8

            def whole(value: int) -> Any:
                return ir.Constant(number, value)

            def operand(kind: Any, array: Any, first: Any, below: Any, beside: Any) -> Any:
                steps = [builder.mul(step, whole(lanes.number)) for step in (first, below, beside)]
                begin = builder.gep(_data(context, builder, kind, array), [steps[0]])

                def place(b: Any, i: Any, j: Any) -> Any:
                    behind = b.add(b.mul(i, steps[1]), b.mul(j, steps[2]))
                    return vector_at(b, begin, behind, vector)

                return place

            kinds = (out, left, right)
            to, by, of = (operand(kind, *given[3 + 4 * k : 7 + 4 * k]) for k, kind in enumerate(kinds))

            def several(first: Any, count: int) -> None:
                """Emit ``count`` rows from ``first`` on."""

                def weight(b: Any, r: int, k: Any) -> Any:
                    value = b.load(by(b, b.add(first, whole(r)), k), align=align)
                    return value if sign > 0 else b.fneg(value)

                def start(b: Any, r: int, column: Any) -> Any:
                    there = to(b, b.add(first, whole(r)), column.at)
                    return b.load(there, align=align) if update else _constant(vector, 0.0)

                def finish(b: Any, r: int, column: Any, value: Any) -> None:
                    b.store(value, to(b, b.add(first, whole(r)), column.at), align=align)

                sums = Sums(
                    start=start,
                    weight=weight,
                    entry=lambda b, k, column: b.load(of(b, k, column.at), align=align),
                    step=lambda b, weight, entry, found: _call(b, "fma", vector, weight, entry, found),
                    finish=finish,
                )
                most = min(6, max(1, (REGISTERS - 1) // (count + 1)))
                emit_sums(builder, count, most, columns, depth, sums)

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
