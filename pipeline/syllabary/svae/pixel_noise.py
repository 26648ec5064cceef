"""The noise of each pixel, fitted last and for every model alike.

What a decoder leaves of a pixel is its noise, which decides the likelihood of thousands of pixels. A
model without trained networks has that of its components, without outliers; networks learn theirs in the
small steps of training, and come late. So every model's is fitted at the end to pixels of the training
animals, by EM: latents and states at their optimum, one draw of the latents of each frame, and

    variance_p = Σ_t share_tp (height_tp − expected_tp)² / Σ_t share_tp,

where ``share`` is the probability that a measured pixel is no outlier. No latent and no label changes.

References
----------
doi:10.1111/j.2517-6161.1977.tb01600.x, section 4.3 (mixtures) and 4.7 (factor analysis).
"""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..machine import one_thread
from ..progress import track
from ..records.crops import Crops
from . import scores
from .model import Model
from .networks import likelihood
from .scores.chain import optimum

__all__ = ["fit"]

SWEEPS = 4
# Frames of all recordings together and of each, at most; frames decoded at once.
MOST_FRAMES, LONGEST, BLOCK = 12_000, 1000, 250
TURNS, SETTLED_NATS = 20, 1e-3
# Above its floor a variance has a logarithm, mm²; a pixel seen in less than a frame keeps its own.
LEAST_MM2, LEAST_FRAMES = 1e-3, 1.0
PARAMETER = "decoder.log_above_floor"


def fit(model: Model, crops: Mapping[str, Path], rng: np.random.Generator) -> Model:
    """Return the model with another noise of its pixels.

    Parameters
    ----------
    model : Model
    crops : mapping of recording to its ``crops.h5``
        Of training.
    rng : numpy Generator
        Draws the latents.
    """
    names = sorted(crops)
    each = max(1, min(LONGEST, MOST_FRAMES // max(1, len(names))))
    with one_thread("torch"):
        for _ in track(range(SWEEPS), "fit: noise", unit="iterations"):
            squares = shares = torch.zeros((), dtype=torch.float64)
            for name in names:
                with Crops(crops[name]) as recording:
                    square, share = _sums(model, recording, each, rng)
                squares, shares = squares + square, shares + share
            old = model.weights[PARAMETER]
            floor = math.exp(model.networks().decoder.log_floor)
            above = (squares / shares.clamp(min=LEAST_FRAMES) - floor).clamp(min=LEAST_MM2).log()
            new = torch.where(shares >= LEAST_FRAMES, above, old.double()).to(old)
            model = dataclasses.replace(model, weights={**model.weights, PARAMETER: new})
    return model


@torch.no_grad()
def _sums(model: Model, crops: Crops, frames: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Squares and shares of each pixel, (H, W), summed over frames in the middle of a recording."""
    known = scores.open_recording(model, crops)
    begin = max(0, (len(crops) - frames) // 2)
    ticks = torch.arange(begin, min(begin + frames, len(crops)))
    decoder = known.decoder
    squares = torch.zeros(decoder.used.shape, dtype=torch.float64)
    shares = torch.zeros_like(squares)
    if not len(ticks):
        return squares, shares
    extra = None if known.extra is None else known.extra[None, ticks]
    found = optimum(
        known.process, known.potential(ticks[None], motion=False), known.even(1, len(ticks)),
        max_iterations=TURNS, tolerance=SETTLED_NATS, extra=extra,
    )  # fmt: skip
    for first in range(0, len(ticks), BLOCK):
        rows = slice(first, first + BLOCK)
        view = known.pixels(ticks[rows])
        means, spread = found.means[0, rows], found.covariances[0, rows]
        normals = torch.from_numpy(rng.standard_normal(tuple(means.shape)))
        drawn = likelihood.sample_marginals(means, spread, normals)[:, : view.size]
        scored = view.observed & decoder.used
        expected = view.expected(drawn).view_as(view.heights)
        deviation = torch.where(scored, view.heights - expected, 0)
        inside = likelihood.inliers(deviation, decoder.log_variance(), decoder.outliers)
        share = torch.where(scored, inside, 0).double()
        squares += (share * deviation.double().square()).sum(0)
        shares += share.sum(0)
    return squares, shares
