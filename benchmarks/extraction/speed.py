"""How much faster than MoSeq2's steps is our extraction, and how many frames a second of one core?

Both programs run in turn in one process on one thread, from ``depth.dat`` to a closed ``crops.h5``,
without a movie. The result is the median of process CPU time. The choice of the head end, which MoSeq2's
steps do not include, is timed separately. MoSeq2 takes 1000 frames at once; ``--chunk 100`` makes it
faster. ``--idle-components`` adds a labeling whose result MoSeq2 does not use.

    OMP_NUM_THREADS=1 python benchmarks/extraction/speed.py [--seconds 60] [--rounds 5] [SESSION ...]

Where SYLLABARY_REAL_DATA is set, the real recording there is rebuilt and timed too.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2

sys.path.insert(0, str(Path(__file__).parents[1]))
import moseq_steps
from recordings import simulated
from results import add

from syllabary.depth import extraction, sources
from syllabary.depth.settings import ExtractSettings
from syllabary.provenance import Provenance


class Timed:
    """CPU time of ``extraction.decode``, which is called once per recording."""

    def __init__(self) -> None:
        self._function, self.seconds = extraction.decode, 0.0

    def __call__(self, *arguments: object) -> object:
        start = time.process_time()
        result = self._function(*arguments)
        self.seconds = time.process_time() - start
        return result


def compare(session: Path, scratch: Path, rounds: int, **options: Any) -> dict[str, float]:
    """Return CPU milliseconds per frame of both programs and of the heading."""
    with sources.open_recording(session) as video:
        frames = len(video)
    heading = Timed()
    extraction.decode = heading
    provenance = Provenance("extract", {}, None, {}, "")
    times: dict[str, list[float]] = {"ours": [], "moseq2": [], "heading": []}
    # The first round compiles, and loads the recording into memory.
    for turn in range(rounds + 1):
        start = time.process_time()
        extraction.extract(
            session, scratch / "ours.h5", None, ExtractSettings(), recording="b", provenance=provenance
        )
        ours = time.process_time() - start
        start = time.process_time()
        moseq_steps.extract(session, scratch / "theirs.h5", **options)
        theirs = time.process_time() - start
        if turn:
            milliseconds = {"ours": ours - heading.seconds, "moseq2": theirs, "heading": heading.seconds}
            for name, seconds in milliseconds.items():
                times[name].append(1000 * seconds / frames)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sessions", nargs="*", type=Path, help="folders with depth.dat of a Kinect v2")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--chunk", type=int, default=1000, help="frames that MoSeq2's steps take at once"
    )
    parser.add_argument("--idle-components", action="store_true")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        sessions = {session.name: session for session in arguments.sessions}
        if not sessions:
            sessions["simulated"] = simulated(scratch / "simulated", arguments.seconds)
            if real := os.environ.get("SYLLABARY_REAL_DATA"):
                sessions["real"] = scratch / "real"
                script = Path(real) / "rebuild_raw.py"
                subprocess.run([sys.executable, script, sessions["real"]], check=True)
        for name, session in sessions.items():
            options = {"chunk": arguments.chunk, "idle_components": arguments.idle_components}
            seconds = compare(session, scratch, arguments.rounds, **options)
            ratio = seconds["moseq2"] / seconds["ours"]
            rate, whole = 1000 / seconds["ours"], 1000 / (seconds["ours"] + seconds["heading"])
            print(
                f"{name}: {seconds['ours']:.2f} ms/frame ({rate:.0f} frames/s of a core; with the "
                f"heading {whole:.0f}), MoSeq2's steps {seconds['moseq2']:.2f} ms: "
                f"{ratio:.2f} times as fast"
            )
            peer = f"moseq2 steps, {arguments.chunk} frames at once" + (
                " with idle components" if arguments.idle_components else ""
            )
            add("extraction", name, "speed", rate, "frames/s of a core")
            add("extraction", name, "speed with heading", whole, "frames/s of a core")
            add("extraction", name, "speed", 1000 / seconds["moseq2"], "frames/s of a core", peer)
            add("extraction", name, "times as fast", ratio, "", peer)


if __name__ == "__main__":
    main()
