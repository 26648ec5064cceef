"""A recording: raw depth video, simulated or real, to crops and a verdict."""

from pathlib import Path

from ..settings import read
from ._shared import Section, made_by, write_json

__all__ = ["check", "extract", "simulate"]


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
    """Write raw depth video of a mouse of known syllables, as an acquisition program does.

    Parameters
    ----------
    depth, timestamps, metadata, truth
        Files to write, all in one folder: ``depth.dat``, ``depth_ts.txt``,
        ``metadata.json``, ``truth.parquet``.
    recording, subject, group
        Name of the recording; the animal, which sets size and build; what it was given.
    """
    from ..simulate import acquisition
    from ..simulate.settings import SimulateSettings

    chosen = read(SimulateSettings, settings, "simulate")
    acquisition.record(
        depth.parent,
        chosen,
        recording=recording,
        subject=subject,
        group=group,
        seed=seed,
        provenance=made_by("simulate", chosen, seed=seed),
    )


def extract(
    *,
    source: Path | str,
    crops: Path,
    preview: Path,
    recording: str,
    settings: Section,
    flips: Path | None = None,
    scratch: Path | None = None,
) -> None:
    """Turn raw depth video into upright crops of the mouse, with scalars and tracking.

    Parameters
    ----------
    source
        Session folder, ``.dat``, depth video, packed session, HDF5, or a MoSeq2 ``results_00.h5``.
    crops, preview
        Files to write: ``crops.h5`` and an H.264 movie with the overlay.
    recording
        Name of the recording.
    flips
        Table of frames in which head and tail are to be exchanged.
    scratch
        Folder to unpack packed sessions into; the system's own by default.
    """
    from ..depth import extraction, sources
    from ..depth.heading import flips as lists
    from ..depth.heading import model
    from ..depth.settings import ExtractSettings

    chosen = read(ExtractSettings, settings, "extract")
    source = Path(source)
    sources.require(source, chosen.source)
    if chosen.heading.weights is not None:
        model.load(chosen.heading.weights)
    if flips is not None:
        lists.require(flips)
    named = (chosen.arena.mask, chosen.heading.weights, flips)
    own = [Path(path) for path in named if path is not None]
    extraction.extract(
        source,
        crops,
        preview,
        chosen,
        recording=recording,
        provenance=made_by("extract", chosen, [*sources.files(source), *own]),
        flip_list=flips,
        scratch=scratch,
    )


def check(*, crops: Path, quality: Path, settings: Section) -> None:
    """Judge a recording: good, warn or reject, with reasons.

    Parameters
    ----------
    crops
        ``crops.h5`` of the recording.
    quality
        File to write: ``quality.json``.
    """
    from ..depth import quality as room
    from ..depth.settings import CheckSettings

    chosen = read(CheckSettings, settings, "check")
    verdict = room.assess(crops, chosen)
    write_json(quality, {**verdict, "provenance": made_by("check", chosen, [crops])._asdict()})
