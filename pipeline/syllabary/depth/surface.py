"""Pixels of a body as points of the arena: one sweep over them, compiled.

A pixel of depth z lies at z * map - offset of the arena frame, with one map per axis.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["Points", "View", "body", "on_floor"]

Array = npt.NDArray[np.float64]


class View(NamedTuple):
    """The empty arena as the camera sees it, for the pixels of its window.

    Attributes
    ----------
    reference_mm : (rows, columns) uint16
        Depth against which things stand out.
    floor_mm, slant : (rows, columns) float32
        Depth from which heights count, and height gained per depth lost.
    maps : (3, rows, columns) float64
    offset_mm : (3,) float64
    """

    reference_mm: npt.NDArray[np.uint16]
    floor_mm: npt.NDArray[np.float32]
    slant: npt.NDArray[np.float32]
    maps: Array
    offset_mm: Array


class Points(NamedTuple):
    """Points of a surface in the arena frame, mm, and the mean column and row of their pixels."""

    x_mm: Array
    y_mm: Array
    height_mm: Array
    depth_mm: Array
    column: float
    row: float


@numba.njit(cache=True)
def body(
    heights: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8], left: int, top: int, view: View
) -> Points:
    """Return the points of the pixels in a mask.

    Parameters
    ----------
    heights, mask : (h, w) uint8
        How far things stand out, mm, and which pixels are wanted.
    left, top : int
        Column and row of the window at which both begin.
    """
    count = 0
    for i in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            count += mask[i, j] != 0
    x, y, height, depth = np.empty(count), np.empty(count), np.empty(count), np.empty(count)
    k, columns, rows = 0, 0, 0
    for i in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            if mask[i, j] != 0:
                row, column = i + top, j + left
                z = float(view.reference_mm[row, column]) - heights[i, j]
                x[k] = z * view.maps[0, row, column] - view.offset_mm[0]
                y[k] = z * view.maps[1, row, column] - view.offset_mm[1]
                height[k] = (view.floor_mm[row, column] - z) * view.slant[row, column]
                depth[k] = z
                columns, rows, k = columns + column, rows + row, k + 1
    return Points(x, y, height, depth, columns / count, rows / count)


@numba.njit(cache=True)
def on_floor(
    labels: npt.NDArray[np.int32],
    own: int,
    solid: npt.NDArray[np.uint8],
    left: int,
    top: int,
    view: View,
) -> tuple[Array, Array]:
    """Return x and y of pixels with a label that aren't solid, placed on the floor, mm.

    Parameters
    ----------
    labels, solid : (h, w)
        They begin at column ``left`` and row ``top`` of the window.
    """
    x, y, k = np.empty(labels.size), np.empty(labels.size), 0
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            if labels[i, j] == own and solid[i, j] == 0:
                row, column = i + top, j + left
                z = view.floor_mm[row, column]
                x[k] = z * view.maps[0, row, column] - view.offset_mm[0]
                y[k] = z * view.maps[1, row, column] - view.offset_mm[1]
                k += 1
    return x[:k], y[:k]
