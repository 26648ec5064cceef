"""The true course of a session, one row per camera tick, lost frames included."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from .body import Footprint
from .motion import Motion

__all__ = ["in_arena", "table"]

F64 = npt.NDArray[np.float64]


def in_arena(performed: Motion, start: int, center: F64) -> F64:
    """Move points (n, 3) of the body frame, of ticks from ``start`` on, to the arena frame."""
    part = slice(start, start + len(center))
    cos, sin = np.cos(performed.heading_rad[part]), np.sin(performed.heading_rad[part])
    x = performed.x_mm[part] + cos * center[:, 0] - sin * center[:, 1]
    y = performed.y_mm[part] + sin * center[:, 0] + cos * center[:, 1]
    return np.stack([x, y, center[:, 2]], axis=1)


def table(
    performed: Motion, footprint: Footprint, stamps_ms: F64, dropped: npt.NDArray[np.bool_]
) -> pd.DataFrame:
    """Return the columns of ``tables.TRUTH``, T rows."""
    behaviors = np.array([template.behavior for template in performed.repertoire.movements.values()])
    where = in_arena(performed, 0, footprint.center)
    heading = (performed.heading_rad + np.pi) % (2 * np.pi) - np.pi
    return pd.DataFrame(
        {
            "frame": np.where(dropped, -1, np.cumsum(~dropped) - 1),
            "time_s": (stamps_ms - stamps_ms[0]) / 1000,
            "syllable": performed.syllable,
            "behavior": behaviors[performed.syllable],
            "x_mm": where[:, 0],
            "y_mm": where[:, 1],
            "heading_rad": heading,
            "height_mm": footprint.top_mm,
            "dropped": dropped,
        }
    )
