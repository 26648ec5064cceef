"""What frames say of their latents: evidence for a prior, of crops or of the reduction alone."""

import itertools
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ..errors import ShapeError
from ..priors.interface import GaussianEvidence, PointEvidence
from ..records.crops import Crops
from ..reduction import registration
from ..reduction.latents import LatentSeries
from .networks.base import Encoder, capped

__all__ = ["BLOCK", "Known", "bridged", "known", "linear", "of_crops", "points", "subject_offset"]

# Frames encoded at once: fixed, so that no answer depends on how a recording is cut.
BLOCK = 256


class Known(NamedTuple):
    """What the reduction says of every tick of a recording."""

    pose: torch.Tensor
    """(T, pose) latents; anything where there is no information."""
    information: torch.Tensor
    """(T, pose) their precisions, for a network to correct."""
    motion: torch.Tensor
    """(T, M) measured motion, which no network corrects."""
    precision: torch.Tensor
    """(T, M) its precision; 0 is missing."""


def points(series: LatentSeries, name: str = "recording", *, bridge: int = 0) -> PointEvidence:
    """Return the latents taken as known exactly; float64.

    Parameters
    ----------
    series : LatentSeries
    bridge : int
        Gaps of at most so many ticks are filled by a straight line, each latent by itself.

    Raises
    ------
    ShapeError
        Latents are not (T, D) with T flags.
    """
    values, seen = _checked(series, name)
    filled = bridged(torch.where(seen, values, math.nan).numpy(), bridge)
    values = torch.from_numpy(filled)
    observed = torch.isfinite(values).all(-1)
    return PointEvidence(torch.where(observed[:, None], values, math.nan), observed)


def linear(series: LatentSeries, most: float, name: str = "recording") -> GaussianEvidence:
    """Return the latents with the precision that their measured pixels give them; float64.

    Parameters
    ----------
    series : LatentSeries
        Latents that were not made of crops, and so have no information, get the precision ``most``.
    most : float
        What the precision stays below, smoothly.
    """
    values, observed = _checked(series, name)
    if series.information is None:
        precision = torch.full_like(values, most)
    else:
        told = torch.from_numpy(np.array(series.information, np.float64))
        precision = capped(told, torch.zeros_like(told), most)
    return GaussianEvidence(torch.where(observed, values, 0.0), torch.where(observed, precision, 0.0))


def known(series: LatentSeries, most: float, name: str = "recording") -> Known:
    """Return what is known of a recording before a network looks at it; float64."""
    values, _ = _checked(series, name)
    assert series.information is not None
    information = torch.from_numpy(np.where(series.observed[:, None], series.information, 0.0))
    evidence = linear(series, most, name)
    pose, motion = slice(series.pose), slice(series.pose, None)
    return Known(
        values[:, pose], information[:, pose], evidence.mean[:, motion], evidence.precision[:, motion]
    )


def subject_offset(series: LatentSeries) -> torch.Tensor:
    """Return what is added to the pose before it is decoded, (pose,) float64."""
    if series.subject_offset is None:
        return torch.zeros(series.pose, dtype=torch.float64)
    return torch.from_numpy(series.subject_offset)


@torch.no_grad()
def of_crops(encoder: Encoder, crops: Crops, series: LatentSeries) -> GaussianEvidence:
    """Return what the recognizer makes of every tick of a recording, (T, D) float64.

    Parameters
    ----------
    encoder : Encoder
        Of a file in ``networks/``.
    crops : Crops
        As they are, or laid on the template.
    series : LatentSeries
        Of the same recording, by the reduction that the encoder starts from.
    """
    if series.information is None or len(series.values) != len(crops):
        raise ShapeError(
            f"{crops.path}: {len(crops)} crops but {len(series.values)} latents; give the latents "
            "that the model's own reduction makes of these crops."
        )
    values, information, motion, told = known(series, encoder.max_precision, crops.recording)
    mean, precision = torch.zeros_like(values), torch.zeros_like(values)
    for start, heights, seen in registration.register(crops, series.shifts).blocks(BLOCK):
        rows = slice(start, start + len(heights))
        height_mm = torch.from_numpy(heights).float() * crops.height_step_mm
        found = encoder(height_mm, torch.from_numpy(seen), values[rows], information[rows])
        mean[rows], precision[rows] = (part.double() for part in found)
    return GaussianEvidence(torch.cat([mean, motion], -1), torch.cat([precision, told], -1))


def _checked(series: LatentSeries, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    values = torch.from_numpy(np.array(series.values, np.float64))
    observed = torch.from_numpy(np.array(series.observed, bool))
    if values.ndim != 2 or values.shape[:1] != observed.shape:
        raise ShapeError(
            f"{name}: latents {tuple(values.shape)} with {len(observed)} ticks; all recordings have "
            "(T, D) latents of the same D, and T flags."
        )
    return values, observed[:, None] & torch.isfinite(values)


def bridged(values: npt.NDArray[np.float64], most: int) -> npt.NDArray[np.float64]:
    """Fill gaps of at most so many ticks between known ones, a column at a time."""
    filled = values.copy()
    if most:
        for column in filled.T:
            known = np.flatnonzero(np.isfinite(column))
            for a, b in itertools.pairwise(known):
                if 1 < b - a <= most + 1:
                    column[a : b + 1] = np.linspace(column[a], column[b], b - a + 1)
    return filled
