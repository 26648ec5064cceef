"""Train networks and prior together, on windows of recordings.

An epoch begins with a pass over whole recordings: everything is encoded and inferred end to end,
the prior's parameters take their best values, and the messages at the boundaries of this epoch's
windows are kept. Then come steps on batches of windows. A step infers the states and latents of a
window without a gradient. The decoder's gradient by their marginals goes back through the optimum
to the encoder, and to the prior's parameters as a small natural step.

The bound that is recorded, and by which the best pass is chosen, is that of whole recordings: log
likelihood of all measured pixels, by one fixed draw of the latents, and of the measured motion, less
the divergence of latents, states and parameters from their priors. The first pass is the PCA with
its prior.

References
----------
doi:10.48550/arXiv.1603.06277; docs/mathematics.md, "Gradients through the optimum".
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ...errors import BadSetting
from ...machine import one_thread
from ...messages.meanfield import BoundaryMessages
from ...priors.interface import ChosenNetworkPrior, GlobalParameters, Sticky
from ...priors.lookup import as_network_prior, find_prior
from ...priors.types import GaussianEvidence, TensorRecord, scaled, total
from ...progress import track
from ...provenance import generator
from ...reduction.latents import LatentSeries
from ...reduction.pca import Pca
from .. import memory
from ..choices import prior_settings
from ..networks import likelihood
from ..networks.autoencoder import Networks, create
from ..settings import ModelSettings
from . import durations, gradients, windows
from .fitted import COLUMNS, FIRST_ITERATIONS, START_TYPE, USED_SHARE, Fitted, Row, row
from .gradients import Batch, Gradient
from .recordings import TrainingRecordings
from .schedule import learning_rate
from .state import Checkpoint, JointState
from .windows import Window

__all__ = ["JointTrainer", "fit"]

log = logging.getLogger(__name__)
PHASE = "joint"
# Columns of the history that only this phase has.
PIXELS = "pixel_nats_per_frame"
# Windows in a step of training.
BATCH_WINDOWS = 4
# Largest norm of the networks' gradient, nats per frame and pixel.
GRADIENT_NORM = 10.0
MEASURES = ("solver_iterations", "solver_fallbacks", "mean_field_iterations", "gradient_error")


class Pass(NamedTuple):
    """Result of a pass over whole recordings."""

    row: Row
    """Of the history."""
    statistics: TensorRecord
    boundary: dict[Window, BoundaryMessages]
    usage: list[int]
    """Frames of each state in the most probable paths."""


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
    checkpoint: Checkpoint | None = None,
    progress: Callable[[Row], None] | None = None,
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
        Log evidence of the states. If given, the states are clamped to it, and latents follow.
    checkpoint : Checkpoint, optional
        Where the state is kept after every epoch; training that was stopped continues from there.
    progress : callable, optional
        Called with every row of the history as it is made.

    Returns
    -------
    Fitted, Networks
        Of the pass with the highest bound: never worse than the PCA's.

    Raises
    ------
    BadSetting
        Networks cannot be trained with this prior.
    """
    device = fitted.parameters.dynamics.observations.device
    networks = create(settings, reduction, generator(seed, "fit", "networks")).to(device)
    if not settings.training.epochs or not list(networks.encoder.parameters()):
        return fitted, networks
    width = len(reduction.scale)
    recordings = TrainingRecordings(
        crops, latents, state_logits, networks.encoder.max_precision, width, device
    )
    with one_thread("torch"):
        trainer = JointTrainer(networks, recordings, settings, fps, seed)
        state = None if checkpoint is None else checkpoint.resume(JointState)
        state = state or trainer.begin(fitted)
        epochs = settings.training.epochs + 1
        passes = track(trainer.epochs(state), "fit: joint", total=epochs - state.epoch, unit="epochs")
        for cuts in passes:
            values = trainer.advance(state, cuts, trainer.infer_whole(state, cuts))
            if checkpoint is not None:
                checkpoint.keep(state)
            if progress is not None:
                progress(values)
        networks.load(state.best_weights)
        assert state.best is not None
        # The commonest state first, by the most probable paths of the pass that is kept.
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


class JointTrainer:
    """The recordings, the prior, the networks, and what an epoch does with them.

    Parameters
    ----------
    networks : Networks
        Trained in place.
    recordings : TrainingRecordings
    settings : ModelSettings
    fps : float
        Ticks per second.
    seed : int

    Raises
    ------
    BadSetting
        Networks cannot be trained with this prior.
    """

    def __init__(
        self,
        networks: Networks,
        recordings: TrainingRecordings,
        settings: ModelSettings,
        fps: float,
        seed: int,
    ):
        prior = as_network_prior(find_prior(settings.prior))
        if prior is None:
            raise BadSetting(
                f"network {settings.network!r} is trained with prior 'slds' or 'lds', not with "
                f"{settings.prior!r}; take one of them, or network 'pca'."
            )
        self.prior: ChosenNetworkPrior = prior
        self.prior_name = settings.prior
        self.settings, self.training = prior_settings(settings), settings.training
        self.networks, self.recordings, self.fps, self.seed = networks, recordings, fps, seed
        weights = [*networks.encoder.parameters(), *networks.decoder.parameters()]
        self.at_once = BATCH_WINDOWS
        self.optimizer = torch.optim.Adam(weights, lr=self.training.learning_rate)

    def begin(self, fitted: Fitted) -> JointState:
        """Return the state before the first pass."""
        return JointState(self.prior_name, fitted.parameters, weights=self.networks.tensors())

    def epochs(self, state: JointState) -> Iterator[list[Window]]:
        """Yield the windows of each epoch until the end of training, from where ``state`` is."""
        self.networks.load(state.weights)
        self._load_moments(state)
        training = self.training
        while state.epoch <= training.epochs:
            # Random streams keep their first names, so that results stay the same.
            rng = generator(self.seed, "fit", "pieces", state.epoch)
            lengths = self.recordings.lengths()
            yield windows.cut(lengths, training.window_frames, training.buffer_frames, rng)

    def infer_whole(self, state: JointState, cuts: list[Window]) -> Pass:
        """Infer every recording end to end.

        Parameters
        ----------
        state : JointState
            Its starts are replaced.
        cuts : list of Window
            Whose boundary messages are kept.
        """
        begun = time.monotonic()
        recordings, training = self.recordings, self.training
        parts, pixels, motion, divergence = [], 0.0, 0.0, 0.0
        boundary: dict[Window, BoundaryMessages] = {}
        states = len(state.parameters.dynamics.observations)
        counts = state.parameters.dynamics.observations
        usage, paths = counts.new_zeros(states), counts.new_zeros(states, dtype=torch.int64)
        starts, runs = [], []
        for index, observed in enumerate(recordings.observed):
            local = self.prior.infer(
                state.parameters,
                recordings.encode(index, self.networks.encoder),
                start=state.starts[index].double() if state.starts else None,
                max_iterations=training.local_iterations if state.starts else FIRST_ITERATIONS,
                paths=True,
            )
            assert local.path is not None and local.covariances is not None
            # The draw of the latents is the same in every pass.
            rng = generator(self.seed, "fit", "score", index)
            pixels += recordings.score(index, self.networks.decoder, local, rng)
            measured = recordings.reduced[index][2:]
            motion += likelihood.expected_log_density(*measured, local.means, local.covariances)
            divergence += float(local.divergence)
            parts.append(local.statistics)
            starts.append(local.states.to(START_TYPE))
            runs.append(durations.of_path(local.path.cpu().numpy()))
            usage += local.states[observed].double().sum(0)
            paths += torch.bincount(local.path[observed], minlength=states)
            of_recording = [window for window in cuts if window.recording == index]
            boundary |= windows.boundary_of(self.prior, local, of_recording)
        state.starts = starts
        divergence += float(self.prior.divergence(state.parameters, self.settings))
        values = row(
            0,
            PHASE,
            state.epoch,
            (pixels + motion - divergence) / recordings.frames,
            self.prior.kappa_of(state.parameters) if isinstance(self.prior, Sticky) else 0.0,
            int((usage / usage.sum() >= USED_SHARE).sum()),
            durations.median(np.concatenate(runs)) / self.fps,
        )
        values[PIXELS] = pixels / recordings.frames
        log.info(
            "pass %d: bound %.3f nats per frame, %.0f s",
            state.epoch, values["bound_nats_per_frame"], time.monotonic() - begun,
        )  # fmt: skip
        return Pass(values, total(parts), boundary, paths.tolist())

    def advance(self, state: JointState, cuts: list[Window], result: Pass) -> Row:
        """Keep the best pass, update the prior, take the steps of an epoch; return the history's row.

        Parameters
        ----------
        state : JointState
            Set to where the next epoch begins.
        cuts : list of Window
        result : Pass
            Of the whole recordings.
        """
        values, bound = result.row, float(result.row["bound_nats_per_frame"])
        if bound > state.best_bound:
            state.best, state.best_bound = state.parameters, bound
            state.best_weights, state.best_epoch = self.networks.tensors(), state.epoch
            state.best_usage = result.usage
        if state.epoch < self.training.epochs:
            updated = self.prior.update(state.parameters, result.statistics, self.settings)
            state.parameters = self.prior.update_hyperparameters(updated)
            values |= self.steps(state, cuts, result.boundary)
        state.epoch += 1
        state.weights, state.moments = self.networks.tensors(), self._moments()
        state.history.append(values)
        return values

    def steps(
        self, state: JointState, cuts: list[Window], boundary: Mapping[Window, BoundaryMessages]
    ) -> Row:
        """Take a step on every batch of an epoch; return its measures for the history.

        Parameters
        ----------
        state : JointState
        cuts : list of Window
        boundary : mapping of Window to BoundaryMessages
        """
        rng = generator(self.seed, "fit", "steps", state.epoch)
        groups = windows.batches(cuts, BATCH_WINDOWS, rng)
        count = self.training.epochs * max(1, len(groups))
        measures, error = list[list[float]](), math.nan
        recordings, what = self.recordings, f"fit: epoch {state.epoch + 1}"
        for group, crops in track(recordings.each(groups), what, total=len(groups), unit="steps"):
            waiting = [(group, crops)]
            while waiting:
                part, read = waiting.pop()
                if len(part) > self.at_once:
                    at = self.at_once
                    waiting += [(part[at:], read[at:]), (part[:at], read[:at])]
                    continue
                try:
                    batch = recordings.load(state.starts, part, read, boundary, rng)
                    gradient, encoded, first_error = self._gradient(state, part, batch, not measures)
                    self._step(state, gradient, encoded, count)
                except torch.OutOfMemoryError:
                    if len(part) == 1:
                        raise
                    self.at_once = memory.half(len(part), "windows")
                    waiting.append((part, read))
                    continue
                error = error if measures else first_error
                tangent = gradient.tangent
                each = (tangent.iterations, tangent.indefinite, gradient.local.iterations)
                measures.append([float(values.double().mean()) for values in each])
        means = np.mean(measures, 0) if measures else np.full(3, math.nan)
        return dict(zip(MEASURES, (*map(float, means), error), strict=True))

    def _gradient(
        self, state: JointState, group: list[Window], batch: Batch, is_first: bool
    ) -> tuple[Gradient, tuple[Tensor, Tensor], float]:
        """Gradient of a batch, what was encoded, and the gradient's error if it is the first."""
        self.optimizer.zero_grad(set_to_none=True)
        mean, precision = self.recordings.encode_batch(self.networks.encoder, group, batch)
        evidence = GaussianEvidence(
            mean.detach().double(), precision.detach().double(), batch.state_logits
        )
        arguments = (self.prior, state.parameters, self.networks.decoder, evidence, batch)
        error = math.nan
        if is_first:
            exact = gradients.through_optimum(*arguments, exact=True)
            self.optimizer.zero_grad(set_to_none=True)
        gradient = gradients.through_optimum(*arguments)
        if is_first:
            error = gradients.relative_error(gradient, exact, evidence.precision)
        return gradient, (mean, precision), error

    def _step(
        self, state: JointState, gradient: Gradient, encoded: tuple[Tensor, Tensor], count: int
    ) -> None:
        """Move the networks up the gradient, and the prior's parameters a little with them."""
        # Nats per frame and pixel, so that one limit of the gradient's length suits all sizes of crops.
        scale = -1 / max(gradient.pixels, 1)
        for parameter in self.networks.decoder.parameters():
            if parameter.grad is not None:
                parameter.grad *= scale
        by_evidence = (gradient.tangent.evidence.mean, gradient.tangent.evidence.precision)
        by_encoded = [part.to(encoded[0].dtype) * scale for part in by_evidence]
        torch.autograd.backward(encoded, by_encoded)
        weights = [w for group in self.optimizer.param_groups for w in group["params"]]
        nn.utils.clip_grad_norm_(weights, GRADIENT_NORM)
        for group in self.optimizer.param_groups:
            group["lr"] = self.training.learning_rate * learning_rate(state.steps, count)
        self.optimizer.step()
        state.parameters = self._natural_step(state.parameters, gradient)
        state.steps += 1

    def _natural_step(self, parameters: GlobalParameters, gradient: Gradient) -> GlobalParameters:
        """Step a little toward the prior of this batch, scaled up to all data."""
        scale = self.recordings.ticks / gradient.local.means[..., 0].numel()
        return self.prior.update_from_windows(
            parameters,
            scaled(gradient.local.statistics, scale),
            self.settings,
            rate=self.training.global_rate,
            cotangent=scaled(gradient.tangent.statistics, scale),
        )

    def _moments(self) -> dict[str, Tensor]:
        """State of the optimizer by number and name."""
        return {
            f"{i}.{name}": torch.as_tensor(value).clone()
            for i, part in self.optimizer.state_dict()["state"].items()
            for name, value in part.items()
        }

    def _load_moments(self, state: JointState) -> None:
        memory: dict[int, dict[str, Tensor]] = {}
        for key, value in state.moments.items():
            number, name = key.split(".")
            memory.setdefault(int(number), {})[name] = value.cpu().clone()
        current = self.optimizer.state_dict()
        self.optimizer.load_state_dict({**current, "state": memory})
