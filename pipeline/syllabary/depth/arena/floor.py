"""Find the floor: planes in the background, and the part of a plane that is an arena.

A plane n·X = d has inverse depth 1/Z = (n·r) / d, which is linear in the ray r of a pixel. It is
fitted to inverse depths by reweighted least squares, starting from each of the planes that most of
the image supports (``planes``). Nothing is drawn at random, so the same background always gives the
same floor.
"""

from pathlib import Path
from typing import NamedTuple

import cv2
import numba
import numpy as np
import numpy.typing as npt

from ...errors import NoFloor
from ..settings import ArenaSettings
from . import planes

__all__ = ["MIN_FRACTION", "Floor", "find", "fit"]

# Tolerances of successive fits, as multiples of the final one; the first allow for a tilted floor.
NARROWING = (8.0, 4.0, 2.0, 1.0, 1.0, 1.0)
NARROW = NARROWING[3:]
# Alternations of fitting a plane and selecting its part.
ITERATIONS = 3
# Smallest floor, as a fraction of the image.
MIN_FRACTION = 0.005
# Candidate planes.
MAX_PLANES = 6
# Smallest arena within the floor of a room, as a fraction of the image; it lies in the middle third.
MIN_ARENA = 0.03
# Smallest of several arenas, relative to the largest.
MIN_PART = 0.25
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
        than ``which``.
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
    tolerance = settings.floor_tolerance_mm
    # The tilt of a patch is less certain than that of the whole floor, which is checked below.
    steepest = min(2 * settings.max_tilt_deg, 85.0)
    chosen = Floor(np.array([0.0, 0.0, 1.0, near]), np.zeros(depth.shape, bool), [])
    for start in planes.propose(
        rays, depth, central * valid, tolerance, max_tilt_deg=steepest, max_planes=MAX_PLANES
    ):
        first = not chosen.parts
        # The chosen plane cannot stand on a nearer one, and a whole floor encloses no arena.
        if not (first or start[3] > chosen.plane[3] or _at_border(chosen.mask)):
            continue
        other = _from(start, rays, depth, valid, central, settings)
        if np.count_nonzero(other.mask) < MIN_FRACTION * valid.size:
            continue
        level = _tilt_deg(other) <= settings.max_tilt_deg
        if first or (level and (_stands_on(chosen, other, tolerance) or _is_arena_in(other, chosen))):
            chosen = other
    if not chosen.parts or _tilt_deg(chosen) > settings.max_tilt_deg:
        raise NoFloor(
            f"{where}: no flat floor between {near:.0f} and {far:.0f} mm (found "
            f"{np.count_nonzero(chosen.mask)} pixels within {tolerance:g} mm of a plane tilted by "
            f"{_tilt_deg(chosen):.0f} degrees); is that the arena? See extract.arena.floor_range_mm "
            "and max_tilt_deg."
        )
    if settings.which is None:
        return chosen
    parts = [part for part in chosen.parts if not _at_border(part)] or chosen.parts
    if settings.which > len(parts):
        raise NoFloor(
            f"{where}: extract.arena.which is {settings.which}, but of connected floors there are "
            f"{len(parts)}; are walls between the arenas? Outline them with mask or polygon_px."
        )
    part = parts[settings.which - 1]
    plane = _refit(chosen.plane, part, rays, depth, valid, settings)
    again = _parts(_on_plane(plane, rays, depth, valid, settings.floor_tolerance_mm), depth)
    mask = max(again, key=lambda other: np.count_nonzero(other & part), default=part)
    return Floor(plane, _filled(mask), chosen.parts)


def fit(
    plane: Array,
    rays: Array,
    depth: Array,
    weight: Array,
    tolerance_mm: float,
    narrowing: tuple[float, ...] = NARROWING,
) -> Array:
    """Refine a plane by the pixels near it, with decreasing tolerance."""
    for factor in narrowing:
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
    plane: Array, rays: Array, depth: Array, valid: Mask, central: Array, settings: ArenaSettings
) -> Floor:
    """Alternate between the most central part of a plane and the fit to that part."""
    for _ in range(ITERATIONS):
        parts = _parts(_on_plane(plane, rays, depth, valid, settings.floor_tolerance_mm), depth)
        if not parts:
            return Floor(plane, np.zeros(depth.shape, bool), [])
        mask = _filled(max(parts, key=lambda part: float(central[part].sum())))
        plane = _refit(plane, mask, rays, depth, valid, settings)
    return Floor(plane, mask, [_filled(part) for part in parts])


def _refit(
    plane: Array, mask: Mask, rays: Array, depth: Array, valid: Mask, settings: ArenaSettings
) -> Array:
    weight = (mask & valid).astype(np.float64)
    return fit(plane, rays, depth, weight, settings.floor_tolerance_mm, NARROW)


def _centrality(shape: tuple[int, ...]) -> Array:
    """Weight of pixels, largest in the center, where the arena is expected."""
    rows, columns = np.indices(shape)
    y, x = (rows - (shape[0] - 1) / 2), (columns - (shape[1] - 1) / 2)
    return np.exp(-0.5 * (x**2 + y**2) / (min(shape) / 4) ** 2)


def _on_plane(plane: Array, rays: Array, depth: Array, valid: Mask, tolerance_mm: float) -> Mask:
    return valid & (np.abs(depth * (rays @ plane[:3]) - plane[3]) <= tolerance_mm)


def _parts(flat: Mask, depth: Array) -> list[Mask]:
    """Return the large connected parts in reading order; holes are not filled."""
    measured, size = depth > 0, (OPENING_PX, OPENING_PX)
    flat_share, measured_share = (cv2.blur(m.astype(np.float32), size) for m in (flat, measured))
    flat = flat | (_small(~measured) & (flat_share > 0.5 * measured_share))
    opened = cv2.morphologyEx(flat.astype(np.uint8), cv2.MORPH_OPEN, np.ones(size, np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
    if count < 2:
        return []
    areas = stats[:, cv2.CC_STAT_AREA]
    # Parts at the image's border are the room or a table; arenas are whole.
    whole = [i for i in range(1, count) if not _at_border(labels == i)]
    largest = max((int(areas[i]) for i in whole), default=0)
    if largest < MIN_ARENA * labels.size:
        largest = int(areas[1:].max())
    large = [i for i in range(1, count) if areas[i] >= MIN_PART * largest]
    return [labels == i for i in _in_reading_order(large, stats)]


def _small(unknown: Mask) -> Mask:
    """Return small unmeasured spots, which belong to their surroundings; an unmeasured wall does not."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(unknown.astype(np.uint8), connectivity=4)
    return unknown & (stats[:, cv2.CC_STAT_AREA] <= OPENING_PX**2)[labels]


def _in_reading_order(labels: list[int], stats: npt.NDArray[np.int32]) -> list[int]:
    """Sort by rows, then columns; a part that begins above the middle of a row's first part is in it."""
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
    """Return whether a plane is an object on a farther one that ends within the image.

    A floor that reaches the image's border is the room's, and the part that it encloses is the arena.
    """
    behind = far.plane[3] > near.plane[3] + 2 * tolerance_mm
    return bool(behind and not _at_border(far.mask) and not (near.mask & ~far.mask).any())


def _is_arena_in(inner: Floor, outer: Floor) -> bool:
    """Return whether ``inner`` is an arena, and ``outer`` the room or a table around it."""
    if _at_border(inner.mask) or not _at_border(outer.mask) or (inner.mask & ~outer.mask).any():
        return False
    middle = np.array([np.mean(where) for where in np.nonzero(inner.mask)])
    third = np.array(inner.mask.shape) / 3
    large = np.count_nonzero(inner.mask) >= MIN_ARENA * inner.mask.size
    return bool(large and (middle > third).all() and (middle < 2 * third).all())


def _at_border(mask: Mask) -> bool:
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def _tilt_deg(floor: Floor) -> float:
    return float(np.rad2deg(np.arccos(np.clip(floor.plane[2], -1, 1))))
