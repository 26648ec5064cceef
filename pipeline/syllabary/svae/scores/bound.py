"""The bound of a recording by the model's own encoder."""

from typing import NamedTuple

import numpy as np
import torch

from ...records.crops import Crops
from .. import latent_evidence
from ..model import Model
from ..networks.likelihood import sample_marginals
from ..process.chain import optimum
from .observation_models import log_density
from .recording import Recording, open_recording

__all__ = ["Score", "bound"]

# A longer recording is scored in pieces that know nothing of each other, to bound the memory.
WINDOW = 9000
MAX_ITERATIONS = 50
TOLERANCE_NATS = 1e-4


class Score(NamedTuple):
    """A log likelihood, or what stands for one."""

    nats: float
    """Sum over the frames."""
    frames: int
    """That have a scored pixel, or scored latents."""
    pixels: int
    """Scored in them; 0 where latents are scored."""
    horizon: int = 0
    """Frames ahead; 0 where nothing is predicted."""
    samples: int = 1
    """Draws of latents, or sampled paths of states."""


def bound(model: Model, crops: Crops | Recording, *, rng: np.random.Generator, draws: int = 4) -> Score:
    """Return the evidence lower bound of a recording, parameters at their posterior means.

    The bound is the expected log likelihood of the measured pixels minus the divergence of latents and
    states from the generative process. The divergence of the global parameters is left out, because
    they are fixed. Latents and states are at their optimum given the encoder, as in training.

    A prior that takes latents as points is scored with the precision that the measured pixels give each
    latent, the diagonal of probabilistic PCA's posterior. So an autoregression of L lags becomes a
    switching dynamical system of L lags. A better posterior may exist for such a model; ``iwae``
    corrects for that.

    Parameters
    ----------
    model : Model
    crops : Crops, or Recording
        The result of ``open_recording`` avoids reading the crops twice.
    rng : numpy Generator
        Draws the latents of each frame.
    draws : int
        Of each frame.
    """
    recording = open_recording(model, crops)
    total, frames, pixels = 0.0, 0, 0
    length = len(recording.crops)
    for begin in range(0, length, WINDOW):
        ticks = torch.arange(begin, min(begin + WINDOW, length))
        posterior = optimum(
            recording.generative_process,
            recording.potential(ticks[None], motion=False),
            recording.states[None, ticks],
            max_iterations=MAX_ITERATIONS,
            tolerance=TOLERANCE_NATS,
        )
        total -= float(posterior.divergence.sum())
        for start in range(0, len(ticks), latent_evidence.BLOCK):
            rows = slice(start, start + latent_evidence.BLOCK)
            view = recording.pixels(ticks[rows])
            counts = view.counts()
            frames += int((counts > 0).sum())
            pixels += int(counts.sum())
            means = posterior.means[0, rows].repeat(draws, 1)
            spread = posterior.covariances[0, rows].repeat(draws, 1, 1)
            normals = torch.from_numpy(rng.standard_normal(tuple(means.shape))).to(means)
            drawn = sample_marginals(means, spread, normals)
            total += (
                float(log_density(view, drawn, torch.arange(len(counts)).repeat(draws)).sum()) / draws
            )
    return Score(total, frames, pixels, samples=draws)
