"""Movies that a model generates: the movement of each syllable, and sampled sequences.

A model generates the movement of a state. A syllable of several states shows its commonest one.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from .. import movies
from ..records.clips import Clips
from .colors import Color, Colors
from .crowd import paint

__all__ = ["simulated", "write"]

Image = npt.NDArray[np.uint8]
TILE_PX = 192
SMALL_PX = 128
GAP_PX = 3
# Frame of a picture at the limit of the training frames.
LIMITED = (1.0, 1.0, 1.0)


def write(
    folder: Path, clips: Clips, syllable: int, color: Color, syllable_of: npt.NDArray[np.integer]
) -> dict[str, Path]:
    """Write ``<folder>/<syllable>-decoded.mp4``, or nothing if the model has no such movie.

    Parameters
    ----------
    folder : Path
    clips : Clips
    syllable : int
    color : (float, float, float)
        Color of the frame.
    syllable_of : (K,) int
        Syllable of each state.

    Returns
    -------
    dict of str to Path
        The movie as ``"decoded"``; empty without one.
    """
    # States are numbered by usage, so that the first match is the commonest.
    matches = np.flatnonzero(syllable_of[clips.state] == syllable)
    if not len(matches):
        return {}
    poses = clips.poses[matches[0], : max(1, int(clips.length[matches[0]]))]
    # The last pose is repeated, so that the end of the movement is visible.
    hold = np.repeat(poses[-1:], max(1, round(clips.fps / 3)), 0)
    path = folder / f"{syllable:03d}-decoded.mp4"
    movies.write(
        path, _tiles(np.concatenate([poses, hold])[None], [color], TILE_PX, len(poses)), clips.fps
    )
    return {"decoded": path}


def simulated(
    folder: Path, clips: Clips, model: str, colors: Colors, syllable_of: npt.NDArray[np.integer]
) -> Path | None:
    """Write ``<folder>/simulated.mp4``: sampled sequences side by side, framed by syllable.

    A white frame means that the model left the range of its training frames, and is shown at its limit.

    Parameters
    ----------
    folder : Path
    clips : Clips
    model : str
        Name of the model.
    colors : Colors
        Colors of the frames.
    syllable_of : (K,) int
        Syllable of each state.

    Returns
    -------
    Path or None
        The movie; None without sequences.
    """
    if not len(clips.simulated_heights):
        return None
    path = folder / "simulated.mp4"
    frames = _sequences(clips, model, colors, syllable_of)
    movies.write(path, frames, clips.fps)
    return path


def _sequences(
    clips: Clips, model: str, colors: Colors, syllable_of: npt.NDArray[np.integer]
) -> Iterator[Image]:
    syllables = syllable_of[clips.simulated_states.T]
    frames = zip(
        clips.simulated_heights.swapaxes(0, 1), syllables, clips.simulated_limited.T, strict=True
    )
    for heights, shown, limited in frames:
        frame_colors = [
            LIMITED if at_limit else colors.of(model, int(syllable))
            for syllable, at_limit in zip(shown, limited, strict=True)
        ]
        yield from _tiles(heights[:, None], frame_colors, SMALL_PX, 1)


def _tiles(
    heights: npt.NDArray[np.uint8], colors: list[Color], side: int, framed: int
) -> Iterator[Image]:
    """Yield images of tiles in a row from heights (n, T, H, W), mm; the first ``framed`` are framed."""
    for t in range(heights.shape[1]):
        row = []
        for movie, color in zip(heights, colors, strict=True):
            inner = (side - 2 * GAP_PX, side - 2 * GAP_PX)
            crop = cv2.resize(movie[t].astype(np.float32), inner, interpolation=cv2.INTER_LINEAR)
            tile = np.full((side, side, 3), 24, np.uint8)
            if t < framed:
                tile[:] = [round(255 * part) for part in color]
            ground = np.full(crop.shape, 24, np.float32)
            tile[GAP_PX:-GAP_PX, GAP_PX:-GAP_PX] = paint(crop, ground)
            row.append(tile)
        yield np.concatenate(row, 1)
