"""Stages of training a prior: latents taken as points, then with their noise."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch

from ... import registry
from ...errors import ShapeError
from ...priors.interface import GaussianEvidence, PointEvidence
from ...reduction.latents import LatentSeries
from .. import latent_evidence
from ..choices import network_settings, prior_settings
from ..settings import ModelSettings

__all__ = ["LATENTS", "POINTS", "observed_of", "stage_of", "stages"]

POINTS, LATENTS = "points", "latents"


def stages(settings: ModelSettings) -> list[str]:
    """Return the stages that a model's prior goes through."""
    prior = registry.find("syllabary.priors", settings.prior)
    if hasattr(prior, "from_autoregression"):
        return [POINTS, LATENTS]
    return [LATENTS if prior.Evidence is GaussianEvidence else POINTS]


def stage_of(
    settings: ModelSettings, stage: str, latents: Mapping[str, LatentSeries]
) -> tuple[ModuleType, Any, list[Any]]:
    """Return prior, its settings, and what it is shown of each recording, in order of names."""
    prior: ModuleType = registry.find("syllabary.priors", settings.prior)
    own = prior_settings(settings)
    if stage == POINTS and prior.Evidence is GaussianEvidence:
        prior = registry.find("syllabary.priors", "arhmm")
        own = prior.Settings(**own.model_dump(), lags=1)
    known: Any = network_settings(settings)
    most = float(known.max_precision)
    found: list[Any] = []
    for name in sorted(latents):
        one: Any = (
            latent_evidence.points(latents[name], name, bridge=settings.bridge_frames)
            if prior.Evidence is PointEvidence
            else latent_evidence.linear(latents[name], most, name)
        )
        if found and one[0].shape[1:] != found[0][0].shape[1:]:
            raise ShapeError(
                f"{name}: latents {tuple(one[0].shape)}; all recordings have (T, D) latents of the "
                f"same D, here {found[0][0].shape[1]}."
            )
        if len(one[0]):
            found.append(one)
    return prior, own, found


def observed_of(evidence: Any) -> torch.Tensor:
    """Tell which ticks of a recording are seen, (T) bool."""
    return evidence[1] if evidence[1].dtype == torch.bool else (evidence[1] > 0).any(-1)
