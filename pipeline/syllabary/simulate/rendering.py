"""Solids seen by a pinhole camera: depth along the optical axis.

Camera frame: X right, Y down, Z forward, mm. The ray of pixel (row, column) is
``d = ((column - cx) / f, (row - cy) / f, 1)``, so that a point ``s d`` has depth s. A ray meets
an ellipsoid of center c and shape S where ``(s d - c)ᵀ S⁻¹ (s d - c) = 1``; the outline's
bounding box comes from the dual conic ``c cᵀ - S``. Where solids overlap their depths are
blended, ``-b log Σ exp(-s / b)``, so that a body has no creases.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from .settings import PinholeSettings, RoundArenaSettings

__all__ = ["Pinhole", "camera_of", "depth_of", "project", "to_camera"]

F64 = npt.NDArray[np.float64]
F32 = npt.NDArray[np.float32]
BLEND_MM = 2.5


class Pinhole(NamedTuple):
    """A pinhole, and where the arena is in its frame."""

    rows: int
    columns: int
    focal_px: float
    center_x_px: float
    center_y_px: float
    rotation: F64  # (3, 3) arena axes to camera axes
    origin: F64  # (3,) arena's center in the camera frame, mm


def camera_of(camera: PinholeSettings, arena: RoundArenaSettings) -> Pinhole:
    """Place the camera above the arena: looking down, the floor slightly tilted."""
    about_y, about_x = np.deg2rad(camera.tilt_x_deg), np.deg2rad(-camera.tilt_y_deg)
    tilt_x = np.array(
        [[1, 0, 0], [0, np.cos(about_x), -np.sin(about_x)], [0, np.sin(about_x), np.cos(about_x)]]
    )
    tilt_y = np.array(
        [[np.cos(about_y), 0, np.sin(about_y)], [0, 1, 0], [-np.sin(about_y), 0, np.cos(about_y)]]
    )
    return Pinhole(
        camera.rows,
        camera.columns,
        camera.focal_px,
        camera.center_x_px,
        camera.center_y_px,
        tilt_x @ tilt_y @ np.diag([1.0, 1.0, -1.0]),
        np.array([arena.center_x_mm, arena.center_y_mm, camera.height_mm]),
    )


def to_camera(
    centers: F64, shapes: F64, x_mm: float, y_mm: float, heading_rad: float, camera: Pinhole
) -> tuple[F64, F64]:
    """Move one body (S, 3) and (S, 3, 3) from its own frame to the camera's."""
    cos, sin = np.cos(heading_rad), np.sin(heading_rad)
    turn = camera.rotation @ np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    place = camera.origin + camera.rotation @ np.array([x_mm, y_mm, 0.0])
    return centers @ turn.T + place, turn @ shapes @ turn.T


def project(points: F64, camera: Pinhole) -> F64:
    """Pixel (column, row) of points (..., 3) in the arena frame."""
    in_camera = points @ camera.rotation.T + camera.origin
    center = np.array([camera.center_x_px, camera.center_y_px])
    return center + camera.focal_px * in_camera[..., :2] / in_camera[..., 2:]


def depth_of(
    centers: F64, shapes: F64, camera: Pinhole, depth: F32, *, blend_mm: float = BLEND_MM
) -> tuple[int, int, int, int]:
    """Draw solids into an image of depths.

    Parameters
    ----------
    centers, shapes : (S, 3) and (S, 3, 3) float64
        In the camera frame, mm; in front of the camera.
    depth : (rows, columns) float32
        Inside the returned box it is overwritten: mm, 0 where no solid is. Outside it is
        left alone.
    blend_mm : float
        How far overlapping solids melt into each other, mm.

    Returns
    -------
    (row, end row, column, end column) of the box that holds every solid; empty if none is
    in view.
    """
    inverse = np.linalg.inv(shapes)
    return _draw(
        np.ascontiguousarray(centers), np.ascontiguousarray(shapes), inverse,
        camera.focal_px, camera.center_x_px, camera.center_y_px, blend_mm, depth,
    )  # fmt: skip


@numba.njit(cache=True)
def _span(
    center: F64, shape: F64, axis: int, focal: float, middle: float, limit: int
) -> tuple[int, int]:
    """First and end pixel of a solid's outline along one image axis (0 columns, 1 rows)."""
    a = center[axis] * center[axis] - shape[axis, axis]
    b = center[axis] * center[2] - shape[axis, 2]
    c = center[2] * center[2] - shape[2, 2]
    root = np.sqrt(max(b * b - a * c, 0.0))
    low = int(np.ceil(middle + focal * (b - root) / c))
    high = int(np.floor(middle + focal * (b + root) / c)) + 1
    return max(low, 0), min(high, limit)


@numba.njit(cache=True)
def _draw(
    centers: F64,
    shapes: F64,
    inverse: F64,
    focal: float,
    middle_x: float,
    middle_y: float,
    blend: float,
    depth: F32,
) -> tuple[int, int, int, int]:
    rows, columns = depth.shape
    count = len(centers)
    spans = np.empty((count, 4), np.int64)
    for i in range(count):
        spans[i, 0], spans[i, 1] = _span(centers[i], shapes[i], 1, focal, middle_y, rows)
        spans[i, 2], spans[i, 3] = _span(centers[i], shapes[i], 0, focal, middle_x, columns)
    top, end, left, stop = rows, 0, columns, 0
    for i in range(count):
        if spans[i, 0] < spans[i, 1] and spans[i, 2] < spans[i, 3]:
            top, end = min(top, spans[i, 0]), max(end, spans[i, 1])
            left, stop = min(left, spans[i, 2]), max(stop, spans[i, 3])
    if top >= end:
        return 0, 0, 0, 0
    depth[top:end, left:stop] = 0.0
    reference = centers[0, 2]
    for i in range(count):
        x, y, z = centers[i]
        q = inverse[i]
        qx = q[0, 0] * x + q[0, 1] * y + q[0, 2] * z
        qy = q[1, 0] * x + q[1, 1] * y + q[1, 2] * z
        qz = q[2, 0] * x + q[2, 1] * y + q[2, 2] * z
        rest = qx * x + qy * y + qz * z - 1.0
        for r in range(spans[i, 0], spans[i, 1]):
            v = (r - middle_y) / focal
            for k in range(spans[i, 2], spans[i, 3]):
                u = (k - middle_x) / focal
                dd = u * (q[0, 0] * u + 2.0 * (q[0, 1] * v + q[0, 2]))
                dd += v * (q[1, 1] * v + 2.0 * q[1, 2]) + q[2, 2]
                dc = qx * u + qy * v + qz
                inside = dc * dc - dd * rest
                if inside >= 0.0:
                    s = (dc - np.sqrt(inside)) / dd
                    depth[r, k] += np.exp((reference - s) / blend)
    for r in range(top, end):
        for k in range(left, stop):
            if depth[r, k] > 0.0:
                depth[r, k] = reference - blend * np.log(depth[r, k])
    return top, end, left, stop
