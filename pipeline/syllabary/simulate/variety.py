"""Random sizes of mice and heights of cameras, for training that holds for all of them."""

import numpy as np

from .settings import MouseSettings, SimulateSettings

__all__ = ["vary"]

WIDEST_CABLE_MM = 6.0


def vary(
    rng: np.random.Generator, *, smallest: float, largest: float, cable_share: float, seconds: float
) -> SimulateSettings:
    """Draw the settings of one recording.

    Parameters
    ----------
    smallest, largest : float
        Range of sizes, times an average adult's.
    cable_share : float
        Probability of a cable.
    seconds : float
        Length of the recording.
    """
    adult = MouseSettings()
    size = float(np.exp(rng.uniform(np.log(smallest), np.log(largest))))
    length, width, height, tail = size * np.exp([0.04, 0.08, 0.08, 0.2] * rng.standard_normal(4))
    cable_mm = rng.uniform(1.0, WIDEST_CABLE_MM) if rng.random() < cable_share else 0.0
    return SimulateSettings.model_validate({
        "duration_s": seconds,
        "camera": {"height_mm": rng.uniform(600, 850)},
        "mouse": {
            "length_mm": np.clip(adult.length_mm * length, 50, 130),
            "width_mm": np.clip(adult.width_mm * width, 15, 60),
            "height_mm": np.clip(adult.height_mm * height, 15, 60),
            "tail_mm": np.clip(adult.tail_mm * tail, 0, 120),
        },
        "noise": {"temporal_sd_mm": rng.uniform(1.0, 3.0)},
        "cable": {"diameter_mm": cable_mm},
    })  # fmt: skip
