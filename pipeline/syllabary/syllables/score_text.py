"""Scores of labels as plain text."""

from collections.abc import Iterable, Mapping

import pandas as pd

from .people import PeopleScores
from .scores import Scores

__all__ = ["format", "of_people"]

HEADINGS = {
    "ami": "adjusted mutual information (AMI)",
    "best_shift_ami": "AMI at the best shift",
    "best_shift_ticks": "labels late by (frames)",
    "nmi": "normalized mutual information",
    "ari": "adjusted Rand index",
    "macro_f1": "macro F1 (one label a syllable)",
    "boundary_f1": "boundary F1 (±3 ticks)",
    "boundary_f1_chance": "boundary F1 by chance",
    "duration_ratio": "median bout, labeled / true",
    "states_above_1_percent": "labels above 1 % of frames",
    "true_states": "true syllables",
}


def format(scores: Scores) -> str:
    """Return scores as plain text: totals, behaviors, then true syllables.

    Parameters
    ----------
    scores : Scores
        Result of ``score_many``.
    """
    lines = [f"{scores['frames']} frames of {scores['recordings']} recording(s)", ""]
    totals = {key: value for key, value in scores.items() if key in HEADINGS}
    lines += [f"{title:36s}{_text(totals[key]):>8s}" for key, title in HEADINGS.items()]
    lines += ["", f"{'behavior':20s}{'frames':>8s}{'precision':>11s}{'recall':>8s}{'F1':>7s}"]
    for name, behavior in scores["behaviors"].items():
        cells = [_text(value) for value in behavior.values()]
        lines.append("{:20s}{:>8s}{:>11s}{:>8s}{:>7s}".format(name, *cells))
    lines += [
        "",
        "true syllable         frames   label  precision  recall   many-to-one: precision  recall",
    ]
    keys = ("frames", "label", "precision", "recall", "mostly_precision", "mostly_recall")
    for syllable in scores["syllables"]:
        title = f"{syllable['syllable']:3d} {syllable['behavior'] or ''}"
        cells = [_text(value) for key, value in syllable.items() if key in keys]
        lines.append("{:20s}{:>8s}{:>8s}{:>11s}{:>8s}{:>25s}{:>8s}".format(title, *cells))
    return "\n".join(lines)


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def of_people(scores: PeopleScores, labels: Mapping[str, pd.DataFrame]) -> str:
    """Return agreement with people as plain text.

    Parameters
    ----------
    scores : PeopleScores
    labels : mapping of recording to DataFrame
        The labels that were scored, for the names of syllables.
    """
    names = _names(labels.values())
    total = scores.labels
    lines = [
        f"{scores.seconds:.1f} s that people labeled, {total['frames']} frames",
        "",
        f"{'':28s}{'AMI':>7s}{'ARI':>7s}{'border F1':>11s}{'by chance':>11s}",
        _agreement("labels and people", total),
    ]
    for (a, b), between in scores.people.items():
        lines.append(_agreement(f"{a or 'one person'} and {b or 'another'}", between))
    if not scores.people:
        lines.append("No two people labeled the same frames, so how far people agree is not known.")
    lines += ["", f"{'behavior':20s}{'frames':>8s}{'precision':>11s}{'recall':>8s}   syllables"]
    for row in total["syllables"]:
        cells = (_text(row[key]) for key in ("frames", "mostly_precision", "mostly_recall"))
        mostly = ", ".join(names.get(s, str(s)) for s in row["labels_mostly"]) or "none"
        lines.append("{:20s}{:>8s}{:>11s}{:>8s}   {}".format(row["behavior"] or "", *cells, mostly))
    lines += [
        "",
        "Each syllable stands for the behavior that it overlaps most. Borders match within "
        f"±{total['boundary_tolerance_ticks']} ticks.",
    ]
    return "\n".join(lines)


def _agreement(title: str, scores: Scores) -> str:
    cells = (_text(scores[key]) for key in ("ami", "ari", "boundary_f1", "boundary_f1_chance"))
    return "{:28s}{:>7s}{:>7s}{:>11s}{:>11s}".format(title, *cells)


def _names(tables: Iterable[pd.DataFrame]) -> dict[int, str]:
    """Return the syllables that have a name, with number and name."""
    names: dict[int, str] = {}
    for table in tables:
        pairs = table.reindex(columns=["syllable", "name"]).dropna().drop_duplicates()
        names |= {int(s): f"{s} {name}" for s, name in pairs.itertuples(index=False)}
    return names
