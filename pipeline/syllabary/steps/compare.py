"""Step ``compare``: labels of one recording and its known syllables to scores."""

from pathlib import Path

__all__ = ["compare"]


def compare(labels: Path, truth: Path) -> str:
    """Return the scores of one recording as plain text.

    Parameters
    ----------
    labels, truth
        Labels of a recording and its ``truth.parquet``.
    """
    from ..records import tables
    from ..syllables import score_text, scores

    return score_text.format(
        scores.score(tables.read(labels, tables.LABELS), tables.read(truth, tables.TRUTH))
    )
