"""Command ``score-people``: labels of recordings, and what people labeled there, to scores."""

from collections.abc import Sequence
from pathlib import Path

from ._shared import recording_folder

__all__ = ["score_people"]


def score_people(people: Path, labels: Sequence[Path], training_labels: Path | None = None) -> str:
    """Return how labels agree with people's, and people with one another, as plain text.

    Parameters
    ----------
    people
        Table of bouts that people labeled, as ``labels.csv`` or by BORIS.
    labels
        Labels of one model, known by ``<recording>/labels/<model>.parquet``.
    training_labels
        Optional table of labels that the fit was trained on; their ticks do not count.
    """
    from ..records import annotations, tables
    from ..syllables import people as people_scores
    from ..syllables import score_text

    by_recording = {recording_folder(path): tables.read(path, tables.LABELS) for path in labels}
    bouts, training_bouts = (
        annotations.bouts(path, by_recording, strict=False) if path else []
        for path in (people, training_labels)
    )
    return score_text.of_people(people_scores.score(by_recording, bouts, training_bouts), by_recording)
