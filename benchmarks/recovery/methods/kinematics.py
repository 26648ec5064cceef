"""Principal components and how the animal moves: more channels of one AR-HMM.

Forward, sideways and turning speed are those between neighboring ticks in the frame of the animal,
smoothed or not, each with variance 1 over the training animals. Where they are not known at all the
components are alone.
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
    given = with_speeds(study, latents.load(folder, "pca"), setting["smooth_ticks"])
    return _points.recover(study, given, setting, seed)


def with_speeds(study: Study, given: latents.Latents, smooth_ticks: float) -> latents.Latents:
    """Append whitened speeds to every recording's latents."""
    speeds = {}
    for name in study.recordings:
        with study.crops(name) as crops:
            speeds[name] = speeds_of(crops, smooth_ticks)
    seen = np.concatenate([speeds[name] for name in study.trained])
    series = {
        name: LatentSeries(
            np.hstack([one.values, (speeds[name] - seen.mean(0)) / seen.std(0)]), one.observed
        )
        for name, one in given.series.items()
    }
    return given._replace(series=series)


def speeds_of(crops: Crops, smooth_ticks: float) -> npt.NDArray[np.float64]:
    """Forward and sideways speed, mm a tick, and turning, rad a tick: (T, 3), or (T, 0) if unknown.

    Straight lines bridge ticks without a frame; ``smooth_ticks`` is the SD of a Gaussian.
    """
    columns = crops.scalars[["x_mm", "y_mm", "heading_rad"]].to_numpy(np.float64, copy=True)
    seen, tick = np.isfinite(columns).all(1), np.arange(len(columns))
    if not seen.any():
        return np.empty((len(columns), 0))
    columns[seen, 2] = np.unwrap(columns[seen, 2])
    x, y, heading = (np.interp(tick, tick[seen], column[seen]) for column in columns.T)
    dx, dy, turning = (np.diff(part, prepend=part[0]) for part in (x, y, heading))
    middle = heading - turning / 2
    forward = np.cos(middle) * dx + np.sin(middle) * dy
    sideways = np.cos(middle) * dy - np.sin(middle) * dx
    found = np.stack([forward, sideways, turning], 1)
    return gaussian_filter1d(found, smooth_ticks, axis=0) if smooth_ticks else found
