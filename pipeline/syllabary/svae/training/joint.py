"""Train networks and prior together, on pieces of recordings.

An epoch begins with a pass over whole recordings: everything is encoded and inferred end to end,
the prior's parameters take their best values, and the messages at the borders of this epoch's
pieces are kept. Then come steps on batches of pieces. In a step the states and latents of a
piece are inferred without a gradient; the decoder's gradient by their marginals is sent back
through the optimum to the encoder, and to the prior's parameters as a small natural step.

The bound that is written down and by which the best pass is kept is that of whole recordings:
log likelihood of all measured pixels, by one fixed draw of the latents, and of the measured motion,
less the divergence of latents, states and parameters from their priors. The first pass is the PCA
with its prior.

References
----------
doi:10.48550/arXiv.1603.06277; docs/mathematics.md, "Gradients through the optimum".
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ... import registry
from ...errors import BadSetting
from ...machine import one_thread
from ...messages import meanfield
from ...priors.interface import GaussianEvidence, Local, add, scaled
from ...progress import track
from ...provenance import generator
from ...records.crops import Crops
from ...reduction import registration
from ...reduction.latents import LatentSeries
from ...reduction.pca import Pca
from .. import latent_evidence
from ..choices import prior_settings
from ..networks import likelihood
from ..networks.autoencoder import Networks, create
from ..settings import ModelSettings
from . import durations, gradients, windows
from .em import COLUMNS, FIRST_ITERATIONS, START_TYPE, USED_SHARE, Fitted
from .gradients import Batch, Gradient
from .schedule import learning_rate
from .state import State, keep, resume
from .windows import Window

__all__ = ["fit"]

log = logging.getLogger(__name__)
PHASE = "joint"
# Columns of the history that only this phase has.
PIXELS = "pixel_nats_per_frame"
MEASURES = ("solver_iterations", "solver_fallbacks", "turns", "gradient_error")
OPEN_FILES = 32


def fit(
    fitted: Fitted,
    crops: Mapping[str, Path],
    latents: Mapping[str, LatentSeries],
    settings: ModelSettings,
    reduction: Pca,
    *,
    fps: float,
    seed: int,
    state_logits: Mapping[str, Tensor] | None = None,
    checkpoint: Path | None = None,
    identity: str = "",
    progress: Callable[[Mapping[str, Any]], None] | None = None,
) -> tuple[Fitted, Networks]:
    """Train networks and prior together, from a prior trained on the PCA's latents.

    Parameters
    ----------
    fitted : Fitted
        Prior and history so far.
    crops, latents : mapping of recording to path of crops.h5, and to its latents
    settings : ModelSettings
    reduction : Pca
    fps : float
        Ticks per second.
    seed : int
        The same seed, crops and number of threads give the same weights, bit for bit.
    state_logits : mapping of recording to (T, K) float64, optional
        Log evidence of the states by a recognizer: they are then held, and latents follow from them.
    checkpoint : path, optional
        Where the state is kept after every epoch; training that was killed goes on from there.
    identity : str
        Digest of all that decides the result; a checkpoint of another one is not used.
    progress : callable, optional
        Gets every row of the history as it is made.

    Returns
    -------
    Fitted, Networks
        Of the pass with the highest bound: never worse than the PCA's.

    Raises
    ------
    BadSetting
        The prior can't be trained so.
    """
    networks = create(settings, reduction, generator(seed, "fit", "networks"))
    if not settings.training.epochs or not list(networks.encoder.parameters()):
        return fitted, networks
    with one_thread("torch"):
        trainer = Trainer(networks, crops, latents, settings, reduction, fps, seed, state_logits)
        state = resume(checkpoint, identity, trainer.prior.Parameters) or trainer.begin(fitted)
        epochs = settings.training.epochs + 1
        passes = track(trainer.epochs(state), "fit: joint", total=epochs - state.epoch, unit="epochs")
        for row in passes:
            if checkpoint is not None:
                keep(checkpoint, identity, state)
            if progress is not None:
                progress(row)
        networks.load(state.best_weights)
        # The commonest state first, by the best paths of the pass that is kept.
        order = torch.argsort(torch.tensor(state.best_usage), descending=True, stable=True)
        parameters = trainer.prior.reorder(state.best, order)
    first, best = state.history[0], state.best_bound
    log.info(
        "training networks raised the bound from %.2f to %.2f nats per frame (pass %d of %d)",
        first["bound_nats_per_frame"], best, state.best_epoch, epochs - 1,
    )  # fmt: skip
    rows = pd.DataFrame(state.history, columns=[*COLUMNS, PIXELS, *MEASURES])
    history = pd.concat([fitted.history, rows], ignore_index=True)
    return Fitted(parameters, history, order), networks


class Trainer:
    """The data, the prior, the networks, and what to do next."""

    def __init__(
        self,
        networks: Networks,
        crops: Mapping[str, Path],
        latents: Mapping[str, LatentSeries],
        settings: ModelSettings,
        reduction: Pca,
        fps: float,
        seed: int,
        state_logits: Mapping[str, Tensor] | None = None,
    ):
        self.prior: ModuleType = registry.find("syllabary.priors", settings.prior)
        if not hasattr(self.prior, "from_autoregression"):
            raise BadSetting(
                f"network {settings.network!r} is trained with prior 'slds' alone, not with "
                f"{settings.prior!r}; take that prior, or network 'pca'."
            )
        self.settings, self.training = prior_settings(settings), settings.training
        names = [name for name in sorted(latents) if len(latents[name].values)]
        self.paths = [crops[name] for name in names]
        self.series = [latents[name] for name in names]
        self.state_logits = None if state_logits is None else [state_logits[name] for name in names]
        self.frames = sum(int(np.sum(one.observed)) for one in self.series)
        self.networks, self.fps, self.seed = networks, fps, seed
        weights = [*networks.encoder.parameters(), *networks.decoder.parameters()]
        self.width = len(reduction.scale)
        most = networks.encoder.max_precision
        self.known = [latent_evidence.known(one, most) for one in self.series]
        self.builds = [latent_evidence.subject_offset(one) for one in self.series]
        self.optimizer = torch.optim.Adam(weights, lr=self.training.learning_rate)
        self.open = lru_cache(maxsize=OPEN_FILES)(self._open)

    def _open(self, index: int) -> Crops:
        """Open the crops of a recording as the networks see them."""
        return registration.register(Crops(self.paths[index]), self.series[index].shifts)

    def begin(self, fitted: Fitted) -> State:
        """Return the state before the first pass."""
        return State(fitted.parameters, self.networks.tensors(), {})

    def epochs(self, state: State) -> Iterator[dict[str, Any]]:
        """Train until the end, changing ``state``; yield the history's row of each epoch."""
        self.networks.load(state.weights)
        self._load_moments(state)
        while state.epoch <= self.training.epochs:
            rng = generator(self.seed, "fit", "pieces", state.epoch)
            lengths = [len(one.observed) for one in self.series]
            training = self.training
            cuts = windows.cut(lengths, training.window_frames, training.buffer_frames, rng)
            row, statistics, boundary, usage = self.whole(state, cuts)
            if row["bound_nats_per_frame"] > state.best_bound:
                state.best, state.best_bound = state.parameters, row["bound_nats_per_frame"]
                state.best_weights, state.best_epoch = self.networks.tensors(), state.epoch
                state.best_usage = usage
            if state.epoch < self.training.epochs:
                updated = self.prior.update(state.parameters, statistics, self.settings)
                state.parameters = self.prior.update_hyperparameters(updated)
                row |= self.steps(state, cuts, boundary)
            state.epoch += 1
            state.weights, state.moments = self.networks.tensors(), self._moments()
            state.history.append(row)
            yield row

    def whole(
        self, state: State, cuts: list[Window]
    ) -> tuple[dict[str, Any], Any, dict[Window, meanfield.BoundaryMessages], list[int]]:
        """Infer every recording end to end.

        Returns the history's row, statistics, edges of pieces, and frames of each state.
        """
        begun = time.monotonic()
        statistics, pixels, motion, divergence = None, 0.0, 0.0, 0.0
        boundary: dict[Window, meanfield.BoundaryMessages] = {}
        states = len(state.parameters.weights)
        usage, paths = torch.zeros(states, dtype=torch.float64), torch.zeros(states, dtype=torch.int64)
        starts, runs = [], []
        for index, one in enumerate(self.series):
            evidence = latent_evidence.of_crops(self.networks.encoder, self.open(index), one)
            if self.state_logits is not None:
                evidence = evidence._replace(states=self.state_logits[index])
            start = state.starts[index].double() if state.starts else None
            local = self.prior.infer(
                state.parameters, evidence, start=start, paths=True,
                max_iterations=self.training.local_iterations if state.starts else FIRST_ITERATIONS,
            )  # fmt: skip
            pixels += self.score(index, local)
            measured = self.known[index][2:]
            motion += likelihood.expected_log_density(*measured, local.means, local.covariances)
            divergence += float(local.divergence)
            statistics = local.statistics if statistics is None else add(statistics, local.statistics)
            starts.append(local.states.to(START_TYPE))
            runs.append(durations.of_path(local.path.numpy()))
            seen = torch.from_numpy(one.observed)
            usage += local.states[seen].double().sum(0)
            paths += torch.bincount(local.path[seen], minlength=states)
            boundary |= windows.boundary_of(local, [piece for piece in cuts if piece.recording == index])
        state.starts = starts
        divergence += float(self.prior.divergence(state.parameters, self.settings))
        values = (
            0,
            PHASE,
            state.epoch,
            (pixels + motion - divergence) / self.frames,
            float(state.parameters.kappa),
            int((usage / usage.sum() >= USED_SHARE).sum()),
            durations.median(np.concatenate(runs)) / self.fps,
        )
        row = dict(zip(COLUMNS, values, strict=True))
        row[PIXELS] = pixels / self.frames
        log.info(
            "pass %d: bound %.3f nats per frame, %.0f s",
            state.epoch, row["bound_nats_per_frame"], time.monotonic() - begun,
        )  # fmt: skip
        return row, statistics, boundary, paths.tolist()

    @torch.no_grad()
    def score(self, index: int, local: Local) -> float:
        """Log likelihood of a recording's pixels by one draw of its latents, the same every time."""
        rng = generator(self.seed, "fit", "score", index)
        assert local.covariances is not None
        means = local.means[:, : self.width]
        covariances = local.covariances[:, : self.width, : self.width]
        total = 0.0
        for start, heights, observed in self.open(index).blocks(latent_evidence.BLOCK):
            rows = slice(start, start + len(heights))
            normals = torch.from_numpy(rng.standard_normal(tuple(means[rows].shape)))
            drawn = likelihood.sample_marginals(means[rows], covariances[rows], normals)
            decoder, step_mm = self.networks.decoder, self.open(index).height_step_mm
            found = likelihood.log_likelihood(
                torch.from_numpy(heights).float() * step_mm,
                torch.from_numpy(observed),
                decoder(drawn + self.builds[index]),
                decoder.log_variance(),
                decoder.used,
                decoder.outliers,
            )
            total += float(found.sum())
        return total

    def steps(
        self, state: State, cuts: list[Window], boundary: Mapping[Window, meanfield.BoundaryMessages]
    ) -> dict[str, Any]:
        """Take a step on every batch of an epoch; return what the history keeps of them."""
        rng = generator(self.seed, "fit", "steps", state.epoch)
        groups = windows.batches(cuts, self.training.batch_windows, rng)
        total = self.training.epochs * max(1, len(groups))
        seen: list[tuple[float, float, float]] = []
        error = math.nan
        for group in track(groups, f"fit: epoch {state.epoch + 1}", unit="steps"):
            batch = self.load(state, group, boundary, rng)
            self.optimizer.zero_grad(set_to_none=True)
            mean, precision = self.encode(group, batch)
            given = GaussianEvidence(
                mean.detach().double(), precision.detach().double(), batch.state_logits
            )
            arguments = (self.prior, state.parameters, self.networks.decoder, given)
            if not seen:
                exact = gradients.through_optimum(*arguments, batch, self.training, settled=True)
                self.optimizer.zero_grad(set_to_none=True)
            found = gradients.through_optimum(*arguments, batch, self.training)
            if not seen:
                error = gradients.error(found, exact, given.precision)
            self._step(state, found, (mean, precision), total)
            tangent = found.tangent
            measures = (tangent.iterations, tangent.indefinite, found.local.iterations)
            a, b, c = (float(part.double().mean()) for part in measures)
            seen.append((a, b, c))
        means = np.mean(seen, 0) if seen else np.full(3, math.nan)
        return dict(zip(MEASURES, (*map(float, means), error), strict=True))

    def load(
        self,
        state: State,
        group: list[Window],
        boundary: Mapping[Window, meanfield.BoundaryMessages],
        rng: np.random.Generator,
    ) -> Batch:
        """Read the crops of a batch, and what was kept for it."""
        heights, observed, core, starts = [], [], [], []
        for piece in group:
            crops = self.open(piece.recording)
            raw = crops.heights(piece.begin, piece.stop)
            heights.append(torch.from_numpy(raw).float() * crops.height_step_mm)
            observed.append(torch.from_numpy(crops.observed(piece.begin, piece.stop)))
            frames = torch.arange(piece.begin, piece.stop)
            core.append((frames >= piece.core[0]) & (frames < piece.core[1]))
            starts.append(state.starts[piece.recording][piece.begin : piece.stop].double())
        scored = torch.stack(core)
        return Batch(
            heights=torch.stack(heights),
            observed=torch.stack(observed),
            core=scored,
            starts=torch.stack(starts),
            boundary=windows.join([boundary[piece] for piece in group]),
            normals=torch.from_numpy(rng.standard_normal((*scored.shape, self.width))),
            subject_offset=torch.stack([self.builds[piece.recording] for piece in group])[:, None],
            state_logits=self._said(group),
        )

    def _said(self, group: list[Window]) -> Tensor | None:
        """What a recognizer says of the states of a batch."""
        if self.state_logits is None:
            return None
        return torch.stack([self.state_logits[one.recording][one.begin : one.stop] for one in group])

    def encode(self, group: list[Window], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return evidence of a batch, (B, T, D) float32, with its gradient's path to the encoder."""
        parts = [
            [part[piece.begin : piece.stop] for part in self.known[piece.recording]] for piece in group
        ]
        values, information, motion, told = (torch.stack(part) for part in zip(*parts, strict=True))
        given = (batch.heights, batch.observed, values, information)
        chunks = [
            part.flatten(0, 1).split(gradients.AT_ONCE)  # type: ignore[no-untyped-call]
            for part in given
        ]
        found = [self.networks.encoder(*chunk) for chunk in zip(*chunks, strict=True)]
        mean, precision = (torch.cat(part) for part in zip(*found, strict=True))
        return (
            torch.cat([mean.view(values.shape), motion.to(mean)], -1),
            torch.cat([precision.view(values.shape), told.to(mean)], -1),
        )

    def _step(self, state: State, found: Gradient, seen: tuple[Tensor, Tensor], total: int) -> None:
        """Move the networks up the gradient, and the prior's parameters a little with them."""
        # Nats per frame and pixel, so that one length of gradients suits all sizes of crops.
        scale = -1 / max(found.pixels, 1)
        for parameter in self.networks.decoder.parameters():
            if parameter.grad is not None:
                parameter.grad *= scale
        by_mean, by_precision = (part.to(seen[0].dtype) * scale for part in found.tangent.evidence[:2])
        torch.autograd.backward(seen, [by_mean, by_precision])
        weights = [w for group in self.optimizer.param_groups for w in group["params"]]
        nn.utils.clip_grad_norm_(weights, self.training.gradient_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = self.training.learning_rate * learning_rate(state.steps, total)
        self.optimizer.step()
        state.parameters = self._natural_step(state.parameters, found)
        state.steps += 1

    def _natural_step(self, parameters: Any, found: Gradient) -> Any:
        """Go a little toward what this batch, scaled up to all data, says of the prior."""
        whole = sum(len(one.values) for one in self.series)
        scale = whole / found.local.means[..., 0].numel()
        updated = self.prior.update(
            parameters,
            scaled(found.local.statistics, scale),
            self.settings,
            rate=self.training.global_rate,
            cotangent=scaled(found.tangent.statistics, scale),
        )
        # A piece begins anywhere: only whole recordings tell how they begin.
        return updated._replace(start=parameters.start, initial=parameters.initial)

    def _moments(self) -> dict[str, Tensor]:
        """What the optimizer remembers."""
        found: dict[str, Tensor] = {}
        for i, part in self.optimizer.state_dict()["state"].items():
            found |= {f"{i}.{name}": torch.as_tensor(value).clone() for name, value in part.items()}
        return found

    def _load_moments(self, state: State) -> None:
        memory: dict[int, dict[str, Tensor]] = {}
        for key, value in state.moments.items():
            number, name = key.split(".")
            memory.setdefault(int(number), {})[name] = value.clone()
        known = self.optimizer.state_dict()
        self.optimizer.load_state_dict({**known, "state": memory})
