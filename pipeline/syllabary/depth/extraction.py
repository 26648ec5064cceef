"""A recording to ``crops.h5``: one pass over the frames, in constant memory.

The pass finds the mouse in every frame, keeps a few numbers of each, and puts the window around the
mouse into a scratch file. Then the head end is decided for the whole recording at once, and the
windows are turned upright. The size of the blocks that are read changes nothing.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import NoFloor
from ..machine import one_thread
from ..progress import track as progress
from ..provenance import Provenance
from ..records.crops import CropsWriter
from . import bridging, preview, remeasuring, scalars, sources, ticks
from .arena import background, units
from .arena import geometry as arenas
from .arena.geometry import Arena
from .crops import Cutter, size_factor
from .heading import flips
from .heading.decode import Headings, decode
from .lens import camera
from .settings import ExtractSettings
from .ticks import Ticks
from .tracking.first_pass import Frame, locate
from .tracking.tracker import Mouse, Track
from .video import ExtractedCrops, Video
from .windows import Windows

__all__ = ["extract"]

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
    """Turn a raw recording, or crops that were extracted already, into crops and a movie to look at.

    Parameters
    ----------
    source : path
        What a reader opens; never written to.
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
    with (
        one_thread("opencv"),
        sources.open_source(source, settings.source, scratch=scratch) as opened,
    ):
        if isinstance(opened, ExtractedCrops):
            flips.refuse(flip_list, source)
            remeasuring.write(
                opened, Path(crops_path), settings, recording=recording, provenance=provenance
            )
            video = None
        else:
            video = opened
            reverse = flips.read(flip_list, len(video))
            with Windows(len(video), scratch) as windows:
                _extract(
                    video, windows, Path(crops_path), settings, where=source, recording=recording,
                    provenance=provenance, reverse=reverse, block_frames=block_frames,
                )  # fmt: skip
        if preview_path is not None:
            preview.write(crops_path, preview_path, settings.preview, video=video)


def _extract(
    video: Video,
    windows: Windows,
    crops_path: Path,
    settings: ExtractSettings,
    *,
    where: Path | str,
    recording: str,
    provenance: Provenance,
    reverse: npt.NDArray[np.bool_],
    block_frames: int,
) -> None:
    """Write the crops of a raw recording; ``windows`` holds what the second pass needs."""
    clock = ticks.from_timestamps(video.timestamps_s)
    empty = background.estimate(video, settings.background)
    lens = camera.from_settings(settings.camera, video.shape, video.intrinsics, where=where)
    try:
        arena = arenas.find(empty, lens, settings.arena, where=where)
    except NoFloor as error:
        raise units.explained(error, video, lens, settings.arena, where=where) from None
    if settings.background.method == "plane":
        arena = arena.leveled()
    cutter = Cutter(arena, settings.tracking, settings.crop)

    def keep(frame: int, depth_mm: Frame, filled_mm: Frame, mouse: Mouse) -> None:
        windows.put(frame, cutter.window(depth_mm, mouse.x_px, mouse.y_px, filled_mm=filled_mm))

    track = locate(
        video, arena, settings.tracking, block_frames=block_frames, recording=recording, keep=keep
    )
    headings = decode(
        track.axis_rad,
        track.elongation,
        np.stack([track.x_mm, track.y_mm], axis=-1),
        video.timestamps_s,
        track.features,
        settings.heading,
    )
    headings = flips.apply(headings, reverse)
    track, headings = bridging.bridge(track, headings, video.timestamps_s, settings.tracking.bridge_s)
    factor = size_factor(track.length_mm, settings.crop, where=where)
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
