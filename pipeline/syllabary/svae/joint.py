"""Train networks and prior together, on pieces of recordings.

An epoch begins with a pass over whole recordings: everything is encoded and inferred end to end,
the prior's parameters take their best values, and the messages at the borders of this epoch's
pieces are kept. Then come steps on batches of pieces. In a step the states and latents of a
piece are inferred without a gradient; the decoder's gradient by their marginals is sent back
through the optimum to the encoder, and to the prior's parameters as a small natural step.

The bound that is written down and by which the best pass is kept is that of whole recordings:
log likelihood of all measured pixels, by one fixed draw of the latents, less the divergence of
latents, states and parameters from their priors. The first pass is the PCA with its prior.

References
----------
doi:10.48550/arXiv.1603.06277; docs/mathematics.md, "Gradients through the optimum".
"""

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from .. import registry
from ..errors import BadSetting
from ..messages import meanfield
from ..priors._evidence import Cotangent, GaussianEvidence, Local, add
from ..progress import track
from ..provenance import generator
from ..records.crops import Crops
from . import checkpoint as files
from . import durations, objective, potentials
from .choices import network_settings, prior_settings
from .latents import LatentSeries
from .networks._skip import Decoder, Encoder
from .pca import Pca
from .settings import ModelSettings
from .training import COLUMNS, FIRST_TURNS, START_TYPE, USED_SHARE, Fitted, one_thread

__all__ = ["Networks", "build", "fit"]

log = logging.getLogger(__name__)
PHASE = "joint"
WARM_UP_STEPS = 200
LAST_RATE = 0.01
OPEN_FILES = 32
# A piece that has not settled may be at a saddle, where no gradient can be sent back: few need many.
STEP_TURNS, TURN_TOLERANCE = 40, 1e-7
# For the check of the gradients: what counts as settled.
SETTLED_TURNS, SETTLED_TOLERANCE = 100, 1e-8


class Networks(NamedTuple):
    """A recogniser and a decoder."""

    encoder: Encoder
    decoder: Decoder

    def tensors(self) -> dict[str, Tensor]:
        """Return every weight by name, as checkpoints store them."""
        return {
            f"{part}.{name}": value.detach().clone()
            for part in self._fields
            for name, value in getattr(self, part).state_dict().items()
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Put weights in place that ``tensors`` returned."""
        for part in self._fields:
            own = {k.removeprefix(f"{part}."): v for k, v in tensors.items() if k.startswith(f"{part}.")}
            getattr(self, part).load_state_dict(own)


def build(settings: ModelSettings, reduction: Pca, rng: np.random.Generator) -> Networks:
    """Make the networks that the settings name, their weights drawn from ``rng``."""
    chosen = registry.find("syllabary.svae.networks", settings.network)
    own = network_settings(settings)
    return Networks(chosen.Encoder(own, reduction, rng), chosen.Decoder(own, reduction, rng))


@dataclasses.dataclass
class State:
    """All that the next epoch depends on."""

    parameters: Any
    weights: dict[str, Tensor]
    moments: dict[str, Tensor]
    epoch: int = 0
    steps: int = 0
    starts: list[Tensor] = dataclasses.field(default_factory=list)
    best: Any = None
    best_weights: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    best_bound: float = -math.inf
    best_epoch: int = 0
    best_usage: list[int] = dataclasses.field(default_factory=list)
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)


class Piece(NamedTuple):
    """A window of a recording."""

    recording: int
    begin: int
    stop: int
    core: tuple[int, int]
    """First frame that is scored, and the frame after the last, counted in the recording."""


def fit(
    fitted: Fitted,
    crops: Mapping[str, Path],
    latents: Mapping[str, LatentSeries],
    settings: ModelSettings,
    reduction: Pca,
    *,
    fps: float,
    seed: int,
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
    networks = build(settings, reduction, generator(seed, "fit", "networks"))
    if not settings.training.epochs or not list(networks.encoder.parameters()):
        return fitted, networks
    with one_thread():
        trainer = Trainer(networks, crops, latents, settings, reduction, fps, seed)
        state = _resume(checkpoint, identity, trainer) or trainer.begin(fitted)
        epochs = settings.training.epochs + 1
        rows = track(trainer.epochs(state), "fit: joint", total=epochs - state.epoch, unit="epochs")
        for row in rows:
            if checkpoint is not None:
                _keep(checkpoint, identity, state)
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
    history = pd.concat([fitted.history, pd.DataFrame(state.history)], ignore_index=True)
    return Fitted(parameters, history), networks


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
        self.frames = sum(int(np.sum(one.observed)) for one in self.series)
        self.networks, self.fps, self.seed = networks, fps, seed
        weights = [*networks.encoder.parameters(), *networks.decoder.parameters()]
        self.width = len(reduction.scale)
        self.optimizer = torch.optim.Adam(weights, lr=self.training.learning_rate)
        self.open = lru_cache(maxsize=OPEN_FILES)(lambda index: Crops(self.paths[index]))

    def begin(self, fitted: Fitted) -> State:
        """Return the state before the first pass."""
        return State(fitted.parameters, self.networks.tensors(), {})

    def epochs(self, state: State) -> Iterator[dict[str, Any]]:
        """Train until the end, changing ``state``; yield the history's row of each epoch."""
        self.networks.load(state.weights)
        self._load_moments(state)
        while state.epoch <= self.training.epochs:
            pieces = self.pieces(state.epoch)
            row, statistics, edges, usage = self.whole(state, pieces)
            if row["bound_nats_per_frame"] > state.best_bound:
                state.best, state.best_bound = state.parameters, row["bound_nats_per_frame"]
                state.best_weights, state.best_epoch = self.networks.tensors(), state.epoch
                state.best_usage = usage
            if state.epoch < self.training.epochs:
                updated = self.prior.update(state.parameters, statistics, self.settings)
                state.parameters = self.prior.adapt(updated)
                row |= self.steps(state, pieces, edges)
            state.epoch += 1
            state.weights, state.moments = self.networks.tensors(), self._moments()
            state.history.append(row)
            yield row

    def pieces(self, epoch: int) -> list[Piece]:
        """Cut recordings into pieces, at borders that differ between epochs."""
        rng = generator(self.seed, "fit", "pieces", epoch)
        core, buffer = self.training.window_frames, self.training.buffer_frames
        found = []
        for index, one in enumerate(self.series):
            frames = len(one.values)
            length = min(frames, core + 2 * buffer)
            first = int(rng.integers(core)) - core if frames > length else 0
            for left in range(first, frames, core if frames > length else frames):
                own = (max(left, 0), min(left + core, frames) if frames > length else frames)
                begin = min(max(own[0] - buffer, 0), frames - length)
                if length >= 2 and own[1] > own[0]:
                    found.append(Piece(index, begin, begin + length, own))
        return found

    def whole(
        self, state: State, pieces: list[Piece]
    ) -> tuple[dict[str, Any], Any, dict[Piece, meanfield.Edges], list[int]]:
        """Infer every recording end to end.

        Returns the history's row, statistics, edges of pieces, and frames of each state.
        """
        begun = time.monotonic()
        statistics, pixels, divergence = None, 0.0, 0.0
        edges: dict[Piece, meanfield.Edges] = {}
        states = len(state.parameters.weights)
        usage, paths = torch.zeros(states, dtype=torch.float64), torch.zeros(states, dtype=torch.int64)
        starts, runs = [], []
        for index, one in enumerate(self.series):
            evidence = potentials.of_crops(self.networks.encoder, self.open(index), one)
            start = state.starts[index].double() if state.starts else None
            local = self.prior.infer(
                state.parameters, evidence, start=start, paths=True,
                sweeps=self.training.turns if state.starts else FIRST_TURNS,
            )  # fmt: skip
            pixels += self.score(index, local)
            divergence += float(local.divergence)
            statistics = local.statistics if statistics is None else add(statistics, local.statistics)
            starts.append(local.states.to(START_TYPE))
            runs.append(durations.of_path(local.path.numpy()))
            seen = torch.from_numpy(one.observed)
            usage += local.states[seen].double().sum(0)
            paths += torch.bincount(local.path[seen], minlength=states)
            mine = [piece for piece in pieces if piece.recording == index]
            edges |= _edges(local, mine)
        state.starts = starts
        divergence += float(self.prior.divergence(state.parameters, self.settings))
        values = (
            0,
            PHASE,
            state.epoch,
            (pixels - divergence) / self.frames,
            float(state.parameters.kappa),
            int((usage / usage.sum() >= USED_SHARE).sum()),
            durations.median(np.concatenate(runs)) / self.fps,
        )
        row = dict(zip(COLUMNS, values, strict=True))
        row["pixel_nats_per_frame"] = pixels / self.frames
        log.info(
            "pass %d: bound %.3f nats per frame, %.0f s",
            state.epoch, row["bound_nats_per_frame"], time.monotonic() - begun,
        )  # fmt: skip
        return row, statistics, edges, paths.tolist()

    @torch.no_grad()
    def score(self, index: int, local: Local) -> float:
        """Log likelihood of a recording's pixels by one draw of its latents, the same every time."""
        rng = generator(self.seed, "fit", "score", index)
        means, covariances = local.means, local.covariances
        assert covariances is not None
        total = 0.0
        for start, heights, observed in self.open(index).blocks(potentials.BLOCK):
            rows = slice(start, start + len(heights))
            normals = torch.from_numpy(rng.standard_normal(tuple(means[rows].shape)))
            drawn = objective.sample_marginals(means[rows], covariances[rows], normals)
            total += float(self._likelihood(index, heights, observed, drawn).sum())
        return total

    def steps(
        self, state: State, pieces: list[Piece], edges: Mapping[Piece, meanfield.Edges]
    ) -> dict[str, Any]:
        """Take a step on every batch of an epoch; return what the history keeps of them."""
        rng = generator(self.seed, "fit", "steps", state.epoch)
        batches = self._batches(pieces, rng)
        total = self.training.epochs * max(1, len(batches))
        seen: list[tuple[float, float, float]] = []
        error = math.nan
        for batch in track(batches, f"fit: epoch {state.epoch + 1}", unit="steps"):
            starts = torch.stack([state.starts[p.recording][p.begin : p.stop].double() for p in batch])
            joined = _join([edges[piece] for piece in batch])
            normals = torch.from_numpy(rng.standard_normal((*starts.shape[:2], self.width)))
            self.optimizer.zero_grad(set_to_none=True)
            mean, precision = self.encode(batch)
            found = self.gradient(state, batch, (mean, precision), starts, joined, normals)
            if not seen:
                error = self.gradient_error(state, batch, (mean, precision), joined, normals, found)
            # Nats per frame and pixel, so that one length of gradients suits all sizes of crops.
            scale = -1 / max(found.pixels, 1)
            for parameter in self.networks.decoder.parameters():
                if parameter.grad is not None:
                    parameter.grad *= scale
            by_mean, by_precision = (part.to(mean.dtype) * scale for part in found.tangent.evidence)
            torch.autograd.backward([mean, precision], [by_mean, by_precision])
            weights = [w for group in self.optimizer.param_groups for w in group["params"]]
            nn.utils.clip_grad_norm_(weights, self.training.gradient_norm)
            for group in self.optimizer.param_groups:
                group["lr"] = self.training.learning_rate * _schedule(state.steps, total)
            self.optimizer.step()
            state.parameters = self._natural_step(state.parameters, found)
            state.steps += 1
            seen.append(
                (
                    float(found.tangent.iterations.double().mean()),
                    float(found.tangent.indefinite.double().mean()),
                    float(found.local.sweeps.double().mean()),
                )
            )
        means = np.mean(seen, 0) if seen else np.full(3, math.nan)
        names = ("solver_iterations", "solver_fallbacks", "turns")
        return dict(zip(names, map(float, means), strict=True)) | {"gradient_error": error}

    def encode(self, batch: list[Piece]) -> tuple[Tensor, Tensor]:
        """Return evidence of a batch, (B, T, D) float32, with its gradient's path to the encoder."""
        heights, observed, values, information = [], [], [], []
        for piece in batch:
            crops, one = self.open(piece.recording), self.series[piece.recording]
            raw = crops.heights(piece.begin, piece.stop)
            heights.append(torch.from_numpy(raw).float() * crops.height_step_mm)
            observed.append(torch.from_numpy(crops.observed(piece.begin, piece.stop)))
            rows = slice(piece.begin, piece.stop)
            assert one.information is not None
            known = np.where(one.observed[rows, None], one.information[rows], 0.0)
            values.append(torch.from_numpy(one[0][rows]))
            information.append(torch.from_numpy(known))
        parts = (torch.cat(p) for p in (heights, observed, values, information))
        mean, precision = self.networks.encoder(*parts)
        shape = (len(batch), batch[0].stop - batch[0].begin, -1)
        return mean.reshape(shape), precision.reshape(shape)

    def gradient(
        self,
        state: State,
        batch: list[Piece],
        seen: tuple[Tensor, Tensor],
        starts: Tensor,
        edges: meanfield.Edges,
        normals: Tensor,
        *,
        settled: bool = False,
    ) -> "Gradient":
        """Infer a batch, and send the decoder's gradient back through the optimum.

        Leaves the decoder's own gradients in its parameters, to be maximised, not minimised.
        """
        training = self.training
        mean, precision = (part.detach().double() for part in seen)
        local = self.prior.infer(
            state.parameters,
            GaussianEvidence(mean, precision),
            start=starts,
            edges=edges,
            sweeps=SETTLED_TURNS if settled else STEP_TURNS,
            tolerance=0.0 if settled else TURN_TOLERANCE,
        )
        means = local.means.clone().requires_grad_()
        covariances = local.covariances.clone().requires_grad_()
        drawn = objective.sample_marginals(
            means.flatten(0, 1), covariances.flatten(0, 1), normals.flatten(0, 1)
        )
        drawn = drawn.reshape(means.shape)
        likelihood, pixels = torch.zeros((), dtype=torch.float64), 0
        scored = torch.zeros(means.shape[:2], dtype=torch.bool)
        for i, piece in enumerate(batch):
            first, last = piece.core
            inside = slice(first - piece.begin, last - piece.begin)
            crops = self.open(piece.recording)
            observed = crops.observed(first, last)
            own = self._likelihood(
                piece.recording, crops.heights(first, last), observed, drawn[i, inside]
            )
            likelihood = likelihood + own.sum()
            used = self.networks.decoder.used
            pixels += int(objective.scored_pixels(torch.from_numpy(observed), used).sum())
            scored[i, inside] = True
        likelihood.backward()  # type: ignore[no-untyped-call]
        assert means.grad is not None and covariances.grad is not None
        # Of the likelihood minus the evidence's own terms, whose gradient the optimum accounts for.
        core = scored[..., None]
        by_mean = torch.where(core, means.grad - precision * (mean - local.means), 0.0)
        spread = (covariances.grad + covariances.grad.mT) / 2 + torch.diag_embed(precision) / 2
        tangent = self.prior.tangent(
            state.parameters,
            local,
            Cotangent(by_mean, torch.where(core[..., None], spread, 0.0)),
            tolerance=SETTLED_TOLERANCE if settled else training.solver_tolerance,
            iterations=SETTLED_TURNS if settled else training.solver_iterations,
            damping=None if settled else training.solver_damping,
        )
        return Gradient(local, tangent, pixels)

    def gradient_error(
        self,
        state: State,
        batch: list[Piece],
        seen: tuple[Tensor, Tensor],
        edges: meanfield.Edges,
        normals: Tensor,
        found: "Gradient",
    ) -> float:
        """Distance of a step's gradient from that of the settled optimum, relative; the median piece."""
        kept = [p.grad for p in self.networks.decoder.parameters()]
        for parameter in self.networks.decoder.parameters():
            parameter.grad = None
        exact = self.gradient(state, batch, seen, found.local.states, edges, normals, settled=True)
        for parameter, gradient in zip(self.networks.decoder.parameters(), kept, strict=True):
            parameter.grad = gradient
        # By m in units of its own spread, and by log R: what the encoder's outputs are.
        precision = seen[1].detach().double()
        weights = (1 / precision.clamp(min=1e-12).sqrt(), precision)
        apart, size = (
            sum(
                (weight * part).square().sum((1, 2)) for weight, part in zip(weights, parts, strict=True)
            )
            for parts in (
                [a - b for a, b in zip(found.tangent.evidence, exact.tangent.evidence, strict=True)],
                exact.tangent.evidence,
            )
        )
        return float((apart / size).sqrt().median())

    def _likelihood(self, index: int, heights: Any, observed: Any, latents: Tensor) -> Tensor:
        decoder = self.networks.decoder
        height_mm = torch.from_numpy(heights).float() * self.open(index).height_step_mm
        expected = decoder(latents.float())
        return objective.log_likelihood(
            height_mm, torch.from_numpy(observed), expected, decoder.log_variance(), decoder.used
        )

    def _batches(self, pieces: list[Piece], rng: np.random.Generator) -> list[list[Piece]]:
        """Shuffle pieces and put those of one length together."""
        by_length: dict[int, list[Piece]] = {}
        for i in rng.permutation(len(pieces)):
            piece = pieces[int(i)]
            by_length.setdefault(piece.stop - piece.begin, []).append(piece)
        size = self.training.batch_windows
        found = [same[i : i + size] for same in by_length.values() for i in range(0, len(same), size)]
        return [found[int(i)] for i in rng.permutation(len(found))]

    def _natural_step(self, parameters: Any, found: "Gradient") -> Any:
        """Go a little towards what this batch, scaled up to all data, says of the prior."""
        whole = sum(len(one.values) for one in self.series)
        scale = whole / found.local.means[..., 0].numel()
        updated = self.prior.update(
            parameters,
            _scaled(found.local.statistics, scale),
            self.settings,
            rate=self.training.global_rate,
            cotangent=_scaled(found.tangent.statistics, scale),
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


class Gradient(NamedTuple):
    """What a step needs of one batch."""

    local: Local
    tangent: Any
    pixels: int


def _edges(local: Local, pieces: list[Piece]) -> dict[Piece, meanfield.Edges]:
    """Messages at the borders of one recording's pieces."""
    if not pieces:
        return {}
    begin, stop = (torch.tensor([getattr(p, name) for p in pieces]) for name in ("begin", "stop"))
    found = meanfield.edges_of(local.cache.potentials, local.cache.optimum, begin, stop)
    return {
        piece: meanfield.Edges(
            found.initial[i : i + 1],
            found.final[i : i + 1],
            (found.first[0][i : i + 1], found.first[1][i : i + 1]),
            (found.last[0][i : i + 1], found.last[1][i : i + 1]),
        )
        for i, piece in enumerate(pieces)
    }


def _join(edges: list[meanfield.Edges]) -> meanfield.Edges:
    return meanfield.Edges(
        torch.cat([e.initial for e in edges]),
        torch.cat([e.final for e in edges]),
        (torch.cat([e.first[0] for e in edges]), torch.cat([e.first[1] for e in edges])),
        (torch.cat([e.last[0] for e in edges]), torch.cat([e.last[1] for e in edges])),
    )


def _scaled(record: Any, factor: float) -> Any:
    """Every tensor of a record times a number."""
    return type(record)(
        *(_scaled(part, factor) if isinstance(part, tuple) else factor * part for part in record)
    )


def _schedule(step: int, total: int) -> float:
    """Share of the learning rate: a rise, then a cosine down to a hundredth."""
    rise = min(WARM_UP_STEPS, max(1, total // 10))
    if step < rise:
        return (step + 1) / rise
    fall = (step - rise) / max(1, total - rise)
    return LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(1.0, fall)))


def _keep(path: Path, identity: str, state: State) -> None:
    """Write the state whole or not at all."""
    tensors = files.flatten(state.parameters, "parameters.")
    if state.best is not None:
        tensors |= files.flatten(state.best, "best.")
    for name in ("weights", "moments", "best_weights"):
        tensors |= {f"{name}.{key}": value for key, value in getattr(state, name).items()}
    tensors |= {f"starts.{i}": start for i, start in enumerate(state.starts)}
    plain = ("epoch", "steps", "best_bound", "best_epoch", "best_usage", "history")
    values = {name: getattr(state, name) for name in plain}
    files.save(path, tensors, {"identity": identity, "joint": values})


def _resume(path: Path | None, identity: str, trainer: Trainer) -> State | None:
    """Read the state of the same training that was stopped, if there is one."""
    if path is None or not path.is_file():
        return None
    tensors, metadata = files.load(path)
    if metadata.get("identity") != identity or "joint" not in metadata:
        return None
    kind = trainer.prior.Parameters

    def named(prefix: str) -> dict[str, Tensor]:
        return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

    starts = named("starts.")
    log.info("training goes on after pass %d.", metadata["joint"]["epoch"])
    return State(
        parameters=files.restore(kind, tensors, "parameters."),
        weights=named("weights."),
        moments=named("moments."),
        best=files.restore(kind, tensors, "best."),
        best_weights=named("best_weights."),
        starts=[starts[str(i)] for i in range(len(starts))],
        **metadata["joint"],
    )
