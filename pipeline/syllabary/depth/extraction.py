"""A recording to ``crops.h5``: one pass over the frames, in constant memory.

The pass finds the mouse in every frame, keeps a few numbers of each, and puts the window around the
mouse into a scratch file. Then the head end is decided for the whole recording at once, and the
windows are turned upright. The size of the blocks that are read changes nothing.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import NoFloor
from ..machine import one_thread
from ..progress import track as progress
from ..provenance import Provenance
from ..records.crops import CropsWriter, Missing
from . import bridging, preview, remeasuring, scalars, sources
from .arena import alignment, background, units
from .arena.eras import Eras
from .arena.geometry import Arena
from .crops import Crop, Cutter, size_factor
from .heading import flips
from .heading.decode import Headings, decode
from .lens import camera
from .lens.camera import Camera
from .settings import ExtractSettings
from .timing import ticks
from .timing.ticks import Ticks
from .tracking.first_pass import Frame, Heights, locate
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
    lens = camera.from_settings(settings.camera, video.shape, video.intrinsics, where=where)
    arena = _arena(video, lens, settings, where)
    cutter = Cutter(arena, settings.tracking, settings.crop)

    def keep(frame: int, depth_mm: Frame, heights: Heights, mouse: Mouse, arena: Arena) -> None:
        nonlocal cutter
        if arena is not cutter.arena:
            cutter = Cutter(arena, settings.tracking, settings.crop)
        at = (arena.window[0].start, arena.window[1].start)
        windows.put(frame, cutter.window(depth_mm, heights, at, mouse.x_px, mouse.y_px))

    track, eras = locate(
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
        crops = _upright(windows, eras, track, headings, settings, factor)
        _write_crops(writer, crops, clock, recording)
        writer.finish(
            frame=clock.frame,
            time_s=clock.time_s,
            start_time=video.start_time,
            scalars=scalars.columns(track, headings.heading_rad, clock, eras),
            tracking=_tracking(track, headings, clock, eras),
            arena={**arena.arrays(), **eras.arrays()},
            provenance=provenance,
            missing=_missing(track, clock),
        )


def _arena(video: Video, lens: Camera, settings: ExtractSettings, where: Path | str) -> Arena:
    """Return the empty arena at the place where it is for most of the recording."""
    samples = background.sample(video, settings.background)
    try:
        arena = alignment.find(samples, lens, settings.arena, settings.tracking, where=where)
    except NoFloor as error:
        raise units.explained(error, video, lens, settings.arena, where=where) from None
    return arena.leveled() if settings.background.method == "plane" else arena


def _upright(
    windows: Windows,
    eras: Eras,
    track: Track,
    headings: Headings,
    settings: ExtractSettings,
    factor: float,
) -> Iterator[tuple[int, Crop]]:
    """Yield every frame that shows the mouse and its crop, scaled to ``factor`` times less."""
    for era in eras:
        cutter = Cutter(era.arena, settings.tracking, settings.crop)
        place = track.x_px[era.frames], track.y_px[era.frames], headings.heading_rad[era.frames]
        matrices = cutter.matrices(*place, factor)
        for frame, matrix in enumerate(matrices, era.frames.start):
            window = windows.get(frame) if track.detected[frame] else None
            if window is not None:
                yield frame, cutter.turn(window, matrix)


def _write_crops(
    writer: CropsWriter,
    crops: Iterator[tuple[int, Crop]],
    clock: Ticks,
    recording: str,
) -> None:
    """Write the crops, a row per tick."""
    count, size = len(clock.frame), writer.size
    starts = range(0, count, WRITE_TICKS)
    frame, crop = next(crops, (-1, None))
    for start in progress(starts, f"crop {recording}", total=count, unit="ticks", step=WRITE_TICKS):
        frames = clock.frame[start : start + WRITE_TICKS]
        heights = np.zeros((len(frames), *size), np.uint8)
        observed = np.zeros(heights.shape, bool)
        for tick, wanted in enumerate(frames.tolist()):
            # A frame that no tick has is passed over.
            while crop is not None and frame < wanted:
                frame, crop = next(crops, (-1, None))
            if crop is not None and wanted == frame:
                heights[tick], observed[tick] = crop
                frame, crop = next(crops, (-1, None))
        writer.append(heights, observed)


def _missing(track: Track, clock: Ticks) -> npt.NDArray[np.uint8]:
    out = np.full(len(clock.frame), Missing.DROPPED, np.uint8)
    out[clock.of_frame] = track.missing
    return out


def _tracking(track: Track, headings: Headings, clock: Ticks, eras: Eras) -> dict[str, np.ndarray]:
    """Columns of ``tracking``: what is needed to draw the mouse into its frame."""
    image_rad = np.full(len(track.x_px), np.nan)
    for era in eras:
        x, y, turn = (v[era.frames] for v in (track.x_px, track.y_px, headings.heading_rad))
        heading = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
        along = np.einsum("fij,fj->fi", era.arena.floor_scale(x, y), heading)
        image_rad[era.frames] = np.arctan2(along[:, 1], along[:, 0])
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
