"""Recordings as joint training reads them: their crops, latents and evidence of the states."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...messages.meanfield import BoundaryMessages
from ...priors.types import PROCESSOR, GaussianEvidence, Local, TensorRecord, moved, pinned, placed
from ...records.crops import Crops
from ...reduction import registration
from ...reduction.latents import LatentSeries
from .. import latent_evidence, memory
from ..networks import likelihood
from ..networks.interface import Decoder, Encoder
from . import windows
from .gradients import AT_ONCE, Batch
from .windows import Window

__all__ = ["TrainingRecordings", "read_ahead"]

OPEN_FILES = 32
Item = TypeVar("Item")
Read = TypeVar("Read")


def read_ahead(read: Callable[[Item], Read], items: Sequence[Item]) -> Iterator[tuple[Item, Read]]:
    """Yield items with what is read of them, each read while the one before is in use.

    Parameters
    ----------
    read : callable
        Runs on another thread.
    items : sequence
    """
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(read, item) for item in items[:1]]
        for number, item in enumerate(items):
            ready = waiting.pop().result()
            waiting += [pool.submit(read, coming) for coming in items[number + 1 : number + 2]]
            yield item, ready


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
        device: torch.device = PROCESSOR,
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

    def read(self, group: list[Window]) -> list[tuple[Tensor, Tensor]]:
        """Read the crops of windows: (T, H, W) uint8 counts, and bool where they are observed."""
        crops = [(self.open(window.recording), slice(window.begin, window.stop)) for window in group]
        return [
            (
                pinned(torch.from_numpy(each.heights(rows.start, rows.stop)), self.device),
                pinned(torch.from_numpy(each.observed(rows.start, rows.stop)), self.device),
            )
            for each, rows in crops
        ]

    def each(
        self, groups: Sequence[list[Window]]
    ) -> Iterator[tuple[list[Window], list[tuple[Tensor, Tensor]]]]:
        """Yield groups of windows with what ``read`` returns of them; ahead, beside a GPU."""
        if self.device.type == "cuda":
            return read_ahead(self.read, groups)
        return zip(groups, map(self.read, groups), strict=True)

    def load(
        self,
        starts: Sequence[Tensor],
        group: list[Window],
        crops: Sequence[tuple[Tensor, Tensor]],
        boundary: Mapping[Window, BoundaryMessages],
        rng: np.random.Generator,
    ) -> Batch:
        """Return a batch of windows.

        Parameters
        ----------
        starts : sequence of (T, K)
            Probabilities of the states of every recording at its last visit.
        group : list of Window
            Of one length.
        crops : sequence of (T, H, W) uint8 and bool
            Of each window, by ``read``.
        boundary : mapping of Window to BoundaryMessages
        rng : numpy Generator
            Draws the latents that are decoded.
        """
        heights, observed, regions, states = [], [], [], []
        for window, parts in zip(group, crops, strict=True):
            counts, is_observed = (placed(part, self.device) for part in parts)
            heights.append(counts.float() * self.open(window.recording).height_step_mm)
            observed.append(is_observed)
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
        return placed(torch.from_numpy(rng.standard_normal((*shape, self.width))), self.device)

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
        normals = self._normals(rng, len(means))

        def scored(frames: int) -> float:
            return sum(map(of_block, crops.blocks(frames)), 0.0)

        def of_block(block: tuple[int, NDArray[np.uint8], NDArray[np.bool_]]) -> float:
            start, counts, is_observed = block
            rows = slice(start, start + len(counts))
            heights, observed = (
                placed(torch.from_numpy(part), self.device) for part in (counts, is_observed)
            )
            drawn = likelihood.sample_marginals(means[rows], covariances[rows], normals[rows])
            of_frames = likelihood.log_likelihood(
                heights.float() * crops.height_step_mm,
                observed,
                decoder(drawn + self.subject_offsets[index]),
                decoder.log_variance(),
                decoder.used,
                decoder.outliers,
            )
            return float(of_frames.sum())

        return memory.halved(scored, latent_evidence.BLOCK, "frames")
