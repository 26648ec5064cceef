"""Step ``summarize``: labels to tables of bouts, usage, transitions, syllables and statistics."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..settings import read
from ._shared import TABLES, Rows, Section, each_row, judge, made_by, syllable_of_states, typed

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
    quality: Sequence[Path] = (),
) -> None:
    """Summarize labels as tables: bouts, usage, transitions, syllables, group statistics.

    Covariates of the recordings, and their verdicts, are columns of the first three.

    Parameters
    ----------
    labels
        Labels of one model, in folders named after their recordings.
    crops
        ``crops.h5`` of the same recordings, in the same order.
    results
        Tables to write, known by their names: ``bouts.parquet``, ``usage.parquet``,
        ``transitions.parquet``, ``syllables.parquet`` and ``statistics.parquet``.
    quality
        Optional ``quality.json`` of the recordings; recordings that it leaves out are in no table.
    """
    from ..errors import BadInput
    from ..provenance import generator
    from ..records import files, tables
    from ..syllables import bouts, design, summary, transitions, usage
    from ..syllables.settings import SummarizeSettings
    from ..syllables.statistics import groups

    chosen = read(SummarizeSettings, settings, "summarize")
    places = {path.stem: path for path in results}
    if set(places) != set(TABLES):
        raise BadInput(
            f"summarize writes {', '.join(TABLES)}, and was called with {', '.join(places) or 'none'}; "
            "name one .parquet file for each table."
        )
    judged = judge(each_row("summarize", recordings, labels=labels, crops=crops), quality)
    about = typed([each.row for each in judged])
    design.require(about, chosen)
    triples = zip(labels, crops, judged, strict=True)
    used = [(path, crops_path, each.row) for path, crops_path, each in triples if each.is_used]
    if not used:
        raise BadInput(
            "every recording was rejected, so there is nothing to summarize; correct the recordings, "
            "change the thresholds in the section 'check', or set check.use_rejected."
        )
    provenance = made_by("summarize", chosen, [path for path, _, _ in used], seed=seed)
    bout = bouts.join(
        bouts.table(
            tables.read(path, tables.LABELS),
            **{name: row[name] for name in bouts.KEYS},
            min_probability=chosen.min_probability,
        )
        for path, _, row in used
    )
    bout = bouts.described(bout, about)

    sums = _sums(used)
    share = usage.table(bout, sums=sums)
    by = bouts.about_recordings(bout)
    grammar = transitions.table(bout, by=by)
    contents = {
        "bouts": bout,
        "usage": share,
        "transitions": grammar,
        "syllables": summary.table(sums.values(), bout, syllable_of_states(labels)),
        "statistics": groups.compare(
            share, chosen, rng=generator(seed, "summarize"), transitions=grammar
        ),
    }
    with files.together():
        for name, content in contents.items():
            tables.write(places[name], content, provenance)


def _sums(used: Iterable[tuple[Path, Path, Mapping[str, Any]]]) -> "dict[str, pd.DataFrame]":
    """Add up what the ticks of each syllable have, by recording; one is in memory at a time."""
    from ..records import tables
    from ..records.crops import Crops
    from ..syllables import summary

    added = {}
    for labels, crops, row in used:
        with Crops(crops) as recording:
            added[row["recording"]] = summary.sums(tables.read(labels, tables.LABELS), recording.scalars)
    return added
