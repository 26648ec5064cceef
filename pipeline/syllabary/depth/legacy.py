"""What MoSeq2 has already extracted: ``results_00.h5`` to ``crops.h5``.

Crops enter as they are, at their own scale. Scalars are measured again from the crops' pixels:
put back into the image (the file's centroids count from the corner of the arena's bounding box),
then through a pinhole camera, which the file's own millimeters are not. The file does not tell how
sure its headings are, so their confidence is missing.
"""

from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..provenance import Provenance
from ..records.crops import CropsWriter
from . import scalars, ticks
from .arena import geometry as arenas
from .arena.geometry import Arena
from .heading import evidence
from .lens import camera
from .readers import _hdf5
from .readers._recording import require_shape
from .settings import ExtractSettings, TrackingSettings
from .tracking.shape import measure, seen_from_above
from .tracking.tracker import Mouse, Track, tail_kernel

__all__ = ["PREFIX", "SCALARS", "SUFFIXES", "convert", "require"]

SUFFIXES = (".h5", ".hdf5")
# How MoSeq2 names its files, and what no other HDF5 file of frames has.
PREFIX = "results_"
SCALARS = "scalars/centroid_x_px"
COLUMNS = ("scalars/centroid_x_px", "scalars/centroid_y_px", "scalars/angle")
WHOLE = ("metadata/extraction/background", "metadata/extraction/roi")
TIMESTAMPS = ("timestamps", "metadata/timestamps")
WRITE_TICKS = 256


def require(path: Path) -> None:
    """Raise ``BadInput`` unless all needed datasets are there, of numbers and of equal length."""
    with _hdf5.whole(path), h5py.File(path, "r") as h5:
        axes = {"frames": 3, **dict.fromkeys(COLUMNS, 1), **dict.fromkeys(WHOLE, 2)}
        clock = next((name for name in TIMESTAMPS if name in h5), TIMESTAMPS[0])
        axes[clock] = 1
        missing = [name for name in axes if name not in h5]
        if missing:
            raise BadInput(
                f"{path}: not a MoSeq2 extraction with all its parts (lacks {', '.join(missing)}); give "
                "the raw session folder instead, or extract it again with a MoSeq2 of 2019 or later."
            )
        items = {name: h5[name] for name in axes}
        odd = [name for name, item in items.items() if not _hdf5.is_numeric(item, axes[name])]
        if odd:
            raise BadInput(
                f"{path}: {', '.join(odd)} are not what MoSeq2 writes there; extract it again."
            )
        lengths = {name: len(items[name]) for name in ("frames", clock, *COLUMNS)}
        if len(set(lengths.values())) > 1 or not lengths["frames"]:
            found = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise BadInput(
                f"{path}: datasets of one recording have different lengths ({found}); extract it again."
            )
        require_shape(items["frames"].shape[1:], f"{path}: frames")
        shapes = [items[name].shape for name in WHOLE]
        require_shape(shapes[0], f"{path}: {WHOLE[0]}")
        if shapes[0] != shapes[1]:
            raise BadInput(
                f"{path}: background and roi have different shapes, {shapes[0]} and {shapes[1]}; "
                "extract it again."
            )
        ticks.require(items[clock][()] / 1000.0, path, way_out="extract it again from the raw recording")


def convert(
    source: Path,
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
    require(source)
    with h5py.File(source, "r") as h5:

        def read(name: str, part: slice = slice(None)) -> npt.NDArray[Any]:
            with _hdf5.whole(source):
                return h5[name][part]

        clock = ticks.from_timestamps(read(next(n for n in TIMESTAMPS if n in h5)) / 1000.0)
        background = np.nan_to_num(np.rint(read("metadata/extraction/background")).clip(0, 65535))
        mask = read("metadata/extraction/roi") > 0
        lens = camera.from_settings(settings.camera, mask.shape, where=source)
        arena = arenas.within(mask, background.astype(np.uint16), lens, settings.arena, where=source)
        # The file's positions count from the first row and column of the arena.
        rows, columns = np.nonzero(mask)
        x_px = read("scalars/centroid_x_px").astype(np.float64) + columns.min()
        y_px = read("scalars/centroid_y_px").astype(np.float64) + rows.min()
        # The file's angles turn counterclockwise.
        image_rad = -read("scalars/angle").astype(np.float64)
        heading = np.full(len(x_px), np.nan)
        track = Track.empty(len(x_px))
        size = h5["frames"].shape[1:]
        with _hdf5.whole(source):
            start_time = _start_time(h5)
        with CropsWriter(crops_path, recording=recording, pixel_mm=arena.mm_per_px, size=size) as writer:
            for start in range(0, len(clock.frame), WRITE_TICKS):
                frames = clock.frame[start : start + WRITE_TICKS]
                heights = np.zeros((len(frames), *size), np.uint8)
                observed = np.zeros(heights.shape, bool)
                wanted = frames[frames >= 0]
                block: npt.NDArray[Any] = np.zeros((0, *size))
                if len(wanted):
                    block = read("frames", slice(wanted[0], wanted[-1] + 1))
                for i, crop in zip(wanted.tolist(), block, strict=True):
                    crop = np.nan_to_num(np.clip(crop, 0, 255)).astype(np.uint8)
                    mouse = _mouse(crop, x_px[i], y_px[i], image_rad[i], arena, settings.tracking)
                    if mouse is not None:
                        tick = clock.of_frame[i] - start
                        heights[tick], observed[tick] = crop, True
                        track.put(i, mouse)
                        heading[i] = _in_arena(image_rad[i], x_px[i], y_px[i], arena)
                writer.append(heights, observed)
            position = {"x_px": track.x_px, "y_px": track.y_px, "heading_rad": _wrap(image_rad)}
            position["heading_rad"][~track.detected] = np.nan
            tracking: dict[str, Any] = {
                name: scalars.spread_over_ticks(values, clock) for name, values in position.items()
            }
            writer.finish(
                frame=clock.frame,
                time_s=clock.time_s,
                start_time=start_time,
                scalars=scalars.columns(track, heading, clock, arena),
                tracking={
                    **tracking,
                    "heading_confidence": np.full(len(clock.frame), np.nan),
                    "detected": np.isfinite(tracking["x_px"]),
                },
                arena=arena.arrays(),
                provenance=provenance,
            )


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
    seen = measure(points[:, 0], points[:, 1], height, patch)
    shape = seen_from_above(seen, arena.lens_mm)
    return Mouse(float(x.mean()), float(y.mean()), shape, np.zeros(len(evidence.FEATURES)))


def _in_arena(image_rad: float, x_px: float, y_px: float, arena: Arena) -> float:
    """Turn a direction in the image into one on the floor."""
    direction = np.array([np.cos(image_rad), np.sin(image_rad)])
    along = np.linalg.solve(arena.floor_scale(x_px, y_px), direction)
    return float(np.arctan2(along[1], along[0]))


def _wrap(angle: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.pi - (np.pi - angle) % (2 * np.pi)


def _start_time(h5: h5py.File) -> str:
    for name in ("metadata/acquisition/StartTime", "metadata/extraction/StartTime"):
        if name in h5:
            value = h5[name][()]
            value = value.ravel()[0] if isinstance(value, np.ndarray) and value.size else value
            return value.decode() if isinstance(value, bytes) else str(value)
    return ""
