"""Is memory constant, and is a compressed video extracted as fast as it is decoded?

Each extraction runs in a separate process. Memory is the peak of its anonymous part, above that after
imports. Recordings of several lengths repeat a simulated minute. Wall time of FFV1 on two cores is
compared with that of decoding alone by the same reader.

    OMP_NUM_THREADS=1 python benchmarks/extraction/memory.py [--frames 2000 20000] [--video-frames 1800]
"""

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from recordings import repeated, simulated, to_ffv1
from results import add

from syllabary.depth import extraction, sources
from syllabary.depth.settings import ExtractSettings
from syllabary.provenance import Provenance


def anonymous_mb() -> float:
    """Return the anonymous memory of this process, MB (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise OSError("no RssAnon in /proc/self/status")


def extracted(session: Path, out: Path, queue: multiprocessing.Queue) -> None:
    """Extract; put the peak of memory above that after imports, MB, and wall seconds into the queue."""
    before, peak, done = anonymous_mb(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            peak[0] = max(peak[0], anonymous_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    provenance = Provenance("extract", {}, None, {}, "")
    extraction.extract(session, out, None, ExtractSettings(), recording="b", provenance=provenance)
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    queue.put((peak[0] - before, seconds))


def decoded(session: Path, _: Path, queue: multiprocessing.Queue) -> None:
    """Decode alone; put wall seconds into the queue."""
    start = time.perf_counter()
    with sources.open_recording(session) as video:
        for frame in range(0, len(video), 16):
            video.read(frame, frame + 16)
    queue.put((np.nan, time.perf_counter() - start))


def measured(task: object, session: Path, out: Path) -> tuple[float, float]:
    """Return memory and seconds of a task in a new process."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=task, args=(session, out, queue))
    process.start()
    usage = queue.get()
    process.join()
    return usage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="*", default=[2000, 20_000])
    parser.add_argument("--video-frames", type=int, default=1800)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        minute = simulated(scratch / "minute", 60)
        measured(extracted, minute, scratch / "warm.h5")  # compile
        for frames in arguments.frames:
            session = repeated(minute, scratch / "repeated", frames)
            memory, seconds = measured(extracted, session, scratch / "out.h5")
            print(f"{frames} frames: {memory:.0f} MB above imports, {seconds:.1f} s")
            add("extraction", f"{frames} frames", "anonymous memory above imports", memory, "MB")
        if arguments.video_frames:
            video = to_ffv1(minute, scratch / "video", arguments.video_frames)
            repetitions = [
                [measured(task, video, scratch / "out.h5")[1] for task in (extracted, decoded)]
                for _ in range(arguments.rounds)
            ]
            whole, alone = (statistics.median(times) for times in zip(*repetitions, strict=True))
            print(
                f"FFV1, {len(os.sched_getaffinity(0))} cores: {whole:.2f} s, decoding alone "
                f"{alone:.2f} s: {100 * (whole / alone - 1):.0f} % longer"
            )
            add("extraction", "FFV1", "wall time over decoding alone", whole / alone)


if __name__ == "__main__":
    main()
