"""Consensus of AR-HMMs with self-training, on unregistered crops.

AR-HMMs of two seeds are fitted to components with and without kinematics. Their smoothed
probabilities are concatenated, reduced and clustered. The classifier of the shipped model then learns
the clusters in two rounds of four folds, and predicts the recordings of the fold that it did not see.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from recovery import decoding, latents
from recovery.methods import _points, kinematics
from recovery.studies import Study
from syllabary.provenance import generator
from syllabary.svae.discovery import classifier
from syllabary.svae.settings import ClassifierSettings

LATENTS = ("pca",)
SETTINGS = {f"clusters-{count}": {"clusters": count} for count in (20, 25)}
SEEDS, ROUNDS, FOLDS, COMPONENTS, BLUR_TICKS, STAY = 2, 2, 4, 30, 1.5, 0.8


def recover(folder: Path, setting: dict[str, Any], seed: int) -> _points.StatePrediction:
    study, components = Study(folder), latents.load(folder, "pca")
    moving = kinematics.with_speeds(study, components, 1.5)
    runs = []
    for i in range(SEEDS):
        for data in (components, moving):
            predicted = _points.recover(study, data, {"kappa": None, "filled": True}, seed + 100 * i)
            runs.append({name: states for name, (_, states) in predicted.items()})
    joined = {
        name: np.concatenate(
            [np.sqrt(gaussian_filter1d(run[name].astype(float), BLUR_TICKS, axis=0)) for run in runs], 1
        )
        for name in study.recordings
    }
    trained = np.concatenate([joined[name] for name in study.trained])
    reduced = PCA(COMPONENTS, random_state=seed).fit(trained)
    clusters = KMeans(setting["clusters"], n_init=4, random_state=seed).fit(reduced.transform(trained))
    count = setting["clusters"]
    soft = {
        name: np.eye(count, dtype=np.float32)[clusters.predict(reduced.transform(data))]
        for name, data in joined.items()
    }
    predicted = {}
    with torch.no_grad():
        features = {name: classifier.features(moving.series[name]) for name in study.recordings}
    settings = ClassifierSettings()
    for round_ in range(ROUNDS):
        updated = {}
        for fold in range(FOLDS):
            rest = [name for i, name in enumerate(study.trained) if i % FOLDS != fold]
            rng = generator(seed, "consensus", round_, fold)
            net = classifier.train([features[n] for n in rest], [soft[n] for n in rest], settings, rng)
            for i, name in enumerate(study.trained):
                if i % FOLDS == fold:
                    updated[name] = np.exp(classifier.evidence(net, features[name])).astype(np.float32)
        soft |= updated
    rng = generator(seed, "consensus")
    names = study.trained
    net = classifier.train([features[n] for n in names], [soft[n] for n in names], settings, rng)
    for name in study.recordings:
        states = np.exp(classifier.evidence(net, features[name]))
        predicted[name] = decoding.path(states, STAY), states.astype(np.float32)
    return predicted
