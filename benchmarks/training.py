"""How fast are networks trained under the prior, compared with the same networks as a plain VAE?

A study is simulated as crops, and the shipped default is trained until joint training begins. Epochs
of joint training (a pass over whole recordings, and the steps) then alternate with epochs of a plain
VAE. It has the same crops, networks, windows and optimizer, independent latents N(0, I) and no
messages. It does not need the frames around a window; its pass over whole recordings encodes, samples
and scores as ours does. The comparison is made with discovery, which gives the states, and without,
where mean field infers them.

Only speed counts. Discovery and the training before the first epoch have few iterations and restarts,
so that the syllables are poor. Times are CPU times of one thread, medians over repeats; a frame counts
once per epoch. The first repeat compiles and is left out.

    python benchmarks/training.py [--animals 4] [--minutes 1] [--repeats 5]

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
from syllabary.svae import fitting, latent_evidence
from syllabary.svae.discovery import discovery
from syllabary.svae.networks import likelihood
from syllabary.svae.networks.autoencoder import create
from syllabary.svae.settings import ModelSettings
from syllabary.svae.training import clamped, em, gradients, windows
from syllabary.svae.training.fitted import Fitted
from syllabary.svae.training.joint import BATCH_WINDOWS, GRADIENT_NORM, JointTrainer
from syllabary.svae.training.recordings import TrainingRecordings
from syllabary.svae.training.schedule import learning_rate

SEED = 1
TARGET_S = 0.4
# That discovery ends with, so that it needs one fit.
SYLLABLES = 13
# Functions with messages: of the prior, and of windows.
PRIOR, BORDERS = (
    ("infer", "tangent", "update", "update_hyperparameters", "divergence"),
    ("boundary_of", "join"),
)


class Clock:
    """CPU seconds by name; nested timings count for the outer one only."""

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
        def run(*arguments: Any, **options: Any) -> Any:
            with self.of(name):
                return function(*arguments, **options)

        return run


class Structured:
    """Joint training of the shipped default, one epoch per call."""

    def __init__(self, trainer: JointTrainer, fitted: Fitted):
        self.trainer = trainer
        self.state = trainer.begin(fitted)
        self.epochs = trainer.epochs(self.state)

    def epoch(self) -> dict[str, float]:
        """Train for an epoch; return the CPU seconds of its parts."""
        clock, check, prior = Clock(), Clock(), self.trainer.prior
        through = gradients.through_optimum

        def watched(*arguments: Any, exact: bool = False, **options: Any) -> gradients.Gradient:
            with check.of("check" if exact else "steps"):
                return through(*arguments, exact=exact, **options)

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
    """The same networks without a prior on the dynamics of latents."""

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
        groups = windows.batches(cuts, BATCH_WINDOWS, rng)
        for group in groups:
            self._step(group, settings.epochs * len(groups), rng)
        self.turn += 1
        done = time.process_time()
        return {"epoch": done - begun, "steps": done - scored}

    @torch.no_grad()
    def _score(self, index: int) -> float:
        """Return the bound of a whole recording, from one sample."""
        trainer, (encoder, decoder) = self.trainer, self.trainer.networks
        crops, rng = trainer.recordings.open(index), generator(SEED, "plain", "score", index)
        values, information = trainer.recordings.reduced[index][:2]
        total = 0.0
        for start, heights, observed in crops.blocks(latent_evidence.BLOCK):
            rows = slice(start, start + len(heights))
            image = torch.from_numpy(heights).float() * crops.height_step_mm
            observed_pixels = torch.from_numpy(observed)
            potential = encoder(image, observed_pixels, values[rows], information[rows])
            total += float(
                _bound(
                    decoder,
                    image,
                    observed_pixels,
                    *potential,
                    trainer.recordings.subject_offsets[index],
                    rng,
                ).sum()
            )
        return total

    def _step(self, group: list[windows.Window], total: int, rng: np.random.Generator) -> None:
        trainer, (encoder, decoder) = self.trainer, self.trainer.networks
        images, observed, values, information, subject_offset = [], [], [], [], []
        for window in group:
            crops, rows = trainer.recordings.open(window.recording), slice(*window.scored)
            raw = crops.heights(rows.start, rows.stop)
            images.append(torch.from_numpy(raw).float() * crops.height_step_mm)
            observed.append(torch.from_numpy(crops.observed(rows.start, rows.stop)))
            values.append(trainer.recordings.reduced[window.recording][0][rows])
            information.append(trainer.recordings.reduced[window.recording][1][rows])
            subject_offset.append(
                trainer.recordings.subject_offsets[window.recording].expand_as(values[-1])
            )
        whole = [torch.cat(part) for part in (images, observed, values, information, subject_offset)]
        trainer.optimizer.zero_grad(set_to_none=True)
        scale = -1 / max(int(likelihood.scored_pixels(whole[1], decoder.used).sum()), 1)
        # The same number of frames at once as in joint training.
        for image, pixels, center, precision, offset in zip(
            *(part.split(gradients.AT_ONCE) for part in whole), strict=True
        ):
            bound = _bound(
                decoder, image, pixels, *encoder(image, pixels, center, precision), offset, rng
            )
            (scale * bound.sum()).backward()
        weights = [w for weight_group in trainer.optimizer.param_groups for w in weight_group["params"]]
        nn.utils.clip_grad_norm_(weights, GRADIENT_NORM)
        for weight_group in trainer.optimizer.param_groups:
            weight_group["lr"] = trainer.training.learning_rate * learning_rate(self.steps, total)
        trainer.optimizer.step()
        self.steps += 1


def _bound(
    decoder: nn.Module,
    image: torch.Tensor,
    observed: torch.Tensor,
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
    log_density = likelihood.log_likelihood(
        image,
        observed,
        decoder(drawn + subject_offset),
        decoder.log_variance(),
        decoder.used,
        decoder.outliers,
    )
    return log_density - divergence


def prepare(
    settings: ModelSettings, series: Mapping[str, LatentSeries], fps: float
) -> tuple[Fitted, dict[str, torch.Tensor] | None]:
    """Return the start of joint training and the state evidence, after few iterations."""
    few = {"restarts": 1, "iterations": 5}
    if settings.discovery is None:
        short = settings.training.model_copy(
            update={**few, "restart_iterations": 10, "latent_iterations": 10}
        )
        chosen = settings.model_copy(update={"training": short})
        return em.fit(series, chosen, target_duration_s=TARGET_S, fps=fps, seed=SEED), None
    short = settings.discovery.model_copy(update={**few, "syllables": SYLLABLES})
    discovered = discovery.find(series, short, target_duration_s=TARGET_S, fps=fps, seed=SEED)
    state_logits = {
        name: states.clamp(min=fitting.SMALLEST).log() for name, states in discovered.states.items()
    }
    fitted = clamped.fit(series, state_logits, settings, fps=fps, seed=SEED)
    return fitted, {name: logits[:, fitted.order] for name, logits in state_logits.items()}


def compare(
    title: str,
    settings: ModelSettings,
    study: studies.Study,
    chosen_reduction: reduction.Reduction,
    series: Mapping[str, LatentSeries],
    repeats: int,
) -> None:
    fitted, state_logits = prepare(settings, series, study.fps)
    paths = {name: study.path(name) for name in study.trained}
    # Two more epochs than needed, so that the generator does not end.
    longer = settings.training.model_copy(update={"epochs": repeats + 2})
    chosen = settings.model_copy(update={"training": longer})

    def trainer(state_logits: Mapping[str, torch.Tensor] | None) -> JointTrainer:
        networks = create(chosen, chosen_reduction.pca, generator(SEED, "benchmark", "networks"))
        width = len(chosen_reduction.pca.scale)
        recordings = TrainingRecordings(
            paths, series, state_logits, networks.encoder.max_precision, width
        )
        return JointTrainer(networks, recordings, chosen, study.fps, SEED)

    ours, plain = Structured(trainer(state_logits), fitted), Plain(trainer(None))
    times = []
    for repeat in range(repeats + 1):
        pair = ours.epoch(), plain.epoch()
        if repeat:
            times.append(pair)
        print(f"  turn {repeat}: ours {pair[0]}, plain {pair[1]}", flush=True)
    frames = sum(len(item.observed) for item in series.values())
    states = len(fitted.parameters.weights)
    case = f"{title}, K = {states}, D = {ours.trainer.recordings.series[0].values.shape[1]}"

    def put(measure: str, values: list[float], unit: str = "") -> None:
        value = float(np.median(values))
        print(f"{case}: {measure} {value:.3g} {unit}", flush=True)
        add("training", case, measure, value, unit)

    put("throughput of the structured VAE", [frames / a["epoch"] for a, _ in times], "frames/s")
    put("throughput of the plain VAE", [frames / b["epoch"] for _, b in times], "frames/s")
    put("ratio", [b["epoch"] / a["epoch"] for a, b in times])
    put("ratio, plain VAE without its pass", [b["steps"] / a["epoch"] for a, b in times])
    put("share of the check of the gradient, once an epoch", [a["check"] / a["epoch"] for a, _ in times])
    put("messages' share of an epoch", [a["messages"] / a["epoch"] for a, _ in times])
    put("turns of mean field, mean of steps", [ours.row["mean_field_iterations"]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--animals", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    shipped = Config().models["slds"]
    with tempfile.TemporaryDirectory() as scratch:
        study = studies.simulate(
            "nonlinear", SEED, options.animals, options.minutes, Path(scratch), held_out=0
        )
        paths = [study.path(name) for name in study.trained]
        reductions = reduction.fit(paths, ReduceSettings(), seed=SEED)
        chosen_reduction = reductions[reduction.REGISTERED].of_model(
            kinematics=shipped.kinematics, subject_offset=shipped.subject_offset
        )
        series = {}
        for name in study.trained:
            with study.crops(name) as recording:
                series[name] = chosen_reduction.latents(recording)
        print(f"registered: {chosen_reduction.template is not None}", flush=True)
        with one_thread("torch"):
            for title, change in (("shipped default", {}), ("without discovery", {"discovery": None})):
                compare(
                    title,
                    shipped.model_copy(update=change),
                    study,
                    chosen_reduction,
                    series,
                    options.repeats,
                )


if __name__ == "__main__":
    main()
