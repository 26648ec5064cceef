"""One Gaussian with the mean and covariance of the mixture over the states.

Sums over states are kept eight side by side, as ``scoring`` has them, and added up at the end. Of
covariances the lower half is computed. L D rows of a frame are its latents and those before it.
"""

from ...compiled import Floats, kernel
from ..lds.columns import at, more, put
from ..simd.small_products import product, product_by_one, subtract
from ..simd.vectors import splat, total

__all__ = ["average", "condition", "spread_out"]


@kernel
def condition(
    g: int,
    size: int,
    frame: tuple[Floats, Floats, Floats],
    observed: tuple[bool, bool],
    moments: tuple[Floats, Floats, Floats, Floats, Floats],
    before: Floats,
    shares: tuple[Floats, Floats],
    gain: Floats,
    means: Floats,
    sums: Floats,
) -> None:
    """Add the share of a group's states in the covariance, and find their means: P − Sᵀ S and m + Sᵀ u.

    S = L⁻¹ Cᵀ times the covariance of x_t with all latents, which is ``inner`` beside ``moved``.

    Parameters
    ----------
    g, size : int
        Group, and D.
    frame : root, center, linear
        As for ``scoring.score``.
    observed : bool, bool
        Whether the frame is there, and whether it has a linear potential.
    moments : moved, inner, centers, factor, surprise
        As ``scoring`` left them.
    before : (L D,)
        Mean of the frame before.
    shares : (groups, lanes) each
        Shares of the states, and their roots.
    gain : (D L D, lanes)
        Workspace for S.
    means : (groups L D, lanes)
        Filled for this group.
    sums : (L D L D, lanes)
        Updated in the lower half.
    """
    root, _, linear = frame
    moved, inner, centers, factor, surprise = moments
    share, scale = at(shares[0], g), at(shares[1], g)
    width, square, first, line = len(before), g * size * size, g * len(before), g * size
    step = width + 1
    begin = line * step
    count = size if root.shape[1] == 1 else root.shape[1]
    if observed[0]:
        _gain(g, size, width, root, moved, inner, factor, gain)
        product(1, count, width, means, first, width, 1, surprise, line, size, 1, gain, 0, width, 1)
        for i in range(count * width):
            put(gain, i, at(gain, i) * scale)
        for a in range(0, width, 2):
            rows = min(2, width - a)
            subtract(
                rows, count, a + rows, sums, a * width, width, 1, gain, a, 1, width, gain, 0, width, 1
            )
    else:
        for b in range(width):
            put(means, first + b, share * 0.0)
    for i in range(size):
        put(means, first + i, at(means, first + i) + at(centers, line + i))
        for j in range(i + 1):
            put(
                sums,
                i * width + j,
                more(at(sums, i * width + j), share, at(inner, square + i * size + j)),
            )
    for b in range(size, width):
        put(means, first + b, at(means, first + b) + before[b - size])
        for i in range(size):
            entry = at(moved, begin + i * step + b - size)
            put(sums, b * width + i, more(at(sums, b * width + i), share, entry))
    if observed[1]:
        for i in range(size):
            for b in range(width):
                place = square + i * size + b
                entry = at(inner, place) if b < size else at(moved, begin + i * step + b - size)
                put(means, first + b, at(means, first + b) + entry * linear[i])


@kernel
def _gain(
    g: int,
    size: int,
    width: int,
    root: Floats,
    moved: Floats,
    inner: Floats,
    factor: Floats,
    gain: Floats,
) -> None:
    """S of a group, a row of L D entries for each column of C."""
    square, step, rank, kept = g * size * size, width + 1, root.shape[1], width - size
    begin, count = g * size * step, size if root.shape[1] == 1 else root.shape[1]
    if rank == 1:
        for i in range(size):
            for b in range(size):
                put(gain, i * width + b, at(inner, square + i * size + b) * root[i, 0])
            for b in range(kept):
                put(gain, i * width + size + b, at(moved, begin + i * step + b) * root[i, 0])
    else:
        product_by_one(size, size, rank, gain, 0, 1, width, inner, square, 1, size, root, 0, rank, 1)
        product_by_one(kept, size, rank, gain, size, 1, width, moved, begin, 1, step, root, 0, rank, 1)
    for i in range(count):
        row = square + i * size
        if i:
            subtract(1, i, width, gain, i * width, width, 1, factor, row, size, 1, gain, 0, width, 1)
        share = at(factor, row + i)
        for b in range(width):
            put(gain, i * width + b, at(gain, i * width + b) * share)


@kernel
def average(shares: Floats, means: Floats, mean: Floats) -> None:
    """Mean of the states' means."""
    groups, width = len(shares), len(mean)
    for b in range(width):
        value = splat(means, 0.0)
        for g in range(groups):
            value = more(value, at(shares, g), at(means, g * width + b))
        mean[b] = total(value)


@kernel
def spread_out(
    scale: Floats,
    wide: int,
    means: Floats,
    mean: Floats,
    apart: Floats,
    sums: Floats,
    covariance: Floats,
) -> None:
    """Add how means differ in their first ``wide`` entries; sum over states into the covariance.

    Parameters
    ----------
    scale : (groups, lanes)
        Roots of the states' shares.
    wide : int
    means, mean : (groups L D, lanes) and (L D,)
    apart : (2 L D, lanes)
        Workspace.
    sums : (L D L D, lanes)
    covariance : (L D, L D)
        Comes with what all states share.
    """
    width = len(mean)
    for g in range(len(scale)):
        for b in range(wide):
            value = (at(means, g * width + b) + -mean[b]) * at(scale, g)
            put(apart, b, value)
            put(apart, width + b, value * -1.0)
        for a in range(0, wide, 2):
            rows = min(2, wide - a)
            subtract(rows, 1, a + rows, sums, a * width, width, 1, apart, a, 1, 1, apart, width, 1, 1)
    for a in range(width):
        for b in range(a + 1):
            value = covariance[a, b] + total(at(sums, a * width + b))
            covariance[a, b] = value
            covariance[b, a] = value
