"""Step ``suggest``: labels and posteriors to clips that a person should label next."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadInput
from ..settings import read
from ._shared import Rows, Section, judge, made_by, recording_folder, syllable_of_states

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

__all__ = ["suggest"]


def suggest(
    *,
    labels: Sequence[Path],
    posteriors: Sequence[Path],
    queries: Path,
    recordings: Rows,
    settings: Section,
    quality: Sequence[Path] = (),
    human_labels: Path | None = None,
) -> None:
    """Propose clips of the training recordings that a person should label next.

    Parameters
    ----------
    labels
        Labels of one model or several, known by ``<recording>/labels/<model>.parquet``; where
        models disagree, a label is worth more. The model of the posteriors is among them.
    posteriors
        Posteriors of one model, known by ``<recording>/posterior/<model>.h5``.
    queries
        Table to write (``.tsv``); with its column behavior filled in it is a table of labels.
    quality
        Optional ``quality.json`` of the recordings; rejected recordings are left out.
    human_labels
        Optional table of behaviors that people labeled already (``labels.csv``).
    """
    import numpy as np

    from ..records import annotations, files, tables
    from ..syllables.queries import RecordingPosterior, disagreement, propose
    from ..syllables.settings import SuggestSettings

    chosen = read(SuggestSettings, settings, "suggest")
    inputs = [*labels, *posteriors, *([human_labels] if human_labels else [])]
    provenance = made_by("suggest", chosen, inputs)
    places = {recording_folder(path): path for path in posteriors}
    used = [each.row for each in judge(recordings, quality) if each.is_used]
    names = [row["recording"] for row in used if row["role"] == "train"]
    if posteriors and not {row["recording"] for row in recordings} & set(places):
        raise BadInput(
            f"suggest: {posteriors[0]} is in no folder of a recording of the table; wanted the places "
            "of a study, <recording>/posterior/<model>.h5 and <recording>/labels/<model>.parquet."
        )
    names = [name for name in names if name in places]
    by_model: dict[str, dict[str, pd.DataFrame]] = {}
    for path in labels:
        if recording_folder(path) in names:
            table = tables.read(path, tables.LABELS)
            by_model.setdefault(path.stem, {})[recording_folder(path)] = table
    complete = [table_of for table_of in by_model.values() if set(table_of) == set(names)]
    clock = complete[0] if complete else {}
    disagreement_nats = disagreement(
        [{name: table_of[name]["syllable"].to_numpy() for name in names} for table_of in complete]
    )
    times = {name: clock[name]["time_s"].to_numpy() for name in clock}
    if human_labels:
        by_people = annotations.read(human_labels, times, strict=False)
        labeled = {name: by_people[name].labeled for name in clock}
    else:
        labeled = {name: np.zeros(len(time_s), bool) for name, time_s in times.items()}
    proposed = propose(
        (
            RecordingPosterior(
                name,
                times[name],
                _probabilities(places[name], labels),
                clock[name]["frame"].to_numpy() >= 0,
                labeled[name],
                disagreement_nats[name] if len(complete) > 1 else None,
            )
            for name in clock
        ),
        clips=chosen.clips,
        clip_s=chosen.clip_s,
    )
    with files.create(queries) as temporary:
        text = proposed.to_csv(None, sep="\t", index=False, lineterminator="\n")
        temporary.write_text(f"{text}# {provenance.to_json()}\n", encoding="utf-8")


def _probabilities(posterior: Path, labels: Sequence[Path]) -> "npt.NDArray[np.float64]":
    """Return the probabilities (T, S) of syllables of a recording, as its labels have them."""
    from ..records.posterior import Posterior
    from ..syllables import tree

    place = (recording_folder(posterior), posterior.stem)
    its_labels = [path for path in labels if (recording_folder(path), path.stem) == place]
    return tree.summed(Posterior.load(posterior).states, syllable_of_states(its_labels))
