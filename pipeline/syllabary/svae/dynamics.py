"""Dynamics of the trained model: those of the discovered syllables, with latents that are uncertain.

Discovery takes latents as points. But encoded latents have noise from frame to frame. So the motion of
every syllable, ``x_t ~ N(W_z [x_{t-1}, ..., x_{t-L}, 1], Q_z)``, is fitted again at the end, to all
training recordings, with the encoder's evidence of the latents. The states are those of discovery. The
result is the model's only dynamics: labels, latents, likelihoods and predictions all use it.

An iteration is exact: with clamped states the latents are one Gaussian chain, and the update of the
parameters is conjugate. The hyperprior is fitted as in training.

References
----------
docs/decisions/027-one-model.md; doi:10.1016/j.neuron.2015.11.031 (dynamics of three lags).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from ..errors import BadInput
from ..expfam import mniw
from ..machine import one_thread
from ..messages import lds
from ..priors import slds
from ..priors.blocks import autoregression, global_parameters
from ..priors.interface import GlobalParameters
from ..priors.types import GaussianEvidence, PointEvidence, total
from ..progress import track
from ..records.crops import Crops
from ..reduction.latents import LatentSeries
from . import segmentation
from .choices import prior_settings
from .model import Model
from .process import chain
from .process.generative import GenerativeProcess, generative_process

__all__ = ["fit", "refit"]

ITERATIONS = 8
# Frames of a recording that are inferred at once, as if alone: a frame takes some 20 kB.
WINDOW = 4500
P = TypeVar("P", bound=GlobalParameters)


def fit(
    model: Model,
    latents: Mapping[str, LatentSeries],
    crops: Mapping[str, Path],
    states: Mapping[str, Tensor],
) -> slds.Parameters:
    """Return the parameters of a model whose networks are trained.

    Parameters
    ----------
    model : Model
        With the parameters of its discovered syllables.
    latents, crops, states : mapping of recording to its latents, its ``crops.h5``, and (T, K) float64
        Of training; probabilities of the states.
    """
    settings = prior_settings(model.settings)
    assert isinstance(settings, global_parameters.Settings)
    assert isinstance(model.parameters, slds.Parameters)
    evidence = []
    with one_thread("torch"):
        for name in sorted(latents):
            with Crops(crops[name]) as recording:
                evidence.append(segmentation.evidence_of(model, latents[name], recording))
        clamped = [states[name].to(model.device) for name in sorted(latents)]
        lags = global_parameters.lags(model.parameters)
        return refit(model.parameters, evidence, clamped, lags, settings)


def refit(
    parameters: P,
    evidence: list[GaussianEvidence],
    states: list[Tensor],
    lags: int,
    settings: global_parameters.Settings,
    max_iterations: int = ITERATIONS,
) -> P:
    """Fit dynamics of several lags to recordings with given states.

    Parameters
    ----------
    parameters : NamedTuple
        Of ``slds``, of any number of lags. With the same number, their dynamics are the start.
    evidence : list of GaussianEvidence (T, D)
        Of the latents of each recording.
    states : list of (T, K) float64
        Probabilities of its states.
    lags : int
    settings : Settings
        Of the prior.
    max_iterations : int

    Raises
    ------
    BadInput
        No frame has all its predecessors.
    """
    size = global_parameters.dimensions(parameters)
    windows = []
    for each, shares in zip(evidence, states, strict=True):
        precision = each.precision.double()
        linear = precision * torch.where(precision > 0, each.mean.double(), 0.0)
        for begin in range(0, len(shares), WINDOW):
            rows = slice(begin, begin + WINDOW)
            if len(shares[rows]) > lags:
                windows.append((precision[rows], linear[rows], shares[rows]))
    refitted = parameters
    if global_parameters.lags(parameters) != lags:
        hyperprior = _hyperprior(evidence, lags, settings)
        each_state = (part.expand(len(states[0].T), *part.shape).clone() for part in hyperprior)
        refitted = parameters._replace(dynamics=mniw.Natural(*each_state), hyperprior=hyperprior)
    for _ in track(range(max_iterations), "fit: dynamics", unit="iterations"):
        motion = generative_process(refitted)
        sums = total(
            _sums(motion, chain.Potential(torch.diag_embed(precision), linear), shares, lags, size)
            for precision, linear, shares in windows
        )
        posterior = (data + prior for data, prior in zip(sums, refitted.hyperprior, strict=True))
        refitted = global_parameters.learn(refitted._replace(dynamics=mniw.Natural(*posterior)))
    return refitted


def _hyperprior(
    evidence: list[GaussianEvidence], lags: int, settings: global_parameters.Settings
) -> mniw.Natural:
    """Prior of the dynamics, from one regression of all latents taken as points."""
    points = [PointEvidence(each.mean, (each.precision > 0).all(-1)) for each in evidence]
    usable = [autoregression.usable(each.observed, lags) for each in points]
    if not any(bool(mask.any()) for mask in usable):
        raise BadInput(
            f"no frame of the training recordings has {lags} observed frames before it; set "
            "discovery.lags of the model to fewer."
        )
    sums = [
        autoregression.sums(each, mask, mask[:, None], lags)
        for each, mask in zip(points, usable, strict=True)
    ]
    return autoregression.hyperprior(
        mniw.Natural(*(part[0] for part in total(sums))),
        coefficient_variance=settings.coefficient_variance,
        extra_degrees=settings.extra_degrees,
        noise_floor=settings.noise_floor,
    )


def _sums(
    motion: GenerativeProcess, potential: chain.Potential, states: Tensor, lags: int, size: int
) -> mniw.Natural:
    """Expected sums of every state's regression over one window (T frames), weighted by the states."""
    frames = len(states)
    whole = chain.Potential(*(part[None] for part in potential))
    factors = chain.chain(motion, chain.terms(motion), states[None], whole)
    means, second = chain.moments(lds.marginals(*factors[:3]), frames, size, lags)
    # The regressors last, and 1 the last of them. The first frame has no past, so it is left out.
    joint = torch.cat([means[0], torch.ones_like(means[0, :, :1])], -1)[1:]
    width = joint.shape[-1]
    gram = joint.new_zeros((frames - 1, width, width))
    gram[:, :-1, :-1] = second[0, 1:].reshape(frames - 1, width - 1, width - 1)
    gram[:, -1], gram[..., -1] = joint, joint
    shares = states[1:]
    gram = (shares.T @ gram.flatten(1)).reshape(-1, width, width)
    return mniw.Natural(
        precision=gram[:, size:, size:].clone(),
        precision_mean=gram[:, :size, size:].clone(),
        scatter=gram[:, :size, :size].clone(),
        observations=shares.sum(0),
    )
