"""How many times as fast as its peers is message passing, on one thread?

    python benchmarks/messages/speed.py                     every problem (extra `peers`)
    python benchmarks/messages/speed.py hmm-25 smoother --scale 0.1

Ours and the peers take turns, of a tenth of a second or of one call; what counts is the median of the
process's CPU time, and only ratios mean anything on a shared machine. Before that every solver runs,
for compilation. Where solvers answer the same question their answers are compared. Freed memory is kept
for all of them, as the steps of the workflow keep it. Rows are added to benchmarks/results.csv.
"""

# ruff: noqa: E402, I001  (libraries count their threads when they are imported)
import argparse
import os
import sys
import time
from pathlib import Path

for _name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ[f"{_name}_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import torch
from messages.problems import Problem, Solver, all_problems
from results import add

from syllabary.machine import keep_freed

# A turn, s: a call of milliseconds is made again and again, as training makes it, so that what it works
# on does not first come from where the others have driven it.
TURN = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    choices = all_problems()
    parser.add_argument("problems", nargs="*", metavar="problem", help=", ".join(choices))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of the sequences' length")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed()
    makers = all_problems(arguments.scale)
    for name in arguments.problems or makers:
        if name not in makers:
            parser.error(f"no problem {name!r}; known are {', '.join(makers)}")
        try:
            problem = makers[name]()
        except ImportError as error:
            sys.exit(f"messages: {error}; install the extra: pip install -e '.[peers]'")
        report(problem, arguments.rounds)


def report(problem: Problem, rounds: int) -> None:
    """Time a problem, compare its answers, print a line for each peer, keep rows."""
    solvers = {"ours": problem.ours, **problem.peers}
    answers = {name: solve() for name, solve in solvers.items()}
    times = {name: 1 + int(TURN / cpu_time(solve, 1)) for name, solve in solvers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in solvers}
    for _ in range(rounds):
        for name, solve in solvers.items():
            seconds[name].append(cpu_time(solve, times[name]))
    each = {name: 1e6 * float(np.median(some)) / problem.frames for name, some in seconds.items()}
    add("messages", problem.name, "time", each["ours"], "us/frame")
    for peer, goal in problem.goals.items():
        ratios = np.array(seconds[peer]) / np.array(seconds["ours"])
        print(
            f"{problem.name}: ours {each['ours']:.3f} us/frame, {peer} {each[peer]:.3f}: "
            f"{np.median(ratios):.1f} times as fast ({ratios.min():.1f} to {ratios.max():.1f}; "
            f"wanted {goal:g}){apart(answers['ours'], answers[peer])}",
            flush=True,
        )
        add("messages", problem.name, "time", each[peer], "us/frame", peer)
        add("messages", problem.name, "times as fast", float(np.median(ratios)), "", peer)


def cpu_time(solve: Solver, times: int) -> float:
    """Of one call, the mean of some, s."""
    begun = time.process_time()
    for _ in range(times):
        solve()
    return (time.process_time() - begun) / times


def apart(ours: list[np.ndarray], theirs: list[np.ndarray]) -> str:
    """Tell the largest difference of each answer, relative to its largest entry."""
    parts = []
    for part, other in zip(ours, theirs, strict=True):
        largest = max(float(np.abs(other).max()), 1e-30)
        parts.append(f"{float(np.abs(part.astype(np.float64) - other).max()) / largest:.0e}")
    return f"; answers differ by {', '.join(parts)}" if parts else ""


if __name__ == "__main__":
    main()
