"""The bound of a recording by the model's own recognizer."""

from typing import NamedTuple

import numpy as np
import torch

from ...records.crops import Crops
from .. import latent_evidence
from ..model import Model
from ..networks.likelihood import sample_marginals
from .chain import optimum
from .recording import Recording, open_recording
from .views import log_density

__all__ = ["Score", "bound"]

# A longer recording is scored in pieces that know nothing of each other, to bound the memory.
PIECE = 9000
TURNS = 50
SETTLED_NATS = 1e-4


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
    """Draws of latents, or roll-outs, that the number is made of."""


def bound(model: Model, crops: Crops | Recording, *, rng: np.random.Generator, draws: int = 4) -> Score:
    """Return the evidence lower bound of a recording, parameters at their posterior means.

    Mean log likelihood of the measured pixels less the divergence of latents and states from the
    process; the global parameters' divergence is left out, for they are taken as known. Latents
    and states are at their optimum under what the recognizer says, as in training. For a prior
    that takes latents as points the same is done with the precision that the measured pixels give
    each latent (the diagonal of probabilistic PCA's posterior): an autoregression of L lags
    becomes a switching dynamical system of L lags. That posterior is not the best one such a
    model could have; ``iwae`` makes good for it.

    Parameters
    ----------
    model : Model
    crops : Crops, or Recording
        What ``open_recording`` made of them spares a second reading.
    rng : numpy Generator
        Draws the latents of each frame.
    draws : int
        Of each frame.
    """
    known = open_recording(model, crops)
    total, frames, pixels = 0.0, 0, 0
    length = len(known.crops)
    for begin in range(0, length, PIECE):
        ticks = torch.arange(begin, min(begin + PIECE, length))
        found = optimum(
            known.process,
            known.potential(ticks[None], motion=False),
            known.even(1, len(ticks)),
            max_iterations=TURNS,
            tolerance=SETTLED_NATS,
            extra=None if known.extra is None else known.extra[None, ticks],
        )
        total -= float(found.divergence.sum())
        for start in range(0, len(ticks), latent_evidence.BLOCK):
            rows = slice(start, start + latent_evidence.BLOCK)
            view = known.pixels(ticks[rows])
            counts = view.counts()
            frames += int((counts > 0).sum())
            pixels += int(counts.sum())
            means = found.means[0, rows].repeat(draws, 1)
            spread = found.covariances[0, rows].repeat(draws, 1, 1)
            normals = torch.from_numpy(rng.standard_normal(tuple(means.shape)))
            drawn = sample_marginals(means, spread, normals)
            total += (
                float(log_density(view, drawn, torch.arange(len(counts)).repeat(draws)).sum()) / draws
            )
    return Score(total, frames, pixels, samples=draws)
