"""Segment a whole recording with a trained model; the same way for training and new data."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from .. import registry
from ..errors import ShapeError
from ..priors._evidence import PointEvidence
from .latents import LatentSeries
from .model import Model
from .training import one_thread

__all__ = ["Segmentation", "segment"]


class Segmentation(NamedTuple):
    """What a model makes of a recording, a row per tick.

    Attributes
    ----------
    path : (T,) int64
        Most probable path of syllables, also over ticks without a frame.
    states : (T, K) float32
        Probability of each syllable.
    surprise_nats : (T,) float64
        Minus the log density of the latents given all earlier ones; NaN where the frame or one
        that predicts it is missing.
    mean, sd : (T, D) float32
        Latents and their uncertainty; NaN where missing, and 0 where the latents are points.
    """

    path: npt.NDArray[np.int64]
    states: npt.NDArray[np.float32]
    surprise_nats: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float32]
    sd: npt.NDArray[np.float32]


def segment(model: Model, series: LatentSeries) -> Segmentation:
    """Label every tick of a recording.

    Parameters
    ----------
    model : Model
    series : LatentSeries
        Latents made by the model's own reduction.

    Raises
    ------
    ShapeError
        The latents are not of the model's dimensions.
    """
    prior = registry.find("syllabary.priors", model.settings.prior)
    values = torch.from_numpy(np.array(series.values, np.float64))
    observed = torch.from_numpy(np.array(series.observed, bool)) & torch.isfinite(values).all(-1)
    size = prior.dimensions(model.parameters)
    if values.ndim != 2 or values.shape[1] != size or len(observed) != len(values):
        raise ShapeError(
            f"latents {tuple(values.shape)} with {len(observed)} flags; the model wants (T, {size}) and "
            "T flags, made by its own reduction."
        )
    evidence = PointEvidence(values, observed)
    with one_thread():
        local = prior.infer(model.parameters, evidence, paths=True)
        predicted = prior.filter(model.parameters, evidence)
    missing = ~observed.numpy()
    mean = values.numpy().astype(np.float32)
    mean[missing] = np.nan
    sd = np.zeros_like(mean)
    if local.covariances is not None:
        sd = local.covariances.diagonal(dim1=-2, dim2=-1).sqrt().numpy().astype(np.float32)
    else:
        sd[missing] = np.nan
    surprise = np.where(predicted.usable.numpy(), -predicted.log_density.numpy(), np.nan)
    return Segmentation(local.path.numpy(), local.states.float().numpy(), surprise, mean, sd)
