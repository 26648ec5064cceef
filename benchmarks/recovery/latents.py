"""Latents that methods share: principal components, and an ordinary autoencoder.

    python -m recovery.latents pca|reduction|autoencoder STUDY SEED

writes ``NAME.npz`` (and ``pca.h5``) into the study's folder. All is fitted to the training animals and
applied to every animal.
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

# Of the autoencoder: as often as shipped networks see a frame, in pieces as they are stored.
EPOCHS, PIECE, PIECES, LEARNING_RATE = 8, 16, 8, 1e-3


class Latents(NamedTuple):
    """What a method starts from.

    Attributes
    ----------
    series : mapping of recording to LatentSeries
    target_s : float
        Median duration between change points of the training animals, s.
    cpu_s : float
        Time spent on all of this, s.
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


def save(folder: Path, name: str, found: Latents) -> None:
    arrays = {
        f"{field}/{recording}": value
        for recording, one in found.series.items()
        for field, value in one._asdict().items()
        if value is not None
    }
    arrays |= {"target_s": np.asarray(found.target_s), "cpu_s": np.asarray(found.cpu_s)}

    def to(path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, **arrays)

    write(folder / f"{name}.npz", to)


def of_pca(study: Study, seed: int) -> tuple[pca.Pca, Latents]:
    """Components of the training animals, and every animal's latents."""
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
    """Both reductions of the shipped models, into ``reduction.h5``; latents are made of it."""
    start = time.process_time()
    found = reduction.fit([study.path(name) for name in study.trained], ReduceSettings(), seed=seed)
    reduction.save(study.folder / "reduction.h5", found, MADE)
    series = {}
    for name in study.trained:
        with study.crops(name) as recording:
            series[name] = found[reduction.REGISTERED].latents(recording)
    target_s = duration_s(study, series, seed)
    return Latents({}, target_s, time.process_time() - start)


def of_autoencoder(study: Study, seed: int) -> Latents:
    """Latents of an autoencoder of the shipped convolutions, whitened; no prior on how they move."""
    start = time.process_time()
    reduction, given = pca.load(study.folder / "pca.h5"), load(study.folder, "pca")
    networks = autoencoder.create(
        ModelSettings(network="conv"), reduction, generator(seed, "autoencoder", "networks")
    )
    _train(networks, study, given, generator(seed, "autoencoder", "pieces"))
    found = {}
    for name in study.recordings:
        with study.crops(name) as recording:
            found[name] = latent_evidence.of_crops(networks.encoder, recording, given.series[name])[
                0
            ].numpy()
    seen = np.concatenate([found[name][given.series[name].observed] for name in study.trained])
    variance, turn = np.linalg.eigh(np.cov(seen.T))
    whiten = turn / np.sqrt(variance)
    series = {}
    for name, one in given.series.items():
        values = (found[name] - seen.mean(0)) @ whiten
        series[name] = LatentSeries(np.where(one.observed[:, None], values, np.nan), one.observed)
    return Latents(series, duration_s(study, series, seed), given.cpu_s + time.process_time() - start)


def _train(
    networks: autoencoder.Networks, study: Study, given: Latents, rng: np.random.Generator
) -> None:
    """Raise the likelihood of the measured pixels given their own frame's latents."""
    weights = [w for part in networks for w in part.parameters()]
    optimizer = torch.optim.Adam(weights, lr=LEARNING_RATE)
    files = {name: study.crops(name) for name in study.trained}
    pieces = [(name, i) for name, crops in files.items() for i in range(0, len(crops), PIECE)]
    steps = -(-len(pieces) // PIECES)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 0.505 + 0.495 * math.cos(math.pi * step / (EPOCHS * steps))
    )
    for _ in range(EPOCHS):
        order = rng.permutation(len(pieces))
        for chosen in np.array_split(order, steps):
            heights, observed, values, information = [], [], [], []
            for k in chosen:
                name, first = pieces[k]
                rows, crops, series = slice(first, first + PIECE), files[name], given.series[name]
                known = series.observed[rows]
                heights.append(crops.heights(first, first + PIECE)[known])
                observed.append(crops.observed(first, first + PIECE)[known])
                values.append(series.values[rows][known])
                information.append(series.information[rows][known])
            seen = torch.from_numpy(np.concatenate(observed))
            image, means, precisions = (
                torch.from_numpy(np.concatenate(part)).float() for part in (heights, values, information)
            )
            latents, _ = networks.encoder(image, seen, means, precisions)
            decoder = networks.decoder
            log_density = likelihood.log_likelihood(
                image, seen, decoder(latents), decoder.log_variance(), decoder.used
            )
            optimizer.zero_grad()
            # Nats per pixel.
            (-log_density.sum() / likelihood.scored_pixels(seen, decoder.used).sum()).backward()
            optimizer.step()
            schedule.step()
    for crops in files.values():
        crops.close()


def duration_s(study: Study, series: Mapping[str, LatentSeries], seed: int) -> float:
    """Median time between change points of the training animals, s."""
    found = []
    for name in study.trained:
        with study.crops(name) as recording:
            one = series[name]
            found.append(
                changepoints.find(
                    one.values[:, : one.pose], one.observed, recording.time_s, ChangepointSettings(),
                    recording=name, seed=seed,
                )
            )  # fmt: skip
    return changepoints.median_duration_s(changepoints.join(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("name", choices=("pca", "reduction", "autoencoder"))
    parser.add_argument("study", type=Path)
    parser.add_argument("seed", type=int)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.name == "pca":
        components, made = of_pca(Study(asked.study), asked.seed)
        pca.save(asked.study / "pca.h5", components, MADE)
    elif asked.name == "reduction":
        made = of_reduction(Study(asked.study), asked.seed)
    else:
        made = of_autoencoder(Study(asked.study), asked.seed)
    save(asked.study, asked.name, made)
