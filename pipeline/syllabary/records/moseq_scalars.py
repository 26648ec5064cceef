"""The 17 scalars of MoSeq2 by their own names, from ours.

Names are kept so that scripts go on working; numbers are those the names promise. ``SCALARS`` says of
each what it is here and what, if anything, is wrong with it there. A pixel here is one on the floor
below the mouse, a tick the median interval between frames.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from .crops import Crops

__all__ = ["SCALARS", "Scalar", "angle", "of", "travel"]

Array = npt.NDArray[np.float64]


class Scalar(NamedTuple):
    """What a name means.

    Attributes
    ----------
    source : str
        The scalar of ``crops.h5`` that it comes from.
    unit, meaning : str
    there : str
        How MoSeq2's number differs; empty where it does not.
    """

    source: str
    unit: str
    meaning: str
    there: str = ""


IMAGE = "counted from the first column and row of each session's arena"
CENTER = (
    "the whole image's center is subtracted from pixels of the arena's box: another origin a session"
)
SCALE = "an angle stands for its tangent: {} too short, whichever way the mouse lies"
STEP = "gaps are not seen, and each chunk of frames begins with 0"
SCALARS = {
    "centroid_x_px": Scalar("x_px", "px", "column of the centroid in the image", IMAGE),
    "centroid_y_px": Scalar("y_px", "px", "row of the centroid in the image", IMAGE),
    "centroid_x_mm": Scalar("x_mm", "mm", "place in the arena, right in the image", CENTER),
    "centroid_y_mm": Scalar("y_mm", "mm", "place in the arena, down in the image", CENTER),
    "width_px": Scalar("width_mm", "px", "4 standard deviations across the body"),
    "length_px": Scalar("length_mm", "px", "4 standard deviations along the body"),
    "width_mm": Scalar("width_mm", "mm", "the same", SCALE.format("9 %")),
    "length_mm": Scalar("length_mm", "mm", "the same", SCALE.format("13 %")),
    "area_px": Scalar("area_mm2", "px", "pixels that the body covers"),
    "area_mm": Scalar(
        "area_mm2", "mm²", "area that the body covers", "pixels times mm, not mm²: 2.1 times too small"
    ),
    "height_ave_mm": Scalar("height_mm", "mm", "mean height of the body"),
    "angle": Scalar(
        "heading_rad",
        "rad",
        "heading, counterclockwise from the image's right, without jumps by whole turns",
        "unwrapped anew in each chunk of frames",
    ),
    "velocity_2d_px": Scalar("speed_mm_s", "px/tick", "speed", STEP),
    "velocity_2d_mm": Scalar("speed_mm_s", "mm/tick", "speed", f"{STEP}; 9 to 13 % too slow"),
    "velocity_3d_px": Scalar(
        "speed_mm_s", "px/tick", "speed with that of the mean height", f"{STEP}; adds mm to px"
    ),
    "velocity_3d_mm": Scalar("speed_mm_s", "mm/tick", "speed with that of the mean height", STEP),
    "velocity_theta": Scalar(
        "x_mm",
        "rad",
        "direction of travel, clockwise from the image's right; not a velocity",
        "the opposite sense of turning to that of angle, as here",
    ),
}


def of(crops: Crops) -> pd.DataFrame:
    """Return the 17 columns of a recording, a row per tick; NaN where missing."""
    ours, places = crops.scalars.astype(np.float64), crops.tracking.astype(np.float64)
    pixel_mm = _pixel_mm(crops, places["x_px"].to_numpy(), places["y_px"].to_numpy())
    moved = travel(ours, crops.time_s)
    return pd.DataFrame({
        "centroid_x_px": places["x_px"],
        "centroid_y_px": places["y_px"],
        "centroid_x_mm": ours["x_mm"],
        "centroid_y_mm": ours["y_mm"],
        "width_px": ours["width_mm"] / pixel_mm,
        "length_px": ours["length_mm"] / pixel_mm,
        "width_mm": ours["width_mm"],
        "length_mm": ours["length_mm"],
        "area_px": ours["area_mm2"] / pixel_mm**2,
        "area_mm": ours["area_mm2"],
        "height_ave_mm": ours["height_mm"],
        "angle": angle(ours["heading_rad"].to_numpy()),
        "velocity_2d_px": moved["velocity_2d_mm"] / pixel_mm,
        "velocity_2d_mm": moved["velocity_2d_mm"],
        "velocity_3d_px": moved["velocity_3d_mm"] / pixel_mm,
        "velocity_3d_mm": moved["velocity_3d_mm"],
        "velocity_theta": moved["velocity_theta"],
    })[list(SCALARS)]  # fmt: skip


def angle(heading_rad: Array) -> Array:
    """Return headings (T,) counterclockwise and without jumps; missing ones stay missing."""
    out = -np.asarray(heading_rad, np.float64)
    seen = np.isfinite(out)
    out[seen] = np.unwrap(out[seen])
    return out


def travel(scalars: pd.DataFrame, time_s: Array) -> pd.DataFrame:
    """Return the three velocities that need no pixel, from ``x_mm, y_mm, height_mm, speed_mm_s``.

    Steps of direction and height lead from the tick before; NaN where either is missing.
    """
    interval_s = float(np.median(np.diff(time_s))) if len(time_s) > 1 else np.nan
    ticks = np.diff(time_s, prepend=np.nan) / interval_s
    x, y, height = (
        np.diff(scalars[name].to_numpy(np.float64), prepend=np.nan) / ticks
        for name in ("x_mm", "y_mm", "height_mm")
    )
    speed = scalars["speed_mm_s"].to_numpy(np.float64) * interval_s
    return pd.DataFrame({
        "velocity_2d_mm": speed,
        "velocity_3d_mm": np.hypot(speed, height),
        "velocity_theta": np.arctan2(y, x),
    })  # fmt: skip


def _pixel_mm(crops: Crops, x_px: Array, y_px: Array) -> Array:
    """Return the side of a pixel on the floor at places (T,) of the image, mm."""
    fx, fy, cx, cy = crops.arena["intrinsics"][:4]
    plane = crops.arena["floor_plane"]
    depth = plane[3] / (plane[0] * (x_px - cx) / fx + plane[1] * (y_px - cy) / fy + plane[2])
    return np.asarray(depth / np.sqrt(fx * fy), np.float64)
