"""Errors of the sensor: noise, lost pixels, flying pixels, mirror images, lost frames.

White noise of a frame is a hash of (key, pixel), so a frame depends on its number alone and not on
earlier draws. As on a Kinect v2, neighbors share noise: a 3 x 3 mean of white noise has the correlations
measured there, 0.6 between neighbors, 0.3 two pixels apart and none at three.
"""

import numba
import numpy as np
import numpy.typing as npt

from .settings import DropSettings, PinholeSettings

__all__ = ["clock", "expose", "noise_field", "reflect", "stamp_body"]

F32 = npt.NDArray[np.float32]
U16 = npt.NDArray[np.uint16]
Box = tuple[int, int, int, int]
# Standard deviation of a time stamp.
JITTER_MS = 0.12
# Nine uniform bytes: their sum has this mean and spread.
SUM_MEAN = 9 * 127.5
SUM_SD = 3 * np.sqrt((256**2 - 1) / 12)


def clock(
    ticks: int, camera: PinholeSettings, drops: DropSettings, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Draw the time of every tick and which frames were lost.

    Returns
    -------
    stamps_ms : (T,) float64
        Increasing, rounded to 0.1 µs as they are written, with a large offset.
    dropped : (T,) bool
        Never the first nor the last.
    """
    jitter = np.clip(JITTER_MS * rng.standard_normal(ticks), -0.2 * camera.interval_ms, None)
    jitter = np.minimum(jitter, 0.2 * camera.interval_ms)
    stamps = rng.uniform(1e8, 9e8) + camera.interval_ms * np.arange(ticks) + jitter
    dropped = rng.random(ticks) < drops.single
    for start in np.flatnonzero(rng.random(ticks) < drops.run):
        dropped[start : start + rng.integers(2, drops.longest_run + 1)] = True
    dropped[[0, -1]] = False
    return np.round(stamps, 4), dropped


@numba.njit(cache=True, inline="always")
def _hash(key: np.uint64, counter: int) -> np.uint64:
    """SplitMix64 (doi:10.1145/2660193.2660195): 64 bits that depend on a key and a counter."""
    z = key + (np.uint64(counter) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@numba.njit(cache=True)
def noise_field(key: np.uint64, field: F32) -> None:
    """Fill ``field`` (rows, columns) float32 with noise of mean 0 and variance 1.

    ``key`` is a uint64, another for every frame.
    """
    rows, columns = field.shape
    width = (columns + 2 + 7) // 8 * 8
    white = np.empty(width, np.int32)
    sums = np.zeros((3, columns), np.int32)
    for r in range(rows + 2):
        for block in range(width // 8):
            bits = _hash(key, r * (width // 8) + block)
            for i in range(8):
                white[8 * block + i] = np.int32((bits >> np.uint64(8 * i)) & np.uint64(255))
        line = sums[r % 3]
        for c in range(columns):
            line[c] = white[c] + white[c + 1] + white[c + 2]
        if r >= 2:
            for c in range(columns):
                total = sums[0, c] + sums[1, c] + sums[2, c]
                field[r - 2, c] = np.float32((total - SUM_MEAN) / SUM_SD)


@numba.njit(cache=True)
def expose(depth: F32, spread: F32, dropout: U16, field: F32, key: np.uint64, frame: U16) -> None:
    """Measure the empty scene: ``frame`` (rows, columns) uint16, mm, 0 = no measurement."""
    rows, columns = depth.shape
    for r in range(rows):
        for c in range(columns):
            value = np.int32(depth[r, c] + spread[r, c] * field[r, c] + np.float32(0.5))
            frame[r, c] = value if depth[r, c] > 0 else 0
        for block in range((columns + 3) // 4):
            bits = _hash(key, r * columns + block)
            for i in range(min(4, columns - 4 * block)):
                luck = (bits >> np.uint64(16 * i)) & np.uint64(65535)
                if luck < dropout[r, 4 * block + i]:
                    frame[r, 4 * block + i] = 0


@numba.njit(cache=True)
def stamp_body(
    body: F32,
    box: Box,
    scene: F32,
    field: F32,
    key: np.uint64,
    spread_mm: np.float32,
    flying: float,
    edge_dropout: float,
    frame: U16,
) -> None:
    """Put the animal into an exposed frame.

    Parameters
    ----------
    body : (rows, columns) float32
        Depth of the animal inside ``box`` (row, end, column, end), 0 where it is not.
    scene : (rows, columns) float32
        Depth of the scene behind it; the nearer of the two is visible.
    spread_mm : float
        Noise on a surface that faces the camera; slanted surfaces have more.
    flying, edge_dropout : float
        Part of the outline that lies between animal and background (nearer the animal
        mostly), or is lost.
    """
    top, end, left, stop = box
    for r in range(top, end):
        for c in range(left, stop):
            z = body[r, c]
            behind = scene[r, c]
            if z <= 0 or (0 < behind <= z):
                continue
            edge, slope = False, np.float32(0)
            for dr, dc in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                rr, cc = r + dr, c + dc
                outside = rr < top or rr >= end or cc < left or cc >= stop
                other = np.float32(0) if outside else body[rr, cc]
                if other <= 0:
                    edge = edge or behind - z > 6
                else:
                    slope = max(slope, min(abs(other - z), np.float32(12)))
            value = z + spread_mm * (1 + np.float32(0.06) * slope) * field[r, c]
            bits = _hash(key, r * frame.shape[1] + c)
            if edge:
                luck = np.float64(bits & np.uint64(0xFFFF)) / 65536.0
                if luck < edge_dropout:
                    value = np.float32(0)
                elif luck < edge_dropout + flying and behind > 0:
                    part = np.float64((bits >> np.uint64(16)) & np.uint64(0xFFFF)) / 65536.0
                    value = np.float32(z + (behind - z) * part * part)
            frame[r, c] = np.uint16(max(value + np.float32(0.5), 0))


@numba.njit(cache=True)
def reflect(
    mirror: F32,
    box: Box,
    scene: F32,
    floor: npt.NDArray[np.bool_],
    field: F32,
    key: np.uint64,
    strength: float,
    frame: U16,
) -> None:
    """Let the animal's mirror image shine through the wall: depths move toward the image's."""
    top, end, left, stop = box
    for r in range(top, end):
        for c in range(left, stop):
            if mirror[r, c] <= 0 or floor[r, c]:
                continue
            bits = _hash(key, r * frame.shape[1] + c)
            luck = np.float64(bits & np.uint64(0xFFFF)) / 65536.0
            if luck < 0.25:
                frame[r, c] = 0
            elif luck < 0.25 + 0.6 * strength or scene[r, c] > 0:
                behind = scene[r, c] if scene[r, c] > 0 else mirror[r, c]
                value = behind + strength * (mirror[r, c] - behind) + 4 * field[r, c]
                frame[r, c] = np.uint16(max(value, 0))
