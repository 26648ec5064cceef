"""Crops that another program extracted, to ``crops.h5``.

Crops are copied unchanged, at their own scale. Scalars are measured again: the pixels of a crop are
put back into the image and projected through a pinhole camera, which the other program's lengths
are not. Such a file does not hold the confidence of its headings, so it is missing.
"""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ..provenance import Provenance
from ..records.crops import CropsWriter
from . import scalars
from .arena import geometry as arenas
from .arena.eras import Eras
from .arena.geometry import Arena
from .heading import evidence
from .lens import camera
from .settings import ExtractSettings, TrackingSettings
from .timing import ticks
from .timing.ticks import Ticks
from .tracking.shape import from_above
from .tracking.tracker import Mouse, Track, tail_kernel
from .video import ExtractedCrops

__all__ = ["write"]

WRITE_TICKS = 256


def write(
    source: ExtractedCrops,
    crops_path: Path,
    settings: ExtractSettings,
    *,
    recording: str,
    provenance: Provenance,
) -> None:
    """Write the crops of an extraction as ``crops.h5``.

    Raises
    ------
    NoFloor
        The file's background is empty inside its arena.
    """
    clock = ticks.from_timestamps(source.timestamps_s)
    lens = camera.from_settings(settings.camera, source.mask.shape, where=source.path)
    arena = arenas.within(source.mask, source.background_mm, lens, settings.arena, where=source.path)
    track = Track.empty(len(source))
    heading = np.full(len(source), np.nan)
    with CropsWriter(
        crops_path, recording=recording, pixel_mm=arena.mm_per_px, size=source.crop_shape
    ) as writer:
        for start in range(0, len(clock.frame), WRITE_TICKS):
            _append(writer, source, slice(start, start + WRITE_TICKS), clock, arena, settings.tracking,
                    track=track, heading_rad=heading)  # fmt: skip
        image_rad = _wrap(source.heading_rad)
        image_rad[~track.detected] = np.nan
        place = {
            name: scalars.spread_over_ticks(values, clock)
            for name, values in (
                ("x_px", track.x_px),
                ("y_px", track.y_px),
                ("heading_rad", image_rad),
            )
        }
        writer.finish(
            frame=clock.frame,
            time_s=clock.time_s,
            start_time=source.start_time,
            scalars=scalars.columns(track, heading, clock, Eras(arena)),
            tracking={
                **place,
                "heading_confidence": np.full(len(clock.frame), np.nan),
                "detected": np.isfinite(place["x_px"]),
            },
            arena=arena.arrays(),
            provenance=provenance,
        )


def _append(
    writer: CropsWriter,
    source: ExtractedCrops,
    part: slice,
    clock: Ticks,
    arena: Arena,
    settings: TrackingSettings,
    *,
    track: Track,
    heading_rad: npt.NDArray[np.float64],
) -> None:
    """Write the crops of some ticks; fill in ``track`` and ``heading_rad`` of their frames."""
    frames = clock.frame[part]
    heights = np.zeros((len(frames), *source.crop_shape), np.uint8)
    observed = np.zeros(heights.shape, bool)
    wanted = frames[frames >= 0]
    crops = source.read(int(wanted[0]), int(wanted[-1]) + 1) if len(wanted) else heights[:0]
    for i, crop in zip(wanted.tolist(), crops, strict=True):
        x_px, y_px, image_rad = source.x_px[i], source.y_px[i], source.heading_rad[i]
        mouse = _mouse(crop, x_px, y_px, image_rad, arena, settings)
        if mouse is not None:
            tick = clock.of_frame[i] - part.start
            heights[tick], observed[tick] = crop, True
            track.put(i, mouse)
            heading_rad[i] = _in_arena(image_rad, x_px, y_px, arena)
    writer.append(heights, observed)


def _mouse(
    crop: npt.NDArray[np.uint8],
    x_px: float,
    y_px: float,
    image_rad: float,
    arena: Arena,
    settings: TrackingSettings,
) -> Mouse | None:
    """Measure the mouse of one crop where it was in the image."""
    rows_px, columns_px = arena.mask.shape
    if not (0 <= x_px < columns_px and 0 <= y_px < rows_px and np.isfinite(image_rad)):
        return None
    smooth = cv2.medianBlur(crop, settings.median_px) if settings.median_px > 1 else crop
    stands = ((smooth > settings.min_height_mm) & (smooth <= settings.max_height_mm)).astype(np.uint8)
    solid = cv2.morphologyEx(
        stands, cv2.MORPH_OPEN, tail_kernel(settings.tail_width_mm, arena.mm_per_px)
    )
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    if count < 2:
        return None
    rows, columns = np.nonzero(labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    # Crops were cut around the truncated centroid and turned about their middle pixel.
    across, down = columns - crop.shape[1] // 2, rows - crop.shape[0] // 2
    cosine, sine = np.cos(image_rad), np.sin(image_rad)
    x = int(x_px) + cosine * across - sine * down
    y = int(y_px) + sine * across + cosine * down
    floor = arena.plane_mm[
        np.clip(np.rint(y).astype(int), 0, arena.mask.shape[0] - 1),
        np.clip(np.rint(x).astype(int), 0, arena.mask.shape[1] - 1),
    ].astype(np.float64)
    height = smooth[rows, columns].astype(np.float64)
    points = arena.place(arena.camera.points(x, y, floor - height))
    patch = (floor - height) ** 2 / (arena.camera.fx_px * arena.camera.fy_px)
    shape = from_above(points[:, 0].copy(), points[:, 1].copy(), height, patch, arena.lens_mm)
    return Mouse(float(x.mean()), float(y.mean()), shape, np.zeros(len(evidence.FEATURES)))


def _in_arena(image_rad: float, x_px: float, y_px: float, arena: Arena) -> float:
    """Return the direction on the floor of a direction in the image."""
    direction = np.array([np.cos(image_rad), np.sin(image_rad)])
    along = np.linalg.solve(arena.floor_scale(x_px, y_px), direction)
    return float(np.arctan2(along[1], along[0]))


def _wrap(angle: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.pi - (np.pi - angle) % (2 * np.pi)
