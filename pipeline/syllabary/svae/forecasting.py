"""Dynamics of several lags, fitted once syllables and networks are trained: for predictions.

The networks are trained with a prior of one lag, whose gradient is cheap. But an animal has momentum,
and its encoded latents have noise from frame to frame; both show in more than one past frame. So
the motion of every syllable is fitted again at the end, ``x_t ~ N(W_z [x_{t-1}, ..., x_{t-L}, 1],
Q_z)``, to all training recordings. Networks, chain of states, and state evidence stay as they are,
and so do all labels. The bound, the importance weighted bound and predictions (``scores``) use
these dynamics.

An iteration is exact: with clamped states the latents are one Gaussian chain, and the update of the
parameters is conjugate. The hyperprior is fitted as in training.

References
----------
docs/decisions/022-foresight.md; doi:10.1016/j.neuron.2015.11.031 (dynamics of three lags).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from ..errors import BadInput
from ..expfam import mniw
from ..machine import one_thread
from ..messages import hmm, lds
from ..priors.blocks import autoregression, global_parameters
from ..priors.interface import GlobalParameters
from ..priors.types import GaussianEvidence, PointEvidence, total
from ..progress import track
from ..records.crops import Crops
from ..reduction.latents import LatentSeries
from . import segmentation
from .choices import prior_settings
from .model import Model
from .scores import chain
from .scores.generative import GenerativeProcess, generative_process

__all__ = ["fit", "refit"]

ITERATIONS = 8
# Frames of a recording that are inferred at once, as if alone: a frame takes some 20 kB.
WINDOW = 4500
P = TypeVar("P", bound=GlobalParameters)


def fit(
    model: Model, latents: Mapping[str, LatentSeries], crops: Mapping[str, Path], lags: int
) -> GlobalParameters:
    """Return a trained model's parameters with dynamics of several lags.

    Parameters
    ----------
    model : Model
        With a state labeler.
    latents, crops : mapping of recording to its latents and to its ``crops.h5``
        Of training.
    lags : int

    Returns
    -------
    NamedTuple
        The prior's parameters, of which ``dynamics`` (K, ...) and ``hyperprior`` are of W_k
        (D, L D + 1) and Q_k (D, D).
    """
    evidence, states = [], []
    settings = prior_settings(model.settings)
    assert isinstance(settings, global_parameters.Settings)
    with one_thread("torch"):
        chain_of_states = generative_process(model.parameters)
        first, rows = chain_of_states.first.log(), chain_of_states.rows.log()
        for name in sorted(latents):
            series = latents[name]
            prediction = segmentation.predict_states(model, series)
            with Crops(crops[name]) as recording:
                clamped = segmentation.evidence_of(model, series, recording, prediction)
            assert clamped.states is not None
            marginals = hmm.marginals(first, rows, clamped.states.double()[None])
            assert marginals.states is not None
            evidence.append(clamped)
            states.append(marginals.states[0])
        return refit(model.parameters, evidence, states, lags, settings)


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
        Of ``slds``, of any number of lags.
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
                potential = chain.Potential(torch.diag_embed(precision[rows]), linear[rows])
                windows.append((potential, shares[rows]))
    hyperprior = _hyperprior(evidence, lags, settings)
    dynamics = mniw.Natural(*(part.expand(len(states[0].T), *part.shape).clone() for part in hyperprior))
    refitted = parameters._replace(dynamics=dynamics, hyperprior=hyperprior)
    for _ in track(range(max_iterations), "fit: forecasting", unit="iterations"):
        motion = generative_process(refitted)
        sums = total(_sums(motion, potential, shares, lags, size) for potential, shares in windows)
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
            "discovery.forecast_lags of the model to fewer."
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
