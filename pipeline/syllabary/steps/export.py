"""Step ``export``: labels and tables to files for other programs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ._shared import Rows, Section, made_by

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
) -> None:
    """Write labels and tables for other programs.

    Parameters
    ----------
    labels
        Labels of one model, in the order of the recordings.
    crops
        ``crops.h5`` of the same recordings, in the same order.
    results
        The model's tables (.parquet), known by their names.
    folder
        Folder to write.
    format
        Name of a file in ``export/``, such as ``csv``.
    """
    from .. import registry
    from ..records import tables
    from ..records.crops import Crops

    def frames() -> "Iterator[pd.DataFrame]":
        for path, crops_path, row in zip(labels, crops, recordings, strict=True):
            with Crops(crops_path) as recording:
                table = tables.read(path, tables.LABELS)
                for at, (column, value) in enumerate(row.items()):
                    table.insert(at, column, value)
                place = recording.tracking[["x_px", "y_px"]].assign(px_mm=recording.px_mm())
                yield table.join(place).join(recording.scalars)

    writer = registry.find("syllabary.export", format)
    provenance = made_by("export", settings, [*labels, *results])
    by_name = {path.stem: tables.read(path) for path in results}
    writer.write(folder, {"frames": frames(), **by_name}, provenance)
