"""Consensus of AR-HMMs with self-training, on crops as they are: the strongest recipe without a model.

AR-HMMs of two seeds, on components with and without how the animal moves; their smoothed probabilities
are joined, reduced and clustered; then a recognizer learns the clusters, in two rounds of four parts,
each asked about recordings that it did not learn from. The recognizer is that of the shipped model.
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
    study, given = Study(folder), latents.load(folder, "pca")
    moving = kinematics.with_speeds(study, given, 1.5)
    runs = []
    for i in range(SEEDS):
        for one in (given, moving):
            said = _points.recover(study, one, {"kappa": None, "filled": True}, seed + 100 * i)
            runs.append({name: states for name, (_, states) in said.items()})
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
        name: np.eye(count, dtype=np.float32)[clusters.predict(reduced.transform(one))]
        for name, one in joined.items()
    }
    said = {}
    with torch.no_grad():
        seen = {name: classifier.features(moving.series[name]) for name in study.recordings}
    own = ClassifierSettings()
    for turn in range(ROUNDS):
        found = {}
        for fold in range(FOLDS):
            rest = [name for i, name in enumerate(study.trained) if i % FOLDS != fold]
            rng = generator(seed, "consensus", turn, fold)
            net = classifier.train([seen[n] for n in rest], [soft[n] for n in rest], own, rng)
            for i, name in enumerate(study.trained):
                if i % FOLDS == fold:
                    found[name] = np.exp(classifier.evidence(net, seen[name])).astype(np.float32)
        soft |= found
    rng = generator(seed, "consensus")
    names = study.trained
    net = classifier.train([seen[n] for n in names], [soft[n] for n in names], own, rng)
    for name in study.recordings:
        states = np.exp(classifier.evidence(net, seen[name]))
        said[name] = decoding.path(states, STAY), states.astype(np.float32)
    return said
