"""Where the floor is: planes in the background, and which of their parts is an arena.

A plane n·X = d seen by a camera has inverse depth 1/Z = (n·r) / d, linear in the ray r of a
pixel: it is fitted to inverse depths by reweighted least squares from each of the commonest
depths. Nothing is drawn at random, so that the same background always gives the same floor.
"""

from pathlib import Path
from typing import NamedTuple

import cv2
import numba
import numpy as np
import numpy.typing as npt

from ..errors import NoFloor
from .settings import ArenaSettings

__all__ = ["MIN_FRACTION", "Floor", "find", "fit"]

HISTOGRAM_BIN_MM = 10.0
# The fit narrows from what a tilted floor may span to the tolerance itself.
NARROWING = (8.0, 4.0, 2.0, 1.0, 1.0, 1.0)
# Of the image; less is no floor.
MIN_FRACTION = 0.005
# Depths to start from, and how common the least is, of the commonest.
STARTS, LEAST_START = 4, 0.1
# One of several arenas is at least this large, of the largest.
LEAST_PART = 0.25
OPENING_PX = 5

Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]


class Floor(NamedTuple):
    """A plane, unit normal and distance from the lens in mm; the chosen part; all its parts."""

    plane: Array
    mask: Mask
    parts: list[Mask]


def find(
    background_mm: npt.NDArray[np.uint16], rays: Array, settings: ArenaSettings, *, where: Path | str
) -> Floor:
    """Find the floor that the camera was pointed at.

    Parameters
    ----------
    background_mm : (rows, columns) uint16
        Depth, mm; 0 = unknown.
    rays : (rows, columns, 3)
        Position at depth 1 of every pixel.

    Raises
    ------
    NoFloor
        No plane in the allowed range of depth and tilt is large enough, or it has fewer parts
        than ``which`` says.
    """
    near, far = settings.floor_range_mm
    depth = background_mm.astype(np.float64)
    valid = (depth >= near) & (depth <= far)
    if np.count_nonzero(valid) < MIN_FRACTION * valid.size:
        raise NoFloor(
            f"{where}: no plane between {near:.0f} and {far:.0f} mm (median depth "
            f"{np.median(depth):.0f} mm). Lens covered, or another unit? See "
            "extract.arena.floor_range_mm."
        )
    central = _centrality(depth.shape)
    starts = _common_depths(depth[valid], central[valid], near, far)
    found = [_from(start, rays, depth, valid, central, settings) for start in starts]
    chosen = found[0]
    if not _usable(chosen, settings):
        raise NoFloor(
            f"{where}: no flat floor near {starts[0]:.0f} mm (found {np.count_nonzero(chosen.mask)} "
            f"pixels within {settings.floor_tolerance_mm:g} mm of a plane tilted by "
            f"{_tilt_deg(chosen):.0f} degrees); is that the arena? See extract.arena.floor_range_mm "
            "and max_tilt_deg."
        )
    for other in found[1:]:
        if _usable(other, settings) and _stands_on(chosen, other, settings.floor_tolerance_mm):
            chosen = other
    if settings.which is None:
        return chosen
    if settings.which > len(chosen.parts):
        raise NoFloor(
            f"{where}: extract.arena.which is {settings.which}, but of connected floors there are "
            f"{len(chosen.parts)}; are walls between the arenas? Outline them with mask or polygon_px."
        )
    part = chosen.parts[settings.which - 1]
    plane = _refit(chosen.plane, part, rays, depth, valid, settings)
    again = _parts(_on_plane(plane, rays, depth, valid, settings.floor_tolerance_mm), depth)
    mask = max(again, key=lambda one: np.count_nonzero(one & part), default=part)
    return Floor(plane, _filled(mask), chosen.parts)


def fit(plane: Array, rays: Array, depth: Array, weight: Array, tolerance_mm: float) -> Array:
    """Refine a plane to the pixels near it, ever nearer."""
    for factor in NARROWING:
        moment, side = _moments(plane, rays, depth, weight, factor * tolerance_mm)
        if np.linalg.matrix_rank(moment) < 3:
            break
        normal = np.linalg.solve(moment, side)
        plane = np.append(normal, 1.0) / np.linalg.norm(normal)
    return plane


@numba.njit(cache=True)
def _moments(
    plane: Array,
    rays: Array,
    depth: Array,
    weight: Array,
    reach: float,
) -> tuple[Array, Array]:
    """Return both sides of the normal equations of inverse depth, over pixels near the plane."""
    moment, side = np.zeros((3, 3)), np.zeros(3)
    for i in range(depth.shape[0]):
        for j in range(depth.shape[1]):
            z = depth[i, j]
            if z <= 0 or weight[i, j] <= 1e-6:
                continue
            a, b, c = rays[i, j]
            off = (z * (a * plane[0] + b * plane[1] + c * plane[2]) - plane[3]) / reach
            if abs(off) >= 1:
                continue
            # Tukey's biweight; z**4 turns errors of inverse depth into errors of depth.
            bite = weight[i, j] * (1 - off * off) ** 2 * (z / plane[3]) ** 4
            ray = (a, b, c)
            for k in range(3):
                side[k] += bite / z * ray[k]
                for m in range(3):
                    moment[k, m] += bite * ray[k] * ray[m]
    return moment, side


def _from(
    start: float, rays: Array, depth: Array, valid: Mask, central: Array, settings: ArenaSettings
) -> Floor:
    """Fit the plane near a depth, then again to its part that is most in the image's center."""
    tolerance = settings.floor_tolerance_mm
    plane = fit(np.array([0.0, 0.0, 1.0, start]), rays, depth, central * valid, tolerance)
    for again in (True, False):
        parts = _parts(_on_plane(plane, rays, depth, valid, tolerance), depth)
        if not parts:
            return Floor(plane, np.zeros(depth.shape, bool), [])
        mask = _filled(max(parts, key=lambda part: float(central[part].sum())))
        if again:
            plane = _refit(plane, mask, rays, depth, valid, settings)
    return Floor(plane, mask, [_filled(part) for part in parts])


def _refit(
    plane: Array, mask: Mask, rays: Array, depth: Array, valid: Mask, settings: ArenaSettings
) -> Array:
    return fit(plane, rays, depth, (mask & valid).astype(np.float64), settings.floor_tolerance_mm)


def _common_depths(depth: Array, weight: Array, near: float, far: float) -> list[float]:
    """Return the depths that are commonest near the image's center, the commonest first."""
    edges = np.arange(near, far + 2 * HISTOGRAM_BIN_MM, HISTOGRAM_BIN_MM)
    counts = np.convolve(np.histogram(depth, edges, weights=weight)[0], np.ones(3), "same")
    least = LEAST_START * counts.max()
    found: list[float] = []
    while len(found) < STARTS and counts.max() > least:
        peak = int(np.argmax(counts))
        found.append(float(edges[peak] + HISTOGRAM_BIN_MM / 2))
        counts[max(0, peak - 2) : peak + 3] = 0
    return found


def _centrality(shape: tuple[int, ...]) -> Array:
    """Weight of pixels: the arena is what the camera was pointed at."""
    rows, columns = np.indices(shape)
    y, x = (rows - (shape[0] - 1) / 2), (columns - (shape[1] - 1) / 2)
    return np.exp(-0.5 * (x**2 + y**2) / (min(shape) / 4) ** 2)


def _on_plane(plane: Array, rays: Array, depth: Array, valid: Mask, tolerance_mm: float) -> Mask:
    return valid & (np.abs(depth * (rays @ plane[:3]) - plane[3]) <= tolerance_mm)


def _parts(flat: Mask, depth: Array) -> list[Mask]:
    """Return the large connected parts in reading order, with their holes."""
    known, size = depth > 0, (OPENING_PX, OPENING_PX)
    near, seen = (cv2.blur(m.astype(np.float32), size) for m in (flat, known))
    flat = flat | (_small(~known) & (near > 0.5 * seen))
    opened = cv2.morphologyEx(flat.astype(np.uint8), cv2.MORPH_OPEN, np.ones(size, np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if count < 2:
        return []
    large = [i for i in range(1, count) if areas[i - 1] >= LEAST_PART * areas.max()]
    return [labels == i for i in _in_reading_order(large, stats)]


def _small(unknown: Mask) -> Mask:
    """Single unmeasured pixels, which are as those around them; unlike a wall that shows nothing."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(unknown.astype(np.uint8), connectivity=4)
    return unknown & (stats[:, cv2.CC_STAT_AREA] <= OPENING_PX**2)[labels]


def _in_reading_order(labels: list[int], stats: npt.NDArray[np.int32]) -> list[int]:
    """Sort by rows, then columns; what begins above the middle of a row's first is in that row."""
    remaining = sorted(labels, key=lambda i: int(stats[i, cv2.CC_STAT_TOP]))
    out: list[int] = []
    while remaining:
        top, height = stats[remaining[0], [cv2.CC_STAT_TOP, cv2.CC_STAT_HEIGHT]]
        row = [i for i in remaining if stats[i, cv2.CC_STAT_TOP] < top + height / 2]
        out += sorted(row, key=lambda i: int(stats[i, cv2.CC_STAT_LEFT]))
        remaining = [i for i in remaining if i not in row]
    return out


def _filled(part: Mask) -> Mask:
    outlines, _ = cv2.findContours(part.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(part.shape, np.uint8), outlines, -1, 1, cv2.FILLED).astype(bool)


def _stands_on(near: Floor, far: Floor, tolerance_mm: float) -> bool:
    """Whether one plane is furniture on another, farther one, that ends within the image.

    A floor that goes on to the image's border is of the room, and what it encloses is the arena.
    """
    edge = np.concatenate([far.mask[[0, -1]].ravel(), far.mask[:, [0, -1]].ravel()])
    behind = far.plane[3] > near.plane[3] + 2 * tolerance_mm
    return bool(behind and not edge.any() and not (near.mask & ~far.mask).any())


def _usable(found: Floor, settings: ArenaSettings) -> bool:
    large = np.count_nonzero(found.mask) >= MIN_FRACTION * found.mask.size
    return bool(large and _tilt_deg(found) <= settings.max_tilt_deg)


def _tilt_deg(found: Floor) -> float:
    return float(np.rad2deg(np.arccos(np.clip(found.plane[2], -1, 1))))
