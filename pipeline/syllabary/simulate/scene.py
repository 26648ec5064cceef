"""The empty arena in the camera: floor, wall and room behind, with noise and dropout per pixel."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .rendering import Pinhole
from .settings import RoundArenaSettings, SimulateSettings

__all__ = ["Scene", "build"]

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
RIM_MM = 12.0
# Width of the halo of meaningless depths around the rim, from stray light.
HALO_MM = 75.0


class Scene(NamedTuple):
    """One value per pixel, (rows, columns)."""

    depth: F32  # mm, 0 where nothing is ever measured
    spread: F32  # mm, standard deviation in time
    dropout: npt.NDArray[np.uint16]  # probability of no measurement, in 1/65536
    floor: npt.NDArray[np.bool_]  # the arena's floor


class Regions(NamedTuple):
    """Which surface each pixel shows, and where its ray meets it; all (rows, columns)."""

    floor: npt.NDArray[np.bool_]
    wall: npt.NDArray[np.bool_]
    rim: npt.NDArray[np.bool_]
    outside: npt.NDArray[np.bool_]
    to_floor: F64  # mm, depth of the floor
    to_wall: F64  # mm, depth of the wall
    to_rim: F64  # mm, depth of the rim's height
    beyond: F64  # mm, distance from the rim, outward
    off_axis: F64  # tangent of the angle to the optical axis


def build(settings: SimulateSettings, camera: Pinhole, rng: np.random.Generator) -> Scene:
    """Measure the empty arena: geometry exact, texture and halo drawn from ``rng``."""
    import cv2

    noise = settings.noise
    regions = _regions(settings.arena, camera)
    floor, wall, rim, outside, to_floor, to_wall, to_rim, beyond, off_axis = regions
    depth = np.where(floor, to_floor, np.where(wall, to_wall, np.where(rim, to_rim, 0.0)))
    smooth = cv2.GaussianBlur(rng.standard_normal(depth.shape), (0, 0), 12.0)
    grain = cv2.GaussianBlur(rng.standard_normal(depth.shape), (0, 0), 1.0)
    texture = noise.texture_sd_mm * (0.8 * smooth / smooth.std() + 0.6 * grain / grain.std())
    cloud = cv2.GaussianBlur(rng.standard_normal(depth.shape), (0, 0), 18.0)
    cloud /= cloud.std()
    halo = outside & (beyond - RIM_MM < HALO_MM * (0.8 + 0.2 * cloud))
    depth = np.where(halo, to_rim + 20 + 0.4 * beyond + 12 * grain / grain.std(), depth)
    room = outside & ~halo & (cloud > 1.3)
    depth = np.where(room, settings.arena.room_depth_mm * (1 + 0.01 * smooth / smooth.std()), depth)
    depth = np.where(depth > 0, depth + texture, 0)

    # Noise grows with the distance from the axis, and where light meets a surface at a slant.
    spread = noise.temporal_sd_mm * (0.94 + 1.2 * off_axis**2)
    spread = np.where(wall, spread * 1.6, np.where(rim, spread * 2.0, spread))
    spread = np.where(outside, spread * np.where(halo, 5.0, 6.0), spread)
    chance = np.full(depth.shape, noise.dropout)
    edge = (floor | wall) & (cv2.dilate((~floor & ~wall).astype(np.uint8), np.ones((3, 3))) > 0)
    chance[wall] = 10 * noise.dropout
    chance[edge | rim] = 0.25
    chance[halo] = np.clip(0.35 + 0.006 * beyond[halo] + 0.1 * cloud[halo], 0.1, 0.97)
    chance[room] = 0.08
    return Scene(
        depth.astype(np.float32),
        spread.astype(np.float32),
        np.clip(np.rint(chance * 65536), 0, 65535).astype(np.uint16),
        floor,
    )


def _regions(arena: RoundArenaSettings, camera: Pinhole) -> Regions:
    """Intersect the ray of each pixel with floor, wall and rim."""
    row, column = np.mgrid[: camera.rows, : camera.columns].astype(np.float64)
    ray = np.stack(
        [
            (column - camera.center_x_px) / camera.focal_px,
            (row - camera.center_y_px) / camera.focal_px,
            np.ones_like(row),
        ],
        axis=-1,
    )
    # Rays in the arena frame: eye + s * way.
    eye, way = -camera.rotation.T @ camera.origin, ray @ camera.rotation
    to_floor = -eye[2] / way[..., 2]
    hit = eye + to_floor[..., None] * way
    floor = np.hypot(hit[..., 0], hit[..., 1]) <= arena.radius_mm

    # The wall is a cone of radius R + z tan(slant): a quadratic along each ray.
    lean = np.tan(np.deg2rad(arena.wall_slant_deg))
    radius0, radius1 = arena.radius_mm + lean * eye[2], lean * way[..., 2]
    a = way[..., 0] ** 2 + way[..., 1] ** 2 - radius1**2
    b = way[..., 0] * eye[0] + way[..., 1] * eye[1] - radius0 * radius1
    c = eye[0] ** 2 + eye[1] ** 2 - radius0**2
    a = np.where(np.abs(a) < 1e-9, 1e-9, a)
    root = np.sqrt(np.maximum(b * b - a * c, 0))
    near, far = np.sort(np.stack([(-b - root) / a, (-b + root) / a]), axis=0)
    heights = [eye[2] + s * way[..., 2] for s in (near, far)]
    on_wall = [
        (s > 0) & (z > 0) & (z <= arena.wall_height_mm)
        for s, z in zip((near, far), heights, strict=True)
    ]
    wall = ~floor & (on_wall[0] | on_wall[1])
    to_wall = np.where(on_wall[0], near, far)

    to_rim = (arena.wall_height_mm - eye[2]) / way[..., 2]
    over = eye + to_rim[..., None] * way
    beyond = np.hypot(over[..., 0], over[..., 1]) - arena.radius_mm - lean * arena.wall_height_mm
    rim = ~floor & ~wall & (beyond <= RIM_MM)
    outside = ~floor & ~wall & ~rim
    off_axis = np.hypot(ray[..., 0], ray[..., 1])
    return Regions(floor, wall, rim, outside, to_floor, to_wall, to_rim, beyond, off_axis)
