"""Dynamics of several lags, once syllables and networks are known: what predictions are made by.

The networks are trained with a prior of one lag, whose gradient is cheap. But an animal has momentum,
and what a recognizer says of a frame jitters; both are seen in more than one past frame. So at the end
the motion of every syllable is fitted again, ``x_t ~ N(W_z [x_{t-1}, ..., x_{t-L}, 1], Q_z)``, to all
training recordings. Networks, chain of states, and what is said of them stay as they are, and so do all
labels; bound, importance weighted bound and predictions (``scores``) are those of these dynamics.

A sweep is exact: with said states the latents are one Gaussian chain, and the parameters' update is
conjugate; what the states have in common is learned as in training.

References
----------
docs/decisions/022-foresight.md; doi:10.1016/j.neuron.2015.11.031 (dynamics of three lags).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import BadInput
from ..expfam import mniw
from ..machine import one_thread
from ..messages import hmm, lds
from ..priors.blocks import autoregression, global_parameters
from ..priors.interface import GaussianEvidence, PointEvidence, total
from ..progress import track
from ..records.crops import Crops
from ..reduction.latents import LatentSeries
from . import segmentation
from .choices import prior_settings
from .model import Model
from .scores import chain
from .scores.process import process

__all__ = ["fit", "moved"]

SWEEPS = 8
# Frames of a recording at once, which know nothing of the others: a frame takes some 20 kB.
PIECE = 4500


def fit(model: Model, latents: Mapping[str, LatentSeries], crops: Mapping[str, Path], lags: int) -> Any:
    """Return a trained model's parameters with dynamics of some lags.

    Parameters
    ----------
    model : Model
        With a recognizer of states.
    latents, crops : mapping of recording to its latents and to its ``crops.h5``
        Of training.
    lags : int

    Returns
    -------
    NamedTuple
        The prior's parameters, of which ``dynamics`` (K, ...) and ``hyperprior`` are of W_k
        (D, L D + 1) and Q_k (D, D).
    """
    told, states = [], []
    with one_thread("torch"):
        law = process(model.parameters)
        for name in sorted(latents):
            series = latents[name]
            with Crops(crops[name]) as recording:
                evidence = segmentation._evidence(
                    model, series, recording, segmentation._predict_states(model, series)
                )
            assert evidence.states is not None
            chained = hmm.marginals(law.first.log(), law.rows.log(), evidence.states.double()[None])
            assert chained.states is not None
            told.append(evidence)
            states.append(chained.states[0])
        return moved(model.parameters, told, states, lags, prior_settings(model.settings))


def moved(
    parameters: Any,
    evidence: list[GaussianEvidence],
    states: list[Tensor],
    lags: int,
    settings: Any,
    max_iterations: int = SWEEPS,
) -> Any:
    """Fit dynamics of some lags to recordings whose states are known.

    Parameters
    ----------
    parameters : NamedTuple
        Of ``slds``, of any number of lags.
    evidence : list of GaussianEvidence (T, D)
        What is said of the latents of each recording.
    states : list of (T, K) float64
        Probabilities of its states.
    lags, max_iterations : int
    settings : Settings
        Of the prior.

    Raises
    ------
    BadInput
        No frame has all its predecessors.
    """
    size = global_parameters.dimensions(parameters)
    points = [PointEvidence(one.mean, (one.precision > 0).all(-1)) for one in evidence]
    usable = [autoregression.usable(one.observed, lags) for one in points]
    if not any(bool(mask.any()) for mask in usable):
        raise BadInput(
            f"no frame of the training recordings has {lags} observed frames before it; set "
            "discovery.forecast_lags of the model to fewer."
        )
    sums = [
        autoregression.sums(one, mask, mask[:, None], lags)
        for one, mask in zip(points, usable, strict=True)
    ]
    hyperprior = autoregression.hyperprior(
        mniw.Natural(*(part[0] for part in total(sums))),
        coefficient_variance=settings.coefficient_variance,
        extra_degrees=settings.extra_degrees,
        noise_floor=settings.noise_floor,
    )
    pieces = []
    for one, shares in zip(evidence, states, strict=True):
        precision = one.precision.double()
        linear = precision * torch.where(precision > 0, one.mean.double(), 0.0)
        for begin in range(0, len(shares), PIECE):
            rows = slice(begin, begin + PIECE)
            if len(shares[rows]) > lags:
                told = chain.Potential(torch.diag_embed(precision[rows]), linear[rows])
                pieces.append((told, shares[rows]))
    dynamics = mniw.Natural(*(part.expand(len(states[0].T), *part.shape).clone() for part in hyperprior))
    found = parameters._replace(dynamics=dynamics, hyperprior=hyperprior)
    for _ in track(range(max_iterations), "fit: forecasting", unit="iterations"):
        law = process(found)
        seen = total(_sums(law, told, shares, lags, size) for told, shares in pieces)
        grown = (own + shared for own, shared in zip(seen, found.hyperprior, strict=True))
        found = global_parameters.learn(found._replace(dynamics=mniw.Natural(*grown)))
    return found


def _sums(law: Any, told: chain.Potential, states: Tensor, lags: int, size: int) -> mniw.Natural:
    """Expected sums of every state's regression over one piece (T frames), weighted by the states."""
    frames = len(states)
    whole = chain.Potential(*(part[None] for part in told))
    given = chain.chain(law, chain.terms(law), states[None], whole)
    means, second = chain.moments(lds.marginals(*given[:3]), frames, size, lags)
    # The regressors last, and 1 the last of them. The first frame has no past to be regressed on.
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
