"""Fit a prior with its states clamped to state evidence, from the discovered syllables.

With the states' evidence given, an iteration is one pass of messages over each recording and an
exact update of all parameters. It divides the noise between the latents' evidence and their dynamics.
"""

import logging
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...errors import BadSetting
from ...machine import one_thread
from ...priors.lookup import as_network_prior, find_prior
from ...priors.types import PROCESSOR, moved, total
from ...progress import track
from ...provenance import generator
from ...reduction.latents import LatentSeries
from .. import latent_evidence
from ..choices import network_settings, prior_settings
from ..settings import ModelSettings
from . import durations
from .fitted import COLUMNS, USED_SHARE, Fitted, Row, row

__all__ = ["fit"]

log = logging.getLogger(__name__)
PHASE = "settle"
# Durations are part of the state evidence; a stickiness would count them twice.
KAPPA = 0.0


def fit(
    latents: Mapping[str, LatentSeries],
    state_logits: Mapping[str, Tensor],
    settings: ModelSettings,
    *,
    fps: float,
    seed: int,
    device: torch.device = PROCESSOR,
    workers: int = 1,
) -> Fitted:
    """Fit a prior of K states to latents and to evidence of the states.

    Parameters
    ----------
    latents : mapping of recording to LatentSeries
    state_logits : mapping of recording to (T, K) float64
        Log evidence of the states, nats.
    settings : ModelSettings
    fps : float
        Ticks per second.
    seed : int
    device : torch.device
        Where messages pass.
    workers : int
        Threads over recordings; without influence on the result.

    Raises
    ------
    BadSetting
        The states of this prior cannot be clamped.
    """
    prior = as_network_prior(find_prior(settings.prior))
    if prior is None:
        raise BadSetting(f"prior {settings.prior!r} takes no evidence of its states; take 'slds'.")
    names = sorted(latents)
    states = state_logits[names[0]].shape[1]
    chosen = prior_settings(settings).model_copy(update={"states": states, "kappa": KAPPA})
    max_precision = float(network_settings(settings).max_precision)
    observed = [torch.from_numpy(np.asarray(latents[name].observed, bool)) for name in names]
    frames = sum(int(flags.sum()) for flags in observed)
    linear = [latent_evidence.linear(latents[name], max_precision, name) for name in names]
    points = [torch.where(each.precision > 0, each.mean, torch.nan) for each in linear]
    evidence = [
        moved(each._replace(states=state_logits[name]), device)
        for name, each in zip(names, linear, strict=True)
    ]
    with one_thread("torch"), ThreadPoolExecutor(workers) as pool:
        parameters = moved(prior.blank(chosen, points, None, generator(seed, "settle")), device)
        history: list[Row] = []
        training, before = settings.training, -math.inf
        passes = range(training.clamped_iterations + 1)
        for iteration in track(passes, "fit: dynamics of the states", unit="iterations"):
            infer = partial(prior.infer, parameters, paths=True, cache=False)
            parts, bound, runs = [], -float(prior.divergence(parameters, chosen)), []
            usage = torch.zeros(states, dtype=torch.int64, device=device)
            for local, flags in zip(pool.map(infer, evidence), observed, strict=True):
                assert local.path is not None
                parts.append(local.statistics)
                bound += float(local.bound)
                runs.append(durations.of_path(local.path.cpu().numpy()))
                usage += torch.bincount(local.path[flags], minlength=states)
            used = int((usage >= USED_SHARE * usage.sum()).sum())
            duration_s = durations.median(np.concatenate(runs)) / fps
            history.append(row(0, PHASE, iteration, bound / frames, KAPPA, used, duration_s))
            rise, before = bound / frames - before, bound / frames
            if 0 <= rise < training.tolerance_nats:
                break
            if iteration < training.clamped_iterations:
                updated = prior.update(parameters, total(parts), chosen)
                parameters = prior.update_hyperparameters(updated)
        else:
            log.info(
                "dynamics of the states stopped after %d iterations, the last gain %.2g nats per frame",
                training.clamped_iterations, rise,
            )  # fmt: skip
    order = torch.argsort(usage, descending=True, stable=True)
    return Fitted(prior.reorder(parameters, order), pd.DataFrame(history, columns=COLUMNS), order)
