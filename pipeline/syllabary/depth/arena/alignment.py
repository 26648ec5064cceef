"""The arena of a recording in which the camera or the floor may move."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import NoFloor
from ..lens.camera import Camera
from ..settings import ArenaSettings, TrackingSettings
from . import background, geometry
from .geometry import Arena
from .stillness import FOLLOW_MM, Watch

__all__ = ["find"]

log = logging.getLogger(__name__)
# Share of the samples that show another pose where the floor moved, and share of the calmest chunk.
MOVED, CHUNK = 0.02, 0.2
# Distance of the pixels by which chunks are compared, px.
STEP_PX = 8

Samples = npt.NDArray[np.uint16]


def find(
    samples: Samples, lens: Camera, settings: ArenaSettings, tracking: TrackingSettings,
    *, where: Path | str,
) -> Arena:  # fmt: skip
    """Find the arena in frames spread over the recording, each brought back to where the floor was.

    Where the floor moved, the median of all frames is of no moment. The pose of each frame is then
    measured against the calmest chunk, and undone before the median is taken.

    Parameters
    ----------
    samples : (n, rows, columns) uint16
        Depth in the order of time, mm; 0 = unknown.
    where : path
        The recording, for the message.

    Raises
    ------
    NoFloor, BadInput
        As ``geometry.find``.
    """
    try:
        arena = geometry.find(background.of(samples), lens, settings, where=where)
        poses = _poses(samples, arena, tracking)
    except NoFloor:
        calm = _calmest(samples)
        if calm is samples:
            raise
        arena = geometry.find(background.of(calm), lens, settings, where=where)
        poses = _poses(samples, arena, tracking)
    if not _moved(poses, arena):
        return arena
    arena = geometry.find(background.of(_calmest(samples)), lens, settings, where=where)
    poses = _poses(samples, arena, tracking)
    still = np.stack(
        [_undone(s, p, arena) for s, p in zip(samples, poses, strict=True) if p is not None]
    )
    log.info("%s: the floor or the camera moves; it is followed", where)
    arena = geometry.find(background.of(still), lens, settings, where=where)
    return replace(arena, moves=True)


def _poses(
    samples: Samples, arena: Arena, tracking: TrackingSettings
) -> list[npt.NDArray[np.float64] | None]:
    watch = Watch(arena, tracking)
    return [watch.find(sample) for sample in samples]


def _moved(poses: list[npt.NDArray[np.float64] | None], arena: Arena) -> bool:
    measured = [pose for pose in poses if pose is not None]
    moved = sum(float(np.abs(arena.shift_mm(pose)).max()) > FOLLOW_MM for pose in measured)
    return moved > max(1, MOVED * len(measured))


def _calmest(samples: Samples) -> Samples:
    """Return the chunk of samples in which most of the image changes least."""
    length = max(background.MIN_SAMPLES, round(CHUNK * len(samples)))
    if length >= len(samples):
        return samples
    grid = samples[:, ::STEP_PX, ::STEP_PX].astype(np.float32)
    grid[grid == 0] = np.nan
    starts = range(0, len(samples) - length + 1, max(1, length // 4))
    spread = [_spread(grid[start : start + length]) for start in starts]
    best = starts[int(np.argmin(spread))]
    return samples[best : best + length]


def _spread(grid: npt.NDArray[np.float32]) -> float:
    measured = grid[:, np.isfinite(grid).all(axis=0)]
    return float(np.median(measured.std(axis=0))) if measured.size else np.inf


def _undone(sample: npt.NDArray[np.uint16], pose: npt.NDArray[np.float64], arena: Arena) -> Samples:
    """Return a frame as it would be without a pose."""
    depth = sample.astype(np.float64)
    measured = depth > 0
    inverse = 1 / np.where(measured, depth, np.inf) - arena.rays @ pose
    return np.where(measured, np.rint(1 / np.maximum(inverse, 1e-5)), 0).astype(np.uint16)
