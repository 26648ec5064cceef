"""What the animal measures, by geometry: its solids from straight above, without camera or noise.

The meaning is that of the scalars. The body is what stands higher than ``min_height_mm`` above the
floor, without the tail and what else is thinner than ``tail_width_mm``. Its length is 4 standard
deviations of the ground it covers, along the longest axis; its height is the mean over that ground; its
speed is that of the ground's centroid. Nothing of the extraction is used.
"""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt

from syllabary.simulate import body, rendering

from .film import Animal, Film

__all__ = ["Truth", "measure"]

GRID_MM = 1.0
WITHOUT_TAIL = body.SOLIDS - body.TAIL_PARTS
SAMPLES = 24


class Truth(NamedTuple):
    """Medians over the frames that show the animal."""

    speed_mm_s: float
    length_mm: float
    height_mm: float
    height_max_mm: float


def measure(
    film: Film, animal: Animal, *, tail_width_mm: float = 10.0, min_height_mm: float = 10.0
) -> Truth:
    """Measure one animal of a recording; narrower and lower parts do not count as body."""
    shown = np.flatnonzero(film.present & film.kept)
    chosen = shown[np.linspace(0, len(shown) - 1, min(SAMPLES, len(shown))).astype(int)]
    centers, shapes = body.solids(animal.pose[chosen], animal.dimensions)
    above = np.array(
        [
            _from_above(c[:WITHOUT_TAIL], s[:WITHOUT_TAIL], tail_width_mm, min_height_mm)
            for c, s in zip(centers, shapes, strict=True)
        ]
    )
    ahead, aside, length, height, top = np.median(above, axis=0)
    cosine, sine = np.cos(animal.heading_rad), np.sin(animal.heading_rad)
    x = animal.x_mm + ahead * cosine - aside * sine
    y = animal.y_mm + ahead * sine + aside * cosine
    speed = np.hypot(np.gradient(x, film.time_s), np.gradient(y, film.time_s))
    if film.settings.camera.interval_ms > 50:
        # A path that turns is longer than its chords: finer times.
        speed = _fine_speed(film, animal, ahead, aside)
    return Truth(float(np.median(speed[shown])), float(length), float(height), float(top))


def _fine_speed(film: Film, animal: Animal, ahead: float, aside: float) -> np.ndarray:
    """Return the speed of a point that is fixed in a body which moves on a circle."""
    circle = np.hypot(animal.x_mm, animal.y_mm)
    turning = np.gradient(np.unwrap(animal.heading_rad), film.time_s)
    return turning * np.hypot(circle - aside, ahead)


def _from_above(
    centers: np.ndarray, shapes: np.ndarray, tail_width_mm: float, min_height_mm: float
) -> tuple[float, float, float, float, float]:
    """Return centroid (ahead, aside), length, mean height and highest point of solids, mm."""
    reach = np.sqrt(shapes[:, [0, 1], [0, 1]])
    low, high = (centers[:, :2] - reach).min(0) - 2, (centers[:, :2] + reach).max(0) + 2
    x, y = np.meshgrid(*(np.arange(a, b + GRID_MM, GRID_MM) for a, b in zip(low, high, strict=True)))
    total = np.zeros_like(x)
    blend = rendering.BLEND_MM
    for center, shape in zip(centers, shapes, strict=True):
        away = np.stack([x - center[0], y - center[1]], -1)
        flat = np.linalg.inv(shape[:2, :2])
        inside = 1 - np.einsum("...i,ij,...j", away, flat, away)
        rise = shape[2, 2] - shape[2, :2] @ flat @ shape[:2, 2]
        surface = center[2] + away @ flat @ shape[:2, 2] + np.sqrt(np.clip(rise * inside, 0, None))
        total += np.where(inside > 0, np.exp(surface / blend), 0)
    with np.errstate(divide="ignore"):
        surface = blend * np.log(total)
    mask = _stout(surface > min_height_mm, tail_width_mm)
    points = np.stack([x[mask], y[mask]])
    longest = np.linalg.eigvalsh(np.cov(points, bias=True))[-1]
    return *points.mean(1), 4 * np.sqrt(longest), surface[mask].mean(), surface[mask].max()


def _stout(mask: np.ndarray, width_mm: float) -> np.ndarray:
    """Return where a disc of that width fits in."""
    inner = distance_transform_edt(mask) * GRID_MM >= width_mm / 2
    return distance_transform_edt(~inner) * GRID_MM < width_mm / 2
