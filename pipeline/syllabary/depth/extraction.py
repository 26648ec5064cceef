"""A recording to ``crops.h5``: one pass over the frames, in constant memory.

The pass finds the mouse in every frame, keeps a few numbers of each, and puts the window around the
mouse into a scratch file. Then the head end is decided for the whole recording at once, and the
windows are turned upright. Blocks are only a way to read: their size changes nothing.
"""

import contextlib
import logging
from pathlib import Path

import numpy as np

from ..machine import one_thread
from ..progress import track as progress
from ..provenance import Provenance
from ..records.crops import CropsWriter
from . import bridging, legacy, preview, scalars, sources, ticks
from .arena import background
from .arena import geometry as arenas
from .arena.geometry import Arena
from .blocks import read_ahead
from .crops import Cutter, size_factor
from .heading import flips
from .heading.decode import Headings, decode
from .lens import camera
from .settings import ExtractSettings
from .ticks import Ticks
from .tracking.tracker import Track, Tracker
from .video import Video
from .windows import Windows

__all__ = ["extract", "locate"]

log = logging.getLogger(__name__)
# Ticks written at once: a multiple of the file's chunks, so that no chunk is written twice.
WRITE_TICKS = 256


def extract(
    source: Path | str,
    crops_path: Path | str,
    preview_path: Path | str | None,
    settings: ExtractSettings,
    *,
    recording: str,
    provenance: Provenance,
    flip_list: Path | None = None,
    block_frames: int = 16,
    scratch: Path | str | None = None,
) -> None:
    """Turn a raw recording, or a MoSeq2 extraction, into crops and a movie to look at.

    Parameters
    ----------
    source : path
        What a reader opens, or ``results_00.h5``; never written to.
    crops_path, preview_path : path
        ``crops.h5`` and ``preview.mp4``, each written whole or not at all; no movie for None.
    recording : str
        Name of the recording.
    flip_list : path, optional
        Frames in which a person saw head and tail exchanged; see ``heading.flips``.
    block_frames : int
        Frames read at once; changes memory, never the result.
    scratch : path, optional
        Folder to unpack into and for a file of windows; the system's own by default.

    Raises
    ------
    BadInput, NoFloor
        The recording is not whole; there is no floor in it.
    """
    with one_thread("opencv"):
        if sources.is_extracted(source):
            flips.refuse(flip_list, source)
            sources.require(source)
            legacy.convert(
                Path(source), Path(crops_path), settings, recording=recording, provenance=provenance
            )
            if preview_path is not None:
                preview.write(crops_path, preview_path, settings.preview)
            return
        with contextlib.ExitStack() as held:
            video = held.enter_context(sources.open_recording(source, settings.source, scratch=scratch))
            reverse = flips.read(flip_list, len(video))
            clock = ticks.from_timestamps(video.timestamps_s)
            empty = background.estimate(video, settings.background)
            lens = camera.from_settings(settings.camera, video.shape, video.intrinsics, where=source)
            arena = arenas.find(empty, lens, settings.arena, where=source)
            if settings.background.method == "plane":
                arena = arena.leveled()
            windows = held.enter_context(Windows(len(video), scratch))
            cutter = Cutter(arena, settings.tracking, settings.crop)
            track = locate(video, arena, settings, block_frames, recording, keep=(cutter, windows))
            headings = decode(
                track.axis_rad,
                track.elongation,
                np.stack([track.x_mm, track.y_mm], axis=-1),
                video.timestamps_s,
                track.features,
                settings.heading,
            )
            headings = flips.apply(headings, reverse)
            track, headings = bridging.bridge(
                track, headings, video.timestamps_s, settings.tracking.bridge_s
            )
            factor = size_factor(track.length_mm, settings.crop, where=source)
            with CropsWriter(
                crops_path,
                recording=recording,
                pixel_mm=settings.crop.pixel_mm * factor,
                size_factor=factor,
                size=(settings.crop.size_px, settings.crop.size_px),
            ) as writer:
                _write_crops(writer, windows, cutter, track, headings, clock, recording, factor)
                writer.finish(
                    frame=clock.frame,
                    time_s=clock.time_s,
                    start_time=video.start_time,
                    scalars=scalars.columns(track, headings.heading_rad, clock, arena),
                    tracking=_tracking(track, headings, clock, arena),
                    arena=arena.arrays(),
                    provenance=provenance,
                )
            if preview_path is not None:
                preview.write(crops_path, preview_path, settings.preview, video=video)


def locate(
    video: Video,
    arena: Arena,
    settings: ExtractSettings,
    block_frames: int,
    recording: str,
    *,
    keep: tuple[Cutter, Windows] | None = None,
) -> Track:
    """Find the mouse in every frame.

    Parameters
    ----------
    keep : (Cutter, Windows), optional
        What cuts the window around each mouse, and where it is put.
    """
    track = Track.empty(len(video))
    tracker = Tracker(arena, settings.tracking)
    after_s = np.diff(video.timestamps_s, prepend=video.timestamps_s[:1]).tolist()
    blocks = read_ahead(video, block_frames)
    for start, block in progress(
        blocks, f"track {recording}", total=len(video), unit="frames", step=block_frames
    ):
        for i, depth in enumerate(block, start):
            mouse = tracker.find(depth, after_s[i])
            if mouse is not None:
                track.put(i, mouse)
                if keep is not None:
                    cutter, windows = keep
                    windows.put(i, cutter.window(depth, mouse.x_px, mouse.y_px))
    missing = len(video) - int(track.detected.sum())
    if missing:
        log.info("%s: no mouse in %d of %d frames", recording, missing, len(video))
    return track


def _write_crops(
    writer: CropsWriter,
    windows: Windows,
    cutter: Cutter,
    track: Track,
    headings: Headings,
    clock: Ticks,
    recording: str,
    factor: float,
) -> None:
    """Turn the crops upright and write them, a row per tick; scaled to ``factor`` times less."""
    count, size = len(clock.frame), cutter.settings.size_px
    starts = range(0, count, WRITE_TICKS)
    matrices = cutter.matrices(track.x_px, track.y_px, headings.heading_rad, factor)
    for start in progress(starts, f"crop {recording}", total=count, unit="ticks", step=WRITE_TICKS):
        frames = clock.frame[start : start + WRITE_TICKS]
        heights = np.zeros((len(frames), size, size), np.uint8)
        observed = np.zeros(heights.shape, bool)
        for tick, frame in enumerate(frames.tolist()):
            window = windows.get(frame) if frame >= 0 else None
            if window is not None:
                heights[tick], observed[tick] = cutter.turn(window, matrices[frame])
        writer.append(heights, observed)


def _tracking(track: Track, headings: Headings, clock: Ticks, arena: Arena) -> dict[str, np.ndarray]:
    """Columns of ``tracking``: what is needed to draw the mouse into its frame."""
    heading = np.stack([np.cos(headings.heading_rad), np.sin(headings.heading_rad)], axis=-1)
    along = np.einsum("fij,fj->fi", arena.floor_scale(track.x_px, track.y_px), heading)
    image_rad = np.arctan2(along[:, 1], along[:, 0])
    values = {
        "x_px": track.x_px,
        "y_px": track.y_px,
        "heading_rad": image_rad,
        "heading_confidence": headings.confidence,
    }
    columns = {name: scalars.spread_over_ticks(value, clock) for name, value in values.items()}
    return {
        **columns,
        "detected": scalars.spread_over_ticks(track.detected.astype(np.float64), clock) == 1,
    }
