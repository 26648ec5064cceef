"""Simulated raw recordings, and copies that repeat them."""

import shutil
from pathlib import Path

from syllabary.depth import sources
from syllabary.depth.readers import avi
from syllabary.provenance import Provenance
from syllabary.simulate import acquisition
from syllabary.simulate.settings import SimulateSettings

__all__ = ["repeated", "simulated", "to_ffv1"]


def simulated(folder: Path, seconds: float) -> Path:
    """Write a session folder of a simulated mouse seen by a Kinect v2 and return it."""
    acquisition.record(
        folder,
        SimulateSettings(duration_s=seconds),
        recording="b",
        subject="m",
        group="control",
        seed=5,
        provenance=Provenance("simulate", {}, None, {}, ""),
    )
    return folder


def repeated(session: Path, folder: Path, frames: int) -> Path:
    """Write a session that repeats the frames of another one up to ``frames``."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with sources.open_recording(session) as video, (folder / "depth.dat").open("wb") as file:
        for frame in range(frames):
            file.write(video.read(frame % len(video), frame % len(video) + 1).tobytes())
    times = "".join(f"{33.0 * frame:.1f} 0\n" for frame in range(frames))
    (folder / "depth_ts.txt").write_text(times, encoding="ascii")
    shutil.copy(session / "metadata.json", folder)
    return folder


def to_ffv1(session: Path, folder: Path, frames: int) -> Path:
    """Write the first frames of a session as ``depth.avi`` and return its folder."""
    folder.mkdir()
    with sources.open_recording(session) as video:
        count = min(frames, len(video))
        blocks = (video.read(start, min(start + 64, count)) for start in range(0, count, 64))
        avi.write_video(folder / "depth.avi", blocks, video.shape, video.timestamps_s[:count])
        times = "".join(f"{1000 * time:.4f} 0\n" for time in video.timestamps_s[:count])
    (folder / "depth_ts.txt").write_text(times, encoding="ascii")
    shutil.copy(session / "metadata.json", folder)
    return folder
