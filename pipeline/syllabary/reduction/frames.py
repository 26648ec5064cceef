"""Training frames for PCA: a sample over all recordings, held in memory as on disk.

A height takes one byte and a missing pixel one bit, so that 50,000 frames of 80 x 80 take 0.4 GB.
``blocks`` unpacks a few frames at a time.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from ..progress import track
from ..records.crops import CHUNK_TICKS, Crops
from .settings import ReduceSettings

__all__ = ["BLOCK", "Frames", "same_scale", "sample", "select"]

BLOCK = 256
# Crops are fitted together if their pixels differ by less; animals of one litter differ by more.
SCALE_TOLERANCE = 0.02


def same_scale(pixel_mm: float, other_mm: float) -> bool:
    """Return whether crops of two pixel sizes, mm, can share components."""
    return abs(pixel_mm / other_mm - 1) <= SCALE_TOLERANCE


class Frames(NamedTuple):
    """Training frames.

    Attributes
    ----------
    heights : (n, P) uint8
        Counts.
    missing : (n, P / 8) uint8
        A bit per pixel, 1 where nothing was measured.
    step_mm : (n,) float32
        Height of a count, mm.
    """

    heights: npt.NDArray[np.uint8]
    missing: npt.NDArray[np.uint8]
    step_mm: npt.NDArray[np.float32]

    def blocks(
        self, mean: npt.NDArray[np.float64]
    ) -> Iterator[tuple[slice, npt.NDArray[np.float32], npt.NDArray[np.bool_]]]:
        """Yield rows, deviations from the mean (P,), mm, and missing pixels; deviations there are 0."""
        pixels = self.heights.shape[1]
        for start in range(0, len(self.heights), BLOCK):
            rows = slice(start, start + BLOCK)
            missing = np.unpackbits(self.missing[rows], axis=1, count=pixels).view(bool)
            deviation = self.heights[rows] * self.step_mm[rows, None]
            deviation -= mean.astype(np.float32)
            deviation[missing] = 0
            yield rows, deviation, missing

    def images(
        self, chosen: npt.NDArray[np.intp], size: tuple[int, int]
    ) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]]:
        """Yield heights (n, H, W), mm, and observed pixels of chosen frames, a block at a time."""
        pixels = size[0] * size[1]
        for start in range(0, len(chosen), BLOCK):
            rows = chosen[start : start + BLOCK]
            missing = np.unpackbits(self.missing[rows], axis=1, count=pixels).view(bool)
            heights = self.heights[rows] * self.step_mm[rows, None]
            yield heights.reshape(-1, *size), ~missing.reshape(-1, *size)


def sample(
    paths: Sequence[Path], limit: int, rng: np.random.Generator
) -> tuple[Frames, tuple[int, int], float]:
    """Read training frames: all of them, or random storage chunks.

    Parameters
    ----------
    paths : sequence of paths
        ``crops.h5`` of the training recordings.
    limit : int
        Most frames to read, rounded up to whole chunks.
    rng : numpy Generator
        Chooses the chunks.

    Returns
    -------
    frames : Frames
    size : (int, int)
        Rows and columns of a crop.
    pixel_mm : float
        Side of a pixel.

    Raises
    ------
    BadInput
        Recordings differ in size or ``pixel_mm``, or there is no frame.
    """
    chunks: list[npt.NDArray[np.intp]] = []
    formats: list[tuple[tuple[int, int], float]] = []
    for path in paths:
        with Crops(path) as crops:
            formats.append((crops.size, crops.scaled_pixel_mm))
            chunks.append(np.unique(np.flatnonzero(crops.frame >= 0) // CHUNK_TICKS))
    if not all(size == formats[0][0] and same_scale(mm, formats[0][1]) for size, mm in formats):
        listing = "; ".join(f"{size[0]}x{size[1]} at {mm:g} mm" for size, mm in sorted(set(formats)))
        raise BadInput(
            f"crops of these recordings differ ({listing}); extract all with the same crop settings."
        )
    owner = np.repeat(np.arange(len(chunks)), [len(p) for p in chunks])
    if not len(owner):
        raise BadInput(f"no frame in any of {len(paths)} recordings; PCA needs train recordings.")
    wanted = min(len(owner), -(-limit // CHUNK_TICKS))
    chosen = np.sort(rng.choice(len(owner), wanted, replace=False))
    chunk = np.concatenate(chunks)
    size, pixel_mm = formats[0]
    heights, missing, steps = [], [], []
    for i in track(np.unique(owner[chosen]), "pca: read frames", unit="recordings"):
        with Crops(paths[i]) as crops:
            for run in _runs(chunk[chosen[owner[chosen] == i]]):
                ticks = slice(run[0] * CHUNK_TICKS, (run[-1] + 1) * CHUNK_TICKS)
                has_frame = crops.frame[ticks] >= 0
                heights.append(crops.heights(ticks.start, ticks.stop)[has_frame])
                observed = crops.observed(ticks.start, ticks.stop)[has_frame]
                missing.append(np.packbits(~observed.reshape(len(observed), -1), axis=1))
                steps.append(np.full(has_frame.sum(), crops.height_step_mm, np.float32))
    flat = np.concatenate(heights).reshape(-1, size[0] * size[1])
    return Frames(flat, np.concatenate(missing), np.concatenate(steps)), size, pixel_mm


def _runs(chunks: npt.NDArray[np.intp]) -> Iterator[npt.NDArray[np.intp]]:
    """Split sorted chunks into consecutive runs of at most 64; each run is read at once."""
    breaks = np.flatnonzero(np.diff(chunks) > 1) + 1
    for run in np.split(chunks, breaks):
        yield from np.split(run, range(64, len(run), 64))


def select(
    frames: Frames, settings: ReduceSettings
) -> tuple[Frames, npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Drop pixels that hardly vary or are seldom measured, and frames with few measured pixels.

    Parameters
    ----------
    frames : Frames
        P pixels each.
    settings : ReduceSettings

    Returns
    -------
    frames : Frames
        The frames and pixels that are left.
    mean : (P,) float64
        Mean height of every pixel, mm; 0 where it was never measured.
    used : (P,) bool
        Pixels that are left.

    Raises
    ------
    BadInput
        Fewer frames or pixels are left than there are components.
    """
    pixels = frames.heights.shape[1]
    count, total, square = np.zeros((3, pixels))
    for _, heights, missing in frames.blocks(np.zeros(pixels)):
        count += (~missing).sum(0)
        total += heights.sum(0, dtype=np.float64)
        square += (heights.astype(np.float64) ** 2).sum(0)
    mean = total / np.maximum(count, 1)
    varies = square / np.maximum(count, 1) - mean**2 > 1e-9 * np.maximum(mean**2, 1)
    used = varies & (count >= settings.min_pixel_observed_fraction * len(frames.heights))
    keep = np.zeros(len(frames.heights), bool)
    bits = []
    for rows, _, missing in frames.blocks(mean):
        min_pixels = settings.min_observed_fraction * used.sum()
        keep[rows] = (~missing[:, used]).sum(1) >= max(min_pixels, 1)
        bits.append(np.packbits(missing[:, used], axis=1))
    if min(keep.sum(), used.sum()) <= settings.components:
        raise BadInput(
            f"only {keep.sum()} frames and {used.sum()} pixels are measured well enough for PCA of "
            f"{settings.components} components; look at the recordings' quality.json, or lower "
            "reduce.components or reduce.min_observed_fraction."
        )
    kept = Frames(frames.heights[:, used][keep], np.concatenate(bits)[keep], frames.step_mm[keep])
    return kept, mean, used
