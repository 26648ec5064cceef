"""How much time and memory does the segmentation of a one-hour recording take?

The shipped default learns syllables of simulated latents in few iterations, without merging any. A
recording of 108,000 ticks, of which 30 % are missing, is then segmented. Its network of crops is that
of the PCA, so that encoding is left out. Peak memory is that of the whole process; imports take about
0.4 GB.

    python benchmarks/long_recording.py [--ticks 108000] [--states 50]
"""

import argparse
import dataclasses
import resource
import sys
import time

import numpy as np
import torch
from results import add

from syllabary.priors import slds
from syllabary.priors.blocks import global_parameters
from syllabary.reduction import pca
from syllabary.reduction.latents import LatentSeries
from syllabary.study import Config
from syllabary.svae import choices, dynamics, segmentation
from syllabary.svae.discovery import discovery
from syllabary.svae.model import Model
from syllabary.svae.training.fitted import Fitted

POSE, MOTION = 10, 3


def peak_gb() -> float:
    """Peak resident memory of this process, GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def latents(rng: np.random.Generator, ticks: int, size: int) -> np.ndarray:
    """Return smooth motion (ticks, size) whose target changes every few hundred milliseconds."""
    targets = np.repeat(rng.standard_normal((ticks // 10 + 1, size)), 10, axis=0)[:ticks]
    values = np.zeros((ticks, size))
    for t in range(1, ticks):
        values[t] = values[t - 1] + 0.2 * (targets[t] - values[t - 1]) + 0.03 * rng.standard_normal(size)
    return values / values.std(0)


def recording(rng: np.random.Generator, ticks: int) -> LatentSeries:
    """Return latents of a recording; 30 % of its ticks are missing."""
    values = latents(rng, ticks, POSE + MOTION)
    observed = np.repeat(rng.random(ticks // 5 + 1) > 0.3, 5)[:ticks]
    information = np.where(observed[:, None], 300.0, 0.0) * np.ones(POSE + MOTION)
    return LatentSeries(
        np.where(observed[:, None], values, np.nan), observed, information, motion=MOTION
    )


def model_of(states: int, rng: np.random.Generator) -> Model:
    """Return the shipped default with the network of the PCA, after short training."""
    shipped = Config().models["slds"]
    assert shipped.discovery is not None
    short = shipped.discovery.model_copy(
        update={
            "states": states,
            "restarts": 1,
            "iterations": 5,
            "syllables": states,
        }
    )
    settings = shipped.model_copy(update={"network": "pca", "discovery": short})
    series = {name: recording(rng, 5000) for name in ("a", "b")}
    discovered = discovery.find(series, short, target_duration_s=0.4, fps=30.0, seed=1)
    start = Fitted(slds.from_autoregression(discovered.parameters), discovered.history)
    blank = pca.Pca(
        mean=np.zeros((80, 80)), components=np.zeros((POSE, 80, 80)), scale=np.ones(POSE),
        explained_variance_ratio=np.ones(POSE) / POSE, noise_variance_mm2=np.asarray(1.0),
        pixel_variance_mm2=np.ones((80, 80)), used=np.ones((80, 80), bool),
        pixel_mm=np.asarray(1.85), min_observed_fraction=np.asarray(0.5),
    )  # fmt: skip
    model = Model.of(settings, start, blank, fps=30.0, discovered=discovered)
    evidence = [segmentation.evidence_of(model, series[name], None) for name in series]
    state_shares = [discovered.states[name] for name in series]
    chosen = choices.prior_settings(settings)
    assert isinstance(chosen, slds.Settings)
    parameters = dynamics.refit(model.parameters, evidence, state_shares, short.lags, chosen)
    return dataclasses.replace(model, parameters=parameters)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--ticks", type=int, default=108_000)
    parser.add_argument("--states", type=int, default=50)
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    torch.set_num_threads(1)
    learned = model_of(options.states, rng)
    series = recording(rng, options.ticks)
    start = LatentSeries(*(part[:100] for part in series[:3]), motion=MOTION)
    size = POSE + MOTION
    segmentation.segment(learned, start)  # compile
    before, begun = peak_gb(), time.process_time()
    result = segmentation.segment(learned, series)
    seconds, states = time.process_time() - begun, result.states.shape[1]
    lags = global_parameters.lags(learned.parameters)
    case = f"{options.ticks} ticks, K = {states}, D = {size}, {lags} lags, 30 % missing"
    print(
        f"{case}: {seconds:.1f} s of one core, peak memory {peak_gb():.2f} GB ({before:.2f} GB "
        f"before); {len(np.unique(result.path))} states in the path",
        flush=True,
    )
    add("long_recording", case, "segment", round(seconds, 1), "s")
    add("long_recording", case, "peak memory", round(peak_gb(), 2), "GB")


if __name__ == "__main__":
    main()
