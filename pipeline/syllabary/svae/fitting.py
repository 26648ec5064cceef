"""From training recordings to a model: find the syllables, fit the prior, train the networks."""

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from ..provenance import generator
from ..records.annotations import Annotations
from ..reduction.latents import LatentSeries
from ..reduction.reduction import Reduction
from . import forecasting, pixel_noise
from .choices import require_choices
from .discovery import discovery
from .model import Model
from .settings import ModelSettings
from .training import clamped, em, joint

__all__ = ["learn"]

log = logging.getLogger(__name__)


def learn(
    latents: Mapping[str, LatentSeries],
    crops: Mapping[str, Path],
    settings: ModelSettings,
    reduction: Reduction,
    *,
    target_duration_s: float,
    fps: float,
    seed: int,
    labels: Mapping[str, Annotations] | None = None,
    folder: Path | None = None,
    identity: str = "",
) -> tuple[Model, pd.DataFrame]:
    """Train a model; what was killed goes on where it was.

    Parameters
    ----------
    latents, crops : mapping of recording to its latents and to its ``crops.h5``
    settings : ModelSettings
    reduction : Reduction
        What made the latents.
    target_duration_s : float
        Median duration of a syllable to aim at, s.
    fps : float
        Ticks per second.
    seed : int
        The same seed and data give the same model, bit for bit.
    labels : mapping of recording to Annotations, optional
        What people called some of the ticks; only a model with ``discovery`` heeds them.
    folder : path, optional
        Where checkpoints are kept until the end.
    identity : str
        Digest of all that decides the result.

    Returns
    -------
    Model, DataFrame
        And the history of its training, a row per sweep.
    """
    require_choices(settings, "model")
    places = {
        name: None if folder is None else folder / f"{name}.safetensors"
        for name in ("checkpoint", "joint")
    }
    options: dict[str, Any] = {
        "target_duration_s": target_duration_s,
        "fps": fps,
        "seed": seed,
        "checkpoint": places["checkpoint"],
        "identity": identity,
    }
    found = state_logits = None
    if settings.discovery is None:
        if labels:
            log.warning("labels of people are heeded by models with 'discovery' alone.")
        fitted = em.fit(latents, settings, **options)
    else:
        found = discovery.find(latents, settings.discovery, labels=labels, **options)
        state_logits = {name: torch.from_numpy(one) for name, one in found.evidence.items()}
        fitted = clamped.fit(latents, state_logits, settings, fps=fps, seed=seed)
        found, state_logits = _renumbered(found, state_logits, fitted.order)
        history = pd.concat([found.history, fitted.history], ignore_index=True)
        fitted = fitted._replace(history=history)
    trained, networks = joint.fit(
        fitted, crops, latents, settings, reduction.pca, fps=fps, seed=seed, state_logits=state_logits,
        checkpoint=places["joint"], identity=identity,
    )  # fmt: skip
    if found is not None and state_logits is not None and trained is not fitted:
        found, state_logits = _renumbered(found, state_logits, trained.order)
    model = Model.of(settings, trained, reduction, networks, fps=fps, discovered=found)
    if settings.discovery is not None and settings.discovery.forecast_lags > 1:
        later = forecasting.fit(model, latents, crops, settings.discovery.forecast_lags)
        model = dataclasses.replace(model, forecast_parameters=later)
    model = pixel_noise.fit(model, crops, generator(seed, "fit", "noise"))
    return model, trained.history


def _renumbered(
    found: discovery.Discovered, state_logits: Mapping[str, torch.Tensor], order: torch.Tensor | None
) -> tuple[discovery.Discovered, dict[str, torch.Tensor]]:
    """Give the syllables the numbers that the prior gave them."""
    assert order is not None
    classes = tuple(found.classes[int(k)] for k in order)
    found = found._replace(labeler=found.labeler.reorder(order), classes=classes)
    return found, {name: one[:, order] for name, one in state_logits.items()}
