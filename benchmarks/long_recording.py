"""Is a one-hour recording segmented in one piece, in how much time and memory?

A model of K states is fitted to simulated latents; a recording of 108,000 ticks, three in ten of them
missing, is segmented from its posterior potentials end to end. Peak memory is that of the whole process,
of which importing takes about 0.4 GB.

    python benchmarks/long_recording.py [--ticks 108000] [--states 50]
"""

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from results import add

from syllabary.priors import arhmm, slds
from syllabary.priors._evidence import PointEvidence
from syllabary.svae import inference, pca
from syllabary.svae.latents import LatentSeries
from syllabary.svae.model import Model
from syllabary.svae.settings import ModelSettings
from syllabary.svae.training import Fitted


def peak_gb() -> float:
    """Peak resident memory of this process, GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def latents(rng: np.random.Generator, ticks: int, size: int) -> np.ndarray:
    """Smooth motion that changes its target every few hundred milliseconds."""
    targets = np.repeat(rng.standard_normal((ticks // 10 + 1, size)), 10, axis=0)[:ticks]
    found = np.zeros((ticks, size))
    for t in range(1, ticks):
        found[t] = found[t - 1] + 0.2 * (targets[t] - found[t - 1]) + 0.03 * rng.standard_normal(size)
    return found / found.std(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--ticks", type=int, default=108_000)
    parser.add_argument("--states", type=int, default=50)
    parser.add_argument("--dimensions", type=int, default=10)
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    size, states = arguments.dimensions, arguments.states
    torch.set_num_threads(1)
    training = torch.from_numpy(latents(rng, 10_000, size))
    settings = arhmm.Settings(states=states, lags=1, kappa=100.0)
    parameters = arhmm.initial(settings, [training], None, rng)
    for _ in range(5):
        seen = PointEvidence(training, torch.ones(len(training), dtype=torch.bool))
        parameters = arhmm.adapt(
            arhmm.update(parameters, arhmm.infer(parameters, seen).statistics, settings)
        )
    blank = pca.Pca(
        mean=np.zeros((80, 80)), components=np.zeros((size, 80, 80)), scale=np.ones(size),
        explained_variance_ratio=np.ones(size) / size, noise_variance_mm2=np.asarray(1.0),
        pixel_variance_mm2=np.ones((80, 80)), used=np.ones((80, 80), bool),
        pixel_mm=np.asarray(1.85), min_observed_fraction=np.asarray(0.5),
    )  # fmt: skip
    chosen = ModelSettings(prior="slds", prior_settings={"states": states})
    model = Model.of(chosen, Fitted(slds.from_autoregression(parameters), None), blank, fps=30.0)
    values = latents(rng, arguments.ticks, size)
    observed = np.repeat(rng.random(arguments.ticks // 5 + 1) > 0.3, 5)[: arguments.ticks]
    information = np.where(observed[:, None], 300.0, 0.0) * np.ones(size)
    series = LatentSeries(np.where(observed[:, None], values, np.nan), observed, information)
    inference.segment(model, LatentSeries(*(part[:100] for part in series[:3])))  # compile
    before, start = peak_gb(), time.process_time()
    found = inference.segment(model, series)
    seconds = time.process_time() - start
    print(
        f"{arguments.ticks} ticks, K = {states}, D = {size}: {seconds:.1f} s of one core, peak memory "
        f"{peak_gb():.2f} GB ({before:.2f} GB before); {len(np.unique(found.path))} states in the path"
    )
    case = f"{arguments.ticks} ticks, K = {states}, D = {size}, 30 % missing"
    add("long_recording", case, "segment", round(seconds, 1), "s")
    add("long_recording", case, "peak memory", round(peak_gb(), 2), "GB")


if __name__ == "__main__":
    main()
