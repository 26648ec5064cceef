"""The noise of each pixel, fitted last and for every model alike.

The residual of a decoder at a pixel is its noise, which decides the likelihood of thousands of pixels.
A model without trained networks has the noise of its components, without outliers; trained networks
learn theirs in small steps, and only in part. So every model's is fitted at the end to pixels of the
training animals, by EM: latents and states at their optimum, one draw of the latents of each frame, and

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
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..machine import one_thread
from ..progress import track
from ..records.crops import Crops
from . import scores
from .model import Model
from .networks import likelihood
from .networks.interface import Decoder
from .process.chain import optimum
from .scores.observation_models import Pixels

__all__ = ["fit"]

ITERATIONS = 4
# Upper limits of the frames of all recordings together, and of each; frames decoded at once.
MAX_FRAMES, MAX_FRAMES_EACH, BLOCK = 12_000, 1000, 250
MAX_ITERATIONS, TOLERANCE_NATS = 20, 1e-3
# Lower limits: of a variance above its floor, whose logarithm is stored, mm²; and of the frames in
# which a pixel is observed, below which it keeps its variance.
MIN_MM2, MIN_FRAMES = 1e-3, 1.0
PARAMETER = "decoder.log_above_floor"


class Sample(NamedTuple):
    """Some frames of a recording."""

    heights: Tensor
    """(n, H, W) uint8, counts."""
    observed: Tensor
    """(n, H, W) bool."""
    height_step_mm: float
    subject_offset: Tensor
    """(pose,) added to latents before they are decoded."""
    means: Tensor
    """(n, D) of the latents."""
    covariances: Tensor
    """(n, D, D) of the latents."""


def fit(model: Model, crops: Mapping[str, Path], rng: np.random.Generator) -> Model:
    """Return the model with the noise of its pixels fitted to training data.

    Parameters
    ----------
    model : Model
    crops : mapping of recording to its ``crops.h5``
        Of training.
    rng : numpy Generator
        Draws the latents.
    """
    names = sorted(crops)
    each = max(1, min(MAX_FRAMES_EACH, MAX_FRAMES // max(1, len(names))))
    with one_thread("torch"):
        samples = []
        for name in track(names, "fit: noise, latents", unit="recordings"):
            with Crops(crops[name]) as recording:
                samples.append(_sample(model, recording, each))
        for _ in track(range(ITERATIONS), "fit: noise", unit="iterations"):
            decoder = model.networks().decoder.requires_grad_(False)
            squares = shares = decoder.scale.new_zeros(decoder.used.shape, dtype=torch.float64)
            for sample in samples:
                square, share = _sums(decoder, sample, rng)
                squares, shares = squares + square, shares + share
            old = model.weights[PARAMETER]
            floor = math.exp(decoder.log_floor)
            above = (squares / shares.clamp(min=MIN_FRAMES) - floor).clamp(min=MIN_MM2).log()
            new = torch.where(shares >= MIN_FRAMES, above, old.double()).to(old)
            model = dataclasses.replace(model, weights={**model.weights, PARAMETER: new})
    return model


def _sample(model: Model, crops: Crops, frames: int) -> Sample:
    """Frames in the middle of a recording, with the posterior of their latents."""
    recording = scores.open_recording(model, crops)
    length = len(recording.crops)
    begin = max(0, (length - frames) // 2)
    ticks = torch.arange(begin, min(begin + frames, length))
    size = recording.generative_process.size
    means = recording.states.new_zeros((0, size))
    covariances = means.new_zeros((0, size, size))
    if len(ticks):
        posterior = optimum(
            recording.generative_process,
            recording.potential(ticks[None], motion=False), recording.states[None, ticks],
            max_iterations=MAX_ITERATIONS, tolerance=TOLERANCE_NATS,
        )  # fmt: skip
        means, covariances = posterior.means[0], posterior.covariances[0]
    stop = begin + len(ticks)
    return Sample(
        torch.from_numpy(recording.crops.heights(begin, stop)).to(model.device),
        torch.from_numpy(recording.crops.observed(begin, stop)).to(model.device),
        recording.crops.height_step_mm,
        recording.subject_offset(),
        means,
        covariances,
    )


@torch.no_grad()
def _sums(decoder: Decoder, sample: Sample, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Squares and shares of each pixel, (H, W), summed over a sample."""
    squares = decoder.scale.new_zeros(decoder.used.shape, dtype=torch.float64)
    shares = torch.zeros_like(squares)
    for first in range(0, len(sample.means), BLOCK):
        rows = slice(first, first + BLOCK)
        heights = sample.heights[rows].float() * sample.height_step_mm
        view = Pixels(decoder, heights, sample.observed[rows], sample.subject_offset)
        means, covariances = sample.means[rows], sample.covariances[rows]
        normals = torch.from_numpy(rng.standard_normal(tuple(means.shape))).to(means)
        drawn = likelihood.sample_marginals(means, covariances, normals)[:, : view.size]
        scored = view.observed & decoder.used
        expected = view.expected(drawn).view_as(view.heights)
        deviation = torch.where(scored, view.heights - expected, 0)
        inside = likelihood.inliers(deviation, decoder.log_variance(), decoder.outliers)
        share = torch.where(scored, inside, 0).double()
        squares += (share * deviation.double().square()).sum(0)
        shares += share.sum(0)
    return squares, shares
