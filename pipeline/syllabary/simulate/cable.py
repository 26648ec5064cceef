"""A thin, curved and swaying cable from the neck upward.

It ends high above the border of the crop, in a direction that drifts in the arena, so it crosses the
back when the animal turns. In the body frame it is a quadratic Bézier curve, drawn as a chain of thin
ellipsoids.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .settings import CableSettings
from .wander import wander

__all__ = ["PARTS", "Course", "solids", "sway"]

F64 = npt.NDArray[np.float64]
PARTS = 20
# Longer than half a crop's diagonal: the far end is out of sight.
REACH_MM = 135.0
# Spread and memory of what drifts: direction (rad), height of the far end (share), sideways bow (mm).
ANGLE, RISE, BOW = (1.3, 5.0), (0.25, 4.0), (22.0, 2.5)


class Course(NamedTuple):
    """Where the cable hangs at every tick."""

    angle_rad: F64  # (T,) direction of the far end, arena frame
    rise_mm: F64  # (T,) height of the far end above the floor
    bow_mm: F64  # (T,) how far its middle is off the straight line, to its right


def sway(
    settings: CableSettings, ticks: int, interval_s: float, rng: np.random.Generator
) -> Course | None:
    """Draw the course of a cable; None if there is none."""
    if settings.diameter_mm == 0:
        return None
    angle, rise, bow = (
        settings.sway * spread * wander(ticks, memory_s, interval_s, rng)
        for spread, memory_s in (ANGLE, RISE, BOW)
    )
    height = settings.height_mm * np.clip(1 + rise, 0.4, 1.5)
    return Course(rng.uniform(-np.pi, np.pi) + angle, height, bow)


def solids(course: Course, neck: F64, heading_rad: F64, diameter_mm: float) -> tuple[F64, F64]:
    """Return the solids of some ticks in the body frame.

    Parameters
    ----------
    course : Course
        Of these ticks.
    neck : (n, 3) float64
        Where the cable begins, body frame, mm.
    heading_rad : (n,) float64
        Of the animal, arena frame.
    diameter_mm : float
        Of the cable.

    Returns
    -------
    centers : (n, PARTS, 3) float64, mm
    shapes : (n, PARTS, 3, 3) float64, mm²
    """
    angle = course.angle_rad - heading_rad
    level = np.zeros_like(angle)
    along = np.stack([np.cos(angle), np.sin(angle), level], 1)
    aside = np.stack([-np.sin(angle), np.cos(angle), level], 1)
    rise = np.stack([level, level, course.rise_mm - neck[:, 2]], 1)
    end = neck + REACH_MM * along + rise
    # Lower in the middle than a straight line: a cable is stiff where it is fixed, and sags.
    middle = neck + 0.5 * REACH_MM * along + 2 * course.bow_mm[:, None] * aside + 0.3 * rise
    share = np.linspace(0, 1, PARTS + 1)[:, None]
    knots = (
        (1 - share) ** 2 * neck[:, None]
        + 2 * share * (1 - share) * middle[:, None]
        + share**2 * end[:, None]
    )
    step = np.diff(knots, axis=1)
    length = np.linalg.norm(step, axis=-1)[..., None, None]
    way = step[..., None] / length
    radius = diameter_mm / 2
    # Neighbors overlap, so that no gap is seen between them.
    half = np.maximum(0.75 * length, radius)
    shapes = radius**2 * np.eye(3) + (half**2 - radius**2) * way * way.swapaxes(-1, -2)
    return (knots[:, 1:] + knots[:, :-1]) / 2, shapes
