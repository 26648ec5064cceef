"""Step ``extract``: raw depth video to upright crops of the mouse."""

from pathlib import Path

from ..settings import read
from ._shared import Section, made_by

__all__ = ["extract"]


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
    crops
        File to write: ``crops.h5``.
    preview
        Movie to write: H.264, with the tracking drawn over the frames.
    recording
        Name of the recording.
    flips
        Table of frames in which head and tail are exchanged.
    scratch
        Folder to unpack packed sessions into; the system's temporary folder by default.
    """
    from ..depth import extraction, sources
    from ..depth.heading import model
    from ..depth.heading.flips import require
    from ..depth.settings import ExtractSettings
    from ..records import files

    chosen = read(ExtractSettings, settings, "extract")
    source = Path(source)
    sources.require(source, chosen.source)
    if chosen.heading.weights is not None:
        model.load(chosen.heading.weights)
    if flips is not None:
        require(flips)
    optional = (chosen.arena.mask, chosen.heading.weights, flips)
    inputs = [*sources.files(source), *(Path(path) for path in optional if path is not None)]
    # The preview is drawn from the crops, so that they must be there first.
    with files.withdrawn([crops, preview]):
        extraction.extract(
            source,
            crops,
            preview,
            chosen,
            recording=recording,
            provenance=made_by("extract", chosen, inputs),
            flip_list=flips,
            scratch=scratch,
        )
