"""One color per syllable, the same in every figure, movie and page.

Colors follow behavior. If the truth is known, a syllable takes the color of the behavior with which
it shares most ticks. Otherwise the syllables of the first model set the colors, and those of other
models follow. The remaining syllables take shades of their best match.
"""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from .colors import Color, Colors, palette, shade
from .results import StudyResults, paired
from .settings import DrawSettings

__all__ = ["shared"]

# Mixing weights of white (positive) or black (negative) for syllables that share a match.
SHADES = (0.45, -0.35, 0.7, -0.6, 0.25, -0.2)
MATCHED_RECORDINGS = 24


def shared(study: StudyResults, settings: DrawSettings) -> Colors:
    """Choose the colors of a study.

    At most 24 recordings, evenly spread, are read to match syllables.

    Parameters
    ----------
    study : StudyResults
    settings : DrawSettings
        Its palette is used.
    """
    with_truth = [r for r in study.used() if r.truth_path is not None]
    source = with_truth or study.used()
    overlap: dict[str, Counter[tuple[int, str]]] = {m.name: Counter() for m in study.models}
    total: Counter[str] = Counter()
    for recording in source[:: max(1, len(source) // MATCHED_RECORDINGS)]:
        labels = {m.name: m.labels_of(recording) for m in study.models}
        reference = recording.truth() if with_truth else next(iter(labels.values()), None)
        if reference is None:
            continue
        if not with_truth:
            labeled = reference[reference["syllable"] >= 0]
            reference = labeled[["frame"]].assign(behavior=labeled["syllable"].astype(str))
        total.update(reference["behavior"].dropna().astype(str))
        for name, table in labels.items():
            if table is not None:
                both = paired(table, reference)
                pairs = zip(both["syllable"].tolist(), both["behavior"].tolist(), strict=True)
                overlap[name].update(pair for pair in pairs if pair[0] >= 0)
    # Ties are ordered by name, so that the order does not depend on hashing.
    order = sorted(total, key=lambda r: (-total[r], r))
    places = {r: i if with_truth else int(r) for i, r in enumerate(order)}
    colors = palette(1 + max(places.values(), default=-1), settings.palette)
    anchors = {r: colors[i] for r, i in places.items()}
    return Colors(
        truth=anchors if with_truth else {},
        models={m.name: _follow(overlap[m.name], anchors) for m in study.models},
        palette=settings.palette,
    )


def _follow(overlap: Counter[tuple[int, str]], anchors: Mapping[str, Color]) -> dict[int, Color]:
    """Give each syllable the color, or a shade, of the reference it overlaps most."""
    from scipy.optimize import linear_sum_assignment

    syllables = sorted({syllable for syllable, _ in overlap})
    references = list(anchors)
    counts = np.array([[overlap[s, r] for r in references] for s in syllables], dtype=float)
    if not counts.size:
        return {}
    rows, columns = linear_sum_assignment(-counts)
    # A match counts only if it is the best match of the syllable.
    chosen: dict[int, Color] = {
        syllables[i]: anchors[references[j]]
        for i, j in zip(rows, columns, strict=True)
        if counts[i, j] == counts[i].max() > 0
    }
    extra: Counter[str] = Counter()
    for i, syllable in enumerate(syllables):
        if syllable not in chosen:
            best = references[int(counts[i].argmax())]
            chosen[syllable] = shade(anchors[best], SHADES[extra[best] % len(SHADES)])
            extra[best] += 1
    return chosen
