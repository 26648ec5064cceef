"""Train a prior on latents: restarts, stickiness from a target duration, merges, convergence.

Training is a sequence of EM iterations over the recordings. An iteration depends on ``EMState``
alone: written to a file and read back, training continues to the same bits. Phases: *search* (one
start, on which stickiness is solved), *restart* (all starts, same stickiness), *polish* (the best
start, until the bound converges at the target duration).

A ``NetworkPrior`` (``slds``) goes through these phases as ``arhmm`` of one lag, with latents taken
as points. Then come the iterations of *latents*, with the prior itself. Networks are trained after
that, in ``joint``.
"""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...errors import BadInput, BadSetting
from ...machine import one_thread
from ...priors.blocks import global_parameters
from ...priors.interface import GlobalParameters, Merging, Sticky
from ...priors.lookup import as_network_prior
from ...priors.types import PROCESSOR, TensorRecord, add, moved
from ...progress import track
from ...provenance import generator
from ...reduction.latents import LatentSeries
from ...settings import Settings
from ..settings import ModelSettings
from . import durations
from .fitted import COLUMNS, FIRST_ITERATIONS, START_TYPE, USED_SHARE, Fitted, Row, row
from .stages import LATENTS, POINTS, stage_of, stages
from .state import Checkpoint, EMState

__all__ = ["EMTrainer", "fit"]

log = logging.getLogger(__name__)
SAVE_EVERY = 5
PROBE_ITERATIONS = 8
PROBES = 8
# Relative distance from the target duration that is accepted.
DURATION_TOLERANCE = 0.05
# Frames, in whole recordings, on which the stickiness is solved, at least.
DURATION_FRAMES = 200_000
MERGE_EVERY = 3
# Share of the states in use that merge at once, at most: with more, a poor start collapses.
MERGE_SHARE = 0.25
ADJUST_EVERY = 4


class Visit(NamedTuple):
    """Result of one recording in an iteration."""

    statistics: TensorRecord
    bound: float
    usage: Tensor
    """(K,) frames of each state."""
    path: Tensor | None
    """(T,) the most probable states, where durations are measured."""
    start: Tensor
    """(T, K) states from which the next visit begins; empty for points."""


class Iteration(NamedTuple):
    """Result of one iteration over all recordings."""

    statistics: TensorRecord
    bound: float
    states_used: int
    duration: float
    """Median bout, frames."""


def fit(
    latents: Mapping[str, LatentSeries],
    settings: ModelSettings,
    *,
    target_duration_s: float,
    fps: float,
    seed: int,
    device: torch.device = PROCESSOR,
    checkpoint: Checkpoint | None = None,
    workers: int = 1,
    progress: Callable[[Row], None] | None = None,
    max_kappa: float = math.inf,
) -> Fitted:
    """Train a prior on the latents of all training recordings.

    Parameters
    ----------
    latents : mapping of recording to LatentSeries
    settings : ModelSettings
    target_duration_s : float
        Median duration of a syllable to aim at, s, unless the settings name one.
    fps : float
        Ticks per second.
    seed : int
        The same seed and latents give the same parameters, bit for bit.
    device : torch.device
        Where messages pass.
    checkpoint : Checkpoint, optional
        Where the state is kept; training that was stopped continues from there.
    workers : int
        Threads over recordings; without influence on the result.
    progress : callable, optional
        Called with every row of the history as it is made.
    max_kappa : float
        Largest stickiness, whatever the target duration asks for.

    Raises
    ------
    BadInput
        There is no recording, or no frame with all its predecessors.
    """
    if not latents:
        raise BadInput("there is no training recording; give at least one the role 'train'.")
    target = target_duration_s * fps
    with one_thread("torch"), ThreadPoolExecutor(workers) as pool:
        state = None if checkpoint is None else checkpoint.resume(EMState)
        for stage in stages(settings):
            if state is not None and state.stage == LATENTS and stage == POINTS:
                continue
            trainer = EMTrainer(latents, settings, stage, target, fps, seed, max_kappa, device)
            if state is None or state.stage != stage:
                state = trainer.begin(state)
            iterations, limit = trainer.iterations(state), trainer.max_iterations()
            what = f"fit: {stage}"
            for recordings in track(iterations, what, total=limit, unit="iterations", may_end=True):
                visits = pool.map(partial(trainer.visit, state), recordings)
                values = trainer.advance(state, trainer.combine(state, visits))
                if checkpoint is not None and (len(state.history) % SAVE_EVERY == 0):
                    checkpoint.keep(state)
                if progress is not None:
                    progress(values)
        assert state is not None
        visits = pool.map(partial(trainer.visit, state, timed=True), range(len(trainer.evidence)))
        return Fitted(trainer.numbered(state, visits), pd.DataFrame(state.history, columns=COLUMNS))


class EMTrainer:
    """The data, the prior, and the decision of what comes next."""

    def __init__(
        self,
        latents: Mapping[str, LatentSeries],
        settings: ModelSettings,
        stage: str,
        target_frames: float,
        fps: float,
        seed: int,
        max_kappa: float = math.inf,
        device: torch.device = PROCESSOR,
    ):
        self.model, self.stage, self.max_kappa, self.device = settings, stage, max_kappa, device
        self.prior_name, self.prior, self.settings, self.evidence = stage_of(
            settings, stage, latents, fps, device
        )
        self.training = settings.training
        if self.training.target_duration_s is not None:
            target_frames = self.training.target_duration_s * fps
        if not 0 < target_frames < math.inf:
            raise BadSetting(
                f"target duration is {target_frames / fps} s, because no change points were found; set "
                "training.target_duration_s of the model."
            )
        self.target, self.fps, self.seed = target_frames, fps, seed
        self.observed = [evidence.observed for evidence in self.evidence]
        self.frames = sum(int(observed.sum()) for observed in self.observed)
        every = -(-sum(map(len, self.observed)) // DURATION_FRAMES)
        self.timed = set(range(0, len(self.evidence), every))
        # What the prior offers beyond the interface of all.
        self.sticky: Sticky[GlobalParameters] | None = None
        self.merging: Merging[GlobalParameters, TensorRecord, Settings] | None = None
        if isinstance(self.prior, Sticky):
            self.sticky = self.prior
        if isinstance(self.prior, Merging):
            self.merging = self.prior
        self.solves_kappa = (
            self.sticky is not None
            and isinstance(self.settings, global_parameters.Settings)
            and self.settings.kappa is None
        )

    def begin(self, before: EMState | None = None) -> EMState:
        """Return the state before the first iteration, or the one that continues an earlier stage."""
        if before is not None:
            network_prior = as_network_prior(self.prior)
            assert network_prior is not None
            before.parameters = network_prior.from_autoregression(before.parameters)
            before.prior = self.prior_name
            before.stage, before.phase, before.iteration, before.bound = LATENTS, LATENTS, 0, -math.inf
            return before
        parameters = self.start(0)
        kappa = 0.0 if self.sticky is None else self.sticky.kappa_of(parameters)
        if self.solves_kappa and kappa > self.max_kappa:
            kappa = self.max_kappa
            parameters = self._with_kappa(parameters, kappa)
        stage = POINTS if self.prior.TAKES_POINTS else LATENTS
        state = EMState(self.prior_name, parameters, kappa=kappa, stage=stage, merge_share=MERGE_SHARE)
        if not self.solves_kappa:
            state.phase = "restart"
        else:
            state.first = parameters
        return state

    def start(self, restart: int) -> GlobalParameters:
        """Return the parameters that one restart begins with."""
        rng = generator(self.seed, "fit", "restart", restart)
        points = [
            torch.where(observed[:, None], evidence.values, math.nan).cpu()
            for evidence, observed in zip(self.evidence, self.observed, strict=True)
        ]
        # On the processor, so that training begins with the same bits on every device.
        return moved(self.prior.initial(self.settings, points, None, rng), self.device)

    def max_iterations(self) -> int:
        """Return the upper limit of iterations of this stage."""
        if self.stage == LATENTS and len(stages(self.model)) > 1:
            return self.training.latent_iterations
        search = (PROBES + 1) * (PROBE_ITERATIONS + 1) if self.solves_kappa else 0
        return (
            search + self.training.restarts * self.training.restart_iterations + self.training.iterations
        )

    def iterations(self, state: EMState) -> Iterator[range]:
        """Yield the recordings to visit in each iteration until ``state`` is done."""
        while state.phase != "done":
            yield range(len(self.evidence))

    def visit(self, state: EMState, index: int, *, timed: bool | None = None) -> Visit:
        """Infer one recording, from the states that its last visit left.

        Parameters
        ----------
        state : EMState
        index : int
            Of the recording.
        timed : bool, optional
            Return the path too; by default for the recordings on which durations are measured.
        """
        timed = index in self.timed if timed is None else timed
        # A first visit starts from the latents as points, and has further to go.
        local = self.prior.infer(
            state.parameters,
            self.evidence[index],
            start=state.starts[index].double() if state.starts else None,
            max_iterations=self.training.local_iterations if state.starts else FIRST_ITERATIONS,
            paths=timed,
            cache=False,
        )
        usage = local.states[self.observed[index]].double().sum(0)
        start = local.states[:0] if self.prior.TAKES_POINTS else local.states.to(START_TYPE)
        return Visit(local.statistics, float(local.bound), usage, local.path, start)

    def combine(self, state: EMState, visits: Iterable[Visit]) -> Iteration:
        """Sum the visits in order of the recordings' names, and keep their starts in ``state``."""
        statistics, bound, usage, runs, starts = None, 0.0, torch.zeros((), device=self.device), [], []
        for visit in visits:
            statistics = visit.statistics if statistics is None else add(statistics, visit.statistics)
            bound += visit.bound
            usage = usage + visit.usage
            if visit.path is not None:
                runs.append(durations.of_path(visit.path.cpu().numpy()))
            starts.append(visit.start)
        assert statistics is not None
        bound -= float(self.prior.divergence(state.parameters, self.settings))
        state.starts = [] if self.prior.TAKES_POINTS else starts
        shares = usage / usage.sum()
        return Iteration(
            statistics=statistics,
            bound=bound,
            states_used=int((shares >= USED_SHARE).sum()),
            duration=durations.median(np.concatenate(runs)),
        )

    def advance(self, state: EMState, result: Iteration) -> Row:
        """Record an iteration in the history, and set ``state`` to where the next one begins."""
        values = row(
            state.restart, state.phase, state.iteration, result.bound / self.frames, state.kappa,
            result.states_used, result.duration / self.fps,
        )  # fmt: skip
        state.history.append(values)
        gain = (result.bound - state.bound) / self.frames
        state.iteration += 1
        unmerged, state.unmerged = state.unmerged, None
        if unmerged is not None and gain < 0:
            state.parameters = unmerged
            state.merge_share /= 4
            return values
        state.bound = result.bound
        updated = self.prior.update(state.parameters, result.statistics, self.settings)
        state.parameters = self.prior.update_hyperparameters(updated)
        if self._merge(state, result):
            return values
        log_ratio = math.log(result.duration / self.target)
        if state.phase == "search":
            self._search(state, log_ratio)
        elif state.phase == "restart" and state.iteration >= self.training.restart_iterations:
            self._next_restart(state)
        elif state.phase in ("polish", LATENTS):
            self._polish(state, log_ratio, gain)
        return values

    def _merge(self, state: EMState, result: Iteration) -> bool:
        """Merge states if it is time and the prior proposes it; return whether it was done."""
        is_due = state.iteration % MERGE_EVERY == 0 and state.merge_share >= MERGE_SHARE / 16
        if self.merging is None or not is_due:
            return False
        merged = self.merging.merge(
            state.parameters, result.statistics, self.settings, state.merge_share
        )
        if merged is None:
            return False
        state.unmerged, state.parameters = state.parameters, merged
        return True

    def _with_kappa(self, parameters: GlobalParameters, kappa: float) -> GlobalParameters:
        assert self.sticky is not None
        return self.sticky.with_kappa(parameters, kappa)

    def _search(self, state: EMState, log_ratio: float) -> None:
        """Solve log kappa for the target duration by bracketing and false position.

        Every probe begins anew, as the restarts will: states that much stickiness has emptied do
        not come back with less.
        """
        if state.iteration < PROBE_ITERATIONS:
            return
        state.probes.append([math.log(state.kappa), log_ratio])
        state.iteration, state.merge_share = 0, MERGE_SHARE
        kappa = min(durations.next_kappa(state.probes), self.max_kappa)
        tried = any(math.isclose(probe[0], math.log(kappa)) for probe in state.probes)
        if abs(log_ratio) <= DURATION_TOLERANCE or len(state.probes) > PROBES or tried:
            state.kappa = math.exp(min(state.probes, key=lambda probe: abs(probe[1]))[0])
            durations.judge(state.kappa, self.frames, self.target / self.fps)
            state.phase, state.restart = "restart", -1
            self._next_restart(state)
            return
        state.kappa = kappa
        assert state.first is not None
        state.parameters = self._with_kappa(state.first, state.kappa)
        state.bound, state.starts = -math.inf, []

    def _next_restart(self, state: EMState) -> None:
        if state.restart >= 0 and state.bound > state.best_bound:
            state.best, state.best_bound = state.parameters, state.bound
            state.best_restart = state.restart
        state.restart += 1
        state.iteration, state.merge_share = 0, MERGE_SHARE
        state.first = None
        if state.restart < self.training.restarts:
            state.parameters = self.start(state.restart)
            if self.solves_kappa:
                state.parameters = self._with_kappa(state.parameters, state.kappa)
            state.bound, state.starts = -math.inf, []
            return
        assert state.best is not None
        state.parameters, state.bound, state.restart = state.best, state.best_bound, state.best_restart
        state.best, state.starts = None, []
        state.phase = "polish" if self.training.iterations else "done"

    def _polish(self, state: EMState, log_ratio: float, gain: float) -> None:
        kappa = durations.clip(state.kappa * math.exp(durations.step(-log_ratio, state.probes)))
        kappa = min(kappa, self.max_kappa)
        # A stickiness at the end of its range cannot change further.
        is_near = abs(log_ratio) <= DURATION_TOLERANCE
        is_near = is_near or not self.solves_kappa or kappa == state.kappa
        has_converged = 0 <= gain < self.training.tolerance_nats and state.iteration > 2 * MERGE_EVERY
        training = self.training
        limit = training.latent_iterations if state.phase == LATENTS else training.iterations
        if state.iteration >= limit:
            log.warning(
                "training stopped after %d iterations, the last gain %.2g nats per frame, median "
                "duration %.2f of the target", state.iteration, gain, math.exp(log_ratio),
            )  # fmt: skip
            state.phase = "done"
        elif has_converged and is_near:
            state.phase = "done"
        elif not is_near and state.iteration % ADJUST_EVERY == 0:
            state.kappa = kappa
            state.parameters = self._with_kappa(state.parameters, state.kappa)
            state.bound = -math.inf

    def numbered(self, state: EMState, visits: Iterable[Visit]) -> GlobalParameters:
        """Renumber the states by their frames in the most probable paths, the commonest first."""
        counts = []
        for visit, observed in zip(visits, self.observed, strict=True):
            assert visit.path is not None
            counts.append(torch.bincount(visit.path[observed], minlength=len(visit.usage)))
        usage = torch.stack(counts).sum(0)
        return self.prior.reorder(state.parameters, torch.argsort(usage, descending=True, stable=True))
