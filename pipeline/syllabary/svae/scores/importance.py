"""The log likelihood of clips, bounded ever more tightly by importance sampling."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...messages import hmm
from ...records.crops import Crops
from ..model import Model
from ..process.chain import Potential, chain, draw, optimum, terms
from ..process.filtering import filtered
from ..process.generative import GenerativeProcess
from .bound import Score
from .observation_models import View, log_density, potential
from .recording import Recording, open_recording

__all__ = ["Proposal", "clips_of", "iwae", "log_weights", "propose", "tighten"]

# Times that the decoder is linearized at the current latents.
ROUNDS = 3
MAX_ITERATIONS = 20
TOLERANCE_NATS = 1e-3
# Samples drawn at once.
CHUNK = 64


class Proposal(NamedTuple):
    """Proposal of latents and states of clips: q(z), and q(x | z) under the linearized decoder."""

    potential: Potential
    """(N, T, ...), under the linearized decoder."""
    nodes: Tensor
    """(N, T, K) log potentials of the states: q(z) ∝ p(z) exp Σ nodes."""
    log_normalizer: Tensor
    """(N,) of q(z), nats."""


def iwae(
    model: Model,
    crops: Crops | Recording,
    *,
    rng: np.random.Generator,
    clips: int = 4,
    frames: int = 64,
    samples: Sequence[int] = (1, 16, 64, 256),
) -> list[Score]:
    """Return importance weighted bounds of clips spread evenly over a recording.

    The log of the mean of S weights p(y, x, z) / q(x, z) is in expectation a lower bound of the log
    likelihood of the clip's pixels. It rises with S and tends to the log likelihood.

    The proposal q approximates the posterior of the scored generative model, in the same way for
    every model; the encoder only provides its start. The decoder is linearized around the
    posterior of the latents. States are filtered with it and drawn backward (Kim's smoother,
    doi:10.1016/0304-4076(94)90036-1). Latents are drawn from their exact distribution given these
    states. For a linear decoder the weight of a sample then does not depend on its latents, so
    only the states loosen the bound. The states' factor of mean field would be too narrow for a
    proposal.

    Parameters
    ----------
    model : Model
    crops : Crops, or Recording
    rng : numpy Generator
    clips : int
        At most; clips in which nothing was seen are passed over.
    frames : int
        Of a clip; a shorter recording is one clip.
    samples : sequence of int
        Numbers of samples S. They share their samples: the bound of S is the mean over as many
        groups of S as there are in the largest number.

    Returns
    -------
    list of Score
        One for each S, summed over clips; empty where nothing was seen.

    References
    ----------
    doi:10.48550/arXiv.1509.00519
    """
    recording = open_recording(model, crops)
    ticks = clips_of(recording.observed(), clips, frames)
    if not len(ticks):
        return []
    models = [recording.pixels(row) for row in ticks]
    start = recording.potential(ticks, motion=False)
    proposal = propose(recording.generative_process, models, start, recording.even(*ticks.shape))
    weights = log_weights(recording.generative_process, models, proposal, max(samples), rng)
    counts = torch.stack([view.counts() for view in models])
    frames_scored, pixels = int((counts > 0).sum()), int(counts.sum())
    return [Score(float(tighten(weights, s).sum()), frames_scored, pixels, samples=s) for s in samples]


def clips_of(observed: Tensor, clips: int, frames: int) -> Tensor:
    """Return the ticks (N, T) of evenly spread clips with at least one observed frame.

    Parameters
    ----------
    observed : (T,) bool
    clips, frames : int
        Clips at most, and frames of each.
    """
    length = len(observed)
    frames = min(frames, length)
    number = min(clips, length // frames) if frames else 0
    if not number:
        return torch.zeros((0, frames), dtype=torch.int64)
    # In the middle of as many equal parts.
    begin = ((torch.arange(number) + 0.5) * length / number - frames / 2).long()
    ticks = begin[:, None] + torch.arange(frames)
    return ticks[observed.cpu()[ticks].any(-1)]


def propose(
    generative_process: GenerativeProcess,
    models: Sequence[View],
    start: Potential,
    states: Tensor,
    rounds: int = ROUNDS,
) -> Proposal:
    """Find the proposal: alternate between the posterior and a decoder made linear around it.

    Parameters
    ----------
    generative_process : GenerativeProcess
    models : sequence of N views
        Observation models of the T frames of each clip.
    start : Potential
        (N, T, ...), from the encoder.
    states : (N, T, K) float64
        Probabilities to start from.
    rounds : int
        Times that the decoder is made linear.
    """
    posterior = optimum(
        generative_process, start, states, max_iterations=MAX_ITERATIONS, tolerance=TOLERANCE_NATS
    )
    evidence = start
    for _ in range(rounds):
        parts = [
            potential(view, means, torch.arange(len(means)))
            for view, means in zip(models, posterior.means, strict=True)
        ]
        evidence = Potential(*(torch.stack(part) for part in zip(*parts, strict=True)))
        posterior = optimum(
            generative_process,
            evidence,
            posterior.states,
            max_iterations=MAX_ITERATIONS,
            tolerance=TOLERANCE_NATS,
        )
    nodes = filtered(generative_process, evidence).nodes
    chained = hmm.marginals(
        generative_process.first.log(), generative_process.rows.log(), nodes, keep="filter"
    )
    return Proposal(evidence, nodes, chained.log_normalizer)


def log_weights(
    generative_process: GenerativeProcess,
    models: Sequence[View],
    proposal: Proposal,
    samples: int,
    rng: np.random.Generator,
) -> Tensor:
    """Return log p(y, x, z) − log q(x, z) of samples, (N, S) nats."""
    coefficients = terms(generative_process)
    first, rows = generative_process.first.log(), generative_process.rows.log()
    frames = proposal.nodes.shape[1]
    time = torch.arange(frames)
    weights = proposal.nodes.new_empty((len(models), samples))
    for n, view in enumerate(models):
        nodes = proposal.nodes[n]
        for begin in range(0, samples, CHUNK):
            count = min(CHUNK, samples - begin)
            states = hmm.sample(first, rows, nodes.expand(count, -1, -1), rng)
            # log p(z) − log q(z): the steps are the same in both.
            weight = proposal.log_normalizer[n] - nodes[time, states].sum(-1)
            evidence = Potential(*(part[n].expand(count, *part[n].shape) for part in proposal.potential))
            latent_chain = chain(generative_process, coefficients, states, evidence)
            latents, log_normalizer = draw(latent_chain, frames, generative_process.size, rng)
            # log p(x | z) − log q(x | z): they differ by the potential of the linearized decoder.
            pulled = (evidence.precision @ latents[..., None])[..., 0]
            prediction = ((evidence.precision_mean - 0.5 * pulled) * latents).sum((-2, -1))
            weight = weight + log_normalizer - prediction
            rows_of = time.expand(count, -1).flatten()
            density = log_density(view, latents.flatten(0, 1), rows_of).reshape(count, -1)
            weights[n, begin : begin + count] = weight + density.sum(-1)
    return weights


def tighten(weights: Tensor, samples: int) -> Tensor:
    """Return the bound of groups of samples, (N,) nats.

    Parameters
    ----------
    weights : (N, S) float64
        Log weights, nats.
    samples : int
        Size of a group.
    """
    groups = weights.shape[-1] // samples
    parts = weights[..., : groups * samples].reshape(*weights.shape[:-1], groups, samples)
    return (torch.logsumexp(parts, -1) - math.log(samples)).mean(-1)
