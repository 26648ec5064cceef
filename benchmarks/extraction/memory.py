"""Does extraction take the same memory for 2,000 and for 20,000 frames, and how much?

A simulated recording is repeated on disk. Counted is the most anonymous memory of a process that
extracts it without a movie, above what it has after imports; pages of files, which the system takes
back when it wants, are not in it. Needs 9 GB of disk while it runs.

    OMP_NUM_THREADS=1 python benchmarks/extraction/memory.py [--seconds 60] [--frames 2000 20000]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
from recordings import simulated
from results import add

from syllabary.depth import sources

GOAL_MB, FLAT = 300, 0.1
CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
import memory
memory.extract(sys.argv[2], sys.argv[3])
"""


def anonymous_mb() -> float:
    """Anonymous resident memory of this process, MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024 / 1e6


def extract(session: str, crops: str) -> None:
    """Extract a session and print the most memory that took, MB."""
    import cv2

    from syllabary.depth import extraction
    from syllabary.depth.settings import ExtractSettings
    from syllabary.provenance import Provenance

    cv2.setNumThreads(1)
    before, most, done = anonymous_mb(), 0.0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.is_set():
            most = max(most, anonymous_mb())
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    extraction.extract(
        session, crops, None, ExtractSettings(), recording="b",
        provenance=Provenance("extract", {}, None, {}, ""),
    )  # fmt: skip
    done.set()
    watcher.join()
    print(most - before)


def repeated(source: Path, folder: Path, frames: int) -> Path:
    """Write the first ``frames`` frames of a session that is played over and over."""
    folder.mkdir()
    with sources.open_recording(source) as video:
        count, shape = len(video), video.shape
    dat = np.memmap(source / "depth.dat", "<u2", "r", shape=(count, *shape))
    with (folder / "depth.dat").open("wb") as file:
        for start in range(0, frames, count):
            dat[: min(count, frames - start)].tofile(file)
    stamps = 1e6 + 33.03 * np.arange(frames)
    (folder / "depth_ts.txt").write_text("".join(f"{stamp:.4f} 0\n" for stamp in stamps))
    metadata = {"DepthResolution": list(shape[::-1])}
    (folder / "metadata.json").write_text(json.dumps(metadata))
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--frames", type=int, nargs="+", default=[2_000, 20_000])
    arguments = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = simulated(folder / "simulated", arguments.seconds)
        for frames in arguments.frames:
            session = repeated(source, folder / "repeated", frames)
            command = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(session)]
            run = [*command, str(folder / "crops.h5")]
            # Once more where kernels had to be compiled first.
            for _ in range(1 if found else 2):
                output = subprocess.run(run, check=True, capture_output=True, text=True).stdout
            found.append(float(output.split()[-1]))
            print(f"{frames} frames: {found[-1]:.0f} MB of anonymous memory above imports", flush=True)
            add("extraction", f"{frames} frames", "anonymous memory", found[-1], "MB")
            for path in [*session.iterdir(), folder / "crops.h5"]:
                path.unlink()
            session.rmdir()
    flat = max(found) / min(found) - 1
    print(
        f"at most {max(found):.0f} MB (goal {GOAL_MB}), {100 * flat:.0f} % apart (goal {100 * FLAT:.0f})"
    )


if __name__ == "__main__":
    main()
