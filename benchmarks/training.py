"""What does the switching prior cost in training, beside the same networks as a plain VAE?

One epoch of joint training of the shipped default, of pieces of simulated recordings, and one of the
same networks on the same frames with independent standard normal latents, in turn, in process CPU time
of one thread. The share of message passing is the time in ``infer``, ``tangent`` and ``update`` of the
prior. States are told by a recogniser as in the shipped model, and found by mean field in the second
row; what is told is made up, for only the time counts.

    python benchmarks/training.py [--animals 4] [--minutes 1] [--repeats 3]
"""

import argparse
import functools
import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from recovery.studies import simulate

from syllabary.study import Config
from syllabary.svae import autoencoder, joint, objective, reduction, settling
from syllabary.svae.settings import ReduceSettings

STATES = 17


def clocked(function, spent):
    """The function, its CPU seconds added to ``spent``."""

    @functools.wraps(function)
    def run(*args, **kwargs):
        start = time.process_time()
        try:
            return function(*args, **kwargs)
        finally:
            spent[0] += time.process_time() - start

    return run


def plain_step(trainer, group, batch, core):
    """One step of a VAE with N(0, 1) latents, and Gaussian evidence of the encoder, on core frames."""
    trainer.optimizer.zero_grad(set_to_none=True)
    trimmed = batch._replace(
        heights=batch.heights[core][None], observed=batch.observed[core][None], core=core
    )
    pieces = [
        tuple(part[one.begin : one.stop] for part in trainer.known[one.recording]) for one in group
    ]
    values, information = (torch.stack(part)[core] for part in list(zip(*pieces, strict=True))[:2])
    mean, precision = trainer.networks.encoder(
        trimmed.heights[0], trimmed.observed[0], values, information
    )
    covariance = 1 / (1 + precision.double())
    location = covariance * precision * mean
    drawn = location + covariance.sqrt() * batch.normals[core]
    divergence = 0.5 * (covariance + location**2 - 1 - covariance.log()).sum()
    build = (torch.zeros_like(batch.normals) + batch.build)[core]
    decoder = trainer.networks.decoder
    likelihood = objective.log_likelihood(
        trimmed.heights[0], trimmed.observed[0], decoder(drawn + build), decoder.log_variance(),
        decoder.used, decoder.outliers,
    )  # fmt: skip
    loss = -(likelihood.sum() - divergence) / max(int(trimmed.observed.sum()), 1)
    loss.backward()
    weights = [w for part in trainer.optimizer.param_groups for w in part["params"]]
    torch.nn.utils.clip_grad_norm_(weights, trainer.training.gradient_norm)
    trainer.optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--animals", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    settings = Config().models["slds"]
    with tempfile.TemporaryDirectory() as folder:
        study = simulate("nonlinear", 1, given.animals, given.minutes, Path(folder))
        paths = {name: study.path(name) for name in study.recordings}
        way = reduction.fit(list(paths.values()), ReduceSettings(frames=4000), seed=1)
        way = way[reduction.REGISTERED].of_model(settings)
        series, said = {}, {}
        rng = np.random.default_rng(1)
        for name in paths:
            with study.crops(name) as crops:
                series[name] = way.latents(crops)
            ticks = len(series[name].observed)
            path = np.repeat(rng.integers(STATES, size=ticks // 8 + 1), 8)[:ticks]
            said[name] = torch.from_numpy(np.log(0.9 * np.eye(STATES)[path] + 0.1 / STATES))
        fitted = settling.fit(series, said, settings, fps=study.fps, seed=1)
        print(f"{given.animals} animals of {given.minutes:g} min, K = {STATES}, D = {way_size(series)}")
        for title, told in (("states told", said), ("states by mean field", None)):
            measure(title, told, fitted, paths, series, settings, way, study.fps, given.repeats)


def way_size(series) -> int:
    return next(iter(series.values())).values.shape[1]


def measure(title, told, fitted, paths, series, settings, way, fps, repeats) -> None:
    networks = autoencoder.build(settings, way.pca, np.random.default_rng(1))
    trainer = joint.Trainer(networks, paths, series, settings, way.pca, fps, 1, told)
    spent, steps = [0.0], []
    real = trainer.prior
    wrapped = {name: clocked(getattr(real, name), spent) for name in ("infer", "tangent", "update")}
    names = {name: getattr(real, name) for name in dir(real) if not name.startswith("__")}
    trainer.prior = SimpleNamespace(**{**names, **wrapped})
    load = trainer.load

    def kept(state, group, edges, rng):
        batch = load(state, group, edges, rng)
        steps.append((group, batch))
        return batch

    trainer.load = kept
    state = trainer.begin(fitted)
    epochs = trainer.epochs(state)
    switching, shares, plain = [], [], []
    with joint.one_thread():
        for repeat in range(repeats + 1):
            steps.clear()
            spent[0], start = 0.0, time.process_time()
            next(epochs)
            epoch, messages = time.process_time() - start, spent[0]
            # The plain one reads its crops too, and passes over whole recordings to score them.
            start = time.process_time()
            rng = np.random.default_rng(repeat)
            for group, _ in steps:
                batch = load(state, group, trainer_edges(steps, group), rng)
                plain_step(trainer, group, batch, batch.core)
            whole_plain(trainer)
            other = time.process_time() - start
            if repeat:
                switching.append(epoch), shares.append(messages / epoch), plain.append(other)
    frames = trainer.frames
    ratio = statistics.median(b / a for a, b in zip(switching, plain, strict=True))
    print(
        f"{title}: {frames / statistics.median(switching):.0f} frames/s, plain VAE "
        f"{frames / statistics.median(plain):.0f}; throughput ratio {ratio:.2f} (goal 0.7), messages "
        f"{statistics.median(shares):.0%} of an epoch (goal 50 %)",
        flush=True,
    )


def trainer_edges(steps, group):
    """Edges of a batch, as the epoch kept them; a plain VAE has no use for them."""
    from syllabary.messages import meanfield

    batch = next(batch for other, batch in steps if other is group)
    parts = batch.edges
    return {
        piece: meanfield.Edges(
            parts.initial[i : i + 1], parts.final[i : i + 1],
            tuple(part[i : i + 1] for part in parts.first),
            tuple(part[i : i + 1] for part in parts.last),
        )
        for i, piece in enumerate(group)
    }  # fmt: skip


@torch.no_grad()
def whole_plain(trainer) -> None:
    """Encode and score whole recordings, as the pass at the beginning of an epoch does."""
    from syllabary.svae import potentials

    for index, one in enumerate(trainer.series):
        evidence = potentials.of_crops(trainer.networks.encoder, trainer.open(index), one)
        covariance = torch.diag_embed(1 / (1 + evidence.precision))
        trainer.score(index, SimpleNamespace(means=evidence.mean.nan_to_num(), covariances=covariance))


if __name__ == "__main__":
    main()
