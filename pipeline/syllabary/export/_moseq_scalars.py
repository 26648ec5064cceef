"""MoSeq2's 17 scalars under their names, with corrected definitions.

A column keeps the unit and sense of MoSeq2: steps are per frame, and angles grow counterclockwise
seen from above. ``legacy`` states why its numbers differ from those of MoSeq2.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["NEEDED", "SCALARS", "Scalar", "columns"]

Array = npt.NDArray[np.float64]


class Scalar(NamedTuple):
    """Unit of a column, its meaning here, and its error in MoSeq2 (empty = none)."""

    unit: str
    meaning: str
    legacy: str


BOX = "counted from the corner of the arena's box, which differs from session to session"
SHORT = "13 % (x) or 9 % (y) too short: the angle of the field of view stood for its tangent"
AXES = "the width by the scale of rows and the length by that of columns, wherever the animal headed"
STEP = "0 at the first frame of every chunk, and the whole way across a gap counted as one step"
SCALARS = {
    "centroid_x_px": Scalar("px", "column of the frame, from 0", BOX),
    "centroid_y_px": Scalar("px", "row of the frame, from 0", BOX),
    "centroid_x_mm": Scalar("mm", "right of the arena's center, on the floor", f"{BOX}; {SHORT}"),
    "centroid_y_mm": Scalar("mm", "below the arena's center, on the floor", f"{BOX}; {SHORT}"),
    "width_px": Scalar("px", "width_mm in pixels as they lie on the floor", "of the outline alone"),
    "length_px": Scalar("px", "length_mm in pixels likewise", "of the outline alone"),
    "width_mm": Scalar("mm", "short axis of the ellipse of equal second moments", f"{SHORT}; {AXES}"),
    "length_mm": Scalar("mm", "long axis of that ellipse", f"{SHORT}; {AXES}"),
    "area_px": Scalar("px", "area_mm in pixels as they lie on the floor", ""),
    "area_mm": Scalar(
        "mm^2", "area of the body seen from above, each pixel by its depth",
        "half of it: pixels were multiplied by a length, not by an area",
    ),
    "height_ave_mm": Scalar(
        "mm", "mean height above the floor", "heights below 0 or above 255 mm came back as others"
    ),
    "angle": Scalar(
        "rad", "heading, counterclockwise, unwrapped over the recording", "unwrapped anew in every chunk"
    ),
    "velocity_2d_px": Scalar("px/frame", "velocity_2d_mm in pixels as they lie on the floor", STEP),
    "velocity_2d_mm": Scalar(
        "mm/frame", "speed on the floor times the usual time between frames", f"{STEP}; {SHORT}"
    ),
    "velocity_3d_px": Scalar(
        "px/frame", "velocity_3d_mm in pixels likewise", f"{STEP}; pixels and millimeters were added"
    ),
    "velocity_3d_mm": Scalar(
        "mm/frame", "the same with the mean height's change; missing beside a gap", f"{STEP}; {SHORT}"
    ),
    "velocity_theta": Scalar(
        "rad", "direction of travel, counterclockwise; missing beside a gap",
        "clockwise where angle is counterclockwise; its name promises turning, which it is not",
    ),
}  # fmt: skip
NEEDED = (
    "time_s", "x_px", "y_px", "px_mm", "x_mm", "y_mm", "heading_rad", "speed_mm_s", "length_mm",
    "width_mm", "height_mm", "area_mm2",
)  # fmt: skip


def columns(frames: pd.DataFrame) -> dict[str, Array]:
    """Return the 17 scalars of one recording.

    Parameters
    ----------
    frames : DataFrame, T rows
        With the columns ``NEEDED``; NaN = missing.

    Returns
    -------
    dict of (T,) float64
        In the order of ``SCALARS``.
    """
    of = {name: frames[name].to_numpy(np.float64) for name in NEEDED}
    time_s, px_mm = of["time_s"], of["px_mm"]
    interval_s = float(np.median(np.diff(time_s))) if len(time_s) > 1 else np.nan
    dx, dy, dz = (_per_second(of[name], time_s) * interval_s for name in ("x_mm", "y_mm", "height_mm"))
    step = of["speed_mm_s"] * interval_s
    rising_step = np.hypot(step, dz)
    angle = -of["heading_rad"]
    finite = np.isfinite(angle)
    angle[finite] = np.unwrap(angle[finite])
    return {
        "centroid_x_px": of["x_px"],
        "centroid_y_px": of["y_px"],
        "centroid_x_mm": of["x_mm"],
        "centroid_y_mm": of["y_mm"],
        "width_px": of["width_mm"] / px_mm,
        "length_px": of["length_mm"] / px_mm,
        "width_mm": of["width_mm"],
        "length_mm": of["length_mm"],
        "area_px": of["area_mm2"] / px_mm**2,
        "area_mm": of["area_mm2"],
        "height_ave_mm": of["height_mm"],
        "angle": angle,
        "velocity_2d_px": step / px_mm,
        "velocity_2d_mm": step,
        "velocity_3d_px": rising_step / px_mm,
        "velocity_3d_mm": rising_step,
        "velocity_theta": np.arctan2(-dy, dx),
    }


def _per_second(values: Array, time_s: Array) -> Array:
    """Return central differences per s; NaN if a neighbor is missing."""
    return np.gradient(values, time_s) if len(values) > 1 else np.full(len(values), np.nan)
