"""The arena: its floor plane, what belongs to it, and its frame of reference."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import scipy.ndimage

from ...errors import NoFloor
from ..lens.camera import Camera
from ..settings import ArenaSettings
from . import floor, outline

__all__ = ["Arena", "find", "within"]


@dataclass(frozen=True)
class Arena:
    """The region in which the mouse can be, and the frame of its positions.

    Attributes
    ----------
    camera : Camera
    background_mm : (rows, columns) uint16
        Depth of the empty arena, 0 = unknown.
    mask : (rows, columns) bool
        The floor, holes filled.
    floor_plane : (4,) float64
        Unit normal away from the camera, and its distance from the lens, mm: n·X = d.
    tolerance_mm, margin_px : float, int
        How far the floor may leave its plane; how far beyond the floor the mouse is sought.
    moves : bool
        The camera or the floor moves, so that parts of the wall come into sight.
    """

    camera: Camera
    background_mm: npt.NDArray[np.uint16]
    mask: npt.NDArray[np.bool_]
    floor_plane: npt.NDArray[np.float64]
    tolerance_mm: float
    margin_px: int
    moves: bool = False

    @cached_property
    def rays(self) -> npt.NDArray[np.float64]:
        """Position at depth 1 of every pixel, (rows, columns, 3)."""
        return self.camera.rays(self.mask.shape)

    @cached_property
    def slant(self) -> npt.NDArray[np.float32]:
        """Height gained per depth lost at every pixel; 1 for a floor parallel to the image."""
        return (self.rays @ self.floor_plane[:3]).astype(np.float32)

    @cached_property
    def plane_mm(self) -> npt.NDArray[np.float32]:
        """Depth of the floor plane at every pixel."""
        return (self.floor_plane[3] / self.slant).astype(np.float32)

    @cached_property
    def floor_mm(self) -> npt.NDArray[np.float32]:
        """Depth from which heights count: the background near the plane, the plane elsewhere.

        A measured floor deviates from the plane by some millimeters, and walls by more. Heights in
        front of a wall therefore count from the plane.
        """
        low, high = self.plane_mm - self.tolerance_mm, self.plane_mm + self.tolerance_mm
        return np.where(self.background_mm > 0, np.clip(self.background_mm, low, high), self.plane_mm)

    @cached_property
    def search(self) -> npt.NDArray[np.bool_]:
        """Pixels in which the mouse is sought."""
        size = 2 * self.margin_px + 1
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        return cv2.dilate(self.mask.astype(np.uint8), disc).astype(bool)

    @cached_property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns that enclose ``search``."""
        rows, columns = (np.flatnonzero(self.search.any(axis=axis)) for axis in (1, 0))
        return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)

    @cached_property
    def reference_mm(self) -> npt.NDArray[np.uint16]:
        """Depth against which the mouse stands out; 0 where it is not sought.

        Floor that the sensor never measures is taken to be the plane.
        """
        plane = np.where(self.mask, np.rint(self.plane_mm), 0).astype(np.uint16)
        return np.where(self.search, np.where(self.background_mm > 0, self.background_mm, plane), 0)

    @cached_property
    def rotation(self) -> npt.NDArray[np.float64]:
        """Axes of the arena frame as rows, in the camera frame."""
        up = -self.floor_plane[:3]
        right = np.array([1.0, 0.0, 0.0]) - up[0] * up
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(right, up), up])

    @cached_property
    def origin_mm(self) -> npt.NDArray[np.float64]:
        """Center of the floor in the camera frame."""
        depth = self.plane_mm[self.mask].astype(np.float64)
        # A pixel covers an area that grows with its depth squared.
        return np.average(self.rays[self.mask] * depth[:, None], axis=0, weights=depth**2)

    def leveled(self) -> "Arena":
        """Return the same arena with an empty floor, on which the background is the plane."""
        plane = np.where(self.mask, np.rint(self.plane_mm), self.background_mm)
        return replace(self, background_mm=plane.astype(np.uint16))

    def moved(self, pose: npt.NDArray[np.float64]) -> "Arena":
        """Return the arena after the camera or the floor moved to a pose (3,), see ``stillness``.

        Walls may move with the floor or stay, so that they are expected where they are nearer.
        """
        depth = self.background_mm.astype(np.float64)
        measured = depth > 0
        inverse = 1 / np.where(measured, depth, np.inf) + self.rays @ pose
        background = np.where(measured, np.rint(1 / np.maximum(inverse, 1e-5)), 0)
        background = np.where(self.mask, background, np.minimum(background, depth)).astype(np.uint16)
        normal = self.floor_plane[:3] / self.floor_plane[3] + pose
        plane = np.append(normal, 1.0) / np.linalg.norm(normal)
        out = replace(self, background_mm=background, floor_plane=plane, moves=True)
        # The rays depend on the camera alone.
        out.__dict__["rays"] = self.rays
        return out

    @cached_property
    def corners_px(self) -> npt.NDArray[np.int64]:
        """Rows and columns of the corners of the box around the floor, (2, 4)."""
        inside = np.argwhere(self.mask)
        (top, left), (bottom, right) = inside.min(axis=0), inside.max(axis=0)
        return np.array([[top, top, bottom, bottom], [left, right, left, right]])

    def shift_mm(self, pose: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return by how much the floor's corners are farther at a pose (3,), (4,) mm."""
        rows, columns = self.corners_px
        depth = self.plane_mm[rows, columns].astype(np.float64)
        return 1 / (1 / depth + self.rays[rows, columns] @ pose) - depth

    def place(self, points: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Turn positions in the camera frame (..., 3) mm into the arena frame."""
        return (np.asarray(points, np.float64) - self.origin_mm) @ self.rotation.T

    def pixels(self, positions: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Return where positions (..., 3) mm in the arena frame appear, (..., 2) px."""
        return self.camera.pixels(np.asarray(positions, np.float64) @ self.rotation + self.origin_mm)

    def floor_scale(self, x_px: npt.ArrayLike, y_px: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the px by which pixels (...) move per mm on the floor there, (..., 2, 2).

        Columns are the arena's x and y; a level floor gives diag(fx, fy) / depth.
        """
        ray = self.camera.points(np.asarray(x_px), np.asarray(y_px), np.array(1.0))
        depth = self.floor_plane[3] / (ray @ self.floor_plane[:3])
        axes = self.rotation[:2].T
        across = axes[:2] - ray[..., :2, None] * axes[2]
        return self.camera.bending(x_px, y_px) @ across / depth[..., None, None]

    @cached_property
    def lens_mm(self) -> npt.NDArray[np.float64]:
        """Arena position of the lens, (3,); its height is the distance to the floor."""
        return -self.rotation @ self.origin_mm

    @cached_property
    def wall_px(self) -> npt.NDArray[np.float32]:
        """Distance of every floor pixel from the floor's edge, px; 0 outside."""
        # OpenCV's transform is not reproducible to the last bit with several threads.
        padded = np.pad(self.mask.astype(bool), 1)
        distance = scipy.ndimage.distance_transform_edt(padded)
        return np.asarray(distance[1:-1, 1:-1], np.float32)

    @property
    def mm_per_px(self) -> float:
        """Side of a pixel on the floor at the arena's center."""
        return float(self.origin_mm[2] / np.sqrt(self.camera.fx_px * self.camera.fy_px))

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the arrays that ``crops.h5`` holds of the arena."""
        return {
            "background_mm": self.background_mm,
            "mask": self.mask,
            "floor_plane": self.floor_plane,
            "intrinsics": np.array(self.camera[:4], np.float64),
            "distortion": np.array(self.camera.distortion, np.float64),
            "origin_mm": self.origin_mm,
        }


def find(
    background_mm: npt.NDArray[np.uint16], camera: Camera, settings: ArenaSettings, *, where: Path | str
) -> Arena:
    """Find the arena's floor in the background, or fit a plane to the outline in the settings.

    Parameters
    ----------
    background_mm : (rows, columns) uint16
        Depth of the empty arena, mm; 0 = unknown.
    where : path
        The recording, for the message.

    Raises
    ------
    NoFloor
        No plane in the allowed range of depth and tilt is large enough, or there are not as many
        floors as ``which`` wants.
    BadInput
        The outline is not of these images.
    """
    drawn = outline.mask(settings, background_mm.shape, where=where)
    if drawn is not None:
        return within(drawn, background_mm, camera, settings, where=where)
    part = floor.find(background_mm, camera.rays(background_mm.shape), settings, where=where)
    return _arena(background_mm, part.mask, camera, part.plane, settings)


def within(
    mask: npt.NDArray[np.bool_],
    background_mm: npt.NDArray[np.uint16],
    camera: Camera,
    settings: ArenaSettings,
    *,
    where: Path | str,
) -> Arena:
    """Return the arena of an outlined floor.

    Raises
    ------
    NoFloor
        The background is unknown inside the mask.
    """
    depth = background_mm.astype(np.float64)
    measured = mask & (depth > 0)
    if np.count_nonzero(measured) < floor.MIN_FRACTION * measured.size:
        raise NoFloor(
            f"{where}: the background is unknown inside the arena's outline; is it of this recording?"
        )
    start = np.array([0.0, 0.0, 1.0, np.median(depth[measured])])
    tolerance = settings.floor_tolerance_mm
    plane = floor.fit(start, camera.rays(mask.shape), depth, measured.astype(np.float64), tolerance)
    return _arena(background_mm, mask, camera, plane, settings)


def _arena(
    background_mm: npt.NDArray[np.uint16],
    mask: npt.NDArray[np.bool_],
    camera: Camera,
    plane: npt.NDArray[np.float64],
    settings: ArenaSettings,
) -> Arena:
    margin_px = round(settings.margin_mm * np.sqrt(camera.fx_px * camera.fy_px) / plane[3])
    return Arena(camera, background_mm, mask, plane, settings.floor_tolerance_mm, margin_px)
