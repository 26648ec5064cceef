"""The teacher: a sticky autoregressive HMM whose redundant states are merged into syllables.

The latents are taken as points. The teacher has more states than there are syllables, because each
variant of a movement raises its likelihood. States are merged until each remaining distinction
contributes at least ``merge_threshold_nats`` per frame (``priors.blocks.merging``).

The teacher is reliable if its one-step residuals are uncorrelated over time. Correlated residuals show
that the animal's movements are not linear autoregressions (``priors.blocks.residuals``).
"""

import logging
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import gaussian_filter1d

from ...machine import one_thread
from ...priors import arhmm
from ...priors.blocks import merging, residuals
from ...priors.types import total
from ...reduction.latents import LatentSeries
from .. import latent_evidence
from ..settings import DiscoverySettings, ModelSettings, TrainingSettings
from ..training import em
from ..training.state import Checkpoint

__all__ = ["Teacher", "fit_teacher"]

log = logging.getLogger(__name__)
# SD of the blur of soft labels, frames: boundaries of syllables are not exact to the frame.
BLUR_FRAMES = 1.0
# Residuals of a reliable teacher correlate less. Crops simulated from a switching autoregression give
# 0.01 to 0.02, those of a simulated mouse 0.14.
MAX_AUTOCORRELATION = 0.05

F64 = npt.NDArray[np.float64]


class Teacher(NamedTuple):
    """A fitted teacher with J states, which belong to K syllables.

    Attributes
    ----------
    parameters : arhmm.Parameters
        Of J states.
    is_reliable : bool
        Residuals are uncorrelated over time.
    membership : (J, K) float64
        1 where a state belongs to a syllable.
    soft_labels : list of (T, K) float64
        Probabilities of the syllables, by recording in the order of names; rows sum to one.
    history : DataFrame
        Of training, see ``training.em``.
    """

    parameters: arhmm.Parameters
    is_reliable: bool
    membership: F64
    soft_labels: list[F64]
    history: pd.DataFrame


def fit_teacher(
    latents: Mapping[str, LatentSeries],
    settings: DiscoverySettings,
    *,
    target_duration_s: float,
    fps: float,
    seed: int,
    checkpoint: Checkpoint | None = None,
) -> Teacher:
    """Fit the teacher and merge its states.

    Parameters
    ----------
    latents : mapping of recording to LatentSeries
    settings : DiscoverySettings
    target_duration_s, fps, seed, checkpoint
        See ``training.em.fit``.
    """
    model = ModelSettings(
        prior="arhmm",
        prior_settings={"states": settings.states, "lags": settings.lags},
        bridge_frames=settings.bridge_frames,
        training=TrainingSettings(restarts=settings.restarts, iterations=settings.iterations),
    )
    fitted = em.fit(
        latents, model, target_duration_s=target_duration_s, fps=fps, seed=seed,
        checkpoint=checkpoint,
    )  # fmt: skip
    parameters = fitted.parameters
    assert isinstance(parameters, arhmm.Parameters)
    states, statistics, paths = [], [], []
    with one_thread("torch"):
        for name in sorted(latents):
            evidence = latent_evidence.points(latents[name], name, bridge=settings.bridge_frames)
            local = arhmm.infer(parameters, evidence, paths=True)
            assert local.path is not None
            paths.append((evidence, local.path))
            statistics.append(local.statistics.dynamics)
            states.append(local.states.double().numpy())
    merged = merging.merge_states(
        total(statistics), parameters.hyperprior, settings.merge_threshold_nats
    ).numpy()
    syllables = np.unique(merged)
    membership = (merged[:, None] == syllables[None]).astype(np.float64)
    autocorrelation = residuals.residual_autocorrelation(parameters.dynamics, settings.lags, paths)
    log.info(
        "merged the %d states of the teacher into %d syllables; residual autocorrelation %.3f",
        len(merged), len(syllables), autocorrelation,
    )  # fmt: skip
    return Teacher(
        parameters,
        autocorrelation < MAX_AUTOCORRELATION,
        membership,
        [_blurred(part @ membership) for part in states],
        fitted.history,
    )


def _blurred(probabilities: F64) -> F64:
    """Probabilities (T, K) blurred over time; rows sum to one."""
    blurred = gaussian_filter1d(probabilities, BLUR_FRAMES, axis=0) + 1e-9
    normalized: F64 = blurred / blurred.sum(1, keepdims=True)
    return normalized
