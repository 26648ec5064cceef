"""Latents that methods share: principal components, and an ordinary autoencoder.

    python -m recovery.latents pca|reduction|autoencoder STUDY SEED

writes ``NAME.npz`` (and ``pca.h5``) to the folder of the study. Latents are fitted to the training
animals and applied to all animals.
"""

import argparse
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from recovery.studies import MADE, Study, write
from syllabary.provenance import generator
from syllabary.reduction import pca, pca_fitting, reduction
from syllabary.reduction.latents import LatentSeries
from syllabary.reduction.settings import ReduceSettings
from syllabary.svae import latent_evidence
from syllabary.svae.networks import autoencoder, likelihood
from syllabary.svae.settings import ModelSettings
from syllabary.syllables import changepoints
from syllabary.syllables.settings import ChangepointSettings

# Training of the autoencoder: epochs as for shipped networks, windows as they are stored.
EPOCHS, WINDOW_TICKS, BATCH_WINDOWS, LEARNING_RATE = 8, 16, 8, 1e-3


class Latents(NamedTuple):
    """Latents of a study.

    Attributes
    ----------
    series : mapping of recording to LatentSeries
    target_s : float
        Median duration between change points of the training animals, s.
    cpu_s : float
        CPU time of the latents, s.
    """

    series: Mapping[str, LatentSeries]
    target_s: float
    cpu_s: float


def load(folder: Path, name: str) -> Latents:
    """Read ``name.npz`` of a study."""
    with np.load(folder / f"{name}.npz") as stored:
        series = {
            recording: LatentSeries(
                stored[f"values/{recording}"],
                stored[f"observed/{recording}"],
                stored.get(f"information/{recording}"),
            )
            for recording in Study(folder).recordings
            if f"values/{recording}" in stored
        }
        return Latents(series, float(stored["target_s"]), float(stored["cpu_s"]))


def save(folder: Path, name: str, latents: Latents) -> None:
    arrays = {
        f"{field}/{recording}": value
        for recording, recording_series in latents.series.items()
        for field, value in recording_series._asdict().items()
        if value is not None
    }
    arrays |= {"target_s": np.asarray(latents.target_s), "cpu_s": np.asarray(latents.cpu_s)}

    def to(path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, **arrays)

    write(folder / f"{name}.npz", to)


def of_pca(study: Study, seed: int) -> tuple[pca.Pca, Latents]:
    """Return components of the training animals, and latents of all animals."""
    start = time.process_time()
    paths = [study.path(name) for name in study.trained]
    reduction = pca_fitting.fit(paths, ReduceSettings(), seed=seed)
    series = {}
    for name in study.recordings:
        with study.crops(name) as recording:
            series[name] = pca.scores(reduction, recording)
    target_s = duration_s(study, series, seed)
    return reduction, Latents(series, target_s, time.process_time() - start)


def of_reduction(study: Study, seed: int) -> Latents:
    """Write both reductions of the shipped models to ``reduction.h5``; methods make the latents."""
    start = time.process_time()
    reductions = reduction.fit([study.path(name) for name in study.trained], ReduceSettings(), seed=seed)
    reduction.save(study.folder / "reduction.h5", reductions, MADE)
    series = {}
    for name in study.trained:
        with study.crops(name) as recording:
            series[name] = reductions[reduction.REGISTERED].latents(recording)
    target_s = duration_s(study, series, seed)
    return Latents({}, target_s, time.process_time() - start)


def registered(study: Study) -> dict[str, LatentSeries]:
    """Return the latents that the shipped model gets, of all animals."""
    chosen = reduction.load(
        study.folder / "reduction.h5", registration=True, kinematics=True, subject_offset=True
    )
    series = {}
    for name in study.recordings:
        with study.crops(name) as recording:
            series[name] = chosen.latents(recording)
    return series


def of_autoencoder(study: Study, seed: int) -> Latents:
    """Return whitened latents of an autoencoder with the shipped convolutions and no prior."""
    start = time.process_time()
    reduction, components = pca.load(study.folder / "pca.h5"), load(study.folder, "pca")
    networks = autoencoder.create(
        ModelSettings(network="conv"), reduction, generator(seed, "autoencoder", "networks")
    )
    _train(networks, study, components, generator(seed, "autoencoder", "pieces"))
    latents = {}
    for name in study.recordings:
        with study.crops(name) as recording:
            latents[name] = latent_evidence.of_crops(
                networks.encoder, recording, components.series[name]
            )[0].numpy()
    training = np.concatenate(
        [latents[name][components.series[name].observed] for name in study.trained]
    )
    variance, rotation = np.linalg.eigh(np.cov(training.T))
    whiten = rotation / np.sqrt(variance)
    series = {}
    for name, component_series in components.series.items():
        values = (latents[name] - training.mean(0)) @ whiten
        series[name] = LatentSeries(
            np.where(component_series.observed[:, None], values, np.nan), component_series.observed
        )
    return Latents(
        series, duration_s(study, series, seed), components.cpu_s + time.process_time() - start
    )


def _train(
    networks: autoencoder.Networks, study: Study, components: Latents, rng: np.random.Generator
) -> None:
    """Train the networks to maximize the likelihood of pixels given the latents of their frame."""
    weights = [w for part in networks for w in part.parameters()]
    optimizer = torch.optim.Adam(weights, lr=LEARNING_RATE)
    files = {name: study.crops(name) for name in study.trained}
    windows = [(name, i) for name, crops in files.items() for i in range(0, len(crops), WINDOW_TICKS)]
    steps = -(-len(windows) // BATCH_WINDOWS)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 0.505 + 0.495 * math.cos(math.pi * step / (EPOCHS * steps))
    )
    for _ in range(EPOCHS):
        order = rng.permutation(len(windows))
        for chosen in np.array_split(order, steps):
            heights, observed, values, information = [], [], [], []
            for k in chosen:
                name, first = windows[k]
                rows, crops, series = (
                    slice(first, first + WINDOW_TICKS),
                    files[name],
                    components.series[name],
                )
                has_frame = series.observed[rows]
                heights.append(crops.heights(first, first + WINDOW_TICKS)[has_frame])
                observed.append(crops.observed(first, first + WINDOW_TICKS)[has_frame])
                values.append(series.values[rows][has_frame])
                information.append(series.information[rows][has_frame])
            pixels = torch.from_numpy(np.concatenate(observed))
            image, means, precisions = (
                torch.from_numpy(np.concatenate(part)).float() for part in (heights, values, information)
            )
            latents, _ = networks.encoder(image, pixels, means, precisions)
            decoder = networks.decoder
            log_density = likelihood.log_likelihood(
                image, pixels, decoder(latents), decoder.log_variance(), decoder.used
            )
            optimizer.zero_grad()
            # Nats per pixel.
            (-log_density.sum() / likelihood.scored_pixels(pixels, decoder.used).sum()).backward()
            optimizer.step()
            schedule.step()
    for crops in files.values():
        crops.close()


def duration_s(study: Study, series: Mapping[str, LatentSeries], seed: int) -> float:
    """Return the median time between change points of the training animals, s."""
    tables = []
    for name in study.trained:
        with study.crops(name) as recording:
            pose, observed = series[name].values[:, : series[name].pose], series[name].observed
            tables.append(
                changepoints.find(
                    pose, observed, recording.time_s, ChangepointSettings(), recording=name, seed=seed
                )
            )
    return changepoints.median_duration_s(changepoints.join(tables))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("name", choices=("pca", "reduction", "autoencoder"))
    parser.add_argument("study", type=Path)
    parser.add_argument("seed", type=int)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.name == "pca":
        components, made = of_pca(Study(options.study), options.seed)
        pca.save(options.study / "pca.h5", components, MADE)
    elif options.name == "reduction":
        made = of_reduction(Study(options.study), options.seed)
    else:
        made = of_autoencoder(Study(options.study), options.seed)
    save(options.study, options.name, made)
