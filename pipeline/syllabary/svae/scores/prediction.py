"""How well a model foretells frames: in pixels, and in components."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...records.crops import Crops
from ..model import Model
from .bound import Score
from .filtering import Belief, filtered, step
from .process import Process
from .recording import Recording, open_recording
from .views import View, log_density, potential

__all__ = ["Future", "ahead", "foretold", "predictive"]


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
    starts: int = 20,
    history: int = 64,
) -> dict[str, list[Score]]:
    """Return log densities of frames some way ahead, given what was seen until then.

    From starts spread evenly over a recording, the last ``history`` frames are filtered with what
    the model's recogniser says of them. Then states are rolled out; along a path of states the
    latents are a Gaussian, which is followed exactly instead of drawn. The density of a frame is
    the mean over paths, and along a path the integral over latents: of pixels by one draw from
    the law of the latents given path and frame with the decoder made straight, weighted by what
    that law misses. (Plain draws of the latents would give the same mean, but its logarithm is
    that of the one draw that happened to come nearest: hundreds of nats away in ten dimensions.)

    Parameters
    ----------
    model : Model
    crops : Crops, or Recording
    rng : numpy Generator
    horizons : sequence of int
        Frames ahead.
    rollouts : int
        Paths of states from each start.
    starts : int
        Frames to predict from, at most.
    history : int
        Frames, the start among them, that are seen.

    Returns
    -------
    dict
        ``pixels`` and ``components`` (the PCA's latents of the frame, with the noise of
        probabilistic PCA): a Score for each horizon. Frames without any measurement are left out.
    """
    known = open_recording(model, crops)
    length, last = len(known.crops), max(horizons)
    found: dict[str, list[Score]] = {"pixels": [], "components": []}
    room = length - last - history
    if room < 0:
        return found
    number = min(starts, room + 1)
    at = history - 1 + ((torch.arange(number) + 0.5) * (room + 1) / number).long()
    window = at[:, None] + torch.arange(1 - history, 1)
    belief = filtered(known.process, known.potential(window))
    wanted = {h: future for h, future in enumerate(ahead(known.process, belief, last, rollouts, rng), 1)}
    for h in horizons:
        ticks = at + h
        own = torch.where(
            known.evidence.precision[ticks] > 0, known.evidence.mean[ticks].double(), 0.0
        )
        pixels, components = known.pixels(ticks), known.components(ticks)
        counts = pixels.counts()
        scored = {"pixels": counts > 0, "components": (components.information > 0).any(-1)}
        views: dict[str, View] = {"pixels": pixels, "components": components}
        for name, view in views.items():
            density = foretold(view, wanted[h], own, rng)
            seen = scored[name]
            measured = int(counts.sum()) if name == "pixels" else 0
            score = Score(float(density[seen].sum()), int(seen.sum()), measured, h, rollouts)
            found[name].append(score)
    return found


def ahead(
    process: Process, belief: Belief, frames: int, rollouts: int, rng: np.random.Generator
) -> list[Future]:
    """Roll states out, and follow the latents along each path; a Future for each frame to come."""
    count, size = len(belief.states), process.size
    rows = process.rows.cumsum(-1)
    uniform = torch.from_numpy(rng.random((frames + 1, count, rollouts)))
    states = _choose(belief.states.cumsum(-1)[:, None].expand(-1, rollouts, -1), uniform[0])
    means = belief.means[:, None].expand(-1, rollouts, -1)
    covariances = belief.covariances[:, None].expand(-1, rollouts, -1, -1)
    found = []
    for t in range(frames):
        states = _choose(rows[states], uniform[t + 1])
        means, covariances = step(process, means, covariances, states)
        found.append(Future(means[..., :size], covariances[..., :size, :size]))
    return found


def foretold(view: View, future: Future, around: Tensor, rng: np.random.Generator) -> Tensor:
    """Return the log density (N,) of the N frames of a view, nats.

    Parameters
    ----------
    view : View
    future : Future
    around : (N, D) float64
        Latents of those frames, about: where the decoder is made straight first.
    rng : numpy Generator
    """
    count, rollouts, size = future.means.shape
    rows = torch.arange(count)
    told = potential(view, around, rows)
    unit = torch.eye(size).to(told.precision)
    better = torch.linalg.solve(told.precision + unit, told.precision_mean)
    told = potential(view, better, rows)
    prior = torch.linalg.cholesky(future.covariances)
    inverse = torch.cholesky_inverse(prior)
    factor = torch.linalg.cholesky(inverse + told.precision[:, None])
    pull = (inverse @ future.means[..., None])[..., 0] + told.precision_mean[:, None]
    center = torch.cholesky_solve(pull[..., None], factor)[..., 0]
    normals = torch.from_numpy(rng.standard_normal((count, rollouts, size)))
    latents = center + torch.linalg.solve_triangular(factor.mT, normals[..., None], upper=True)[..., 0]
    away = torch.linalg.solve_triangular(prior, (latents - future.means)[..., None], upper=False)
    weight = 0.5 * (normals.square().sum(-1) - away.square().sum((-2, -1)))
    for part in (prior, factor):
        weight = weight - part.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    repeated = rows.repeat_interleave(rollouts)
    density = log_density(view, latents.flatten(0, 1), repeated).reshape(count, rollouts)
    return torch.logsumexp(density + weight, -1) - math.log(rollouts)


def _choose(cumulative: Tensor, uniform: Tensor) -> Tensor:
    """Return the states (N, S) that numbers in [0, 1) fall on."""
    found = torch.searchsorted(cumulative.contiguous(), uniform[..., None], right=True)[..., 0]
    return found.clamp(max=cumulative.shape[-1] - 1)
