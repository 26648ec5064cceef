"""Fit a prior to states that are said: what moves how, once a recognizer tells which syllable it is.

With the states' evidence given, every sweep is one pass of messages over each recording and an exact
update of all parameters; a few sweeps settle it, for only the latents' noise is still to be shared
out between what is seen and what moves.
"""

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ... import registry
from ...machine import one_thread
from ...priors.blocks import global_parameters, initialization
from ...priors.interface import GaussianEvidence, add
from ...progress import track
from ...provenance import generator
from ...reduction.latents import LatentSeries
from .. import latent_evidence
from ..choices import network_settings, prior_settings
from ..settings import ModelSettings
from . import durations
from .em import COLUMNS, USED_SHARE, Fitted

__all__ = ["fit"]

log = logging.getLogger(__name__)
PHASE = "settle"


def fit(
    latents: Mapping[str, LatentSeries],
    state_logits: Mapping[str, Tensor],
    settings: ModelSettings,
    *,
    fps: float,
    seed: int,
    workers: int = 1,
) -> Fitted:
    """Fit a prior of K states to latents and to what is said of their states.

    Parameters
    ----------
    latents : mapping of recording to LatentSeries
    state_logits : mapping of recording to (T, K) float64
        Log evidence of the states, nats.
    settings : ModelSettings
    fps : float
        Ticks per second.
    seed : int
    workers : int
        Threads over recordings; no influence on the result.
    """
    prior = registry.find("syllabary.priors", settings.prior)
    names = sorted(latents)
    states = state_logits[names[0]].shape[1]
    # How long a syllable lasts is in what is said; stickiness would count it twice.
    own = prior_settings(settings).model_copy(update={"states": states, "kappa": 0.0})
    most = float(network_settings(settings).max_precision)  # type: ignore[attr-defined]
    seen = [np.asarray(latents[name].observed, bool) for name in names]
    frames = sum(int(one.sum()) for one in seen)
    given = [
        latent_evidence.linear(latents[name], most, name)._replace(states=state_logits[name])
        for name in names
    ]
    with one_thread("torch"), ThreadPoolExecutor(workers) as pool:
        parameters = _blank(prior, own, given, generator(seed, "settle"))
        history: list[dict[str, Any]] = []
        max_iterations = settings.training.clamped_iterations
        for sweep in track(range(max_iterations + 1), "fit: settle", unit="iterations"):

            def one(evidence: GaussianEvidence, now: Any = parameters) -> Any:
                return prior.infer(now, evidence, paths=True, cache=False)

            statistics, bound, runs = None, -float(prior.divergence(parameters, own)), []
            usage = torch.zeros(states, dtype=torch.int64)
            for local, known in zip(pool.map(one, given), seen, strict=True):
                statistics = (
                    local.statistics if statistics is None else add(statistics, local.statistics)
                )
                bound += float(local.bound)
                runs.append(durations.of_path(local.path.numpy()))
                usage += torch.bincount(local.path[torch.from_numpy(known)], minlength=states)
            used = int((usage >= USED_SHARE * usage.sum()).sum())
            values = (
                0, PHASE, sweep, bound / frames, float(parameters.kappa), used,
                durations.median(np.concatenate(runs)) / fps,
            )  # fmt: skip
            history.append(dict(zip(COLUMNS, values, strict=True)))
            if sweep < max_iterations:
                parameters = prior.update_hyperparameters(prior.update(parameters, statistics, own))
    order = torch.argsort(usage, descending=True, stable=True)
    return Fitted(prior.reorder(parameters, order), pd.DataFrame(history, columns=COLUMNS), order)


def _blank(prior: Any, own: Any, given: list[GaussianEvidence], rng: np.random.Generator) -> Any:
    """Parameters of which no state has seen anything, the dynamics of all data their prior."""
    points = [torch.where(one.precision > 0, one.mean, torch.nan) for one in given]
    blank, _ = initialization.guess(own, 1, points, None, rng)
    assert isinstance(blank, global_parameters.Parameters)
    return prior.from_autoregression(blank)
