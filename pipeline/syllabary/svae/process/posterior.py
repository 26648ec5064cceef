"""The posterior of a whole recording under dynamics of several lags.

The evidence of a state at a frame is the density of the frame given that state and all frames before,
with the latents integrated out: a Kalman filter whose Gaussian stands for the mixture over the states
(``scores.filtering``). With it the states are a hidden Markov chain, whose posterior q(z) is exact.
Given q(z), the latents are one Gaussian chain in blocks of L frames (``scores.chain``): q(x).

The chain of states costs a change of state what ``kappa`` says. That is a constraint on q, not a
property of the animal: of all posteriors, q is the nearest with bouts about as long as the model-free
segments (posterior regularization, doi:10.5555/1756006.1859918). Predictions and likelihoods use the
steps as they were counted.

Recordings are inferred in windows with a margin, so that memory does not grow with their length.
"""

from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor

from ...expfam import dirichlet
from ...messages import hmm, lds, switching
from ...priors import slds
from ...priors.types import GaussianEvidence
from . import chain
from .filtering import switching_model
from .generative import GenerativeProcess, generative_process

__all__ = ["Filtered", "Posterior", "infer", "predict"]

# Frames of a window of the latents, frames on both sides that are inferred with it and dropped, and
# windows at once: as many as a vector has lanes.
WINDOW, MARGIN, BATCH = 2048, 48, 8
# Frames of a window of the filter, frames before it from which it starts, and windows at once.
FILTER_WINDOW, FILTER_MARGIN, FILTER_BATCH = 256, 64, 64


class Filtered(NamedTuple):
    """Evidence of every frame given the frames before it."""

    nodes: Tensor
    """(T, K) log evidence of the states, nats, up to what all states share."""
    log_density: Tensor
    """(T,) log density of the frame's evidence, nats; NaN where there is none."""


class Posterior(NamedTuple):
    """Posterior of a recording."""

    states: Tensor
    """(T, K) probabilities."""
    path: Tensor
    """(T,) int64, the most probable path of states."""
    means: Tensor
    """(T, D) of the latents."""
    sd: Tensor
    """(T, D) of the latents."""
    log_density: Tensor
    """(T,) of every frame's evidence given the frames before; NaN where there is none."""


def infer(parameters: slds.Parameters, evidence: GaussianEvidence) -> Posterior:
    """Return the posterior of a recording.

    Parameters
    ----------
    parameters : slds.Parameters
        Of any number of lags.
    evidence : GaussianEvidence
        (T, D) of the latents.
    """
    process = generative_process(parameters)
    first = dirichlet.expected_stats(parameters.initial).log_probability
    rows = dirichlet.expected_stats(parameters.transition).log_probability
    predicted = predict(process, evidence)
    nodes = predicted.nodes[None]
    marginals = hmm.marginals(first, rows, nodes)
    assert marginals.states is not None
    states = marginals.states[0]
    means, sd = _latents(process, _potential(evidence), states)
    return Posterior(states, hmm.path(first, rows, nodes)[0], means, sd, predicted.log_density)


def predict(process: GenerativeProcess, evidence: GaussianEvidence) -> Filtered:
    """Return the evidence of every frame given the frames before it.

    Windows are filtered at once, each from ``FILTER_MARGIN`` frames before it.

    Parameters
    ----------
    process : GenerativeProcess
    evidence : GaussianEvidence
        (T, D) of the latents.
    """
    precision, frames = evidence.precision.double(), len(evidence.mean)
    observed = precision > 0
    means = torch.where(observed, evidence.mean.double(), 0.0)
    root = precision.sqrt()
    nodes = process.rows.new_zeros((frames, len(process.rows)))
    density = nodes.new_zeros(frames)
    starts = torch.arange(0, frames, FILTER_WINDOW)
    length = min(FILTER_WINDOW + FILTER_MARGIN, frames)
    # All windows have one length; the last ones begin earlier, so that they end with the recording.
    begins = (starts - FILTER_MARGIN).clamp(min=0, max=frames - length)
    groups = torch.split(torch.arange(len(starts)), FILTER_BATCH) if frames else ()
    for group in groups:
        ticks = begins[group, None] + torch.arange(length)
        belief = switching.filter(switching_model(process), root[ticks], means[ticks])
        for row, i in enumerate(group.tolist()):
            start = int(starts[i])
            stop = min(start + FILTER_WINDOW, frames)
            inside = slice(start - int(begins[i]), stop - int(begins[i]))
            nodes[start:stop] = belief.nodes[row, inside]
            density[start:stop] = belief.log_density[row, inside]
    # Potentials lack the constants of the densities that they stand for.
    constant = torch.where(observed, torch.log(precision / (2 * torch.pi)), 0.0).sum(-1)
    return Filtered(nodes, torch.where(observed.any(-1), density + 0.5 * constant, torch.nan))


def _potential(evidence: GaussianEvidence) -> chain.Potential:
    precision = evidence.precision.double()
    linear = precision * torch.where(precision > 0, evidence.mean.double(), 0.0)
    return chain.Potential(torch.diag_embed(precision), linear)


def _latents(
    process: GenerativeProcess, potential: chain.Potential, states: Tensor
) -> tuple[Tensor, Tensor]:
    """Means and SDs of the latents (T, D) given the probabilities of the states."""
    coefficients = chain.terms(process)
    frames, size = potential.precision_mean.shape
    means, sd = potential.precision_mean.new_zeros((2, frames, size))
    windows = [
        (begin, slice(max(begin - MARGIN, 0), min(begin + WINDOW + MARGIN, frames)))
        for begin in range(0, frames, WINDOW)
    ]
    for length, equal in groupby(windows, lambda window: window[1].stop - window[1].start):
        alike = list(equal)
        for group in (alike[i : i + BATCH] for i in range(0, len(alike), BATCH)):
            ticks = torch.tensor([wide.start for _, wide in group])[:, None] + torch.arange(length)
            window = chain.Potential(*(part[ticks] for part in potential))
            factors = chain.chain(process, coefficients, states[ticks], window)
            marginals = lds.marginals(*factors[:3])
            assert marginals.covariances is not None
            centers = marginals.means.reshape(len(group), -1, size)
            variance = marginals.covariances.diagonal(dim1=-2, dim2=-1).reshape(len(group), -1, size)
            for row, (begin, wide) in enumerate(group):
                stop = min(begin + WINDOW, frames)
                inside = slice(begin - wide.start, stop - wide.start)
                means[begin:stop] = centers[row, inside]
                sd[begin:stop] = variance[row, inside].clamp(min=0).sqrt()
    return means, sd
