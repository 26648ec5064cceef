"""Segment a whole recording with a trained model; the same way for training and new data."""

import logging
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ..errors import BadInput, ShapeError
from ..machine import one_thread
from ..priors import slds
from ..priors.interface import ChosenPrior
from ..priors.lookup import find_prior
from ..priors.types import Evidence, GaussianEvidence, moved
from ..records.crops import Crops
from ..reduction.latents import LatentSeries
from . import latent_evidence
from .model import Model
from .process import posterior

__all__ = ["Segmentation", "evidence_of", "segment"]

log = logging.getLogger(__name__)
# A recording is segmented once; what further iterations would change is less than a label.
MAX_ITERATIONS = 100
TOLERANCE_NATS = 1e-5


class Segmentation(NamedTuple):
    """Syllables and latents of a recording by a model, a row per tick of the recording.

    Attributes
    ----------
    path : (T,) int64
        Most probable path of states, also over ticks without a frame.
    states : (T, K) float32
        Probability of each state; for discovered syllables, of a fit to other animals giving it too.
    surprise_nats : (T,) float64
        Minus the log density of a frame's evidence given all earlier frames; NaN where the frame
        is missing, or for point latents a frame that predicts it.
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

    A recording of another rate than the model's is labeled on the model's clock. Each of its ticks
    gets what the nearest tick of the model has.

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
        The latents are not of the model's dimensions; crops are needed and not given.
    """
    prior = find_prior(model.settings.prior)
    size = prior.dimensions(model.parameters)
    if np.ndim(series.values) != 2 or np.shape(series.values)[1] != size:
        raise ShapeError(
            f"latents {np.shape(series.values)}; the model wants (T, {size}), made by its own reduction."
        )
    with one_thread("torch"):
        if prior.TAKES_POINTS:
            labeled = _of_points(prior, model, series)
        elif model.settings.discovery is not None:
            labeled = _of_lags(model, evidence_of(model, series, crops))
        else:
            labeled = _of_frames(prior, model, evidence_of(model, series, crops))
    if series.clock is None:
        return labeled
    rows = series.clock.tick_of_row
    return labeled._replace(**{name: part[rows] for name, part in labeled._asdict().items()})


def evidence_of(model: Model, series: LatentSeries, crops: Crops | None) -> GaussianEvidence:
    """Return the model's evidence of the latents.

    Parameters
    ----------
    model : Model
    series : LatentSeries
        (T, D), made by the model's own reduction.
    crops : Crops, optional
        Of the same recording; a model whose networks were trained needs them.

    Raises
    ------
    BadInput
        Crops are needed and not given.
    """
    encoder = model.networks().encoder
    if not list(encoder.parameters()):
        return moved(latent_evidence.linear(series, encoder.max_precision), model.device)
    if crops is None:
        raise BadInput(
            f"network {model.settings.network!r} looks at the crops themselves; give crops, not latents."
        )
    return latent_evidence.of_crops(encoder, crops, series)


def _of_points(prior: ChosenPrior, model: Model, series: LatentSeries) -> Segmentation:
    """Segment with latents taken as points; missing ones stay unknown."""
    bridge = round(model.settings.bridge_s * model.fps)
    evidence = latent_evidence.points(series, bridge=bridge)
    mean = evidence.latents.numpy().astype(np.float32)
    sd = np.where(evidence.observed[:, None], np.float32(0), np.float32(np.nan))
    evidence = moved(evidence, model.device)
    local = prior.infer(model.parameters, evidence, paths=True)
    assert local.path is not None
    return Segmentation(
        local.path.cpu().numpy(),
        local.states.float().cpu().numpy(),
        _surprise(prior, model, evidence),
        mean,
        np.broadcast_to(sd, mean.shape).copy(),
    )


def _of_frames(prior: ChosenPrior, model: Model, evidence: GaussianEvidence) -> Segmentation:
    """Segment with latents that have noise; missing ones are inferred too."""
    local = prior.infer(
        model.parameters,
        evidence,
        paths=True,
        max_iterations=MAX_ITERATIONS,
        tolerance=TOLERANCE_NATS,
        cache=False,
    )
    assert local.path is not None and local.covariances is not None
    if not bool(local.converged):
        log.warning("latents and states had not converged after %d iterations.", MAX_ITERATIONS)
    return Segmentation(
        local.path.cpu().numpy(),
        local.states.float().cpu().numpy(),
        _surprise(prior, model, evidence),
        local.means.float().cpu().numpy(),
        local.covariances.diagonal(dim1=-2, dim2=-1).sqrt().float().cpu().numpy(),
    )


def _of_lags(model: Model, evidence: GaussianEvidence) -> Segmentation:
    """Segment with latents that have noise, and dynamics of several lags."""
    assert isinstance(model.parameters, slds.Parameters)
    result = posterior.infer(model.parameters, evidence)
    states = result.states @ model.agreement if len(model.agreement) else result.states
    return Segmentation(
        result.path.cpu().numpy(),
        states.float().cpu().numpy(),
        -result.log_density.cpu().numpy(),
        result.means.float().cpu().numpy(),
        result.sd.float().cpu().numpy(),
    )


def _surprise(prior: ChosenPrior, model: Model, evidence: Evidence) -> npt.NDArray[np.float64]:
    predicted = prior.filter(model.parameters, evidence)
    surprise = torch.where(predicted.usable, -predicted.log_density, torch.nan)
    return surprise.cpu().numpy()
