"""Crops of a simulated session without raw video, aligned by the truth, for large studies.

The camera turns with the animal: a pinhole of ``pixel_mm`` on the floor whose frame is the
crop. It follows the tracked position, which can have errors (``settings.tracking``).
Pose, path, lost frames and sensor noise are those of ``acquisition.record`` with the same
arguments; background texture, mirror images and other errors of tracking are not there.
"""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from ..progress import track
from ..provenance import Provenance, generator
from ..records import tables
from ..records.crops import CropsWriter
from . import motion, rendering, sensor, truth
from .acquisition import START_TIME
from .settings import SimulateSettings
from .wander import fluctuation

__all__ = ["BLOCK_TICKS", "MIN_HEIGHT_MM", "PIXEL_MM", "SIDE", "arena", "clean", "render"]

F64 = npt.NDArray[np.float64]
SIDE = 80
PIXEL_MM = 1.85
# Lower heights are floor and become 0.
MIN_HEIGHT_MM = 10.0
BLOCK_TICKS = 512
# A bilinear warp at a random offset mixes neighbors: these are its mean weights.
WARP = np.array([1, 4, 1]) / 6


class Tracked(NamedTuple):
    """Position and heading of the animal as tracked."""

    where: F64  # (T, 3) mm, arena frame
    heading_rad: F64  # (T,) not wrapped


class Measured(NamedTuple):
    """Scalars of a block of crops, measured without noise."""

    length_mm: F64
    width_mm: F64
    height_mm: F64
    height_max_mm: F64
    area_mm2: F64


def render(
    crops_path: Path | str,
    truth_path: Path | str,
    settings: SimulateSettings,
    *,
    recording: str,
    subject: str,
    group: str,
    seed: int,
    provenance: Provenance,
) -> None:
    """Write ``crops.h5`` and ``truth.parquet`` of one session, each whole or not at all.

    Parameters are those of ``acquisition.record``. Crops are (80, 80) uint8, mm above the
    floor, 1.85 mm a pixel, nose along +x; a lost frame is a row of zeros, not observed.
    """
    performed = motion.perform(settings, recording=recording, subject=subject, group=group, seed=seed)
    rng = generator(seed, "sensor", subject, recording)
    stamps_ms, dropped = sensor.clock(settings.ticks, settings.camera, settings.drops, rng)
    footprint = motion.footprints(performed)
    tracked = _tracked(
        performed, truth.in_arena(performed, 0, footprint.center), settings, subject, recording, seed
    )
    keys = rng.integers(0, 2**63, (settings.ticks, 2), np.uint64)
    measured = []
    with CropsWriter(crops_path, recording=recording, pixel_mm=PIXEL_MM, size=(SIDE, SIDE)) as writer:
        starts = range(0, settings.ticks, BLOCK_TICKS)
        for start in track(starts, f"simulate {recording}", unit="frames", step=BLOCK_TICKS):
            stop = min(start + BLOCK_TICKS, settings.ticks)
            heights, observed, sizes = _block(
                performed, tracked, dropped, keys, settings, slice(start, stop)
            )
            writer.append(heights, observed)
            measured.append(sizes)
        table = truth.table(performed, footprint, stamps_ms, dropped)
        sizes = Measured(*(np.concatenate(column) for column in zip(*measured, strict=True)))
        scalars = _scalars(tracked, stamps_ms, sizes, settings)
        camera = rendering.camera_of(settings.camera, settings.arena)
        pixels = rendering.project(tracked.where, camera)
        tracking = {
            "x_px": pixels[:, 0],
            "y_px": pixels[:, 1],
            "heading_rad": scalars["heading_rad"].copy(),
            "heading_confidence": np.ones(settings.ticks),
            "detected": ~dropped,
        }
        for column in (*scalars.values(), *(v for k, v in tracking.items() if k != "detected")):
            column[dropped] = np.nan
        writer.finish(
            frame=table["frame"].to_numpy(),
            time_s=table["time_s"].to_numpy(),
            start_time=START_TIME,
            scalars=scalars,
            tracking=tracking,
            arena=arena(camera, settings),
            provenance=provenance,
        )
    tables.write(truth_path, table, provenance, tables.TRUTH)


def clean(performed: motion.Motion, settings: SimulateSettings) -> npt.NDArray[np.uint8]:
    """Return the crops (T, 80, 80), mm, of a session without lost frames and errors of tracking.

    Noise is that of the settings, the same in every frame.
    """
    ticks = len(performed.pose)
    where = truth.in_arena(performed, 0, motion.footprints(performed).center)
    tracked = Tracked(where, performed.heading_rad)
    dropped, keys = np.zeros(ticks, bool), np.zeros((ticks, 2), np.uint64)
    return _block(performed, tracked, dropped, keys, settings, slice(0, ticks))[0]


def _tracked(
    performed: motion.Motion,
    where: F64,
    settings: SimulateSettings,
    subject: str,
    recording: str,
    seed: int,
) -> Tracked:
    """Add errors of tracking: of a centroid and an axis found anew in every frame, and slow ones."""
    rng, sizes, ticks = generator(seed, "tracking", subject, recording), settings.tracking, len(where)
    tracked = where.copy()
    tracked[:, :2] += sizes.position_sd_mm * rng.standard_normal((ticks, 2))
    turned = np.radians(sizes.heading_sd_deg) * rng.standard_normal(ticks)
    interval_s = settings.camera.interval_ms / 1000

    def error(new: float, slow: float) -> F64:
        if not (new or slow):
            return np.zeros(ticks)
        return new * rng.standard_normal(ticks) + slow * fluctuation(
            ticks, sizes.memory_s, interval_s, rng
        )

    along = error(sizes.along_sd_mm, sizes.slow_along_sd_mm)
    across = error(sizes.across_sd_mm, sizes.slow_across_sd_mm)
    turned = turned + np.radians(error(0.0, sizes.slow_heading_sd_deg))
    cos, sin = np.cos(performed.heading_rad), np.sin(performed.heading_rad)
    tracked[:, 0] += cos * along - sin * across
    tracked[:, 1] += sin * along + cos * across
    return Tracked(tracked, performed.heading_rad + turned)


def _block(
    performed: motion.Motion,
    tracked: Tracked,
    dropped: npt.NDArray[np.bool_],
    keys: npt.NDArray[np.uint64],
    settings: SimulateSettings,
    part: slice,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], Measured]:
    """Render the crops of some ticks: heights, observed pixels, and their clean scalars."""
    noise, height = settings.noise, settings.camera.height_mm
    centers, shapes = motion.solids(performed, part)
    ticks = len(centers)
    heights = np.zeros((ticks, SIDE, SIDE), np.uint8)
    observed = np.zeros((ticks, SIDE, SIDE), np.bool_)
    sizes = np.full((ticks, len(Measured._fields)), np.nan)
    field, depth = np.empty((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
    floor = np.full((SIDE, SIDE), height, np.float32)
    frame = np.empty((SIDE, SIDE), np.uint16)
    middle = (SIDE - 1) / 2
    offset = np.array([settings.arena.center_x_mm, settings.arena.center_y_mm])
    for i in range(ticks):
        tick = part.start + i
        if dropped[tick]:
            continue
        heading, where = tracked.heading_rad[tick], tracked.where[tick]
        cos, sin = np.cos(heading), np.sin(heading)
        upright = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, -1.0]])
        aside = upright[:2, :2] @ (where[:2] + offset) / (height - where[2])
        focal = height / PIXEL_MM
        camera = rendering.Pinhole(
            SIDE, SIDE, focal, middle - focal * aside[0], middle - focal * aside[1], upright,
            np.array([*(upright[:2, :2] @ offset), height]),
        )  # fmt: skip
        solids = rendering.to_camera(
            centers[i],
            shapes[i],
            performed.x_mm[tick],
            performed.y_mm[tick],
            performed.heading_rad[tick],
            camera,
        )
        depth[:] = 0
        box = rendering.depth_of(*solids, camera, depth)
        sizes[i] = _measure(np.where(depth > 0, height - depth, 0))
        sensor.noise_field(keys[tick, 0], field)
        frame[:] = round(height)
        sensor.stamp_body(
            depth, box, floor, field, keys[tick, 1], np.float32(noise.temporal_sd_mm), noise.flying,
            noise.edge_dropout, frame,
        )  # fmt: skip
        lost = frame == 0
        above = np.where(lost, 0.0, height - frame.astype(np.float64))
        above[above < MIN_HEIGHT_MM] = 0
        heights[i] = np.clip(np.rint(cv2.sepFilter2D(above, -1, WARP, WARP)), 0, 255)
        observed[i] = ~lost
    return heights, observed, Measured(*sizes.T)


def _measure(clean: npt.NDArray[np.floating]) -> tuple[float, float, float, float, float]:
    """Length and width (axes of the ellipse of equal moments), mean and largest height, area."""
    rows, columns = np.nonzero(clean > MIN_HEIGHT_MM)
    heights = clean[rows, columns]
    spread = np.cov(np.stack([columns, rows])) * PIXEL_MM**2
    narrow, wide = np.linalg.eigvalsh(spread)
    return (
        4 * np.sqrt(wide),
        4 * np.sqrt(max(narrow, 0.0)),
        float(heights.mean()),
        float(heights.max()),
        len(rows) * PIXEL_MM**2,
    )


def _scalars(
    tracked: Tracked, stamps_ms: F64, sizes: Measured, settings: SimulateSettings
) -> dict[str, F64]:
    time_s, where = stamps_ms / 1000, tracked.where
    speed = np.hypot(np.gradient(where[:, 0], time_s), np.gradient(where[:, 1], time_s))
    center = np.hypot(where[:, 0], where[:, 1])
    return {
        "x_mm": where[:, 0].copy(),
        "y_mm": where[:, 1].copy(),
        "heading_rad": (tracked.heading_rad + np.pi) % (2 * np.pi) - np.pi,
        "speed_mm_s": speed,
        "turning_rad_s": np.gradient(tracked.heading_rad, time_s),
        "length_mm": sizes.length_mm,
        "width_mm": sizes.width_mm,
        "height_mm": sizes.height_mm,
        "height_max_mm": sizes.height_max_mm,
        "area_mm2": sizes.area_mm2,
        "center_distance_mm": center,
        "wall_distance_mm": settings.arena.radius_mm - center,
    }


def arena(camera: rendering.Pinhole, settings: SimulateSettings) -> dict[str, npt.NDArray[np.generic]]:
    """Return the arena of a session without raw video: a bare floor and its place."""
    row, column = np.mgrid[: camera.rows, : camera.columns]
    height = camera.origin[2]
    x = (column - camera.center_x_px) * height / camera.focal_px - camera.origin[0]
    y = (row - camera.center_y_px) * height / camera.focal_px - camera.origin[1]
    return {
        "background_mm": np.full(row.shape, height, np.float32),
        "mask": np.hypot(x, y) <= settings.arena.radius_mm,
        "floor_plane": np.array([0.0, 0.0, 1.0, height]),
        "intrinsics": np.array(
            [camera.focal_px, camera.focal_px, camera.center_x_px, camera.center_y_px]
        ),
    }
