"""A simulated study that tests of discovery share."""

import numpy as np
import pytest

from syllabary.reduction.latents import LatentSeries
from syllabary.simulate import latent
from syllabary.svae.discovery import discovery
from syllabary.svae.settings import ClassifierSettings, DiscoverySettings

FPS = 30.0
QUICK = DiscoverySettings(
    states=12, restarts=1, iterations=5, rounds=1, classifier=ClassifierSettings(width=16)
)


@pytest.fixture(scope="session")
def study():
    """Four recordings of one switching system, and the true states."""
    rng = np.random.default_rng(5)
    system = latent.arhmm(
        rng, states=5, dims=3, lags=1, frames=4000, duration_frames=15, noise_sd=0.3, memory=0.8
    )
    series, truth = {}, {}
    scale = system.x.std(0)
    for i in range(4):
        rows = slice(1000 * i, 1000 * (i + 1))
        observed = np.ones(1000, bool)
        observed[[100, 101, 500]] = False
        values = np.where(observed[:, None], system.x[rows] / scale, np.nan)
        information = np.where(observed[:, None], np.full((1000, 3), 1e4), 0.0)
        series[f"r{i}"] = LatentSeries(values, observed, information)
        truth[f"r{i}"] = system.z[rows]
    return series, truth


@pytest.fixture(scope="session")
def discovered(study):
    return discovery.find(study[0], QUICK, target_duration_s=0.4, fps=FPS, seed=1)
