"""Step ``summarize``: labels to tables of bouts, usage, transitions, syllables and statistics."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..settings import read
from ._shared import TABLES, Rows, Section, made_by, syllable_of_states

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["summarize"]


def summarize(
    *,
    labels: Sequence[Path],
    crops: Sequence[Path],
    results: Sequence[Path],
    recordings: Rows,
    settings: Section,
    seed: int,
) -> None:
    """Summarize labels as tables: bouts, usage, transitions, syllables, group statistics.

    Parameters
    ----------
    labels
        Labels of one model, in the order of the recordings.
    crops
        ``crops.h5`` of the same recordings, in the same order.
    results
        Tables to write, known by their names: ``bouts.parquet``, ``usage.parquet``,
        ``transitions.parquet``, ``syllables.parquet`` and ``statistics.parquet``.
    """
    from ..errors import BadInput
    from ..provenance import generator
    from ..records import tables
    from ..records.crops import Crops
    from ..syllables import bouts, statistics, summary, transitions, usage
    from ..syllables.settings import SummarizeSettings

    chosen = read(SummarizeSettings, settings, "summarize")
    places = {path.stem: path for path in results}
    if set(places) != set(TABLES):
        raise BadInput(
            f"summarize writes {', '.join(TABLES)}, and was called with {', '.join(places) or 'none'}; "
            "name one .parquet file for each table."
        )
    provenance = made_by("summarize", chosen, labels, seed=seed)
    bout = bouts.join(
        bouts.table(
            tables.read(path, tables.LABELS),
            recording=row["recording"],
            subject=row["subject"],
            group=row["group"],
            role=row["role"],
            min_probability=chosen.min_probability,
        )
        for path, row in zip(labels, recordings, strict=True)
    )

    def ticks() -> "Iterator[tuple[pd.DataFrame, pd.DataFrame]]":
        for path, crops_path in zip(labels, crops, strict=True):
            with Crops(crops_path) as recording:
                yield tables.read(path, tables.LABELS), recording.scalars

    share = usage.table(bout)
    by = ("recording", "subject", "group")
    # All tables are made before the first is written, so a damaged input leaves none of them.
    contents = {
        "bouts": bout,
        "usage": share,
        "transitions": transitions.table(bout, by=by),
        "syllables": summary.table(ticks(), bout, syllable_of_states(labels)),
        "statistics": statistics.compare(share, chosen, rng=generator(seed, "summarize")),
    }
    for name, content in contents.items():
        tables.write(places[name], content, provenance)
