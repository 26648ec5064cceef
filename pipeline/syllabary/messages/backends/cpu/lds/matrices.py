"""Small dense matrices of sixteen chains at once, in columns: entry (i, j) is row i D + j."""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from ...compiled import Floats, kernel
from ..simd.emitting import Arguments, Builder, Context, Emitted, NumbaType, Signature, Typing, Value
from ..simd.small_products import negative, product, subtract
from ..simd.vectors import Lanes, call, constant, vector_type
from .columns import at, less, more, put, reciprocal_root, row_at

__all__ = ["add_noise", "invert", "mirror", "multiply", "multiply_negative", "subtract_from_lower"]

# Rows of a block that is factored in registers.
BLOCK = 5


@kernel
def multiply(size: int, left: Floats, right: Floats, out: Floats) -> None:
    """Matrix product."""
    product(size, size, size, out, 0, size, 1, left, 0, size, 1, right, 0, size, 1)


@kernel
def multiply_negative(size: int, left: Floats, right: Floats, out: Floats) -> None:
    """Matrix product with its sign changed."""
    negative(size, size, size, out, 0, size, 1, left, 0, size, 1, right, 0, size, 1)


@kernel
def subtract_from_lower(
    size: int, out: Floats, left: Floats, below: int, beside: int, right: Floats, down: int, across: int
) -> None:
    """Take a product from the lower half of a matrix; some entries above are lost.

    Entry (i, k) of ``left`` is row ``i * below + k * beside``, and so on.
    """
    for i in range(0, size, 2):
        rows = min(2, size - i)
        subtract(
            rows, size, i + rows, out, i * size, size, 1,
            left, i * below, below, beside, right, 0, down, across,
        )  # fmt: skip


@kernel
def mirror(size: int, step: int, matrix: Floats) -> None:
    """Fill the upper half of symmetric matrices, of which a row is ``step`` entries."""
    for i in range(size):
        for j in range(i):
            put(matrix, j * step + i, at(matrix, i * step + j))


@kernel
def invert(
    size: int, matrix: Floats, factor: Floats, root: Floats, pivots: Floats, inverse: Floats
) -> None:
    """Inverse of symmetric matrices of which the lower halves are read and lost.

    By Cholesky's factor, P = C Cᵀ, a block of columns at a time. With R = C⁻¹ and N = RᵀR of the rows
    above, S⁻¹ of the block when that is taken out, and V = C_below R, the inverse grows to
    N + Vᵀ S⁻¹ V, −S⁻¹ V and S⁻¹: sums of positive terms.

    Parameters
    ----------
    factor : (D², lanes)
        Workspace for C below its diagonal blocks, and for V.
    root : (D², lanes)
        Workspace for R; above its diagonal blocks it comes with zeros and keeps them.
    pivots : (D, lanes)
        Receives squares of C's diagonal. Where a square is not positive, all later ones are NaN.
    """
    parts = (size + BLOCK - 1) // BLOCK
    width = (size + parts - 1) // parts
    for c in range(0, size, width):
        columns, start = min(width, size - c), c * (size + 1)
        invert_block(matrix, start, size, columns, inverse, root, pivots, c)
        below = c + columns
        if c:
            product(columns, c, c, factor, 0, c, 1, factor, c * size, size, 1, root, 0, size, 1)
            negative(
                columns, columns, c, inverse, c * size, size, 1,
                inverse, start, size, 1, factor, 0, c, 1,
            )  # fmt: skip
            for i in range(0, c, 2):
                rows = min(2, c - i)
                subtract(
                    rows, columns, i + rows, inverse, i * size, size, 1,
                    factor, i, 1, c, inverse, c * size, size, 1,
                )  # fmt: skip
            if below < size:
                negative(
                    columns, columns, c, root, c * size, size, 1,
                    root, start, size, 1, factor, 0, c, 1,
                )  # fmt: skip
        if below < size:
            product(
                size - below, columns, columns, factor, below * size + c, size, 1,
                matrix, below * size + c, size, 1, root, start, 1, size,
            )  # fmt: skip
            for i in range(below, size, 2):
                rows = min(2, size - i)
                subtract(
                    rows, columns, i + rows - below, matrix, i * size + below, size, 1,
                    factor, i * size + c, size, 1, factor, below * size + c, 1, size,
                )  # fmt: skip
    mirror(size, size, inverse)


@kernel
def add_noise(size: int, matrix: Floats, noise: Floats, column: Floats, out: Floats) -> None:
    """Add C ε, where C Cᵀ are symmetric matrices of which the lower halves are read and lost.

    NaN where they have no such factor. ``column`` is workspace for a column of C.
    """
    for j in range(size):
        share = reciprocal_root(at(matrix, j * size + j))
        drawn = at(noise, j)
        for i in range(j, size):
            entry = at(matrix, i * size + j) * share
            put(column, i, entry)
            put(out, i, more(at(out, i), entry, drawn))
            for k in range(j + 1, i + 1):
                place = i * size + k
                put(matrix, place, less(at(matrix, place), entry, at(column, k)))


@intrinsic
def invert_block(
    typing: Typing,
    matrix: NumbaType,
    start: NumbaType,
    step: NumbaType,
    count: NumbaType,
    inverse: NumbaType,
    root: NumbaType,
    pivots: NumbaType,
    first: NumbaType,
) -> Emitted:
    """Invert a block of no more than ``BLOCK`` rows in registers.

    It begins at row ``start`` of ``matrix``, and its lower half is read; the same rows of ``inverse``
    receive the inverse and those of ``root`` R = D^-½ L⁻¹ with the zeros above its diagonal. ``pivots``
    receives D from row ``first`` on. Entries below a pivot that is not positive become NaN.
    """
    lanes = Lanes(matrix.dtype)

    def emit(context: Context, builder: Builder, signature: Signature, arguments: Arguments) -> Value:
        values, start, step, count, number = (
            arguments[0],
            arguments[1],
            arguments[2],
            arguments[3],
            arguments[1].type,
        )
        vector, align = vector_type(lanes), matrix.dtype.bitwidth // 8
        unity, none, nan = (constant(vector, value) for value in (1.0, 0.0, float("nan")))

        def place(kind: NumbaType, array: Value, first: Value, place_at: Value) -> Value:
            return row_at(context, builder, kind, array, builder.add(first, place_at), vector)

        def entry(i: int, j: int) -> Value:
            return builder.add(builder.mul(step, ir.Constant(number, i)), ir.Constant(number, j))

        def more(value: Value, left: Value, right: Value) -> Value:
            return call(builder, "fma", vector, left, right, value)

        done = builder.append_basic_block("inverted")
        switch = builder.switch(count, done)
        for size in range(1, BLOCK + 1):
            block = builder.append_basic_block(f"block{size}")
            switch.add_case(ir.Constant(number, size), block)
            builder.position_at_end(block)
            # L D Lᵀ: of ``left`` column j is L D when j is done; ``lower`` is −L.
            left = {
                (i, j): builder.load(place(matrix, values, start, entry(i, j)), align=align)
                for i in range(size)
                for j in range(i + 1)
            }
            lower, shares = {}, []
            unit: dict[tuple[int, int], Value] = {}
            for j in range(size):
                pivot = left[j, j]
                good = builder.fcmp_ordered(">", pivot, none)
                shares.append(builder.select(good, builder.fdiv(unity, pivot), nan))
                where = place(pivots, arguments[6], arguments[7], ir.Constant(number, j))
                builder.store(pivot, where, align=align)
                for i in range(j + 1, size):
                    lower[i, j] = builder.fneg(builder.fmul(left[i, j], shares[j]))
                    for k in range(j + 1, i + 1):
                        left[i, k] = more(left[i, k], lower[i, j], left[k, j])
            # R(i, j) = D(i)^-½ L⁻¹(i, j)
            roots = {(i, i): call(builder, "sqrt", vector, shares[i]) for i in range(size)}
            for i in range(size):
                for j in reversed(range(i)):
                    total = lower[i, j]
                    for k in range(j + 1, i):
                        total = more(total, lower[i, k], unit[k, j])
                    unit[i, j] = total
                    roots[i, j] = builder.fmul(roots[i, i], total)
            for i in range(size):
                for j in range(size):
                    value = roots.get((i, j), none)
                    builder.store(value, place(root, arguments[5], start, entry(i, j)), align=align)
                for j in range(i + 1):
                    total = builder.fmul(roots[i, i], roots[i, j])
                    for k in range(i + 1, size):
                        total = more(total, roots[k, i], roots[k, j])
                    for place_at in [entry(i, j)] + [entry(j, i)] * (j < i):
                        builder.store(total, place(inverse, arguments[4], start, place_at), align=align)
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    index = types.intp
    return types.void(matrix, index, index, index, inverse, root, pivots, index), emit
