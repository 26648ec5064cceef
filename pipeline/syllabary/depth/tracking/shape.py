"""Position, axis and size of a body, from the points of its surface.

Moments are weighted by the area that each pixel covers, so that neither perspective nor unequal focal
lengths distort the mouse.
"""

import math
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["Shape", "from_above", "is_full", "measure"]

# Height of a body's outline, relative to its mean height.
OUTLINE = 0.5
# Smallest area of a body relative to the ellipse of its moments, and largest length relative to width.
FULL, SLENDER = 0.5, 6.0


Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class Shape(NamedTuple):
    """Position, axis and size in the arena frame.

    Attributes
    ----------
    x_mm, y_mm : float
        Centroid of the patches.
    axis_rad : float
        Long axis, in (-pi/2, pi/2]; it does not tell head from tail.
    elongation : float
        (l1 - l2) / (l1 + l2) of the variances along and across; 0 = round, 1 = a line.
    length_mm, width_mm : float
        Axes of the ellipse of equal second moments, 4 standard deviations.
    area_mm2 : float
    height_mm, height_max_mm : float
    """

    x_mm: float
    y_mm: float
    axis_rad: float
    elongation: float
    length_mm: float
    width_mm: float
    area_mm2: float
    height_mm: float
    height_max_mm: float


@numba.njit(cache=True)
def measure(
    x_mm: npt.NDArray[np.float64],
    y_mm: npt.NDArray[np.float64],
    height_mm: npt.NDArray[np.floating],
    patch_mm2: npt.NDArray[np.float64],
) -> Shape:
    """Measure a body of n >= 1 points; all arguments are (n,)."""
    area, x, y, height, highest = 0.0, 0.0, 0.0, 0.0, -np.inf
    for i in range(len(x_mm)):
        area += patch_mm2[i]
        x += patch_mm2[i] * x_mm[i]
        y += patch_mm2[i] * y_mm[i]
        height += patch_mm2[i] * height_mm[i]
        highest = max(highest, height_mm[i])
    x, y = x / area, y / area
    xx, xy, yy = 0.0, 0.0, 0.0
    for i in range(len(x_mm)):
        dx, dy, weight = x_mm[i] - x, y_mm[i] - y, patch_mm2[i] / area
        xx, xy, yy = xx + weight * dx * dx, xy + weight * dx * dy, yy + weight * dy * dy
    return _shape(x, y, xx, xy, yy, area, height / area, highest)


@numba.njit(cache=True)
def from_above(
    x_mm: npt.NDArray[np.float64],
    y_mm: npt.NDArray[np.float64],
    height_mm: npt.NDArray[np.floating],
    patch_mm2: npt.NDArray[np.float64],
    lens_mm: npt.NDArray[np.float64],
) -> Shape:
    """Measure a body as if every part of it were seen from straight above.

    A lens sees more of the near side of a body than of the far one, and less of its steep edges than
    of its top. The patches of a surface of height h are enlarged by 1 + (r / Z) dh/dr, r away from the
    lens's foot and Z its distance. Integrated by parts over a body with its outline at the height e,
    this changes the integral of a function f of place by -1/Z times that of (h - e) (2 f + r df/dr),
    which is undone here for place and axes; area and heights are the visible ones. A body that lies on
    the floor is widest at about half its height, so that this is where the outline is; lower parts are
    hidden.

    Parameters
    ----------
    x_mm, y_mm, height_mm, patch_mm2 : (n,)
        The n >= 1 points that are seen, and the area that each covers.
    lens_mm : (3,)
        Position of the lens in the arena frame.
    """
    visible = measure(x_mm, y_mm, height_mm, patch_mm2)
    outline = OUTLINE * visible.height_mm
    area, x, y = 0.0, 0.0, 0.0
    for i in range(len(x_mm)):
        patch, rise = patch_mm2[i], (height_mm[i] - outline) / lens_mm[2]
        dx, dy = x_mm[i] - visible.x_mm, y_mm[i] - visible.y_mm
        area += patch * (1 + 2 * rise)
        x += patch * (dx + rise * (2 * dx + x_mm[i] - lens_mm[0]))
        y += patch * (dy + rise * (2 * dy + y_mm[i] - lens_mm[1]))
    x, y = visible.x_mm + x / area, visible.y_mm + y / area
    xx, xy, yy = 0.0, 0.0, 0.0
    for i in range(len(x_mm)):
        patch, rise = patch_mm2[i] / area, (height_mm[i] - outline) / lens_mm[2]
        dx, dy, rx, ry = x_mm[i] - x, y_mm[i] - y, x_mm[i] - lens_mm[0], y_mm[i] - lens_mm[1]
        xx += patch * (dx * dx + 2 * rise * dx * (dx + rx))
        xy += patch * (dx * dy + rise * (2 * dx * dy + dx * ry + dy * rx))
        yy += patch * (dy * dy + 2 * rise * dy * (dy + ry))
    return _shape(x, y, xx, xy, yy, visible.area_mm2, visible.height_mm, visible.height_max_mm)


@numba.njit(cache=True)
def _shape(
    x: float, y: float, xx: float, xy: float, yy: float, area: float, height: float, highest: float
) -> Shape:
    """Turn a place, second moments about it, area and heights into a shape."""
    spread, total = math.hypot(2 * xy, xx - yy), xx + yy
    return Shape(
        x,
        y,
        0.5 * math.atan2(2 * xy, xx - yy),
        spread / total if total > 0 else 0.0,
        4 * math.sqrt(max(0.0, (total + spread) / 2)),
        4 * math.sqrt(max(0.0, (total - spread) / 2)),
        area,
        height,
        highest,
    )


def is_full(area: Values, length: Values, width: Values) -> Flags:
    """Return whether bodies are as full as an animal; a crescent of wall is not.

    Parameters
    ----------
    area, length, width : (...)
        Area, and axes of the ellipse of equal second moments, of one unit.
    """
    return (area >= FULL * math.pi / 4 * length * width) & (length <= SLENDER * width)
