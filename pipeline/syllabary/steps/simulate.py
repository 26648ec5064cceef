"""Step ``simulate``: settings to raw depth video of a mouse whose syllables are known."""

from pathlib import Path

from ..settings import read
from ._shared import Section, made_by

__all__ = ["simulate"]


def simulate(
    *,
    depth: Path,
    timestamps: Path,
    metadata: Path,
    truth: Path,
    recording: str,
    subject: str,
    group: str,
    settings: Section,
    seed: int,
) -> None:
    """Write simulated raw depth video with known syllables, in the format of an acquisition program.

    Parameters
    ----------
    depth
        File to write: ``depth.dat``. The other files go into the same folder.
    timestamps
        File to write: ``depth_ts.txt``.
    metadata
        File to write: ``metadata.json``.
    truth
        Table to write: ``truth.parquet``, with the known syllable of every tick.
    recording
        Name of the recording.
    subject
        Name of the animal; its body size follows from it.
    group
        Group of the animal; its syllable usage follows from it.
    """
    from ..records import files
    from ..simulate import acquisition, worlds
    from ..simulate.settings import SimulateSettings

    chosen = worlds.laid_over(read(SimulateSettings, settings, "simulate"))
    with files.together():
        acquisition.record(
            depth.parent,
            chosen,
            recording=recording,
            subject=subject,
            group=group,
            seed=seed,
            provenance=made_by("simulate", chosen, seed=seed),
        )
