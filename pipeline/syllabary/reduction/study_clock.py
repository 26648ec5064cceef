"""The rate of a study's clock."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import BadInput
from ..records.clock import rate_of, same_rate, usual_rate
from ..records.crops import Crops

__all__ = ["choose", "rates_of"]

log = logging.getLogger(__name__)

# Rate of the study's clock, at most, as a multiple of the fastest training recording's.
MAX_RATE = 1.25


def rates_of(paths: Sequence[Path]) -> dict[Path, tuple[float, float]]:
    """Return frames per second and duration, s, of each recording."""
    rates = {}
    for path in paths:
        with Crops(path) as crops:
            rate = rate_of(crops.time_s)
            rates[path] = rate, len(crops) / rate
    return rates


def choose(rates: Mapping[Path, tuple[float, float]], wanted: float | None) -> float:
    """Return the rate of the study's clock; the log says which recordings are brought to it.

    Parameters
    ----------
    rates : mapping of path to (float, float)
        From ``rates_of``.
    wanted : float, optional
        ``reduce.frames_per_second``.

    Raises
    ------
    BadInput
        No recording has so many frames.
    """
    values, durations_s = zip(*rates.values(), strict=True)
    if wanted and wanted > MAX_RATE * max(values):
        raise BadInput(
            f"reduce.frames_per_second is {wanted:g}, but no training recording has more than "
            f"{max(values):.3g} frames/s; set it to {max(values):.3g} or less, or to null."
        )
    fps = wanted or usual_rate(values, durations_s)
    others = [
        f"{path.parent.name} ({rate:.3g})"
        for path, (rate, _) in rates.items()
        if not same_rate(rate, fps)
    ]
    log.info("the study's clock has %.4g ticks per second.", fps)
    if others:
        log.warning(
            "recordings of another rate are brought to %.4g frames per second, the study's rate: %s.",
            fps,
            ", ".join(others),
        )
    slowest = min(values)
    if slowest < fps and not same_rate(slowest, fps):
        log.warning(
            "ticks between the frames of slower recordings have less noise, so syllables may tell "
            "rates apart; to compare such recordings with others, set reduce.frames_per_second to %.3g.",
            slowest,
        )
    return fps
