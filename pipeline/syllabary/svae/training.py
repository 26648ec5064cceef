"""Train a prior on latents: restarts, stickiness from a target duration, joins, convergence.

Training is a row of sweeps over the recordings, and what a sweep does depends on ``State``
alone: written to a file and read back, it goes on to the same bits. Phases: *search* (one
start, brought into shape, on which stickiness is solved), *restart* (all starts, same
stickiness), *polish* (the best one, until the bound settles at the target duration).
"""

import contextlib
import dataclasses
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from .. import registry
from ..errors import BadInput, BadSetting, ShapeError
from ..priors._evidence import PointEvidence, add
from ..progress import track
from ..provenance import generator
from . import checkpoint as files
from .latents import LatentSeries
from .settings import ModelSettings, prior_settings

__all__ = ["Fitted", "fit", "median_duration", "one_thread"]

log = logging.getLogger(__name__)
SAVE_EVERY = 5
WARM_SWEEPS = 12
PROBE_SWEEPS = 3
PROBES = 10
JOIN_EVERY = 8
ADJUST_EVERY = 4
USED_SHARE = 0.005
KAPPA_RANGE = (1e-2, 1e12)
# Growth of log duration with log kappa, until two probes have told.
SLOPE = 0.1
# Fields of the state that hold parameters.
RECORDS = ("parameters", "base", "unjoined", "best")


class Fitted(NamedTuple):
    """A trained prior.

    Attributes
    ----------
    parameters : NamedTuple of tensors
        Posterior of the prior's global parameters; states numbered by usage, 0 commonest.
    history : DataFrame
        A row per sweep: ``restart, phase, sweep, bound_nats_per_frame, kappa, states_used``
        (of at least 0.5 % of the frames) ``, median_duration_s``.
    """

    parameters: Any
    history: pd.DataFrame


@dataclasses.dataclass
class State:
    """All that the next sweep depends on."""

    parameters: Any
    kappa: float
    phase: str = "search"
    restart: int = 0
    sweep: int = 0
    bound: float = -math.inf
    base: Any = None
    """Parameters every probe of a stickiness starts from."""
    probes: list[list[float]] = dataclasses.field(default_factory=list)
    """log kappa and log duration over target of every probe."""
    unjoined: Any = None
    """Parameters to go back to if joining states did not pay."""
    best: Any = None
    best_bound: float = -math.inf
    best_restart: int = 0
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)


class Sweep(NamedTuple):
    """What one pass over the recordings found."""

    statistics: Any
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
    with one_thread(), ThreadPoolExecutor(workers) as pool:
        trainer = Trainer(latents, settings, target_duration_s * fps, fps, seed, pool)
        state = _resume(checkpoint, identity, trainer) or trainer.begin()
        for row in track(trainer.sweeps(state), "fit", total=trainer.most_sweeps(), unit="sweeps"):
            if checkpoint is not None and (len(state.history) % SAVE_EVERY == 0):
                _keep(checkpoint, identity, state)
            if progress is not None:
                progress(row)
        return Fitted(trainer.numbered(state.parameters), pd.DataFrame(state.history))


class Trainer:
    """The data, the prior, and what to do next."""

    def __init__(
        self,
        latents: Mapping[str, LatentSeries],
        settings: ModelSettings,
        target_frames: float,
        fps: float,
        seed: int,
        pool: ThreadPoolExecutor,
    ):
        self.prior: ModuleType = registry.find("syllabary.priors", settings.prior)
        self.settings = prior_settings(settings)
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
        self.evidence = _evidence(latents)
        self.frames = sum(int(e.observed.sum()) for e in self.evidence)
        every = -(-sum(len(e.observed) for e in self.evidence) // self.training.duration_frames)
        self.timed = set(range(0, len(self.evidence), every))
        self.solves = getattr(self.settings, "kappa", None) is None

    def begin(self) -> State:
        """Return the state before the first sweep."""
        parameters = self.start(0)
        state = State(parameters, float(parameters.kappa))
        if not self.solves:
            state.phase = "restart"
        return state

    def start(self, restart: int) -> Any:
        """Return the parameters that one restart begins with."""
        rng = generator(self.seed, "fit", "restart", restart)
        series = [torch.where(e.observed[:, None], e.latents, math.nan) for e in self.evidence]
        return self.prior.initial(self.settings, series, None, rng)

    def most_sweeps(self) -> int:
        """Return how many sweeps there can be."""
        search = WARM_SWEEPS + PROBES * PROBE_SWEEPS if self.solves else 0
        return search + self.training.restarts * self.training.restart_sweeps + self.training.sweeps

    def sweeps(self, state: State) -> Iterator[dict[str, Any]]:
        """Train until the end, changing ``state``; yield the history's row of each sweep."""
        while state.phase != "done":
            found = self.sweep(state.parameters)
            row = {
                "restart": state.restart,
                "phase": state.phase,
                "sweep": state.sweep,
                "bound_nats_per_frame": found.bound / self.frames,
                "kappa": state.kappa,
                "states_used": found.states_used,
                "median_duration_s": found.duration / self.fps,
            }
            state.history.append(row)
            self.advance(state, found)
            yield row

    def sweep(self, parameters: Any) -> Sweep:
        """Infer every recording; sums are taken in order of the recordings' names."""

        def one(index: int) -> tuple[Any, float, torch.Tensor, npt.NDArray[np.int64]]:
            evidence = self.evidence[index]
            local = self.prior.infer(parameters, evidence)
            runs = np.zeros(0, np.int64)
            if index in self.timed:
                runs = _runs(self.prior.decode(parameters, evidence).numpy())
            usage = local.states[evidence.observed].double().sum(0)
            return local.statistics, float(local.divergence), usage, runs

        statistics, divergence, usage, runs = None, 0.0, torch.zeros(()), []
        for own, cost, used, lengths in self.pool.map(one, range(len(self.evidence))):
            statistics = own if statistics is None else add(statistics, own)
            divergence += cost
            usage = usage + used
            runs.append(lengths)
        divergence += float(self.prior.divergence(parameters, self.settings))
        shares = usage / usage.sum()
        return Sweep(
            statistics=statistics,
            bound=-divergence,
            states_used=int((shares >= USED_SHARE).sum()),
            duration=median_duration(np.concatenate(runs)),
        )

    def advance(self, state: State, found: Sweep) -> None:
        """Decide what the next sweep starts from."""
        gain = (found.bound - state.bound) / self.frames
        state.sweep += 1
        unjoined, state.unjoined = state.unjoined, None
        if unjoined is not None and gain < 0:
            state.parameters = unjoined
            return
        state.bound = found.bound
        state.parameters = self.prior.update(state.parameters, found.statistics, self.settings)
        if state.base is None and state.sweep % JOIN_EVERY == 0:
            joined = self.prior.merge(state.parameters, found.statistics, self.settings)
            if joined is not None:
                state.unjoined, state.parameters = state.parameters, joined
                return
        off = math.log(found.duration / self.target)
        if state.phase == "search":
            self._search(state, off)
        elif state.phase == "restart" and state.sweep >= self.training.restart_sweeps:
            self._next_restart(state)
        elif state.phase == "polish":
            self._polish(state, off, gain)

    def _search(self, state: State, off: float) -> None:
        """Solve log kappa for the target duration by bracketing and false position."""
        if state.base is None:
            if state.sweep < WARM_SWEEPS:
                return
            state.base = state.parameters
        elif state.sweep < PROBE_SWEEPS:
            return
        state.probes.append([math.log(state.kappa), off])
        state.sweep = 0
        if abs(off) <= self.training.duration_tolerance or len(state.probes) > PROBES:
            state.kappa = math.exp(min(state.probes, key=lambda probe: abs(probe[1]))[0])
            state.phase, state.restart = "restart", -1
            self._next_restart(state)
            return
        state.kappa = next_kappa(state.probes)
        state.parameters = self.prior.with_kappa(state.base, state.kappa)
        state.bound = -math.inf

    def _next_restart(self, state: State) -> None:
        if state.restart >= 0 and state.bound > state.best_bound:
            state.best, state.best_bound = state.parameters, state.bound
            state.best_restart = state.restart
        state.restart += 1
        state.sweep = 0
        state.base = None
        if state.restart < self.training.restarts:
            state.parameters = self.start(state.restart)
            if self.solves:
                state.parameters = self.prior.with_kappa(state.parameters, state.kappa)
            state.bound = -math.inf
            return
        state.parameters, state.bound, state.restart = state.best, state.best_bound, state.best_restart
        state.best = None
        state.phase = "polish" if self.training.sweeps else "done"

    def _polish(self, state: State, off: float, gain: float) -> None:
        near = not self.solves or abs(off) <= self.training.duration_tolerance
        settled = 0 <= gain < self.training.tolerance_nats and state.sweep > JOIN_EVERY
        if state.sweep >= self.training.sweeps:
            log.warning(
                "training stopped after %d sweeps, the last gain %.2g nats per frame, median duration "
                "%.2f of the target", state.sweep, gain, math.exp(off),
            )  # fmt: skip
            state.phase = "done"
        elif settled and near:
            state.phase = "done"
        elif not near and state.sweep % ADJUST_EVERY == 0:
            step = -off / slope(state.probes)
            state.kappa = _clip(state.kappa * math.exp(max(-2.0, min(2.0, step))))
            state.parameters = self.prior.with_kappa(state.parameters, state.kappa)
            state.bound = -math.inf

    def numbered(self, parameters: Any) -> Any:
        """Renumber the states by their frames in the best paths, the commonest first."""

        def one(evidence: Any) -> torch.Tensor:
            path = self.prior.decode(parameters, evidence)
            return torch.bincount(path[evidence.observed], minlength=states)

        states = len(parameters.weights)
        usage = torch.stack(list(self.pool.map(one, self.evidence))).sum(0)
        return self.prior.reorder(parameters, torch.argsort(usage, descending=True, stable=True))


def next_kappa(probes: list[list[float]]) -> float:
    """Choose the next stickiness from log kappa and log duration over target so far."""
    below = [p for p in probes if p[1] < 0]
    above = [p for p in probes if p[1] >= 0]
    if below and above:
        low, high = max(below), min(above)
        if low[0] < high[0]:
            # False position, kept off the ends so that the bracket shrinks on both sides.
            share = -low[1] / (high[1] - low[1])
            share = min(0.8, max(0.2, share))
            return _clip(math.exp(low[0] + share * (high[0] - low[0])))
    log_kappa, off = min(probes, key=lambda probe: abs(probe[1]))
    step = -off / slope(probes)
    return _clip(math.exp(log_kappa + max(-5.0, min(5.0, step))))


def slope(probes: list[list[float]]) -> float:
    """Return how fast log duration grows with log kappa, from the nearest probes."""
    near = sorted(probes, key=lambda probe: abs(probe[1]))[:2]
    if len(near) == 2 and near[0][0] != near[1][0]:
        found = (near[1][1] - near[0][1]) / (near[1][0] - near[0][0])
        return min(1.0, max(SLOPE / 4, found))
    return SLOPE


def median_duration(runs: npt.NDArray[np.int64]) -> float:
    """Return the median of whole durations as of a continuous one: that many frames ± 1/2."""
    if not len(runs):
        return math.nan
    middle = float(np.sort(runs)[(len(runs) - 1) // 2])
    below, equal = int((runs < middle).sum()), int((runs == middle).sum())
    return middle - 0.5 + (len(runs) / 2 - below) / equal


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Pin matrix products to one thread: more would change the order of sums, and their bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _evidence(latents: Mapping[str, LatentSeries]) -> list[PointEvidence]:
    """Recordings that have ticks, in order of their names."""
    found: list[PointEvidence] = []
    for name in sorted(latents):
        values = torch.from_numpy(np.ascontiguousarray(latents[name].values, np.float64))
        observed = torch.from_numpy(np.asarray(latents[name].observed, bool))
        if values.shape[:1] != observed.shape or (
            found and values.shape[1:] != found[0].latents.shape[1:]
        ):
            raise ShapeError(
                f"{name}: latents {tuple(values.shape)} with {len(observed)} ticks; all recordings "
                "have (T, D) latents of the same D, and T flags."
            )
        if len(values):
            found.append(PointEvidence(values, observed & torch.isfinite(values).all(-1)))
    return found


def _runs(path: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    borders = np.flatnonzero(np.diff(path)) + 1
    return np.diff(np.concatenate([[0], borders, [len(path)]]))


def _clip(kappa: float) -> float:
    return min(KAPPA_RANGE[1], max(KAPPA_RANGE[0], kappa))


def _keep(path: Path, identity: str, state: State) -> None:
    """Write the state whole or not at all."""
    values = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    records = {name: values.pop(name) for name in RECORDS}
    tensors: dict[str, torch.Tensor] = {}
    for name, record in records.items():
        if record is not None:
            tensors |= files.flatten(record, f"{name}.")
    files.save(path, tensors, {"identity": identity, "state": values})


def _resume(path: Path | None, identity: str, trainer: Trainer) -> State | None:
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
    records = {}
    for name in RECORDS:
        if any(key.startswith(f"{name}.") for key in tensors):
            records[name] = files.restore(trainer.prior.Parameters, tensors, f"{name}.")
    state = State(**records, **metadata["state"])
    log.info("training goes on after sweep %d of phase %s.", state.sweep, state.phase)
    return state
