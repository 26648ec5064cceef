"""Simulated raw recordings, and what it takes to repeat one."""

from pathlib import Path

from syllabary.provenance import Provenance
from syllabary.simulate import acquisition
from syllabary.simulate.settings import SimulateSettings

__all__ = ["simulated"]


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
