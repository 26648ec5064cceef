"""An AR-HMM on latents as points: trained on the training animals, applied to all."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from recovery.latents import Latents
from recovery.studies import Study
from syllabary import registry
from syllabary.machine import one_thread
from syllabary.reduction.latents import LatentSeries
from syllabary.svae import latent_evidence
from syllabary.svae.settings import ModelSettings
from syllabary.svae.training import em

StatePrediction = dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]
# Stickiness below and above the value that the duration of change points gives.
KAPPAS = (1e3, 1e4, 1e5, 1e6, 1e7)


def scan(kappas: tuple[float, ...] = KAPPAS, **common: Any) -> dict[str, dict[str, Any]]:
    """Return settings by name: automatic stickiness, then fixed values."""
    automatic = {"auto": {"kappa": None, **common}}
    return automatic | {
        f"kappa-1e{round(math.log10(kappa))}": {"kappa": kappa, **common} for kappa in kappas
    }


def recover(study: Study, latents: Latents, setting: Mapping[str, Any], seed: int) -> StatePrediction:
    """Train an AR-HMM of ``kappa``; return path (T,) and states (T, K) of every recording.

    With ``filled``, missing latents are interpolated; otherwise frames with a missing predecessor
    have no evidence.
    """
    series = latents.series
    if setting.get("filled"):
        series = {name: filled(recording_series) for name, recording_series in series.items()}
    chosen = ModelSettings(prior_settings={"kappa": setting["kappa"]})
    fitted = em.fit(
        {name: series[name] for name in study.trained},
        chosen,
        target_duration_s=latents.target_s,
        fps=study.fps,
        seed=seed,
    )
    prior, state_logits = registry.find("syllabary.priors", chosen.prior), {}
    with one_thread("torch"):
        for name, recording_series in series.items():
            local = prior.infer(fitted.parameters, latent_evidence.points(recording_series), paths=True)
            state_logits[name] = local.path.numpy(), local.states.float().numpy()
    return state_logits


def filled(series: LatentSeries) -> LatentSeries:
    """Interpolate gaps; before the first and after the last frame latents are constant."""
    tick = np.arange(len(series.values))
    observed = series.observed
    values = np.stack(
        [np.interp(tick, tick[observed], column[observed]) for column in series.values.T], 1
    )
    return LatentSeries(values, np.ones_like(observed))
