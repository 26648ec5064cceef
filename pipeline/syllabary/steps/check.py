"""Step ``check``: crops to a verdict on the recording."""

from pathlib import Path

from ..settings import read
from ._shared import Section, made_by, write_json

__all__ = ["check"]


def check(*, crops: Path, quality: Path, settings: Section) -> None:
    """Judge a recording as good, warn or reject, with reasons, and decide whether it counts.

    Parameters
    ----------
    crops
        ``crops.h5`` of the recording.
    quality
        File to write: ``quality.json``.
    """
    from ..depth.quality import assess
    from ..depth.settings import CheckSettings

    chosen = read(CheckSettings, settings, "check")
    judged = assess(crops, chosen)
    has_mouse = judged["median_area_mm2"] is not None
    used = judged["verdict"] != "reject" or (chosen.use_rejected and has_mouse)
    provenance = made_by("check", chosen, [crops])._asdict()
    write_json(quality, {**judged, "used": used, "provenance": provenance})
