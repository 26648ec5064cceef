"""Pixels of a body as points of the arena, in compiled loops.

A pixel of depth z lies at z * map - offset of the arena frame, with one map per axis. Heights are
mm above the floor.
"""

import math
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from .shape import Shape, from_above, measure

__all__ = ["Body", "EmptyArena", "body", "thin_parts"]

Array = npt.NDArray[np.float64]


class EmptyArena(NamedTuple):
    """Maps of the empty arena, for the pixels of its window.

    Attributes
    ----------
    reference_mm : (rows, columns) uint16
        Depth from which the foreground is measured.
    floor_mm, slant : (rows, columns) float32
        Depth from which heights count, and height gained per depth lost.
    maps : (3, rows, columns) float64
    offset_mm : (3,) float64
    patch : float
        Area that a pixel covers, times depth squared.
    """

    reference_mm: npt.NDArray[np.uint16]
    floor_mm: npt.NDArray[np.float32]
    slant: npt.NDArray[np.float32]
    maps: Array
    offset_mm: Array
    patch: float


class Body(NamedTuple):
    """A body of n pixels.

    Attributes
    ----------
    visible, shape : Shape
        As the lens sees it, and as it is from straight above.
    along_mm, height_mm : (n,)
        Where its points lie along the visible axis, from the visible centroid, and how high.
    column, row : float
        Mean of its pixels in the window.
    """

    visible: Shape
    shape: Shape
    along_mm: Array
    height_mm: Array
    column: float
    row: float


@numba.njit(cache=True)
def body(
    heights: npt.NDArray[np.uint8],
    mask: npt.NDArray[np.uint8],
    left: int,
    top: int,
    view: EmptyArena,
) -> Body:
    """Measure the body whose pixels are in a mask.

    Parameters
    ----------
    heights, mask : (h, w) uint8
        Heights above the empty arena, mm, and the pixels of the body.
    left, top : int
        Column and row of the window at which both begin.
    """
    count = np.count_nonzero(mask)
    x, y, height, patch = np.empty(count), np.empty(count), np.empty(count), np.empty(count)
    k, columns, rows = 0, 0, 0
    for i in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            if mask[i, j] != 0:
                row, column = i + top, j + left
                z = float(view.reference_mm[row, column]) - heights[i, j]
                x[k] = z * view.maps[0, row, column] - view.offset_mm[0]
                y[k] = z * view.maps[1, row, column] - view.offset_mm[1]
                height[k] = (view.floor_mm[row, column] - z) * view.slant[row, column]
                patch[k] = z * z * view.patch
                columns, rows, k = columns + column, rows + row, k + 1
    visible = measure(x, y, height, patch)
    shape = from_above(x, y, height, patch, -view.offset_mm)
    return Body(visible, shape, _along(x, y, visible), height, columns / count, rows / count)


@numba.njit(cache=True)
def thin_parts(
    labels: npt.NDArray[np.int32],
    label: int,
    solid: npt.NDArray[np.uint8],
    left: int,
    top: int,
    shape: Shape,
    view: EmptyArena,
) -> Array:
    """Return where pixels with a label that aren't solid lie along a body's axis, mm.

    They are assumed to lie on the floor, as a tail does.

    Parameters
    ----------
    labels, solid : (h, w)
        They begin at column ``left`` and row ``top`` of the window.
    """
    x, y, k = np.empty(labels.size), np.empty(labels.size), 0
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            if labels[i, j] == label and solid[i, j] == 0:
                row, column = i + top, j + left
                z = view.floor_mm[row, column]
                x[k] = z * view.maps[0, row, column] - view.offset_mm[0]
                y[k] = z * view.maps[1, row, column] - view.offset_mm[1]
                k += 1
    return _along(x[:k], y[:k], shape)


@numba.njit(cache=True)
def _along(x_mm: Array, y_mm: Array, shape: Shape) -> Array:
    cosine, sine = math.cos(shape.axis_rad), math.sin(shape.axis_rad)
    return (x_mm - shape.x_mm) * cosine + (y_mm - shape.y_mm) * sine
