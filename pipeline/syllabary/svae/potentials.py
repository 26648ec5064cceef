"""What frames say of their latents: evidence for a prior, of crops or of the PCA alone."""

import math

import numpy as np
import torch

from ..errors import ShapeError
from ..priors._evidence import GaussianEvidence, PointEvidence
from ..records.crops import Crops
from .latents import LatentSeries
from .networks._skip import Encoder, capped

__all__ = ["BLOCK", "linear", "of_crops", "points"]

# Frames encoded at once: fixed, so that no answer depends on how a recording is cut.
BLOCK = 256


def points(series: LatentSeries, name: str = "recording") -> PointEvidence:
    """Return the latents taken as known exactly; float64.

    Raises
    ------
    ShapeError
        Latents are not (T, D) with T flags.
    """
    values, observed = _checked(series, name)
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
        known = torch.from_numpy(np.array(series.information, np.float64))
        precision = capped(known, torch.zeros_like(known), most)
    return GaussianEvidence(
        torch.where(observed[:, None], values, 0.0), torch.where(observed[:, None], precision, 0.0)
    )


@torch.no_grad()
def of_crops(encoder: Encoder, crops: Crops, series: LatentSeries) -> GaussianEvidence:
    """Return what the recogniser makes of every tick of a recording, (T, D) float64.

    Parameters
    ----------
    encoder : Encoder
        Of a file in ``networks/``.
    crops : Crops
    series : LatentSeries
        Of the same recording, by the reduction that the encoder starts from.
    """
    values, observed = _checked(series, crops.recording)
    if series.information is None or len(values) != len(crops):
        raise ShapeError(
            f"{crops.path}: {len(crops)} crops but {len(values)} latents; give the latents that the "
            "model's own reduction makes of these crops."
        )
    known = torch.from_numpy(np.where(observed[:, None], series.information, 0.0))
    mean, precision = torch.zeros_like(values), torch.zeros_like(values)
    for start, heights, seen in crops.blocks(BLOCK):
        rows = slice(start, start + len(heights))
        height_mm = torch.from_numpy(heights).float() * crops.height_step_mm
        found = encoder(height_mm, torch.from_numpy(seen), values[rows], known[rows])
        mean[rows], precision[rows] = (part.double() for part in found)
    return GaussianEvidence(mean, precision)


def _checked(series: LatentSeries, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    values = torch.from_numpy(np.array(series.values, np.float64))
    observed = torch.from_numpy(np.array(series.observed, bool))
    if values.ndim != 2 or values.shape[:1] != observed.shape:
        raise ShapeError(
            f"{name}: latents {tuple(values.shape)} with {len(observed)} ticks; all recordings have "
            "(T, D) latents of the same D, and T flags."
        )
    return values, observed & torch.isfinite(values).all(-1)
