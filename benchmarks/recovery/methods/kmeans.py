"""The latents of an ordinary autoencoder and k-means, without dynamics."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.cluster import KMeans

from recovery import latents
from recovery.methods._points import StatePrediction, filled
from recovery.studies import Study

LATENTS = ("autoencoder",)
SETTINGS = {f"clusters-{k}": {"clusters": k} for k in (10, 15, 25)}


def recover(folder: Path, setting: dict[str, Any], seed: int) -> StatePrediction:
    """Return paths and states of a mixture of equal isotropic Gaussians at the means."""
    study, series = Study(folder), latents.load(folder, "autoencoder").series
    points = np.concatenate([series[name].values[series[name].observed] for name in study.trained])
    clusters = KMeans(setting["clusters"], n_init=3, random_state=seed).fit(points)
    variance = clusters.inertia_ / points.size
    predicted = {}
    for name, recording_series in series.items():
        distance = clusters.transform(filled(recording_series).values)
        states = softmax(-(distance**2) / (2 * variance), axis=1).astype(np.float32)
        predicted[name] = distance.argmin(1), states
    return predicted
