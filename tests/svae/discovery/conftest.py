"""A simulated study that tests of discovery share."""

import numpy as np
import pandas as pd
import pytest

from syllabary.priors import arhmm
from syllabary.reduction.latents import LatentSeries
from syllabary.simulate import latent
from syllabary.svae import latent_evidence
from syllabary.svae.discovery import coarsening
from syllabary.svae.settings import DiscoverySettings

FPS = 30.0
TARGET_S = 0.6
FRAMES = 3000
# Missing ticks: a gap that is bridged, and one that is not.
GAPS = [100, 101, *range(500, 512)]
QUICK = DiscoverySettings(states=8, lags=1, iterations=5)


def train(series, people=None, settings=QUICK, **rest):
    options = {"target_duration_s": TARGET_S, "fps": FPS, "seed": 1, **rest}
    return coarsening.train(series, people, settings, **options)


def simulated():
    """Three recordings of one switching system of four states, and the true states."""
    rng = np.random.default_rng(5)
    system = latent.arhmm(
        rng, states=4, dims=2, lags=1, frames=3 * FRAMES, duration_frames=18, noise_sd=0.15, memory=0.8
    )
    series, truth = {}, {}
    for i in range(3):
        rows = slice(FRAMES * i, FRAMES * (i + 1))
        observed = np.ones(FRAMES, bool)
        observed[GAPS] = False
        values = np.where(observed[:, None], system.x[rows] / system.x.std(0), np.nan)
        information = np.where(observed[:, None], np.full((FRAMES, 2), 1e4), 0.0)
        series[f"r{i}"] = LatentSeries(values, observed, information)
        truth[f"r{i}"] = system.z[rows]
    return series, truth


@pytest.fixture(scope="session")
def study():
    return simulated()


@pytest.fixture(scope="session")
def trained(study):
    """Twice as many states as there are, from clusters alone: EM of its own would merge them."""
    evidence = [latent_evidence.points(study[0][name], bridge=6) for name in sorted(study[0])]
    settings = arhmm.Settings(states=8, lags=1, kappa=1000.0)
    latents = [each.latents for each in evidence]
    parameters = arhmm.initial(settings, latents, None, np.random.default_rng(1))
    return coarsening.Trained(parameters, evidence, [None] * 3, pd.DataFrame())


@pytest.fixture(scope="session")
def path(trained):
    return list(coarsening.coarsen(trained))
