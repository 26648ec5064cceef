"""How many times as fast as a loop of torch's operations is the filter of a switching model?

    python benchmarks/messages/filter.py [--states 20 50] [--frames 5120]

The loop takes all windows of a recording at once, frame by frame, as the filter did before it was a
kernel. Sizes are those of the shipped default: 13 latents and 3 lags, and windows of 320 frames.
Both take turns on one thread; what counts is the ratio of CPU times. Rows are added to
benchmarks/results.csv.
"""

# ruff: noqa: E402  (libraries count their threads when they are imported)
import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

for _name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ[f"{_name}_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from results import add

from syllabary.messages import switching

LATENTS, LAGS, WINDOW, FRAMES, HOUR = 13, 3, 320, 16 * 320, 108_000


def model_of(states: int, rng: np.random.Generator) -> switching.SwitchingModel:
    """Return states that last half a second and move in their own ways, tensors of float64."""
    rows = 0.93 * np.eye(states) + 0.07 * rng.dirichlet(np.ones(states), states)
    weights = 0.01 * rng.standard_normal((states, LATENTS, LAGS * LATENTS))
    weights[:, :, :LATENTS] += 0.9 * np.eye(LATENTS)
    factor = rng.standard_normal((states, LATENTS, LATENTS)) / LATENTS**0.5
    noise = 0.02 * (factor @ factor.swapaxes(1, 2) + 0.2 * np.eye(LATENTS))
    parts = (
        np.full(states, 1 / states),
        rows,
        weights,
        0.1 * rng.standard_normal((states, LATENTS)),
        noise,
    )
    start = switching.Start(torch.zeros(LATENTS).double(), torch.eye(LATENTS).double())
    return switching.SwitchingModel(*map(torch.from_numpy, parts), start)


def evidence_of(
    model: switching.SwitchingModel, frames: int, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return roots of precisions and means (N, T, D) drawn from the model, 30 % of frames missing."""
    count, states = frames // WINDOW, np.zeros(frames // WINDOW, int)
    latents = np.zeros((count, WINDOW + LAGS, LATENTS))
    factor = np.linalg.cholesky(model.noise.numpy())
    cumulated = model.rows.numpy().cumsum(1)
    for t in range(LAGS, WINDOW + LAGS):
        states = np.minimum((rng.random((count, 1)) > cumulated[states]).sum(1), len(cumulated) - 1)
        past = latents[:, t - LAGS : t][:, ::-1].reshape(count, -1, 1)
        drawn = factor[states] @ rng.standard_normal((count, LATENTS, 1))
        moved = (model.weights.numpy()[states] @ past + drawn)[..., 0]
        latents[:, t] = moved + model.offsets.numpy()[states]
    observed = np.repeat(rng.random((count, WINDOW // 5)) > 0.3, 5, axis=1)
    root = np.where(observed[..., None], 300.0**0.5, 0.0) * np.ones(LATENTS)
    noise = rng.standard_normal((count, WINDOW, LATENTS)) / 300.0**0.5
    means = np.where(observed[..., None], latents[:, LAGS:] + noise, 0.0)
    return torch.from_numpy(root), torch.from_numpy(means)


def loop(model: switching.SwitchingModel, root: torch.Tensor, means: torch.Tensor) -> torch.Tensor:
    """Return log densities (N, T), by torch's operations on all sequences and states of a frame."""
    _, rows, weights, offsets, noise, start = model
    (count, frames, size), kept = means.shape, weights.shape[-1] - means.shape[-1]
    states = model.first.expand(count, -1)
    density = means.new_zeros((count, frames))
    center = start.mean.repeat(LAGS).expand(count, 1, -1)
    spread = start.covariance.repeat(LAGS, LAGS).expand(count, 1, -1, -1)
    for t in range(frames):
        if t:
            states = states @ rows
            moved = weights @ spread
            inner, old = (
                moved @ weights.mT + noise,
                spread[..., :kept, :kept].expand(*moved.shape[:2], -1, -1),
            )
            across, low = moved[..., :kept], center[..., :kept].expand(*moved.shape[:2], -1)
            center = torch.cat([(weights @ center[..., None])[..., 0] + offsets, low], -1)
            spread = torch.cat([torch.cat([inner, across], -1), torch.cat([across.mT, old], -1)], -2)
        share = root[:, t, None]
        inner = share[..., :, None] * spread[..., :size, :size] * share[..., None, :]
        factor = torch.linalg.cholesky(inner + torch.eye(size).to(inner))
        apart = share * (means[:, t, None] - center[..., :size])
        right = torch.cat([apart[..., None], share[..., None] * spread[..., :size, :]], -1)
        solved = torch.linalg.solve_triangular(factor, right, upper=False)
        surprise, gain = solved[..., 0], solved[..., 1:]
        score = -0.5 * surprise.square().sum(-1) - factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        joint = states.log() + score
        density[:, t], states = torch.logsumexp(joint, -1), torch.softmax(joint, -1)
        center = center + (gain.mT @ surprise[..., None])[..., 0]
        spread = spread - gain.mT @ gain
        weight = states[..., None] if center.shape[1] > 1 else torch.ones_like(states[:, :1, None])
        mean = (weight * center).sum(1, keepdim=True)
        apart = center - mean
        spread = (weight[..., None] * (spread + apart[..., :, None] * apart[..., None, :])).sum(1, True)
        center, spread = mean, (spread + spread.mT) / 2
    return density


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--states", type=int, nargs="+", default=[20, 50])
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for states in options.states:
        report(states, options.frames, options.rounds)


def report(states: int, frames: int, rounds: int) -> None:
    """Time both, print a line, keep rows."""
    rng = np.random.default_rng(0)
    model = model_of(states, rng)
    root, means = evidence_of(model, frames, rng)

    def ours() -> torch.Tensor:
        return switching.filter(model, root, means).log_density

    def theirs() -> torch.Tensor:
        return loop(model, root, means)

    apart = float((ours() - theirs()).abs().max())
    seconds = np.array([[cpu_time(solve) for solve in (ours, theirs)] for _ in range(rounds)])
    kernel, loops = np.median(seconds, 0) / root.shape[:2].numel()
    ratios = seconds[:, 1] / seconds[:, 0]
    case = f"switching filter, K = {states}, D = {LATENTS}, {LAGS} lags, 30 % missing"
    print(
        f"{case}: ours {1e6 * kernel:.1f} us/frame ({kernel * HOUR:.1f} s an hour), loop "
        f"{1e6 * loops:.1f}: {np.median(ratios):.1f} times as fast ({ratios.min():.1f} to "
        f"{ratios.max():.1f}); log densities differ by {apart:.0e} nats at most",
        flush=True,
    )
    add("messages", case, "time", 1e6 * kernel, "us/frame")
    add("messages", case, "time", 1e6 * loops, "us/frame", "loop of torch")
    add("messages", case, "times as fast", float(np.median(ratios)), "", "loop of torch")


def cpu_time(solve: Callable[[], torch.Tensor]) -> float:
    """Of one call, s."""
    begun = time.process_time()
    solve()
    return time.process_time() - begun


if __name__ == "__main__":
    main()
