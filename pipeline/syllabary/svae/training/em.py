"""Train a prior on latents: restarts, stickiness from a target duration, joins, convergence.

Training is a row of sweeps over the recordings, and what a sweep does depends on ``State``
alone: written to a file and read back, it goes on to the same bits. Phases: *search* (one
start, brought into shape, on which stickiness is solved), *restart* (all starts, same
stickiness), *polish* (the best one, until the bound settles at the target duration).

A prior that sees latents with noise and can start from an autoregression (``slds``) goes through
them as ``arhmm`` of one lag, latents taken as points; then come the sweeps of *latents*, which are
its own. Networks are trained after that, in ``joint``.
"""

import dataclasses
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from ... import registry
from ...errors import BadInput, BadSetting
from ...machine import one_thread
from ...priors.interface import GaussianEvidence, add
from ...progress import track
from ...provenance import generator
from ...reduction.latents import LatentSeries
from .. import checkpoint as files
from ..settings import ModelSettings
from . import durations
from .stages import LATENTS, POINTS, observed_of, stage_of, stages

__all__ = ["Fitted", "fit"]

log = logging.getLogger(__name__)
SAVE_EVERY = 5
PROBE_ITERATIONS = 8
PROBES = 8
MERGE_EVERY = 3
# Of the states in use, how many may be joined at once: few, or a poor start falls together.
MERGE_SHARE = 0.25
ADJUST_EVERY = 4
USED_SHARE = 0.005
FIRST_ITERATIONS = 20
# Two digits are enough for a start, and a study has ten million of them.
START_TYPE = torch.float16
WHERE = ("restart", "phase", "iteration")
COLUMNS = (*WHERE, "bound_nats_per_frame", "kappa", "states_used", "median_duration_s")
# Fields of the state that hold parameters.
RECORDS = ("parameters", "first", "unmerged", "best")


class Fitted(NamedTuple):
    """A trained prior.

    Attributes
    ----------
    parameters : NamedTuple of tensors
        Posterior of the prior's global parameters; states numbered by usage, 0 commonest.
    history : DataFrame
        A row per sweep: ``restart, phase, iteration, bound_nats_per_frame, kappa, states_used``
        (of at least 0.5 % of the frames) ``, median_duration_s``.
    order : tensor (K,) of int, optional
        Number that each state had before it was numbered by usage.
    """

    parameters: Any
    history: pd.DataFrame
    order: torch.Tensor | None = None


@dataclasses.dataclass
class State:
    """All that the next sweep depends on."""

    parameters: Any
    kappa: float
    stage: str = POINTS
    phase: str = "search"
    restart: int = 0
    iteration: int = 0
    bound: float = -math.inf
    first: Any = None
    """Parameters every probe of a stickiness starts from."""
    probes: list[list[float]] = dataclasses.field(default_factory=list)
    """log kappa and log duration over target of every probe."""
    unmerged: Any = None
    """Parameters to go back to if joining states did not pay."""
    merge_share: float = MERGE_SHARE
    best: Any = None
    best_bound: float = -math.inf
    best_restart: int = 0
    starts: list[torch.Tensor] = dataclasses.field(default_factory=list)
    """Probabilities of the states at the last visit of each recording, where inference goes on."""
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)


class Iteration(NamedTuple):
    """What one pass over the recordings found."""

    statistics: Any
    bound: float
    states_used: int
    duration: float  # median bout, frames


def fit(
    latents: Mapping[str, LatentSeries],
    settings: ModelSettings,
    *,
    target_duration_s: float,
    fps: float,
    seed: int,
    checkpoint: Path | None = None,
    identity: str = "",
    workers: int = 1,
    progress: Callable[[Mapping[str, Any]], None] | None = None,
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
    checkpoint : path, optional
        Where the state is kept; training that was killed goes on from there.
    identity : str
        Digest of all that decides the result; a checkpoint of another one is not used.
    workers : int
        Threads over recordings; no influence on the result.
    progress : callable, optional
        Gets every row of the history as it is made.

    Raises
    ------
    BadInput
        There is no recording, or no frame with all its predecessors.
    """
    if not latents:
        raise BadInput("there is no training recording; give at least one the role 'train'.")
    with one_thread("torch"), ThreadPoolExecutor(workers) as pool:
        state = _resume(checkpoint, identity, settings)
        for stage in stages(settings):
            if state is not None and state.stage == LATENTS and stage == POINTS:
                continue
            trainer = Trainer(latents, settings, stage, target_duration_s * fps, fps, seed, pool)
            if state is None or state.stage != stage:
                state = trainer.begin(state)
            most = trainer.max_iterations()
            for row in track(trainer.run(state), f"fit: {stage}", total=most, unit="iterations"):
                if checkpoint is not None and (len(state.history) % SAVE_EVERY == 0):
                    _keep(checkpoint, identity, state)
                if progress is not None:
                    progress(row)
        assert state is not None
        parameters = trainer.numbered(state)
        return Fitted(parameters, pd.DataFrame(state.history, columns=COLUMNS))


class Trainer:
    """The data, the prior, and what to do next."""

    def __init__(
        self,
        latents: Mapping[str, LatentSeries],
        settings: ModelSettings,
        stage: str,
        target_frames: float,
        fps: float,
        seed: int,
        pool: ThreadPoolExecutor,
    ):
        self.model, self.stage = settings, stage
        self.prior, self.settings, self.evidence = stage_of(settings, stage, latents)
        self.gaussian = self.prior.Evidence is GaussianEvidence
        self.training = settings.training
        if settings.training.target_duration_s is not None:
            target_frames = settings.training.target_duration_s * fps
        if not 0 < target_frames < math.inf:
            raise BadSetting(
                f"target duration is {target_frames / fps} s, no change points having been found; set "
                "training.target_duration_s of the model."
            )
        self.target = target_frames
        self.fps = fps
        self.seed = seed
        self.pool = pool
        self.observed = [observed_of(e) for e in self.evidence]
        self.frames = sum(int(seen.sum()) for seen in self.observed)
        every = -(-sum(map(len, self.observed)) // self.training.duration_frames)
        self.timed = set(range(0, len(self.evidence), every))
        self.sticky = hasattr(self.prior, "with_kappa")
        self.solves = self.sticky and self.settings.kappa is None
        self.joins = hasattr(self.prior, "merge")

    def begin(self, before: State | None = None) -> State:
        """Return the state before the first sweep, or that which goes on from an earlier stage."""
        if before is not None:
            before.parameters = self.prior.from_autoregression(before.parameters)
            before.stage, before.phase, before.iteration, before.bound = LATENTS, LATENTS, 0, -math.inf
            return before
        parameters = self.start(0)
        kappa = float(parameters.kappa) if self.sticky else 0.0
        state = State(parameters, kappa, stage=POINTS if not self.gaussian else LATENTS)
        if not self.solves:
            state.phase = "restart"
        else:
            state.first = parameters
        return state

    def start(self, restart: int) -> Any:
        """Return the parameters that one restart begins with."""
        rng = generator(self.seed, "fit", "restart", restart)
        points = [
            torch.where(seen[:, None], evidence[0], math.nan)
            for evidence, seen in zip(self.evidence, self.observed, strict=True)
        ]
        return self.prior.initial(self.settings, points, None, rng)

    def max_iterations(self) -> int:
        """Return how many sweeps there can be."""
        if self.stage == LATENTS and len(stages(self.model)) > 1:
            return self.training.latent_iterations
        search = (PROBES + 1) * (PROBE_ITERATIONS + 1) if self.solves else 0
        return (
            search + self.training.restarts * self.training.restart_iterations + self.training.iterations
        )

    def run(self, state: State) -> Iterator[dict[str, Any]]:
        """Train until the end, changing ``state``; yield the history's row of each sweep."""
        while state.phase != "done":
            found = self.iterate(state)
            bound, duration_s = found.bound / self.frames, found.duration / self.fps
            where = (getattr(state, name) for name in WHERE)
            values = (*where, bound, state.kappa, found.states_used, duration_s)
            row = dict(zip(COLUMNS, values, strict=True))
            state.history.append(row)
            self.advance(state, found)
            yield row

    def infer(self, state: State, index: int, *, paths: bool = False) -> Any:
        """Return the posterior of one recording, from the states that its last visit left."""
        if not self.gaussian:
            return self.prior.infer(state.parameters, self.evidence[index], paths=paths)
        start = state.starts[index].double() if state.starts else None
        # A first visit starts from the latents as points, and has further to go.
        turns = self.training.local_iterations if state.starts else FIRST_ITERATIONS
        return self.prior.infer(
            state.parameters,
            self.evidence[index],
            start=start,
            max_iterations=turns,
            paths=paths,
            cache=False,
        )

    def iterate(self, state: State) -> Iteration:
        """Infer every recording; sums are taken in order of the recordings' names."""

        def one(index: int) -> tuple[Any, float, torch.Tensor, npt.NDArray[np.int64], torch.Tensor]:
            timed = index in self.timed
            local = self.infer(state, index, paths=timed)
            runs = durations.of_path(local.path.numpy()) if timed else np.zeros(0, np.int64)
            usage = local.states[self.observed[index]].double().sum(0)
            kept = local.states.to(START_TYPE) if self.gaussian else local.states[:0]
            return local.statistics, float(local.bound), usage, runs, kept

        statistics, bound, usage, runs, starts = None, 0.0, torch.zeros(()), [], []
        for own, gain, used, lengths, kept in self.pool.map(one, range(len(self.evidence))):
            statistics = own if statistics is None else add(statistics, own)
            bound += gain
            usage = usage + used
            runs.append(lengths)
            starts.append(kept)
        bound -= float(self.prior.divergence(state.parameters, self.settings))
        state.starts = starts if self.gaussian else []
        shares = usage / usage.sum()
        return Iteration(
            statistics=statistics,
            bound=bound,
            states_used=int((shares >= USED_SHARE).sum()),
            duration=durations.median(np.concatenate(runs)),
        )

    def advance(self, state: State, found: Iteration) -> None:
        """Decide what the next sweep starts from."""
        gain = (found.bound - state.bound) / self.frames
        state.iteration += 1
        unmerged, state.unmerged = state.unmerged, None
        if unmerged is not None and gain < 0:
            state.parameters = unmerged
            state.merge_share /= 4
            return
        state.bound = found.bound
        updated = self.prior.update(state.parameters, found.statistics, self.settings)
        state.parameters = self.prior.update_hyperparameters(updated)
        if self.joins and state.iteration % MERGE_EVERY == 0 and state.merge_share >= MERGE_SHARE / 16:
            joined = self.prior.merge(
                state.parameters, found.statistics, self.settings, state.merge_share
            )
            if joined is not None:
                state.unmerged, state.parameters = state.parameters, joined
                return
        off = math.log(found.duration / self.target)
        if state.phase == "search":
            self._search(state, off)
        elif state.phase == "restart" and state.iteration >= self.training.restart_iterations:
            self._next_restart(state)
        elif state.phase in ("polish", LATENTS):
            self._polish(state, off, gain)

    def _search(self, state: State, off: float) -> None:
        """Solve log kappa for the target duration by bracketing and false position.

        Every probe begins anew, as the restarts will: once states are lost to much
        stickiness, less does not bring them back.
        """
        if state.iteration < PROBE_ITERATIONS:
            return
        state.probes.append([math.log(state.kappa), off])
        state.iteration, state.merge_share = 0, MERGE_SHARE
        wanted = durations.next_kappa(state.probes)
        tried = any(math.isclose(probe[0], math.log(wanted)) for probe in state.probes)
        if abs(off) <= self.training.duration_tolerance or len(state.probes) > PROBES or tried:
            state.kappa = math.exp(min(state.probes, key=lambda probe: abs(probe[1]))[0])
            state.phase, state.restart = "restart", -1
            self._next_restart(state)
            return
        state.kappa = wanted
        state.parameters = self.prior.with_kappa(state.first, state.kappa)
        state.bound, state.starts = -math.inf, []

    def _next_restart(self, state: State) -> None:
        if state.restart >= 0 and state.bound > state.best_bound:
            state.best, state.best_bound = state.parameters, state.bound
            state.best_restart = state.restart
        state.restart += 1
        state.iteration, state.merge_share = 0, MERGE_SHARE
        state.first = None
        if state.restart < self.training.restarts:
            state.parameters = self.start(state.restart)
            if self.solves:
                state.parameters = self.prior.with_kappa(state.parameters, state.kappa)
            state.bound, state.starts = -math.inf, []
            return
        state.parameters, state.bound, state.restart = state.best, state.best_bound, state.best_restart
        state.best, state.starts = None, []
        state.phase = "polish" if self.training.iterations else "done"

    def _polish(self, state: State, off: float, gain: float) -> None:
        wanted = durations.clip(state.kappa * math.exp(_step(-off, state.probes)))
        # At the end of its range stickiness can do no more.
        near = not self.solves or abs(off) <= self.training.duration_tolerance or wanted == state.kappa
        settled = 0 <= gain < self.training.tolerance_nats and state.iteration > 2 * MERGE_EVERY
        most = self.training.latent_iterations if state.phase == LATENTS else self.training.iterations
        if state.iteration >= most:
            log.warning(
                "training stopped after %d iterations, the last gain %.2g nats per frame, median "
                "duration %.2f of the target", state.iteration, gain, math.exp(off),
            )  # fmt: skip
            state.phase = "done"
        elif settled and near:
            state.phase = "done"
        elif not near and state.iteration % ADJUST_EVERY == 0:
            state.kappa = wanted
            state.parameters = self.prior.with_kappa(state.parameters, state.kappa)
            state.bound = -math.inf

    def numbered(self, state: State) -> Any:
        """Renumber the states by their frames in the best paths, the commonest first."""

        def one(index: int) -> torch.Tensor:
            local = self.infer(state, index, paths=True)
            path = local.path[self.observed[index]]
            return torch.bincount(path, minlength=local.states.shape[-1])

        usage = torch.stack(list(self.pool.map(one, range(len(self.evidence))))).sum(0)
        return self.prior.reorder(state.parameters, torch.argsort(usage, descending=True, stable=True))


def _step(off: float, probes: list[list[float]]) -> float:
    """Change of log kappa that should change log duration by ``off``; small, to stay on course."""
    return max(-2.0, min(2.0, off / durations.growth(probes)))


def _keep(path: Path, identity: str, state: State) -> None:
    """Write the state whole or not at all."""
    values = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    records = {name: values.pop(name) for name in RECORDS}
    tensors = {f"starts.{i}": start for i, start in enumerate(values.pop("starts"))}
    for name, record in records.items():
        if record is not None:
            tensors |= files.flatten(record, f"{name}.")
    files.save(path, tensors, {"identity": identity, "state": values})


def _resume(path: Path | None, identity: str, settings: ModelSettings) -> State | None:
    """Read the state of the same training that was stopped, if there is one."""
    if path is None or not path.is_file():
        return None
    try:
        tensors, metadata = files.load(path)
    except BadInput as error:
        log.warning("%s Training starts afresh.", error)
        return None
    if metadata.get("identity") != identity:
        log.warning("%s is of another training (data, settings, code or seed differ): not used.", path)
        return None
    prior = settings.prior
    if metadata["state"]["stage"] == POINTS and len(stages(settings)) > 1:
        prior = "arhmm"
    kind = registry.find("syllabary.priors", prior).Parameters
    records = {}
    for name in RECORDS:
        if any(key.startswith(f"{name}.") for key in tensors):
            records[name] = files.restore(kind, tensors, f"{name}.")
    starts = [tensors[f"starts.{i}"] for i in range(sum(key.startswith("starts.") for key in tensors))]
    state = State(**records, starts=starts, **metadata["state"])
    log.info("training goes on after iteration %d of phase %s.", state.iteration, state.phase)
    return state
