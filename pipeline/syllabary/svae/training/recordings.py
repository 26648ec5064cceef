"""Recordings as joint training reads them: their crops, latents and evidence of the states."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...messages.meanfield import BoundaryMessages
from ...priors.types import GaussianEvidence, Local, TensorRecord, moved
from ...records.crops import Crops
from ...reduction import registration
from ...reduction.latents import LatentSeries
from .. import latent_evidence
from ..networks import likelihood
from ..networks.interface import Decoder, Encoder
from . import windows
from .gradients import AT_ONCE, Batch
from .windows import Window

__all__ = ["TrainingRecordings"]

OPEN_FILES = 32


class TrainingRecordings:
    """All training recordings that have a tick, in the order of their names.

    Parameters
    ----------
    crops, latents : mapping of recording to path of crops.h5, and to its latents
    state_logits : mapping of recording to (T, K) float64, optional
        Log evidence of the states if they are clamped.
    max_precision : float
        Of the encoder.
    width : int
        Latents that are decoded: the first ones.
    device : torch.device
        Of all tensors.
    """

    def __init__(
        self,
        crops: Mapping[str, Path],
        latents: Mapping[str, LatentSeries],
        state_logits: Mapping[str, Tensor] | None,
        max_precision: float,
        width: int,
        device: torch.device,
    ):
        names = [name for name in sorted(latents) if len(latents[name].values)]
        self.paths = [crops[name] for name in names]
        self.series = [latents[name] for name in names]
        self.state_logits = (
            None if state_logits is None else [state_logits[name].to(device) for name in names]
        )
        self.observed = [torch.from_numpy(np.asarray(each.observed)).to(device) for each in self.series]
        self.frames = sum(int(observed.sum()) for observed in self.observed)
        self.ticks = sum(len(each.values) for each in self.series)
        self.width, self.device = width, device
        self.reduced = [
            moved(latent_evidence.reduced(each, max_precision), device) for each in self.series
        ]
        self.subject_offsets = [latent_evidence.subject_offset(each).to(device) for each in self.series]
        self.open = lru_cache(maxsize=OPEN_FILES)(self._open)

    def _open(self, index: int) -> Crops:
        """Open the crops of a recording as the networks see them."""
        return registration.as_reduced(Crops(self.paths[index]), self.series[index])

    def lengths(self) -> list[int]:
        """Return the ticks of each recording."""
        return [len(observed) for observed in self.observed]

    def encode(self, index: int, encoder: Encoder) -> GaussianEvidence:
        """Return the evidence of a whole recording, (T, D) float64, without gradients."""
        evidence = latent_evidence.of_crops(encoder, self.open(index), self.series[index])
        if self.state_logits is None:
            return evidence
        return evidence._replace(states=self.state_logits[index])

    def load(
        self,
        starts: Sequence[Tensor],
        group: list[Window],
        boundary: Mapping[Window, BoundaryMessages],
        rng: np.random.Generator,
    ) -> Batch:
        """Read a batch of windows.

        Parameters
        ----------
        starts : sequence of (T, K)
            Probabilities of the states of every recording at its last visit.
        group : list of Window
            Of one length.
        boundary : mapping of Window to BoundaryMessages
        rng : numpy Generator
            Draws the latents that are decoded.
        """
        heights, observed, regions, states = [], [], [], []
        for window in group:
            crops = self.open(window.recording)
            raw = crops.heights(window.begin, window.stop)
            heights.append(torch.from_numpy(raw).to(self.device).float() * crops.height_step_mm)
            observed.append(torch.from_numpy(crops.observed(window.begin, window.stop)).to(self.device))
            frames = torch.arange(window.begin, window.stop, device=self.device)
            regions.append((frames >= window.scored[0]) & (frames < window.scored[1]))
            states.append(starts[window.recording][window.begin : window.stop].double())
        scored = torch.stack(regions)
        return Batch(
            heights=torch.stack(heights),
            observed=torch.stack(observed),
            scored=scored,
            starts=torch.stack(states),
            boundary=windows.join([boundary[window] for window in group]),
            normals=self._normals(rng, *scored.shape),
            subject_offset=torch.stack([self.subject_offsets[w.recording] for w in group])[:, None],
            state_logits=self._logits(group),
        )

    def _normals(self, rng: np.random.Generator, *shape: int) -> Tensor:
        """Draw for the latents that are decoded."""
        return torch.from_numpy(rng.standard_normal((*shape, self.width))).to(self.device)

    def _logits(self, group: list[Window]) -> Tensor | None:
        """Log evidence of the states of a batch, (B, T, K)."""
        if self.state_logits is None:
            return None
        return torch.stack([self.state_logits[w.recording][w.begin : w.stop] for w in group])

    def encode_batch(self, encoder: Encoder, group: list[Window], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return means and precisions of a batch, (B, T, D) float32, with their gradient's path.

        Parameters
        ----------
        encoder : Encoder
        group : list of Window
        batch : Batch
            Of these windows.
        """
        rows = [
            [part[window.begin : window.stop] for part in self.reduced[window.recording]]
            for window in group
        ]
        values, information, motion, motion_precision = (
            torch.stack(part) for part in zip(*rows, strict=True)
        )
        chunks = [
            part.flatten(0, 1).split(AT_ONCE)  # type: ignore[no-untyped-call]
            for part in (batch.heights, batch.observed, values, information)
        ]
        encoded = [encoder(*chunk) for chunk in zip(*chunks, strict=True)]
        mean, precision = (torch.cat(part) for part in zip(*encoded, strict=True))
        return (
            torch.cat([mean.view(values.shape), motion.to(mean)], -1),
            torch.cat([precision.view(values.shape), motion_precision.to(mean)], -1),
        )

    @torch.no_grad()
    def score(
        self, index: int, decoder: Decoder, local: Local[TensorRecord], rng: np.random.Generator
    ) -> float:
        """Return the log likelihood of a recording's pixels by one draw of its latents.

        Parameters
        ----------
        index : int
            Of the recording.
        decoder : Decoder
        local : Local
            Posterior of the recording, (T, D).
        rng : numpy Generator
            Draws the latents.
        """
        assert local.covariances is not None
        means = local.means[:, : self.width]
        covariances = local.covariances[:, : self.width, : self.width]
        crops = self.open(index)
        log_likelihood = 0.0
        for start, heights, observed in crops.blocks(latent_evidence.BLOCK):
            rows = slice(start, start + len(heights))
            normals = self._normals(rng, len(means[rows]))
            drawn = likelihood.sample_marginals(means[rows], covariances[rows], normals)
            of_frames = likelihood.log_likelihood(
                torch.from_numpy(heights).to(self.device).float() * crops.height_step_mm,
                torch.from_numpy(observed).to(self.device),
                decoder(drawn + self.subject_offsets[index]),
                decoder.log_variance(),
                decoder.used,
                decoder.outliers,
            )
            log_likelihood += float(of_frames.sum())
        return log_likelihood
