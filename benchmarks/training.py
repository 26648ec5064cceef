"""How fast are networks trained under the prior, against the same networks as a plain VAE?

A study is simulated as crops; the shipped default finds its syllables and settles, then an epoch of its
joint training (the pass over whole recordings, and the steps) takes turns with an epoch of a plain VAE:
the same crops, networks, pieces and optimizer, the latents of each frame independent N(0, I), no
messages. The VAE has no need of the frames around a piece and does not see them; its own pass over
whole recordings encodes, draws and scores as ours does. Once with discovery, whose recognizer tells the
states, and once without, where mean field finds them.

Only speed counts: discovery and the training before the first epoch have few sweeps and restarts, so
that the syllables are poor, and their number is what this leaves. Process CPU time of one thread, a
frame counted once an epoch, the median over turns; the first turn, which compiles, is left out.

    python benchmarks/training.py [--animals 4] [--minutes 1] [--turns 5]

Rows are added to benchmarks/results.csv.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from recovery import studies
from results import add
from torch import nn

from syllabary.machine import one_thread
from syllabary.provenance import generator
from syllabary.reduction import reduction
from syllabary.reduction.latents import LatentSeries
from syllabary.reduction.settings import ReduceSettings
from syllabary.study import Config
from syllabary.svae import latent_evidence
from syllabary.svae.discovery import discovery
from syllabary.svae.networks import likelihood
from syllabary.svae.networks.autoencoder import create
from syllabary.svae.settings import ModelSettings
from syllabary.svae.training import clamped, em, gradients, windows
from syllabary.svae.training.fitted import Fitted
from syllabary.svae.training.joint import JointTrainer
from syllabary.svae.training.recordings import TrainingRecordings
from syllabary.svae.training.schedule import learning_rate

SEED = 1
TARGET_S = 0.4
# Of what passes messages: of the prior, and of the pieces.
PRIOR, BORDERS = (
    ("infer", "tangent", "update", "update_hyperparameters", "divergence"),
    ("boundary_of", "join"),
)


class Clock:
    """CPU seconds by name; what is timed inside something timed counts for the outer one alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.running = False

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        if self.running:
            yield
            return
        self.running, begun = True, time.process_time()
        try:
            yield
        finally:
            self.running = False
            self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - begun

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **options: Any) -> Any:
            with self.of(name):
                return function(*given, **options)

        return run


class Structured:
    """Joint training as it is shipped, an epoch at a time."""

    def __init__(self, trainer: JointTrainer, fitted: Fitted):
        self.trainer = trainer
        self.state = trainer.begin(fitted)
        self.epochs = trainer.epochs(self.state)

    def epoch(self) -> dict[str, float]:
        """Train for an epoch; return the CPU seconds of its parts."""
        clock, check, prior = Clock(), Clock(), self.trainer.prior
        through = gradients.through_optimum

        def watched(*given: Any, exact: bool = False, **options: Any) -> gradients.Gradient:
            with check.of("check" if exact else "steps"):
                return through(*given, exact=exact, **options)

        with (
            mock.patch.multiple(prior, **{n: clock.timed("messages", getattr(prior, n)) for n in PRIOR}),
            mock.patch.multiple(
                windows, **{n: clock.timed("messages", getattr(windows, n)) for n in BORDERS}
            ),
            mock.patch.object(gradients, "through_optimum", watched),
        ):
            begun = time.process_time()
            cuts, trainer = next(self.epochs), self.trainer
            self.row = trainer.advance(self.state, cuts, trainer.infer_whole(self.state, cuts))
            return {"epoch": time.process_time() - begun, **clock.seconds, **check.seconds}


class Plain:
    """The same networks, without a prior on how latents move."""

    def __init__(self, trainer: JointTrainer):
        self.trainer, self.turn, self.steps = trainer, 0, 0

    def epoch(self) -> dict[str, float]:
        """Train for an epoch; return the CPU seconds of its parts."""
        begun = time.process_time()
        for index in range(len(self.trainer.recordings.series)):
            self._score(index)
        scored = time.process_time()
        trainer, settings = self.trainer, self.trainer.training
        rng = generator(SEED, "plain", self.turn)
        lengths = trainer.recordings.lengths()
        cuts = windows.cut(lengths, settings.window_frames, settings.buffer_frames, rng)
        groups = windows.batches(cuts, settings.batch_windows, rng)
        for group in groups:
            self._step(group, settings.epochs * len(groups), rng)
        self.turn += 1
        done = time.process_time()
        return {"epoch": done - begun, "steps": done - scored}

    @torch.no_grad()
    def _score(self, index: int) -> float:
        """The bound of a whole recording, of one draw."""
        trainer, (encoder, decoder) = self.trainer, self.trainer.networks
        crops, rng = trainer.recordings.open(index), generator(SEED, "plain", "score", index)
        values, information = trainer.recordings.reduced[index][:2]
        total = 0.0
        for start, heights, observed in crops.blocks(latent_evidence.BLOCK):
            rows = slice(start, start + len(heights))
            image = torch.from_numpy(heights).float() * crops.height_step_mm
            seen = torch.from_numpy(observed)
            given = encoder(image, seen, values[rows], information[rows])
            total += float(
                _bound(
                    decoder, image, seen, *given, trainer.recordings.subject_offsets[index], rng
                ).sum()
            )
        return total

    def _step(self, group: list[windows.Window], total: int, rng: np.random.Generator) -> None:
        trainer, (encoder, decoder) = self.trainer, self.trainer.networks
        images, seens, values, information, subject_offset = [], [], [], [], []
        for piece in group:
            crops, rows = trainer.recordings.open(piece.recording), slice(*piece.scored)
            raw = crops.heights(rows.start, rows.stop)
            images.append(torch.from_numpy(raw).float() * crops.height_step_mm)
            seens.append(torch.from_numpy(crops.observed(rows.start, rows.stop)))
            values.append(trainer.recordings.reduced[piece.recording][0][rows])
            information.append(trainer.recordings.reduced[piece.recording][1][rows])
            subject_offset.append(
                trainer.recordings.subject_offsets[piece.recording].expand_as(values[-1])
            )
        whole = [torch.cat(part) for part in (images, seens, values, information, subject_offset)]
        trainer.optimizer.zero_grad(set_to_none=True)
        scale = -1 / max(int(likelihood.scored_pixels(whole[1], decoder.used).sum()), 1)
        # As many frames at once as in ours.
        for image, seen, center, told, own in zip(
            *(part.split(gradients.AT_ONCE) for part in whole), strict=True
        ):
            bound = _bound(decoder, image, seen, *encoder(image, seen, center, told), own, rng)
            (scale * bound.sum()).backward()
        weights = [w for one in trainer.optimizer.param_groups for w in one["params"]]
        nn.utils.clip_grad_norm_(weights, trainer.training.gradient_norm)
        for one in trainer.optimizer.param_groups:
            one["lr"] = trainer.training.learning_rate * learning_rate(self.steps, total)
        trainer.optimizer.step()
        self.steps += 1


def _bound(
    decoder: nn.Module,
    image: torch.Tensor,
    seen: torch.Tensor,
    mean: torch.Tensor,
    precision: torch.Tensor,
    subject_offset: torch.Tensor,
    rng: np.random.Generator,
) -> torch.Tensor:
    """Bound (N) of frames whose latents are independent.

    The potential of a frame and N(0, I) make its posterior, as in the structured model.
    """
    whole = precision.double() + 1
    center = precision * mean / whole
    drawn = center + torch.from_numpy(rng.standard_normal(tuple(mean.shape))) / whole.sqrt()
    divergence = 0.5 * (1 / whole + center.square() - 1 + whole.log()).sum(-1)
    found = likelihood.log_likelihood(
        image,
        seen,
        decoder(drawn + subject_offset),
        decoder.log_variance(),
        decoder.used,
        decoder.outliers,
    )
    return found - divergence


def prepare(
    settings: ModelSettings, series: Mapping[str, LatentSeries], fps: float
) -> tuple[Fitted, dict[str, torch.Tensor] | None]:
    """What joint training begins with, by few sweeps."""
    few = {"restarts": 1, "iterations": 5}
    if settings.discovery is None:
        short = settings.training.model_copy(
            update={**few, "restart_iterations": 10, "latent_iterations": 10}
        )
        chosen = settings.model_copy(update={"training": short})
        return em.fit(series, chosen, target_duration_s=TARGET_S, fps=fps, seed=SEED), None
    learner = settings.discovery.classifier.model_copy(update={"epochs": 1})
    short = settings.discovery.model_copy(update={**few, "rounds": 0, "classifier": learner})
    found = discovery.find(series, short, target_duration_s=TARGET_S, fps=fps, seed=SEED)
    state_logits = {name: torch.from_numpy(one) for name, one in found.evidence.items()}
    fitted = clamped.fit(series, state_logits, settings, fps=fps, seed=SEED)
    return fitted, {name: one[:, fitted.order] for name, one in state_logits.items()}


def compare(
    title: str,
    settings: ModelSettings,
    study: studies.Study,
    way: reduction.Reduction,
    series: Mapping[str, LatentSeries],
    turns: int,
) -> None:
    fitted, state_logits = prepare(settings, series, study.fps)
    paths = {name: study.path(name) for name in study.trained}
    # So many epochs that the generator never ends.
    longer = settings.training.model_copy(update={"epochs": turns + 2})
    chosen = settings.model_copy(update={"training": longer})

    def trainer(told: Mapping[str, torch.Tensor] | None) -> JointTrainer:
        networks = create(chosen, way.pca, generator(SEED, "benchmark", "networks"))
        width = len(way.pca.scale)
        recordings = TrainingRecordings(paths, series, told, networks.encoder.max_precision, width)
        return JointTrainer(networks, recordings, chosen, study.fps, SEED)

    ours, plain = Structured(trainer(state_logits), fitted), Plain(trainer(None))
    found = []
    for turn in range(turns + 1):
        pair = ours.epoch(), plain.epoch()
        if turn:
            found.append(pair)
        print(f"  turn {turn}: ours {pair[0]}, plain {pair[1]}", flush=True)
    frames = sum(len(one.observed) for one in series.values())
    states = len(fitted.parameters.weights)
    case = f"{title}, K = {states}, D = {ours.trainer.recordings.series[0].values.shape[1]}"

    def put(measure: str, values: list[float], unit: str = "") -> None:
        value = float(np.median(values))
        print(f"{case}: {measure} {value:.3g} {unit}", flush=True)
        add("training", case, measure, value, unit)

    put("throughput of the structured VAE", [frames / a["epoch"] for a, _ in found], "frames/s")
    put("throughput of the plain VAE", [frames / b["epoch"] for _, b in found], "frames/s")
    put("ratio", [b["epoch"] / a["epoch"] for a, b in found])
    put("ratio, plain VAE without its pass", [b["steps"] / a["epoch"] for a, b in found])
    put("share of the check of the gradient, once an epoch", [a["check"] / a["epoch"] for a, _ in found])
    put("messages' share of an epoch", [a["messages"] / a["epoch"] for a, _ in found])
    put("turns of mean field, mean of steps", [ours.row["turns"]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--animals", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--turns", type=int, default=5)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    shipped = Config().models["slds"]
    with tempfile.TemporaryDirectory() as scratch:
        study = studies.simulate(
            "nonlinear", SEED, asked.animals, asked.minutes, Path(scratch), held_out=0
        )
        paths = [study.path(name) for name in study.trained]
        found = reduction.fit(paths, ReduceSettings(), seed=SEED)
        way = found[reduction.REGISTERED].of_model(shipped)
        series = {}
        for name in study.trained:
            with study.crops(name) as recording:
                series[name] = way.latents(recording)
        print(f"registered: {way.template is not None}", flush=True)
        with one_thread("torch"):
            for title, change in (("shipped default", {}), ("without discovery", {"discovery": None})):
                compare(
                    title, shipped.model_copy(update=change), study, way, series, asked.local_iterations
                )


if __name__ == "__main__":
    main()
