"""Segment a whole recording with a trained model; the same way for training and new data."""

import logging
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from .. import registry
from ..errors import BadInput, ShapeError
from ..machine import one_thread
from ..priors.interface import GaussianEvidence, PointEvidence
from ..records.crops import Crops
from ..reduction.latents import LatentSeries
from . import latent_evidence
from .discovery.labeler import StatePrediction
from .model import Model

__all__ = ["Segmentation", "segment"]

log = logging.getLogger(__name__)
# A recording is segmented once: what the last turns still move is less than a label.
MAX_ITERATIONS = 100
SETTLED_NATS = 1e-5


class Segmentation(NamedTuple):
    """What a model makes of a recording, a row per tick.

    Attributes
    ----------
    path : (T,) int64
        Most probable path of syllables, also over ticks without a frame.
    states : (T, K) float32
        Probability of each syllable.
    surprise_nats : (T,) float64
        Minus the log density of what a frame says of its latents, given all earlier frames; NaN
        where the frame, or for point latents one that predicts it, is missing.
    mean, sd : (T, D) float32
        Latents and their uncertainty. Point latents have sd 0, and NaN where missing; others are
        inferred from their neighbors there.
    """

    path: npt.NDArray[np.int64]
    states: npt.NDArray[np.float32]
    surprise_nats: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float32]
    sd: npt.NDArray[np.float32]


def segment(model: Model, series: LatentSeries, crops: Crops | None = None) -> Segmentation:
    """Label every tick of a recording.

    Parameters
    ----------
    model : Model
    series : LatentSeries
        Latents made by the model's own reduction.
    crops : Crops, optional
        Of the same recording; a model whose networks were trained needs them.

    Raises
    ------
    ShapeError, BadInput
        The latents are not of the model's dimensions; crops are wanted and not given.
    """
    prior = registry.find("syllabary.priors", model.settings.prior)
    size = prior.dimensions(model.parameters)
    if np.ndim(series.values) != 2 or np.shape(series.values)[1] != size:
        raise ShapeError(
            f"latents {np.shape(series.values)}; the model wants (T, {size}), made by its own reduction."
        )
    with one_thread("torch"):
        if prior.Evidence is PointEvidence:
            return _of_points(
                prior, model, latent_evidence.points(series, bridge=model.settings.bridge_frames)
            )
        prediction = _predict_states(model, series)
        return _of_frames(prior, model, _evidence(model, series, crops, prediction), prediction)


def _evidence(
    model: Model, series: LatentSeries, crops: Crops | None, prediction: StatePrediction | None
) -> GaussianEvidence:
    """What the model's recognizers say of latents and, where it has one for them, of states."""
    found = _of_latents(model, series, crops)
    return found if prediction is None else found._replace(states=torch.from_numpy(prediction.evidence))


def _predict_states(model: Model, series: LatentSeries) -> StatePrediction | None:
    """What is said of the states, where the model has a recognizer of them."""
    known, chosen = model.classifier(), model.settings.discovery
    if known is None or chosen is None:
        return None
    return known.predict(series, chosen.bridge_frames)


def _of_latents(model: Model, series: LatentSeries, crops: Crops | None) -> GaussianEvidence:
    encoder = model.networks().encoder
    if not list(encoder.parameters()):
        return latent_evidence.linear(series, encoder.max_precision)
    if crops is None:
        raise BadInput(
            f"network {model.settings.network!r} looks at the crops themselves; give crops, not latents."
        )
    return latent_evidence.of_crops(encoder, crops, series)


def _of_points(prior: ModuleType, model: Model, evidence: PointEvidence) -> Segmentation:
    """Latents are what they are; missing ones are unknown."""
    local = prior.infer(model.parameters, evidence, paths=True)
    mean = evidence.latents.numpy().astype(np.float32)
    sd = np.where(evidence.observed[:, None], np.float32(0), np.float32(np.nan))
    return Segmentation(
        local.path.numpy(),
        local.states.float().numpy(),
        _surprise(prior, model, evidence),
        mean,
        np.broadcast_to(sd, mean.shape).copy(),
    )


def _of_frames(
    prior: ModuleType, model: Model, evidence: GaussianEvidence, prediction: StatePrediction | None
) -> Segmentation:
    """Latents are inferred with their uncertainty, also where nothing was seen.

    What is said of neighboring frames comes of the same frames, so their chain is far too sure of
    itself: it decides the path, and what is reported is what was said of each frame.
    """
    local = prior.infer(
        model.parameters,
        evidence,
        paths=True,
        max_iterations=MAX_ITERATIONS,
        tolerance=SETTLED_NATS,
        cache=False,
    )
    if not bool(local.converged):
        log.warning("latents and states had not settled after %d turns.", MAX_ITERATIONS)
    return Segmentation(
        local.path.numpy(),
        (local.states.numpy() if prediction is None else prediction.states).astype(np.float32),
        _surprise(prior, model, evidence),
        local.means.float().numpy(),
        local.covariances.diagonal(dim1=-2, dim2=-1).sqrt().float().numpy(),
    )


def _surprise(prior: ModuleType, model: Model, evidence: Any) -> npt.NDArray[np.float64]:
    predicted = prior.filter(model.parameters, evidence)
    found: npt.NDArray[np.float64] = np.where(
        predicted.usable.numpy(), -predicted.log_density.numpy(), np.nan
    )
    return found
