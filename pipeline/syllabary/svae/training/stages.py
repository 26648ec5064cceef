"""Stages of training a prior: latents taken as points, then latents with their noise."""

from collections.abc import Mapping
from typing import NamedTuple

import torch

from ...errors import ShapeError
from ...priors.interface import ChosenPrior
from ...priors.lookup import as_network_prior, find_prior
from ...priors.types import PROCESSOR, Evidence, moved
from ...reduction.latents import LatentSeries
from ...settings import Settings
from .. import latent_evidence
from ..choices import network_settings, prior_settings
from ..settings import ModelSettings

__all__ = ["LATENTS", "POINTS", "Stage", "stage_of", "stages"]

POINTS, LATENTS = "points", "latents"


class Stage(NamedTuple):
    """A prior and the evidence that it is trained on."""

    prior_name: str
    prior: ChosenPrior
    settings: Settings
    """Of the prior."""
    evidence: list[Evidence]
    """Of each recording, in the order of their names; without empty ones."""


def stages(settings: ModelSettings) -> list[str]:
    """Return the stages that a model's prior goes through."""
    prior = find_prior(settings.prior)
    if as_network_prior(prior) is not None:
        return [POINTS, LATENTS]
    return [POINTS if prior.TAKES_POINTS else LATENTS]


def stage_of(
    settings: ModelSettings,
    stage: str,
    latents: Mapping[str, LatentSeries],
    fps: float,
    device: torch.device = PROCESSOR,
) -> Stage:
    """Return the prior of a stage, and its evidence.

    Parameters
    ----------
    settings : ModelSettings
    stage : str
        ``POINTS`` or ``LATENTS``.
    latents : mapping of recording to LatentSeries
    fps : float
        Ticks per second of the latents.
    device : torch.device
        Of the evidence.

    Raises
    ------
    ShapeError
        Recordings differ in the number of latents.
    """
    name, prior, checked = settings.prior, find_prior(settings.prior), prior_settings(settings)
    if stage == POINTS and not prior.TAKES_POINTS:
        name, prior = "arhmm", find_prior("arhmm")
        checked = prior.Settings.model_validate({**checked.model_dump(), "lags": 1})
    max_precision = float(network_settings(settings).max_precision)
    series: list[Evidence] = []
    for recording in sorted(latents):
        evidence: Evidence
        if prior.TAKES_POINTS:
            bridge = round(settings.bridge_s * fps)
            evidence = latent_evidence.points(latents[recording], recording, bridge=bridge)
        else:
            evidence = latent_evidence.linear(latents[recording], max_precision, recording)
        if series and evidence.values.shape[1:] != series[0].values.shape[1:]:
            raise ShapeError(
                f"{recording}: latents {tuple(evidence.values.shape)}; all recordings have (T, D) "
                f"latents of the same D, here {series[0].values.shape[1]}."
            )
        if len(evidence.values):
            series.append(moved(evidence, device))
    return Stage(name, prior, checked, series)
