"""What limits message passing: length, memory, threads, slow chains, compilation. No peer is needed.

    python benchmarks/messages/limits.py                    everything, some minutes
    python benchmarks/messages/limits.py length memory

length: time per frame of one chain of 25 states, from 1,000 frames to --longest.
memory: peak above the inputs, as a multiple of the outputs; each in a process of its own.
derivatives: time beside the pass they belong to.
slow: chains that hardly mix, beside the same in one pass.
threads: one process of two threads beside two processes of one, at the same time.
start: from nothing to the first answer, with an empty cache of compiled kernels and with a full one.

Times are CPU times, but for threads, which is by wall time. Rows are added to results.csv.
"""

# ruff: noqa: E402  (libraries count their threads when they are imported)
import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for _name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ[f"{_name}_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from results import add

from syllabary.machine import keep_freed
from syllabary.messages import hmm, lds
from syllabary.messages.backends.cpu.hmm import chunks as hmm_chunks
from syllabary.messages.backends.cpu.lds import chunks as lds_chunks

ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    choices = {
        "length": length, "memory": memory, "derivatives": derivatives, "slow": slow, "threads": threads,
        "start": start,
    }  # fmt: skip
    parser.add_argument("questions", nargs="*", metavar="question", help=", ".join(choices))
    parser.add_argument("--longest", type=int, default=10_000_000)
    parser.add_argument("--inside", help=argparse.SUPPRESS)  # what a process of its own does
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.inside:
        exec_inside(arguments.inside)
        return
    keep_freed()
    for name in arguments.questions or choices:
        if name not in choices:
            parser.error(f"no question {name!r}; known are {', '.join(choices)}")
        if name == "length":
            length(arguments.longest)
        else:
            choices[name]()


def report(case: str, measure: str, value: float, unit: str = "") -> None:
    print(f"{case}: {measure} {value:.3g} {unit}".rstrip(), flush=True)
    add("messages", case, measure, value, unit)


def discrete(frames: int, states: int, *, stay: float = 0.9, nats: float = 2.0) -> tuple:
    """First states and transitions as logs, and evidence."""
    rng = np.random.default_rng(1)
    rows = (1 - stay) / states + stay * np.eye(states)
    evidence = rng.standard_normal((frames, states), np.float32) * np.float32(nats)
    return np.zeros(states), np.log(rows), torch.from_numpy(evidence)


def gaussian(frames: int, size: int, *, observed: float = 1.4) -> tuple:
    """Potentials of a rotation with noise."""
    rng = np.random.default_rng(2)
    turn = 0.99 * np.linalg.qr(rng.standard_normal((size, size)))[0]
    ours = np.eye(size) + turn.T @ turn + observed * np.eye(size)
    precision = np.broadcast_to(ours, (frames, size, size)).astype(np.float32)
    lower = np.broadcast_to(-turn, (frames - 1, size, size)).astype(np.float32)
    linear = rng.standard_normal((frames, size)).astype(np.float32)
    return tuple(torch.from_numpy(np.ascontiguousarray(part)) for part in (precision, lower, linear))


def cpu_time(*runs: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """Medians of works that take turns, s."""
    seconds: list[list[float]] = [[] for _ in runs]
    for run in runs:
        run()
    for _ in range(rounds):
        for some, run in zip(seconds, runs, strict=True):
            begun = time.process_time()
            run()
            some.append(time.process_time() - begun)
    return [float(np.median(some)) for some in seconds]


def length(longest: int) -> None:
    frames = 1000
    while frames <= longest:
        chain = discrete(frames, 25)
        (seconds,) = cpu_time(lambda chain=chain: hmm.marginals(*chain), rounds=3 if frames > 1e6 else 9)
        report(f"HMM, K = 25, {frames} frames", "time", 1e6 * seconds / frames, "us/frame")
        frames *= 10


def memory() -> None:
    for case in ("hmm-100", "hmm-100-sums", "smoother-10"):
        run = [sys.executable, __file__, "--inside", case]
        finished = subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
        peak, outputs = float(finished[-2]), float(finished[-1])
        report(f"{case}, 100000 frames", "peak above inputs", peak, "MB")
        if outputs:
            report(f"{case}, 100000 frames", "peak above inputs over outputs", peak / outputs)


def exec_inside(case: str) -> None:
    """Print the peak of a call above what was there before it, and the size of its outputs, MB."""
    if case == "start":
        begun = time.process_time()
        hmm.marginals(*discrete(100, 5))
        lds.marginals(*gaussian(100, 3))
        print(time.process_time() - begun)
        return
    if case.startswith("throughput"):
        _, count, begin = case.split(",")
        torch.set_num_threads(int(count))
        keep_freed()
        chain, other = discrete(100_000, 100), gaussian(100_000, 10)
        hmm.marginals(*chain), lds.marginals(*other)
        while time.time() < float(begin):
            time.sleep(0.001)
        for run in (lambda: hmm.marginals(*chain), lambda: lds.marginals(*other)):
            begun = time.perf_counter()
            for _ in range(8):
                run()
            print(time.perf_counter() - begun)
        return
    if case.startswith("hmm"):
        chain, warm = discrete(100_000, 100), discrete(200, 100)
        keep = "sums" if case.endswith("sums") else "all"
        hmm.marginals(*warm, keep=keep)
        before = reset_peak()
        result = hmm.marginals(*chain, keep=keep)
        outputs = 0 if result.states is None else result.states.nbytes + result.log_scales.nbytes
    else:
        chain = gaussian(100_000, 10)
        lds.marginals(*gaussian(200, 10))
        before = reset_peak()
        moments = lds.marginals(*chain)
        outputs = sum(part.nbytes for part in (moments.means, moments.covariances, moments.cross))
    print(peak() - before, outputs / 1e6)


def reset_peak() -> float:
    """Forget the peak so far; what is resident now, MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> float:
    """Most memory that was resident, MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def derivatives() -> None:
    for states in (25, 100):
        chain = discrete(100_000, states)
        result = hmm.marginals(*chain, cache=True)
        change = torch.ones_like(result.states)
        both = cpu_time(
            lambda chain=chain: hmm.marginals(*chain, cache=True),
            lambda chain=chain, result=result, change=change: hmm.tangent(chain[1], result, change),
        )
        report(f"HMM, K = {states}", "derivative over the pass", both[1] / both[0])
    chain = gaussian(100_000, 10)
    moments = lds.marginals(*chain, cache=True)
    change = [torch.ones_like(part) for part in (moments.covariances, moments.cross, moments.means)]
    both = cpu_time(lambda: lds.marginals(*chain, cache=True), lambda: lds.tangent(moments, *change))
    report("Gaussian chain, D = 10", "derivative over the pass", both[1] / both[0])


def slow() -> None:
    def whole_sequence(module: object, run: Callable[[], object]) -> Callable[[], object]:
        def whole() -> object:
            before = module.cut
            module.cut = lambda frames, together: np.array([0, frames])
            try:
                return run()
            finally:
                module.cut = before

        return whole

    chain = discrete(100_000, 25, stay=0.99999, nats=0.0)
    run = lambda: hmm.marginals(*chain)  # noqa: E731
    ours, whole = cpu_time(run, whole_sequence(hmm_chunks, run))
    report("HMM that hardly mixes, K = 25", "time over one pass", ours / whole)
    still = gaussian(100_000, 10, observed=1e-6)
    run = lambda: lds.marginals(*still)  # noqa: E731
    ours, whole = cpu_time(run, whole_sequence(lds_chunks, run))
    report("Gaussian chain that hardly forgets, D = 10", "time over one pass in lanes", ours / whole)


def threads() -> None:
    def processes(count: int, of: int) -> np.ndarray:
        begin = time.time() + 20
        run = [sys.executable, __file__, "--inside", f"throughput,{of},{begin}"]
        some = [subprocess.Popen(run, stdout=subprocess.PIPE, text=True) for _ in range(count)]
        return np.array([[float(x) for x in finished.communicate()[0].split()] for finished in some])

    shares = []
    for _ in range(3):
        joint, alone = processes(2, 1), processes(1, 2)
        shares.append(joint.mean(0) / 2 / alone[0])
    for name, share in zip(
        ("HMM, K = 100", "Gaussian chain, D = 10"), np.median(shares, 0), strict=True
    ):
        report(name, "throughput of two threads over that of two processes", float(share))


def start() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        for case in ("empty cache", "full cache"):
            run = [sys.executable, __file__, "--inside", "start"]
            finished = subprocess.run(
                run,
                capture_output=True,
                text=True,
                check=True,
                env={**os.environ, "NUMBA_CACHE_DIR": scratch},
            )
            report(f"first HMM and Gaussian chain, {case}", "time", float(finished.stdout), "s")


if __name__ == "__main__":
    main()
