"""Is any number of an extraction wrong without a word, on recordings drawn at random?

Each recording is drawn from one seed: rate, unit, byte order, invalid code, clock, lost frames, size,
tilt, empty stretches, number of animals, holes. Speed, length and height are to be within 5 % of the
truth, or the recording is rejected, or refused in one sentence.

    python benchmarks/extraction/random_recordings.py [--count 300] [--first 0] [--processes 1]
    python benchmarks/extraction/random_recordings.py --smallest 17 23      which difficulties do it
"""

import argparse
import collections
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "tests")]
from results import add  # noqa: E402

from depth.random_recordings import judge, options  # noqa: E402


def outcome_of(seed: int) -> judge.Outcome:
    """Return the outcome of a seed."""
    with tempfile.TemporaryDirectory() as folder:
        return judge.try_out(options.draw(seed), Path(folder))


def reduced(seed: int) -> judge.Outcome:
    """Return the outcome of the fewest difficulties of a seed that are wrong still."""
    with tempfile.TemporaryDirectory() as folder:
        return judge.smallest(options.draw(seed), Path(folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--smallest", type=int, nargs="*", metavar="SEED")
    parser.add_argument("--table", type=Path, help="file for the table of all recordings")
    parser.add_argument("--record", action="store_true", help="add the counts to results.csv")
    arguments = parser.parse_args()
    seeds = arguments.smallest or list(range(arguments.first, arguments.first + arguments.count))
    started, counts, lines = time.time(), collections.Counter(), []
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        for outcome in pool.imap(reduced if arguments.smallest else outcome_of, seeds):
            counts[outcome.kind] += 1
            lines.append(outcome.line())
            if arguments.smallest or outcome.kind not in judge.RIGHT:
                print(outcome.line(), flush=True)
            if arguments.table:
                arguments.table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(seeds)} recordings in {time.time() - started:.0f} s: {dict(counts)}")
    if arguments.record:
        for kind in (*judge.RIGHT, "wrong", "crashed"):
            add("random recordings", f"{len(seeds)} from {seeds[0]}", kind, counts[kind], "recordings")


if __name__ == "__main__":
    main()
