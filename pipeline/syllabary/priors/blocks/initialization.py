"""First guess of a sticky model: clusters of motion, each with its regression."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from ...errors import BadInput
from ...expfam import dirichlet, mniw
from ..types import PointEvidence, recordings, total
from . import autoregression, clusters
from .global_parameters import Parameters, Settings, Statistics, unseen

__all__ = ["guess", "labeled"]

CLUSTERED_FRAMES = 200_000
# A regression of fewer frames overfits: no other frame joins its state later.
FRAMES_PER_COEFFICIENT = 5


def guess(
    settings: Settings,
    lags: int,
    latents: Iterable[Tensor],
    lengths: Sequence[int] | Tensor | None,
    rng: np.random.Generator,
) -> tuple[Parameters, Statistics]:
    """Guess the states.

    Parameters
    ----------
    settings : Settings
    lags : int
        Past frames that a frame is regressed on; 0 clusters the latents, not their motion.
    latents : iterable of (T, D) float, or (B, T, D)
        One tensor per recording; NaN where missing. Iterated twice.
    lengths : (B,) int, optional
        Frames that count in each recording.
    rng : numpy Generator

    Returns
    -------
    Parameters, Statistics
        Those of the prior, and the sums of the clusters.

    Raises
    ------
    BadInput
        No frame has all its predecessors.
    """
    series = recordings(latents, lengths)
    usable = [autoregression.usable(e.observed, lags) for e in series]
    frames = sum(int(mask.sum()) for mask in usable)
    if frames == 0:
        raise BadInput(
            f"no frame of the training recordings has {lags} observed frames before it; there is "
            "nothing to learn dynamics from."
        )
    pooled = total(
        autoregression.sums(e, mask, mask[:, None], lags) for e, mask in zip(series, usable, strict=True)
    )
    hyperprior = autoregression.hyperprior(
        mniw.Natural(*(part[0] for part in pooled)),
        coefficient_variance=settings.coefficient_variance,
        extra_degrees=settings.extra_degrees,
        noise_floor=settings.noise_floor,
    )
    states = settings.states
    weights = torch.full((states,), 1 / states, dtype=torch.float64)
    kappa = float(frames) if settings.kappa is None else settings.kappa
    prior = unseen(settings, weights, torch.tensor(kappa, dtype=torch.float64), hyperprior)
    window = settings.start_window if lags else 0
    points, mean, scale = clusters.points(series, usable, CLUSTERED_FRAMES, rng, window)
    enough = frames // (FRAMES_PER_COEFFICIENT * hyperprior.precision.shape[-1])
    centers = clusters.centers(points, min(states, max(2, enough)), rng)

    def label(evidence: PointEvidence) -> Tensor:
        features = clusters.features(evidence, window)
        return clusters.assign((features - mean) / scale, centers)

    statistics = total(
        labeled(e, mask, label(e), settings.states, lags) for e, mask in zip(series, usable, strict=True)
    )
    return prior, statistics


def labeled(
    evidence: PointEvidence, usable: Tensor, labels: Tensor, states: int, lags: int
) -> Statistics:
    """Return the statistics of one recording with certain states.

    Parameters
    ----------
    evidence : PointEvidence
        (T, D)
    usable : (T,) bool
    labels : (T,) int64
        State of each frame.
    states, lags : int
    """
    certain = torch.nn.functional.one_hot(labels, states).double()
    pairs = (labels[:-1] * states + labels[1:])[usable[1:] & usable[:-1]]
    counts = torch.bincount(pairs, minlength=states**2).double()
    return Statistics(
        initial=dirichlet.Natural(torch.zeros(states, dtype=torch.float64)),
        transition=dirichlet.Natural(counts.reshape(states, states)),
        dynamics=autoregression.sums(evidence, usable, certain, lags),
    )
