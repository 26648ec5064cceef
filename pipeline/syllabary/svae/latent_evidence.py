"""Evidence of the latents for a prior, from crops or from the reduction alone."""

import itertools
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ..errors import ShapeError
from ..priors.types import GaussianEvidence, PointEvidence, placed
from ..records.crops import Crops
from ..reduction import registration
from ..reduction.latents import LatentSeries
from . import memory
from .networks.base import capped
from .networks.interface import Encoder

__all__ = ["BLOCK", "Reduced", "bridged", "linear", "of_crops", "points", "reduced", "subject_offset"]

# Frames encoded at once. It is fixed, so that no result depends on how a recording is cut.
BLOCK = 256


class Reduced(NamedTuple):
    """Latents that the reduction makes of every tick of a recording."""

    pose: torch.Tensor
    """(T, pose) latents of the pose; anything where there is no information."""
    information: torch.Tensor
    """(T, pose) their precisions, which a network corrects."""
    motion: torch.Tensor
    """(T, M) latents of the measured motion, which no network corrects."""
    precision: torch.Tensor
    """(T, M) their precisions; 0 is missing."""


def points(series: LatentSeries, name: str = "recording", *, bridge: int = 0) -> PointEvidence:
    """Return the latents taken as points; float64.

    Parameters
    ----------
    series : LatentSeries
    name : str
        Of the recording, for messages.
    bridge : int
        Longest gap that a straight line fills, ticks; each latent by itself. The ticks between the
        frames of a recording of a lower rate are always filled.

    Raises
    ------
    ShapeError
        Latents are not (T, D) with T flags.
    """
    values, finite = _checked(series, name)
    bridge = max(bridge, series.clock.gap) if series.clock else bridge
    filled = bridged(torch.where(finite, values, math.nan).numpy(), bridge)
    values = torch.from_numpy(filled)
    observed = torch.isfinite(values).all(-1)
    return PointEvidence(torch.where(observed[:, None], values, math.nan), observed)


def linear(series: LatentSeries, max_precision: float, name: str = "recording") -> GaussianEvidence:
    """Return the latents with the precision that their measured pixels give them; float64.

    Parameters
    ----------
    series : LatentSeries
        Latents that were not made of crops have no information, and get ``max_precision``.
    max_precision : float
        Upper limit of the precision, approached smoothly.
    name : str
        Of the recording, for messages.
    """
    values, observed = _checked(series, name)
    if series.information is None:
        precision = torch.full_like(values, max_precision)
    else:
        information = torch.from_numpy(np.array(series.information, np.float64))
        precision = capped(information, torch.zeros_like(information), max_precision)
    return GaussianEvidence(torch.where(observed, values, 0.0), torch.where(observed, precision, 0.0))


def reduced(series: LatentSeries, max_precision: float, name: str = "recording") -> Reduced:
    """Return the latents of a recording before a network corrects them; float64.

    Parameters
    ----------
    series, max_precision, name
        See ``linear``; the series has information.
    """
    values, _ = _checked(series, name)
    assert series.information is not None
    information = torch.from_numpy(np.where(series.observed[:, None], series.information, 0.0))
    evidence = linear(series, max_precision, name)
    pose, motion = slice(series.pose), slice(series.pose, None)
    return Reduced(
        values[:, pose], information[:, pose], evidence.mean[:, motion], evidence.precision[:, motion]
    )


def subject_offset(series: LatentSeries) -> torch.Tensor:
    """Return the offset that is added to the pose before it is decoded, (pose,) float64."""
    if series.subject_offset is None:
        return torch.zeros(series.pose, dtype=torch.float64)
    return torch.from_numpy(series.subject_offset)


@torch.no_grad()
def of_crops(encoder: Encoder, crops: Crops, series: LatentSeries) -> GaussianEvidence:
    """Return the encoder's evidence of every tick of a recording, (T, D) float64.

    Parameters
    ----------
    encoder : Encoder
        Of a module in ``networks/``.
    crops : Crops
        Of the recording, registered or not.
    series : LatentSeries
        Of the same recording, by the reduction that the encoder starts from.

    Raises
    ------
    ShapeError
        The latents were made of other crops.
    """
    crops = registration.as_reduced(crops, series) if series.information is not None else crops
    if series.information is None or len(series.values) != len(crops):
        raise ShapeError(
            f"{crops.path}: {len(crops)} crops but {len(series.values)} latents; give the latents "
            "that the model's own reduction makes of these crops."
        )
    values, information, motion, motion_precision = reduced(
        series, encoder.max_precision, crops.recording
    )
    device = encoder.used.device
    values, information, motion, motion_precision = (
        placed(part, device) for part in (values, information, motion, motion_precision)
    )

    def encoded(frames: int) -> tuple[torch.Tensor, torch.Tensor]:
        mean, precision = torch.zeros_like(values), torch.zeros_like(values)
        for start, counts, is_observed in crops.blocks(frames):
            rows = slice(start, start + len(counts))
            heights, observed = (
                placed(torch.from_numpy(part), device) for part in (counts, is_observed)
            )
            heights = heights.float() * crops.height_step_mm
            parts = encoder(heights, observed, values[rows], information[rows])
            mean[rows], precision[rows] = (part.double() for part in parts)
        return mean, precision

    mean, precision = memory.halved(encoded, BLOCK, "frames")
    return GaussianEvidence(torch.cat([mean, motion], -1), torch.cat([precision, motion_precision], -1))


def _checked(series: LatentSeries, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    values = torch.from_numpy(np.array(series.values, np.float64))
    observed = torch.from_numpy(np.array(series.observed, bool))
    if values.ndim != 2 or values.shape[:1] != observed.shape:
        raise ShapeError(
            f"{name}: latents {tuple(values.shape)} with {len(observed)} ticks; all recordings have "
            "(T, D) latents of the same D, and T flags."
        )
    return values, observed[:, None] & torch.isfinite(values)


def bridged(values: npt.NDArray[np.float64], max_gap: int) -> npt.NDArray[np.float64]:
    """Fill short gaps between finite values by straight lines, each column by itself.

    Parameters
    ----------
    values : (T, D)
        NaN where missing.
    max_gap : int
        Longest gap that is filled, ticks.
    """
    filled = values.copy()
    if max_gap:
        for column in filled.T:
            finite = np.flatnonzero(np.isfinite(column))
            for a, b in itertools.pairwise(finite):
                if 1 < b - a <= max_gap + 1:
                    column[a : b + 1] = np.linspace(column[a], column[b], b - a + 1)
    return filled
