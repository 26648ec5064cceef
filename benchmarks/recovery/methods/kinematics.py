"""Principal components and kinematics, as channels of one AR-HMM.

Forward, sideways and turning speed are differences between neighboring ticks in the frame of the
animal, smoothed or not, each with variance 1 over the training animals. If a recording has no
positions, only components are used.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from recovery import latents
from recovery.methods import _points
from recovery.studies import Study
from syllabary.records.crops import Crops
from syllabary.reduction.latents import LatentSeries

LATENTS = ("pca",)
SETTINGS = _points.scan(smooth_ticks=1.5) | {
    "auto-unsmoothed": {"kappa": None, "smooth_ticks": 0.0},
    "auto-filled": {"kappa": None, "smooth_ticks": 1.5, "filled": True},
}


def recover(folder: Path, setting: dict[str, Any], seed: int) -> _points.StatePrediction:
    study = Study(folder)
    latents_with_speeds = with_speeds(study, latents.load(folder, "pca"), setting["smooth_ticks"])
    return _points.recover(study, latents_with_speeds, setting, seed)


def with_speeds(study: Study, components: latents.Latents, smooth_ticks: float) -> latents.Latents:
    """Return the latents of every recording with standardized speeds appended."""
    speeds = {}
    for name in study.recordings:
        with study.crops(name) as crops:
            speeds[name] = speeds_of(crops, smooth_ticks)
    training = np.concatenate([speeds[name] for name in study.trained])
    series = {
        name: LatentSeries(
            np.hstack([recording_series.values, (speeds[name] - training.mean(0)) / training.std(0)]),
            recording_series.observed,
        )
        for name, recording_series in components.series.items()
    }
    return components._replace(series=series)


def speeds_of(crops: Crops, smooth_ticks: float) -> npt.NDArray[np.float64]:
    """Return forward and sideways speed, mm per tick, and turning, rad per tick.

    The result is (T, 3), or (T, 0) without positions. Ticks without a frame are interpolated;
    ``smooth_ticks`` is the SD of a Gaussian.
    """
    columns = crops.scalars[["x_mm", "y_mm", "heading_rad"]].to_numpy(np.float64, copy=True)
    has_frame, tick = np.isfinite(columns).all(1), np.arange(len(columns))
    if not has_frame.any():
        return np.empty((len(columns), 0))
    columns[has_frame, 2] = np.unwrap(columns[has_frame, 2])
    x, y, heading = (np.interp(tick, tick[has_frame], column[has_frame]) for column in columns.T)
    dx, dy, turning = (np.diff(part, prepend=part[0]) for part in (x, y, heading))
    middle = heading - turning / 2
    forward = np.cos(middle) * dx + np.sin(middle) * dy
    sideways = np.cos(middle) * dy - np.sin(middle) * dx
    speeds = np.stack([forward, sideways, turning], 1)
    return gaussian_filter1d(speeds, smooth_ticks, axis=0) if smooth_ticks else speeds
