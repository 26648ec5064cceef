"""A movie to look at: the mouse in its arena with its heading, beside its crop."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from .. import movies
from ..records.crops import Crops
from .settings import PreviewSettings
from .video import Video

__all__ = ["write"]

Image = npt.NDArray[np.uint8]
# Heights of a mouse, mm, over the range of grays.
BRIGHTEST_MM = 100.0
# Lower heights are noise of the sensor, which would only make the file larger.
NOISE_MM = 6.0
FLOOR_GRAY = 36
SURE, UNSURE = (90, 220, 120), (255, 120, 60)
UNSURE_BELOW = 0.9
MARGIN_PX = 8
MAX_ASPECT = 8


def write(
    crops_path: Path | str,
    preview_path: Path | str,
    settings: PreviewSettings,
    *,
    video: Video | None = None,
) -> None:
    """Write the movie from finished crops and, where there is one, the raw recording.

    The recording is thinned to ``fps`` at its own pace; where that would give more than
    ``max_frames`` it is shown faster. An uncertain heading is drawn in orange.
    """
    with Crops(crops_path) as crops:
        movies.write(preview_path, _pictures(crops, settings, video), settings.fps)


def _pictures(crops: Crops, settings: PreviewSettings, video: Video | None) -> Iterator[Image]:
    interval = float(np.median(np.diff(crops.time_s))) if len(crops) > 1 else 1.0
    stride = max(1, round(1 / (settings.fps * interval)), -(-len(crops) // settings.max_frames))
    for tick in range(0, len(crops), stride):
        parts = [_crop(crops, tick, settings.height_px)]
        if video is not None:
            parts.insert(0, _arena(crops, tick, settings.height_px, video))
        picture = np.ascontiguousarray(np.hstack(parts))
        label = f"{crops.time_s[tick]:.1f} s" + ("  dropped" if crops.frame[tick] < 0 else "")
        cv2.putText(
            picture, label, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA
        )
        yield picture


def _crop(crops: Crops, tick: int, height_px: int) -> Image:
    heights = crops.heights(tick, tick + 1)[0] * np.float32(crops.height_step_mm * 255 / BRIGHTEST_MM)
    gray = np.clip(heights, 0, 255).astype(np.uint8)
    gray = cv2.resize(gray, (height_px, height_px), interpolation=cv2.INTER_NEAREST)
    return cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB)


def _arena(crops: Crops, tick: int, height_px: int, video: Video) -> Image:
    mask, background = crops.arena["mask"], crops.arena["background_mm"].astype(np.float32)
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    top, bottom = max(0, rows[0] - MARGIN_PX), min(mask.shape[0], rows[-1] + MARGIN_PX)
    left, right = max(0, columns[0] - MARGIN_PX), min(mask.shape[1], columns[-1] + MARGIN_PX)
    window = (slice(top, bottom), slice(left, right))
    frame = int(crops.frame[tick])
    if frame < 0:
        gray = np.zeros((bottom - top, right - left), np.uint8)
    else:
        depth = video.read(frame, frame + 1)[0][window].astype(np.float32)
        stands = np.where(depth > 0, background[window] - depth, 0)
        stands[stands < NOISE_MM] = 0
        empty = FLOOR_GRAY * mask[window].astype(np.float32)
        gray = np.clip(empty + stands * (215 / BRIGHTEST_MM), 0, 255).astype(np.uint8)
    zoom = height_px / gray.shape[0]
    # Encoders refuse very long rows, so a very narrow arena is shown broader.
    width_px = min(max(2, round(gray.shape[1] * zoom)), MAX_ASPECT * height_px)
    gray = cv2.resize(gray, (width_px, height_px))
    picture = cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB)
    mouse = crops.tracking.iloc[tick]
    if mouse.detected:
        center = np.array([mouse.x_px - left, mouse.y_px - top]) * zoom
        tip = center + 24 * zoom * np.array([np.cos(mouse.heading_rad), np.sin(mouse.heading_rad)])
        color = UNSURE if mouse.heading_confidence < UNSURE_BELOW else SURE
        start, end = (tuple(int(v) for v in np.rint(p)) for p in (center, tip))
        cv2.arrowedLine(picture, start, end, color, 2, cv2.LINE_AA, tipLength=0.35)
    return picture
