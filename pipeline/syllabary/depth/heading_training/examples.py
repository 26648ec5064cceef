"""Training examples for the heading network: features of bodies whose head end is certain."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ...records.crops import Crops
from .. import sources
from ..arena import background
from ..arena import geometry as arenas
from ..heading import evidence
from ..lens import camera
from ..settings import ExtractSettings, TrackingSettings
from ..tracking.first_pass import locate
from ..tracking.shape import measure
from ..tracking.tracker import tail_kernel

__all__ = ["of_crops", "of_recording"]

Array = npt.NDArray[np.float64]
# Smallest confidence of the heading of crops that become examples.
SURE = 0.99
BLOCK_FRAMES = 64


def of_recording(source: Path, settings: ExtractSettings, heading_rad: Array) -> Array:
    """Return the features of every frame with a mouse, (n, len(FEATURES)).

    Parameters
    ----------
    heading_rad : (F,)
        The true heading of every frame.
    """
    with sources.open_recording(source, settings.source) as video:
        empty = background.estimate(video, settings.background)
        lens = camera.from_settings(settings.camera, video.shape)
        arena = arenas.find(empty, lens, settings.arena, where=source)
        track, _ = locate(
            video, arena, settings.tracking, block_frames=BLOCK_FRAMES, recording=source.name
        )
    ahead = np.cos(track.axis_rad - heading_rad)
    # A body that lies across its heading is no example of either end.
    clear = track.detected & (np.abs(ahead) > np.cos(np.pi / 4))
    features = track.features[clear]
    return np.where(ahead[clear, None] > 0, features, features * evidence.SIGNS)


def of_crops(path: Path, settings: TrackingSettings) -> Array:
    """Return the features of every upright crop whose heading is sure, (n, len(FEATURES))."""
    rows = []
    with Crops(path) as crops:
        sure = crops.tracking["heading_confidence"].to_numpy() >= SURE
        kernel = tail_kernel(settings.tail_width_mm, crops.pixel_mm)
        for start, heights, _ in crops.blocks():
            for tick, crop in enumerate(heights, start):
                features = _of_crop(crop, crops.pixel_mm, kernel, settings) if sure[tick] else None
                if features is not None:
                    rows.append(features)
    return np.array(rows).reshape(-1, len(evidence.FEATURES))


def _of_crop(
    crop: npt.NDArray[np.uint8],
    pixel_mm: float,
    kernel: npt.NDArray[np.uint8],
    settings: TrackingSettings,
) -> Array | None:
    stands = (crop > settings.min_height_mm).astype(np.uint8)
    solid = cv2.morphologyEx(stands, cv2.MORPH_OPEN, kernel)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    if count < 2:
        return None
    rows, columns = np.nonzero(labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    height = crop[rows, columns].astype(np.float64)
    place = pixel_mm * np.stack([columns, rows]).astype(np.float64)
    shape = measure(place[0], place[1], height, np.full(len(height), pixel_mm**2))
    # The head of a crop is toward +x.
    cosine, sine = np.cos(shape.axis_rad), np.sin(shape.axis_rad)
    if cosine < np.cos(np.pi / 4):
        return None
    _, whole = cv2.connectedComponents(stands)
    thin = np.stack(np.nonzero((whole == whole[rows[0], columns[0]]) & (solid == 0)))[::-1]

    def along(points: Array) -> Array:
        return (points[0] - shape.x_mm) * cosine + (points[1] - shape.y_mm) * sine

    return evidence.shape(along(place), height, along(pixel_mm * thin.astype(np.float64)))
