"""A recording and a model, opened once for all scores."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...priors import slds
from ...priors.lookup import find_prior
from ...priors.types import GaussianEvidence
from ...records.crops import Crops
from ...reduction import registration
from ...reduction.latents import LatentSeries
from ...reduction.pca import Pca
from .. import latent_evidence, segmentation
from ..model import Model
from ..networks.interface import Decoder
from ..process import posterior
from ..process.chain import Potential
from ..process.generative import GenerativeProcess, generative_process
from .observation_models import Components, Pixels

__all__ = ["Recording", "open_recording"]


class Recording(NamedTuple):
    """A recording with the parts of the model that scores use."""

    crops: Crops
    """By tick of the model's clock, registered."""
    generative_process: GenerativeProcess
    decoder: Decoder
    pca: Pca
    series: LatentSeries
    """The reduction's latents."""
    evidence: GaussianEvidence
    """Evidence of the latents of every frame by the encoder, (T, D)."""
    states: Tensor
    """(T, K) probabilities of the states, from which mean field starts."""

    def pixels(self, ticks: Tensor) -> Pixels:
        """Return the pixels of some ticks, in their order."""
        heights, observed = [], []
        for first, last in _runs(ticks):
            heights.append(self.crops.heights(first, last))
            observed.append(self.crops.observed(first, last))
        step_mm = self.crops.height_step_mm
        size = (0, *self.crops.size)
        return Pixels(
            self.decoder,
            self._of(np.concatenate([np.zeros(size, np.uint8), *heights])).float() * step_mm,
            self._of(np.concatenate([np.zeros(size, bool), *observed])),
            self.subject_offset(),
        )

    def components(self, ticks: Tensor) -> Components:
        """Return the PCA's latents of some ticks."""
        rows = ticks.numpy()
        pose = self.series.pose
        observed = self.series.observed[rows, None]
        assert self.series.information is not None
        return Components(
            self.decoder,
            self.pca,
            self._of(np.where(observed, self.series.values[rows, :pose], 0.0)),
            self._of(np.where(observed, self.series.information[rows, :pose], 0.0)),
            self.subject_offset(),
        )

    def subject_offset(self) -> Tensor:
        """Return the animal's mean pose (pose,), which was subtracted from the latents."""
        return latent_evidence.subject_offset(self.series).to(self.states.device)

    def _of(self, values: npt.NDArray[np.generic]) -> Tensor:
        """Return an array on the model's device."""
        return torch.from_numpy(values).to(self.states.device)

    def potential(self, ticks: Tensor, *, motion: bool = True) -> Potential:
        """Return the encoder's potentials of ticks (...): (..., D, D) and (..., D).

        If only pixels are scored, the measured ``motion`` must be left out.
        """
        precision = self.evidence.precision[ticks].double()
        if not motion:
            precision[..., self.series.pose :] = 0
        mean = torch.where(precision > 0, self.evidence.mean[ticks].double(), 0.0)
        return Potential(torch.diag_embed(precision), precision * mean)

    def observed(self) -> Tensor:
        """Return which ticks (T,) have evidence of the latents."""
        return (self.evidence.precision > 0).any(-1)

    def even(self, *shape: int) -> Tensor:
        """Return states (*shape, K), each with its probability at any time."""
        first = self.generative_process.first
        return first.expand(*shape, len(first))


def open_recording(model: Model, crops: Crops | Recording) -> Recording:
    """Encode a recording with the model's encoder, whatever prior it was trained with.

    Raises
    ------
    ShapeError
        The crops are not of the model's size.
    """
    if isinstance(crops, Recording):
        return crops
    series = model.latents(crops)
    crops = registration.as_reduced(crops, series)
    evidence = segmentation.evidence_of(model, series, crops)
    prior = find_prior(model.settings.prior)
    assert evidence.mean.shape[-1] == prior.dimensions(model.parameters)
    decoder = model.networks().decoder.requires_grad_(False)
    generative = generative_process(model.parameters)
    if model.settings.discovery is not None:
        assert isinstance(model.parameters, slds.Parameters)
        states = posterior.infer(model.parameters, evidence).states
    else:
        states = generative.first.expand(len(series.values), -1)
    return Recording(crops, generative, decoder, model.pca(), series, evidence, states)


def _runs(ticks: Tensor) -> list[tuple[int, int]]:
    """Cut ticks into runs of consecutive ones: first tick, and one beyond the last."""
    values = ticks.tolist()
    runs: list[tuple[int, int]] = []
    for tick in values:
        if runs and runs[-1][1] == tick:
            runs[-1] = (runs[-1][0], tick + 1)
        else:
            runs.append((tick, tick + 1))
    return runs
