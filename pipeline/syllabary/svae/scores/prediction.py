"""How well a model foretells frames: in pixels, and in components."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...records.crops import Crops
from ..model import Model
from ..process.chain import Potential
from ..process.filtering import Belief, filtered, step
from ..process.generative import GenerativeProcess
from .bound import Score
from .observation_models import View, log_density, potential
from .recording import Recording, open_recording

__all__ = ["Future", "ahead", "linearized", "predictive", "predictive_density"]


class Future(NamedTuple):
    """A frame to come, along paths of states: a mixture of as many Gaussians."""

    means: Tensor
    """(N, S, D)"""
    covariances: Tensor
    """(N, S, D, D)"""


def predictive(
    model: Model,
    crops: Crops | Recording,
    *,
    rng: np.random.Generator,
    horizons: Sequence[int] = (1, 3, 10, 30),
    rollouts: int = 100,
    targets: int = 20,
    history: int = 64,
) -> dict[str, list[Score]]:
    """Return log densities of frames given the frames up to a horizon before them.

    The predicted frames are spread evenly over a recording, and are the same for every horizon. For
    each of them, ``history`` frames that end one horizon earlier are filtered with the encoder's
    potentials. Then paths of states are sampled. Along a path the latents are Gaussian, and their mean
    and covariance are propagated exactly. The density of the frame is the mean over paths.

    The density along a path is an integral over latents. It is estimated by importance sampling with one
    draw from the Gaussian of the latents given path and frame under a linearized decoder. Draws from
    the prediction itself would have the same mean, but the nearest draw would dominate its logarithm
    (docs/decisions/014-likelihoods.md).

    Parameters
    ----------
    model : Model
    crops : Crops, or Recording
    rng : numpy Generator
    horizons : sequence of int
        Frames ahead.
    rollouts : int
        Paths of states to each frame.
    targets : int
        Frames to predict, at most.
    history : int
        Frames that are seen before a prediction.

    Returns
    -------
    dict
        ``pixels`` and ``components`` (the PCA's latents of the frame, with the noise of
        probabilistic PCA): a Score for each horizon. Frames without any measurement are left out,
        and a recording too short for a prediction has no Score.
    """
    recording = open_recording(model, crops)
    result: dict[str, list[Score]] = {"pixels": [], "components": []}
    earliest = history - 1 + max(horizons)
    span = len(recording.crops) - earliest
    number = min(targets, span)
    if number <= 0:
        return result
    ticks = earliest + ((torch.arange(number) + 0.5) * span / number).long()
    observed_means = torch.where(
        recording.evidence.precision[ticks] > 0, recording.evidence.mean[ticks].double(), 0.0
    )
    pixels, components = recording.pixels(ticks), recording.components(ticks)
    counts = pixels.counts()
    models: dict[str, tuple[View, Tensor, int]] = {
        "pixels": (pixels, counts > 0, int(counts.sum())),
        "components": (components, (components.information > 0).any(-1), 0),
    }
    evidence = {name: linearized(view, observed_means) for name, (view, _, _) in models.items()}
    for horizon in horizons:
        window = ticks[:, None] - horizon + torch.arange(1 - history, 1)
        belief = filtered(recording.generative_process, recording.potential(window))
        future = ahead(recording.generative_process, belief, horizon, rollouts, rng)
        for name, (view, counted, measured) in models.items():
            density = predictive_density(view, evidence[name], future, rng)
            score = Score(float(density[counted].sum()), int(counted.sum()), measured, horizon, rollouts)
            result[name].append(score)
    return result


def ahead(
    generative_process: GenerativeProcess,
    belief: Belief,
    frames: int,
    rollouts: int,
    rng: np.random.Generator,
) -> Future:
    """Roll states so many frames out, and follow the latents along each path."""
    count, size = len(belief.states), generative_process.size
    rows = _cumulative(generative_process.rows)
    uniform = torch.from_numpy(rng.random((frames + 1, count, rollouts))).to(rows.device)
    states = _choose(_cumulative(belief.states)[:, None].expand(-1, rollouts, -1), uniform[0])
    means = belief.means[:, None].expand(-1, rollouts, -1)
    covariances = belief.covariances[:, None].expand(-1, rollouts, -1, -1)
    for t in range(frames):
        states = _choose(rows[states], uniform[t + 1])
        means, covariances = step(generative_process, means, covariances, states)
    return Future(means[..., :size], covariances[..., :size, :size])


def linearized(view: View, around: Tensor) -> Potential:
    """Return the potential of the N frames of a view, with a decoder that is linearized twice.

    Parameters
    ----------
    view : View
    around : (N, D) float64
        Latents at which the decoder is linearized first.
    """
    rows = torch.arange(len(around))
    evidence = potential(view, around, rows)
    unit = torch.eye(around.shape[-1], device=around.device).to(evidence.precision)
    return potential(view, torch.linalg.solve(evidence.precision + unit, evidence.precision_mean), rows)


def predictive_density(
    view: View, evidence: Potential, future: Future, rng: np.random.Generator
) -> Tensor:
    """Return the log density (N,) of the N frames of a view, nats.

    Parameters
    ----------
    view : View
    evidence : Potential
        (N, ...), with the decoder made linear.
    future : Future
    rng : numpy Generator
    """
    count, rollouts, size = future.means.shape
    prior = torch.linalg.cholesky(future.covariances)
    inverse = torch.cholesky_inverse(prior)
    factor = torch.linalg.cholesky(inverse + evidence.precision[:, None])
    pull = (inverse @ future.means[..., None])[..., 0] + evidence.precision_mean[:, None]
    center = torch.cholesky_solve(pull[..., None], factor)[..., 0]
    normals = torch.from_numpy(rng.standard_normal((count, rollouts, size))).to(prior)
    latents = center + torch.linalg.solve_triangular(factor.mT, normals[..., None], upper=True)[..., 0]
    away = torch.linalg.solve_triangular(prior, (latents - future.means)[..., None], upper=False)
    weight = 0.5 * (normals.square().sum(-1) - away.square().sum((-2, -1)))
    for part in (prior, factor):
        weight = weight - part.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    rows = torch.arange(count).repeat_interleave(rollouts)
    density = log_density(view, latents.flatten(0, 1), rows).reshape(count, rollouts)
    return torch.logsumexp(density + weight, -1) - math.log(rollouts)


def _cumulative(probabilities: Tensor) -> Tensor:
    """Sum along the last axis, on the processor: a GPU has no cumulative sum of one order."""
    return probabilities.cpu().cumsum(-1).to(probabilities.device)


def _choose(cumulative: Tensor, uniform: Tensor) -> Tensor:
    """Return the states (N, S) that numbers in [0, 1) fall on."""
    states = torch.searchsorted(cumulative.contiguous(), uniform[..., None], right=True)[..., 0]
    return states.clamp(max=cumulative.shape[-1] - 1)
