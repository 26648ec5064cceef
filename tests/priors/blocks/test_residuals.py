"""Surprises in bursts: the sign of a switching autoregression that is not the truth."""

import numpy as np
import torch

from syllabary.expfam import mniw
from syllabary.priors.blocks import residuals
from syllabary.priors.types import PointEvidence

DIMS, FRAMES = 3, 20000
COEFFICIENTS = (0.9, -0.5)


def drawn(rng, loudness):
    """Two regressions that take turns of 50 frames, with noise so many times the usual (T,)."""
    path = (np.arange(FRAMES) // 50) % 2
    x = np.zeros((FRAMES, DIMS))
    for t in range(1, FRAMES):
        x[t] = COEFFICIENTS[path[t]] * x[t - 1] + loudness[t] * rng.standard_normal(DIMS)
    return PointEvidence(torch.from_numpy(x), torch.ones(FRAMES, dtype=torch.bool)), torch.from_numpy(
        path
    )


def truth():
    """The two regressions, with so many observations that their law is a point."""
    mean = torch.zeros((2, DIMS, DIMS + 1), dtype=torch.float64)
    for k, value in enumerate(COEFFICIENTS):
        mean[k, :, :DIMS] = value * torch.eye(DIMS, dtype=torch.float64)
    count = torch.full((2,), 1e6, dtype=torch.float64)
    eye = torch.eye(DIMS, dtype=torch.float64).expand(2, -1, -1)
    columns = 1e-6 * torch.eye(DIMS + 1, dtype=torch.float64).expand(2, -1, -1)
    return mniw.from_standard(mniw.Standard(mean, columns, eye * count[:, None, None], count + DIMS + 1))


def test_the_truth_is_not_surprised_in_bursts(rng):
    # The estimate has SD 1 / sqrt(T).
    assert abs(
        residuals.residual_autocorrelation(truth(), 1, [drawn(rng, np.ones(FRAMES))])
    ) < 5 / np.sqrt(FRAMES)


def test_noise_that_changes_slowly_comes_in_bursts_and_noise_that_changes_at_once_does_not(rng):
    slowly = np.where((np.arange(FRAMES) // 17) % 2, 2.0, 0.5)
    at_once = np.where(rng.random(FRAMES) < 0.5, 2.0, 0.5)
    assert residuals.residual_autocorrelation(truth(), 1, [drawn(rng, slowly)]) > 0.2
    assert abs(residuals.residual_autocorrelation(truth(), 1, [drawn(rng, at_once)])) < 5 / np.sqrt(
        FRAMES
    )


def test_frames_without_their_past_say_nothing(rng):
    evidence, path = drawn(rng, np.ones(FRAMES))
    alone = torch.zeros(FRAMES, dtype=torch.bool)
    alone[::2] = True
    assert (
        residuals.residual_autocorrelation(truth(), 1, [(evidence._replace(observed=alone), path)]) == 0
    )
    gaps = torch.ones(FRAMES, dtype=torch.bool)
    gaps[::10] = False
    wild = torch.where(gaps[:, None], evidence.latents, torch.nan)
    both = [(evidence._replace(observed=gaps, latents=each), path) for each in (wild, evidence.latents)]
    assert residuals.residual_autocorrelation(
        truth(), 1, both[:1]
    ) == residuals.residual_autocorrelation(truth(), 1, both[1:])
