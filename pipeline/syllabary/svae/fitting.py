"""From training recordings to a model: discover syllables, train the networks, fit the dynamics."""

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch

from ..priors import slds
from ..provenance import generator
from ..records.annotations import Annotations
from ..reduction.latents import LatentSeries
from ..reduction.reduction import Reduction
from . import dynamics, pixel_noise
from .choices import require_choices
from .discovery import discovery
from .model import Model
from .networks.autoencoder import create
from .settings import ModelSettings
from .training import clamped, em, joint
from .training.fitted import Fitted
from .training.state import Place

__all__ = ["learn"]

log = logging.getLogger(__name__)
# Smallest probability of a state that networks are trained with.
SMALLEST = 1e-6
HERE = Place()


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
    place: Place = HERE,
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
    place : Place
        Where networks and messages compute, and of the checkpoints; the model is there too.

    Returns
    -------
    Model, DataFrame
        And the history of its training, a row per iteration.
    """
    require_choices(settings, "model")
    device, together = place.device, place.checkpoint("joint")
    if settings.discovery is None:
        if labels:
            log.warning("labels of people are used by models with 'discovery' alone.")
        fitted = em.fit(
            latents, settings, target_duration_s=target_duration_s, fps=fps, seed=seed,
            device=device, checkpoint=place.checkpoint("checkpoint"),
        )  # fmt: skip
        trained, networks = joint.fit(
            fitted, crops, latents, settings, reduction.pca, fps=fps, seed=seed, checkpoint=together
        )
        model = Model.of(settings, trained, reduction, networks, fps=fps)
        return pixel_noise.fit(model, crops, generator(seed, "fit", "noise")), trained.history
    discovered = discovery.find(
        latents, settings.discovery, labels=labels, target_duration_s=target_duration_s, fps=fps,
        seed=seed, place=place,
    )  # fmt: skip
    history = discovered.history
    networks = create(settings, reduction.pca, generator(seed, "fit", "networks")).to(device)
    if settings.training.epochs and list(networks.encoder.parameters()):
        logits = {name: _logits(states) for name, states in discovered.states.items()}
        fitted = clamped.fit(latents, logits, settings, fps=fps, seed=seed, device=device)
        # The prior numbers the states by the frames in its own paths.
        assert fitted.order is not None
        logits = {name: each[:, fitted.order] for name, each in logits.items()}
        trained, networks = joint.fit(
            fitted, crops, latents, settings, reduction.pca, fps=fps, seed=seed, state_logits=logits,
            checkpoint=together,
        )  # fmt: skip
        history = pd.concat([history, trained.history], ignore_index=True)
    start = Fitted(slds.from_autoregression(discovered.parameters), history)
    model = Model.of(settings, start, reduction, networks, fps=fps, discovered=discovered)
    parameters = dynamics.fit(model, latents, crops, discovered.states)
    model = dataclasses.replace(model, parameters=parameters)
    return pixel_noise.fit(model, crops, generator(seed, "fit", "noise")), history


def _logits(states: torch.Tensor) -> torch.Tensor:
    """Log probabilities that are finite."""
    return states.clamp(min=SMALLEST).log()
