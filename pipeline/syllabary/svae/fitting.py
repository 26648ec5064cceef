"""From training recordings to a model: discover syllables, fit the prior, train the networks."""

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path

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
from .training.state import Checkpoint

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
    """Train a model. Training that was stopped continues from its checkpoint.

    Parameters
    ----------
    latents, crops : mapping of recording to its latents and to its ``crops.h5``
    settings : ModelSettings
    reduction : Reduction
        Of which the latents are.
    target_duration_s : float
        Median duration of a syllable to aim at, s.
    fps : float
        Ticks per second.
    seed : int
        The same seed and data give the same model, bit for bit.
    labels : mapping of recording to Annotations, optional
        People's labels of some ticks; only a model with ``discovery`` uses them.
    folder : path, optional
        Of the checkpoints, until the end.
    identity : str
        Digest of all that decides the result.

    Returns
    -------
    Model, DataFrame
        And the history of its training, a row per iteration.
    """
    require_choices(settings, "model")
    alone, together = (
        None if folder is None else Checkpoint(folder / f"{name}.safetensors", identity)
        for name in ("checkpoint", "joint")
    )
    discovered = state_logits = None
    if settings.discovery is None:
        if labels:
            log.warning("labels of people are used by models with 'discovery' alone.")
        fitted = em.fit(
            latents, settings, target_duration_s=target_duration_s, fps=fps, seed=seed,
            checkpoint=alone,
        )  # fmt: skip
    else:
        discovered = discovery.find(
            latents, settings.discovery, labels=labels, target_duration_s=target_duration_s, fps=fps,
            seed=seed, checkpoint=alone,
        )  # fmt: skip
        state_logits = {name: torch.from_numpy(each) for name, each in discovered.evidence.items()}
        fitted = clamped.fit(latents, state_logits, settings, fps=fps, seed=seed)
        discovered, state_logits = _renumbered(discovered, state_logits, fitted.order)
        history = pd.concat([discovered.history, fitted.history], ignore_index=True)
        fitted = fitted._replace(history=history)
    trained, networks = joint.fit(
        fitted, crops, latents, settings, reduction.pca, fps=fps, seed=seed, state_logits=state_logits,
        checkpoint=together,
    )  # fmt: skip
    if discovered is not None and state_logits is not None and trained is not fitted:
        discovered, state_logits = _renumbered(discovered, state_logits, trained.order)
    model = Model.of(settings, trained, reduction, networks, fps=fps, discovered=discovered)
    if settings.discovery is not None and settings.discovery.forecast_lags > 1:
        parameters = forecasting.fit(model, latents, crops, settings.discovery.forecast_lags)
        model = dataclasses.replace(model, forecast_parameters=parameters)
    model = pixel_noise.fit(model, crops, generator(seed, "fit", "noise"))
    return model, trained.history


def _renumbered(
    discovered: discovery.Discovered,
    state_logits: Mapping[str, torch.Tensor],
    order: torch.Tensor | None,
) -> tuple[discovery.Discovered, dict[str, torch.Tensor]]:
    """Give the syllables the numbers that the prior gave them."""
    assert order is not None
    classes = tuple(discovered.classes[int(k)] for k in order)
    renumbered = discovered._replace(labeler=discovered.labeler.reorder(order), classes=classes)
    return renumbered, {name: each[:, order] for name, each in state_logits.items()}
