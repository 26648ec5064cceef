"""Are the kernels right on a GPU, to the bit in every run, and how fast?

    python benchmarks/gpu.py            all sizes, then times (three minutes)
    python benchmarks/gpu.py --one      one call of marginals
    NUMBA_ENABLE_CUDASIM=1 python benchmarks/gpu.py --tiny      the checks in numba's simulator

Every size is compared with plain NumPy in float64, a second run and a run on another stream with the
first, bit for bit. Times are medians of ten calls: of the wall, and of the device alone as its own
counters report it. The gap between the two is the host.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from syllabary.errors import SyllabaryError
from syllabary.messages import hmm, lds
from syllabary.messages.backends import cuda

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
DEVICE = "cpu" if SIMULATED else "cuda"
STATES, DIMENSIONS, FRAMES = (5, 25, 50, 100, 128, 200), (3, 10, 16, 32), 3000
TINY = (3,), (2,), 70
# Largest error relative to the largest entry: of a chain of thousands of frames.
ALLOWED = {torch.float32: 3e-4, torch.float64: 1e-9}
# Milliseconds on an H200 as gpu_predicted.py counts them, by problem.
PREDICTED = {
    "HMM, K = 100, T = 1e5": 0.78,
    "Gaussian, D = 10, T = 1e5": 0.75,
    "Viterbi, K = 100, T = 1e5": 0.54,
    "sample, K = 100, T = 1e5": 0.67,
}
REPEATS = 10


def chain(rng: np.random.Generator, frames: int, states: int) -> list[np.ndarray]:
    """Log potentials that stay nine times in ten, and evidence of some nats."""
    rows = 0.1 * rng.dirichlet(np.ones(states), states) + 0.9 * np.eye(states)
    return [
        np.log(np.full(states, 1 / states)),
        np.log(rows),
        2 * rng.standard_normal((frames, states)),
    ]


def gaussian_chain(rng: np.random.Generator, frames: int, size: int) -> list[np.ndarray]:
    """Precision, its lower blocks and h of a walk whose frames are observed."""
    step = np.linalg.qr(rng.standard_normal((size, size)))[0] * 0.95
    precision = np.tile(np.eye(size) * (1 + 1.0), (frames, 1, 1))
    precision[:-1] += step.T @ step
    return [precision, np.tile(-step, (frames - 1, 1, 1)), rng.standard_normal((frames, size))]


def smoothed(initial, transition, evidence) -> tuple[np.ndarray, np.ndarray, float]:
    """States, counts of steps, and log normalizer by forward and backward messages."""
    start, step = np.exp(initial), np.exp(transition)
    peaks = evidence.max(1, keepdims=True)
    likely = np.exp(evidence - peaks)
    ahead, back, scales = np.empty_like(likely), np.ones_like(likely), np.empty(len(likely))
    for t in range(len(likely)):
        message = (start if t == 0 else ahead[t - 1] @ step) * likely[t]
        scales[t] = message.sum()
        ahead[t] = message / scales[t]
    for t in range(len(likely) - 2, -1, -1):
        back[t] = step @ (likely[t + 1] * back[t + 1]) / scales[t + 1]
    after = likely[1:] * back[1:] / scales[1:, None]
    return ahead * back, step * (ahead[:-1].T @ after), float(np.log(scales).sum() + peaks.sum())


def best_path(initial, transition, evidence) -> np.ndarray:
    """Viterbi's, in the numbers' own precision; of equals the lowest."""
    scores = np.empty_like(evidence)
    for t in range(len(evidence)):
        score = initial if t == 0 else (scores[t - 1][:, None] + transition).max(0)
        scores[t] = score + evidence[t]
        scores[t] -= scores[t].max()
    path = np.empty(len(evidence), np.int64)
    path[-1] = scores[-1].argmax()
    for t in range(len(evidence) - 2, -1, -1):
        path[t] = (scores[t] + transition[:, path[t + 1]]).argmax()
    return path


def gaussian(precision, lower, linear) -> tuple[np.ndarray, np.ndarray]:
    """Means and covariances of a block tridiagonal Gaussian."""
    frames, size = linear.shape
    inverse, mean, gain = (
        np.empty_like(precision),
        np.empty_like(linear),
        np.empty((frames - 1, size, size)),
    )
    for t in range(frames):
        whole, vector = precision[t], linear[t]
        if t > 0:
            gain[t - 1] = lower[t - 1] @ inverse[t - 1]
            whole, vector = whole - gain[t - 1] @ lower[t - 1].T, vector - lower[t - 1] @ mean[t - 1]
        inverse[t] = np.linalg.inv(whole)
        mean[t] = inverse[t] @ vector
    for t in range(frames - 2, -1, -1):
        mean[t] -= gain[t].T @ mean[t + 1]
        inverse[t] += gain[t].T @ inverse[t + 1] @ gain[t]
    return mean, inverse


def tensors(parts: list[np.ndarray], dtype: torch.dtype) -> list[torch.Tensor]:
    return [torch.tensor(part, dtype=dtype, device=DEVICE) for part in parts]


def again(call: Callable[[], Any]) -> list[torch.Tensor]:
    """Results of a call, of which a second run and one on another stream have the same bits."""

    def parts() -> list[torch.Tensor]:
        result = call()
        parts = [result] if isinstance(result, torch.Tensor) else result
        return [part for part in parts if isinstance(part, torch.Tensor)]

    first, second = parts(), parts()
    others = [second]
    if DEVICE == "cuda":
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            others.append(parts())
        torch.cuda.synchronize()
    for other in others:
        for part, repeated in zip(first, other, strict=True):
            assert torch.equal(part.nan_to_num(), repeated.nan_to_num()), "another run has other bits"
    return first


def error(result: torch.Tensor, expected: np.ndarray | float) -> float:
    """Largest difference, relative to the largest entry."""
    expected = np.asarray(expected)
    return float(np.abs(result.cpu().double().numpy() - expected).max() / np.abs(expected).max())


def check_states(states: int, frames: int, dtype: torch.dtype) -> float:
    rng = np.random.default_rng(states)
    parts = tensors(chain(rng, frames, states), dtype)
    exact = [part.cpu().double().numpy() for part in parts]
    result = again(lambda: hmm.marginals(*parts, backend="cuda")[:4])
    expected = smoothed(*exact)
    worst = max(error(result[0], expected[0]), error(result[1], expected[1]))
    worst = max(worst, error(result[3], expected[2]))
    path = again(lambda: hmm.path(*parts, backend="cuda"))[0].cpu().numpy()
    same = best_path(*(part.cpu().numpy() for part in parts))
    assert np.array_equal(path, same), f"K = {states}: {np.sum(path != same)} frames of the path differ"
    uniform = np.random.default_rng
    drawn = again(lambda: hmm.sample(*parts, uniform(3), backend="cuda"))[0]
    likely = result[0].gather(1, drawn[:, None]).mean()
    assert abs(float(likely) - float((result[0] ** 2).sum(1).mean())) < 5 / np.sqrt(frames), "samples"
    return worst


def check_dimensions(size: int, frames: int, dtype: torch.dtype) -> float:
    rng = np.random.default_rng(size)
    parts = tensors(gaussian_chain(rng, frames, size), dtype)
    means, covariances = gaussian(*(part.cpu().double().numpy() for part in parts))
    result = again(lambda: lds.marginals(*parts, backend="cuda")[:2])
    draw = again(lambda: lds.sample(*parts, np.random.default_rng(3), backend="cuda"))[0]
    score = (draw.cpu().double().numpy() - means) ** 2 / covariances.diagonal(axis1=1, axis2=2)
    assert abs(score.mean() - 1) < 10 / np.sqrt(frames), f"D = {size}: samples spread by {score.mean()}"
    return max(error(result[0], means), error(result[1], covariances))


def check(sizes: tuple[tuple[int, ...], tuple[int, ...], int]) -> None:
    states, dimensions, frames = sizes
    print("| chain | numbers | worst relative error | allowed | first call, s |")
    print("| --- | --- | --- | --- | --- |")
    failed = []
    for letter, all_sizes, run in (("K", states, check_states), ("D", dimensions, check_dimensions)):
        for size in all_sizes:
            for dtype, allowed in ALLOWED.items():
                begun = time.perf_counter()
                name = f"{letter} = {size} | {str(dtype)[6:]}"
                try:
                    worst = run(size, frames, dtype)
                except (AssertionError, SyllabaryError, RuntimeError) as problem:
                    failed.append(f"{name}: {problem}")
                    worst = float("nan")
                took = time.perf_counter() - begun
                print(f"| {name} | {worst:.1e} | {allowed:.0e} | {took:.1f} |", flush=True)
                if worst > allowed:
                    failed.append(f"{name}: error {worst:.1e}")
    if failed:
        raise SystemExit("Wrong: " + "; ".join(failed))
    print("All sizes agree with NumPy, and every run has the bits of the first.")


def busy_seconds(call: Callable[[], object]) -> float:
    """Seconds that the device worked in a call."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        call()
        torch.cuda.synchronize()
    return 1e-6 * sum(event.self_device_time_total for event in profiled.key_averages())


def time_all() -> None:
    rng = np.random.default_rng(0)
    parts = tensors(chain(rng, 100_000, 100), torch.float32)
    latents = tensors(gaussian_chain(rng, 100_000, 10), torch.float32)
    problems: dict[str, Callable[[], object]] = {
        "HMM, K = 100, T = 1e5": lambda: hmm.marginals(*parts, backend="cuda"),
        "Gaussian, D = 10, T = 1e5": lambda: lds.marginals(*latents, backend="cuda"),
        "Viterbi, K = 100, T = 1e5": lambda: hmm.path(*parts, backend="cuda"),
        "sample, K = 100, T = 1e5": lambda: hmm.sample(*parts, rng, backend="cuda"),
    }
    print("\n| problem | wall, ms | device, ms | predicted, ms | device / predicted |")
    print("| --- | --- | --- | --- | --- |")
    for name, call in problems.items():
        call()
        walls = []
        for _ in range(REPEATS):
            torch.cuda.synchronize()
            begun = time.perf_counter()
            call()
            torch.cuda.synchronize()
            walls.append(time.perf_counter() - begun)
        device = 1e3 * busy_seconds(call)
        ratio = device / PREDICTED[name]
        row = f"{1e3 * np.median(walls):.2f} | {device:.2f} | {PREDICTED[name]} | {ratio:.1f}"
        print(f"| {name} | {row} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", action="store_true", help="one call of marginals and no more")
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes, and no times")
    options = parser.parse_args()
    if not cuda.available():
        raise SystemExit(
            "gpu.py needs an NVIDIA GPU and numba-cuda, and torch or numba-cuda finds none here: "
            "install syllabary[gpu], or run --tiny with NUMBA_ENABLE_CUDASIM=1."
        )
    if options.one:
        begun = time.perf_counter()
        worst = check_states(5, 500, torch.float32)
        print(f"marginals, a path and a sample: error {worst:.1e}, {time.perf_counter() - begun:.1f} s")
        return
    if SIMULATED:
        # Threads of the simulator hand the interpreter on at every barrier: 15 times as fast so.
        sys.setswitchinterval(5e-5)
    check(TINY if options.tiny or SIMULATED else (STATES, DIMENSIONS, FRAMES))
    if not SIMULATED and not options.tiny:
        time_all()


if __name__ == "__main__":
    main()
