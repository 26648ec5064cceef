"""Lens distortion: the rational model of Brown and Conrady, as in OpenCV.

A ray that a pinhole shows at (x, y), at distance 1, r² = x² + y², appears at

    x g + 2 p1 x y + p2 (r² + 2 x²),  y g + p1 (r² + 2 y²) + 2 p2 x y,
    g = (1 + k1 r² + k2 r⁴ + k3 r⁶) / (1 + k4 r² + k5 r⁴ + k6 r⁶).

Coefficients are k1, k2, p1, p2, k3, k4, k5, k6.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["NONE", "bend", "jacobian", "straighten"]

Array = npt.NDArray[np.float64]
NONE = (0.0,) * 8
# Newton's method doubles the number of digits in each round; most rounds are for far corners.
ROUNDS = 30
# Tangent of the largest angle from the axis, 75 degrees; corners of an image can be dark.
FARTHEST = 3.7


def bend(x: Array, y: Array, coefficients: Sequence[float]) -> tuple[Array, Array]:
    """Return where rays (x, y) at distance 1 appear behind the lens."""
    k1, k2, p1, p2, k3, k4, k5, k6 = coefficients
    q = x * x + y * y
    g = (1 + q * (k1 + q * (k2 + q * k3))) / (1 + q * (k4 + q * (k5 + q * k6)))
    return (
        x * g + 2 * p1 * x * y + p2 * (q + 2 * x * x),
        y * g + p1 * (q + 2 * y * y) + 2 * p2 * x * y,
    )


def jacobian(x: Array, y: Array, coefficients: Sequence[float]) -> tuple[Array, Array, Array]:
    """Return the derivatives of ``bend``: x by x, x by y (the same as y by x), and y by y."""
    k1, k2, p1, p2, k3, k4, k5, k6 = coefficients
    q = x * x + y * y
    above, below = 1 + q * (k1 + q * (k2 + q * k3)), 1 + q * (k4 + q * (k5 + q * k6))
    g = above / below
    # By r².
    slope = (k1 + q * (2 * k2 + 3 * k3 * q) - g * (k4 + q * (2 * k5 + 3 * k6 * q))) / below
    return (
        g + 2 * x * x * slope + 2 * p1 * y + 6 * p2 * x,
        2 * x * y * slope + 2 * p1 * x + 2 * p2 * y,
        g + 2 * y * y * slope + 6 * p1 * y + 2 * p2 * x,
    )


def straighten(x: Array, y: Array, coefficients: Sequence[float]) -> tuple[Array, Array]:
    """Return the rays that appear at (x, y) behind the lens: ``bend`` undone.

    In corners that a wide lens leaves dark, no ray appears, and the result is that of the last round.
    """
    if not any(coefficients):
        return x, y
    a, b = x.copy(), y.copy()
    for _ in range(ROUNDS):
        u, v = bend(a, b, coefficients)
        xx, xy, yy = jacobian(a, b, coefficients)
        u, v = x - u, y - v
        det = xx * yy - xy * xy
        det = np.where(np.abs(det) < 1e-6, 1e-6, det)
        a, b = a + (yy * u - xy * v) / det, b + (xx * v - xy * u) / det
        shrink = np.minimum(1.0, FARTHEST / np.maximum(np.hypot(a, b), 1e-12))
        a, b = a * shrink, b * shrink
    return a, b
