"""Step ``export``: labels and tables to files for other programs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ._shared import Judged, Rows, Section, each_row, judge, made_by, typed

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["export"]


def export(
    *,
    labels: Sequence[Path],
    crops: Sequence[Path],
    results: Sequence[Path],
    folder: Path,
    format: str,
    recordings: Rows,
    settings: Section,
    quality: Sequence[Path] = (),
) -> None:
    """Write labels and tables for other programs, and a table of the recordings.

    Parameters
    ----------
    labels
        Labels of one model, in folders named after their recordings.
    crops
        ``crops.h5`` of the same recordings, in the same order.
    results
        The model's tables (.parquet), known by their names.
    folder
        Folder to write.
    format
        Name of a file in ``export/``, such as ``csv``.
    quality
        Optional ``quality.json`` of the recordings; those that it leaves out are in the table of
        recordings alone.
    """
    import pandas as pd

    from .. import registry
    from ..records import files, tables
    from ..records.crops import Crops

    judged = judge(each_row("export", recordings, labels=labels, crops=crops), quality)
    used = [path for path, each in zip(labels, judged, strict=True) if each.is_used]
    provenance = made_by("export", settings, [*used, *results])
    about = typed([each.row for each in judged])

    def frames() -> "Iterator[pd.DataFrame]":
        for path, crops_path, each in zip(labels, crops, judged, strict=True):
            if not each.is_used:
                continue
            with Crops(crops_path) as recording:
                table = tables.read(path, tables.LABELS)
                rows = about.loc[[each.row["recording"]] * len(table)].reset_index(drop=True)
                place = recording.tracking[["x_px", "y_px"]].assign(px_mm=recording.px_mm())
                yield pd.concat([rows, table], axis=1).join(place).join(recording.scalars)

    writer = registry.find("syllabary.export", format)
    by_name = {path.stem: tables.read(path) for path in results}
    content = {"frames": frames(), "recordings": _recordings(about, judged), **by_name}
    with files.together():
        writer.write(folder, content, provenance)


def _recordings(about: "pd.DataFrame", judged: Sequence[Judged]) -> "pd.DataFrame":
    """Return a row for each recording of the study, also for those that are left out."""
    reasons = ["; ".join(map(str, each.reasons)) for each in judged]
    table = about.assign(used=[each.is_used for each in judged], reasons=reasons)
    return table.astype({"reasons": "string"}).reset_index(drop=True)
