"""A recording to ``crops.h5``: two passes over the frames, in constant memory.

The first pass finds the mouse in every frame and keeps a few numbers of each. Then the head end
is decided for the whole recording at once. The second pass reads the frames again and cuts the
upright crops. Blocks are only a way to read: their size changes nothing.
"""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ..progress import track as progress
from ..provenance import Provenance
from ..records.crops import CropsWriter
from . import arena as arenas
from . import background, camera, legacy, preview, scalars, sources, ticks
from .arena import Arena
from .crops import Cutter
from .heading.decode import Headings, decode
from .settings import ExtractSettings
from .ticks import Ticks
from .tracking import Track, Tracker

__all__ = ["extract", "locate"]

log = logging.getLogger(__name__)
# Ticks written at once: a multiple of the file's chunks, so that no chunk is written twice.
WRITE_TICKS = 256


def extract(
    source: Path | str,
    crops_path: Path | str,
    preview_path: Path | str,
    settings: ExtractSettings,
    *,
    recording: str,
    provenance: Provenance,
    block_frames: int = 64,
    scratch: Path | str | None = None,
) -> None:
    """Turn a raw recording, or a MoSeq2 extraction, into crops and a movie to look at.

    Parameters
    ----------
    source : path
        What a reader opens, or ``results_00.h5``; never written to.
    crops_path, preview_path : path
        ``crops.h5`` and ``preview.mp4``, each written whole or not at all.
    recording : str
        Name of the recording.
    block_frames : int
        Frames read at once; changes memory, never the result.
    scratch : path, optional
        Folder to unpack into; the system's own by default.

    Raises
    ------
    BadInput, NoFloor
        The recording is not whole; there is no floor in it.
    """
    with _one_thread():
        if sources.is_extracted(source):
            sources.require(source)
            legacy.convert(
                Path(source), Path(crops_path), settings, recording=recording, provenance=provenance
            )
            preview.write(crops_path, preview_path, settings.preview)
            return
        with sources.open_recording(source, settings.source, scratch=scratch) as video:
            clock = ticks.from_timestamps(video.timestamps_s)
            empty = background.estimate(video, settings.background)
            lens = camera.from_settings(settings.camera, video.shape, video.intrinsics, where=source)
            arena = arenas.find(empty, lens, settings.arena, where=source)
            if settings.background.method == "plane":
                arena = arena.leveled()
            track = locate(video, arena, settings, block_frames, recording)
            headings = decode(
                track.axis_rad,
                track.elongation,
                np.stack([track.x_mm, track.y_mm], axis=-1),
                video.timestamps_s,
                track.features,
                settings.heading,
            )
            with CropsWriter(
                crops_path,
                recording=recording,
                pixel_mm=settings.crop.pixel_mm,
                size=(settings.crop.size_px, settings.crop.size_px),
            ) as writer:
                _write_crops(
                    writer, video, arena, track, headings, clock, settings, block_frames, recording
                )
                writer.finish(
                    frame=clock.frame,
                    time_s=clock.time_s,
                    start_time=video.start_time,
                    scalars=scalars.columns(track, headings.heading_rad, clock, arena),
                    tracking=_tracking(track, headings, clock, arena),
                    arena=arena.arrays(),
                    provenance=provenance,
                )
            preview.write(crops_path, preview_path, settings.preview, video=video)


def locate(
    video: sources.Video, arena: Arena, settings: ExtractSettings, block_frames: int, recording: str
) -> Track:
    """First pass: find the mouse in every frame."""
    track = Track.empty(len(video))
    tracker = Tracker(arena, settings.tracking)
    after_s = np.diff(video.timestamps_s, prepend=video.timestamps_s[:1])
    starts = range(0, len(video), block_frames)
    for start in progress(
        starts, f"track {recording}", total=len(video), unit="frames", step=block_frames
    ):
        block = video.read(start, start + block_frames)
        for i, depth in enumerate(block, start):
            mouse = tracker.find(depth, float(after_s[i]))
            if mouse is not None:
                track.put(i, mouse)
    missing = len(video) - int(track.found.sum())
    if missing:
        log.info("%s: no mouse in %d of %d frames", recording, missing, len(video))
    return track


def _write_crops(
    writer: CropsWriter,
    video: sources.Video,
    arena: Arena,
    track: Track,
    headings: Headings,
    clock: Ticks,
    settings: ExtractSettings,
    block_frames: int,
    recording: str,
) -> None:
    """Second pass: cut the crops and write them, a row per tick."""
    cutter = Cutter(arena, settings.tracking, settings.crop)
    count, size = len(clock.frame), settings.crop.size_px
    starts = range(0, count, WRITE_TICKS)
    for start in progress(starts, f"crop {recording}", total=count, unit="ticks", step=WRITE_TICKS):
        frames = clock.frame[start : start + WRITE_TICKS]
        heights = np.zeros((len(frames), size, size), np.uint8)
        observed = np.zeros(heights.shape, bool)
        wanted = frames[frames >= 0]
        for first in range(0, len(wanted), block_frames):
            some = wanted[first : first + block_frames].tolist()
            for i, depth in zip(some, video.read(some[0], some[-1] + 1), strict=True):
                if track.found[i]:
                    tick = clock.of_frame[i] - start
                    heights[tick], observed[tick] = cutter.cut(
                        depth, track.x_px[i], track.y_px[i], headings.heading_rad[i]
                    )
        writer.append(heights, observed)


def _tracking(track: Track, headings: Headings, clock: Ticks, arena: Arena) -> dict[str, np.ndarray]:
    """Columns of ``tracking``: what is needed to draw the mouse into its frame."""
    image_rad = np.full(len(track.x_px), np.nan)
    for i in np.flatnonzero(track.found):
        heading = headings.heading_rad[i]
        along = arena.floor_scale(track.x_px[i], track.y_px[i]) @ [np.cos(heading), np.sin(heading)]
        image_rad[i] = np.arctan2(along[1], along[0])
    values = {
        "x_px": track.x_px,
        "y_px": track.y_px,
        "heading_rad": image_rad,
        "heading_confidence": headings.confidence,
    }
    columns = {name: scalars.spread_over_ticks(value, clock) for name, value in values.items()}
    return {**columns, "found": np.isfinite(columns["x_px"])}


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """OpenCV's own threads gain nothing on small images and take cores from other recordings."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
