"""Scores of labels as plain text."""

from .scores import Scores

__all__ = ["format"]

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
