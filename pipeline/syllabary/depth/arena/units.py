"""Units of counts in which a recording has a floor, where it has none in the unit of the settings."""

from pathlib import Path

import numpy as np

from ...errors import BadInput, NoFloor
from ..counts import KEYS, Counts, to_mm
from ..lens.camera import Camera
from ..readers import count_detection
from ..settings import ArenaSettings
from ..video import Video
from . import geometry

__all__ = ["explained"]

# Units that cameras and programs write, mm.
UNITS_MM = (0.1, 0.125, 0.25, 1.0, 10.0, 1000.0, 0.001)


def explained(
    error: NoFloor, video: Video, lens: Camera, settings: ArenaSettings, *, where: Path | str
) -> NoFloor:
    """Return the error that a recording has no floor, with the units in which it would have one.

    Parameters
    ----------
    error : NoFloor
        Returned as it is if no other unit gives a floor.
    video : Video
    lens : Camera
    settings : ArenaSettings
    where : path
        The recording, for the message.
    """
    frames = count_detection.sample(video)
    counts = video.counts._replace(is_swapped=False)
    choices = [
        (f"extract.source.unit_mm: {unit:g}", counts._replace(unit_mm=unit))
        for unit in UNITS_MM
        if unit != counts.unit_mm
    ]
    if not counts.bit_shift and count_detection.low_bits_without_depth(frames):
        packed = counts._replace(unit_mm=1.0, bit_shift=count_detection.PACKED_BITS)
        choices.insert(0, (f"extract.source.bit_shift: {packed.bit_shift} and unit_mm: 1", packed))
    floors = []
    for setting, choice in choices:
        distance = _floor_mm(frames, choice, lens, settings)
        if distance is not None:
            floors.append(f"at {distance:.0f} mm with {setting}")
    if not floors:
        return error
    near, far = settings.floor_range_mm
    correct = "correct its metadata" if KEYS[0] in video.metadata else "set which is right"
    return NoFloor(
        f"{where}: no floor between {near:g} and {far:g} mm "
        f"if a count is {counts.unit_mm:g} mm, but {', or '.join(floors)}; {correct}, by the camera's "
        "manual and its height above the floor."
    )


def _floor_mm(frames: np.ndarray, counts: Counts, lens: Camera, settings: ArenaSettings) -> float | None:
    """Return the distance of the floor in some frames (n, rows, columns); None if there is none."""
    depth = to_mm(frames, counts).astype(np.float32)
    depth[depth == 0] = np.nan
    measured = np.isfinite(depth).any(axis=0)
    background = np.zeros(measured.shape, np.uint16)
    background[measured] = np.nanmedian(depth[:, measured], axis=0)
    try:
        return float(geometry.find(background, lens, settings, where="").floor_plane[3])
    except BadInput:
        return None
