"""Step ``score``: labels of simulated recordings and their known syllables to scores."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ._shared import Rows, each_row, judge, made_by, syllable_of_states, write_json

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

__all__ = ["score"]


def score(
    *,
    labels: Sequence[Path],
    truth: Sequence[Path],
    scores: Path,
    recordings: Rows,
    posteriors: Sequence[Path] = (),
    quality: Sequence[Path] = (),
) -> None:
    """Score the labels of a model against known syllables, in all and by role.

    Parameters
    ----------
    labels
        Labels of one model, in folders named after their recordings.
    truth
        ``truth.parquet`` of the same recordings, in the same order.
    scores
        File to write: ``scores.json``.
    posteriors
        Optional posteriors of the model, in the same order; with them, the confidence in a
        behavior is summed over its syllables.
    quality
        Optional ``quality.json`` of the recordings; recordings that it leaves out are not scored.
    """
    from ..records import tables
    from ..records.posterior import Posterior
    from ..syllables import calibration, tree
    from ..syllables.scores import score_many

    rows = each_row("score", recordings, labels=labels, truth=truth, posteriors=posteriors)
    is_used = [each.is_used for each in judge(rows, quality)]
    labels, truth = (list(itertools.compress(paths, is_used)) for paths in (labels, truth))
    posteriors = list(itertools.compress(posteriors, is_used))
    rows = list(itertools.compress(rows, is_used))
    if not rows:
        write_json(scores, {"scores": {}, "provenance": made_by("score", {})._asdict()})
        return

    def pairs(role: str | None) -> "Iterator[tuple[pd.DataFrame, pd.DataFrame]]":
        for path, truth_path, row in zip(labels, truth, rows, strict=True):
            if role in (None, row["role"]):
                yield tables.read(path, tables.LABELS), tables.read(truth_path, tables.TRUTH)

    def probabilities(role: str | None) -> "Iterator[npt.NDArray[np.float64]]":
        syllable_of = syllable_of_states(labels)
        for path, row in zip(posteriors, rows, strict=True):
            if role in (None, row["role"]):
                yield tree.summed(Posterior.load(path).states, syllable_of)

    roles = sorted({row["role"] for row in rows})
    mapped_on = "train" if "train" in roles else None
    behavior_of = calibration.mapping(pairs(mapped_on))

    def scored(role: str | None) -> dict[str, object]:
        reliability = {"syllable": calibration.of_labels(pairs(role), behavior_of)}
        if posteriors:
            triples = ((a, p, b) for (a, b), p in zip(pairs(role), probabilities(role), strict=True))
            reliability["behavior"] = calibration.of_posteriors(triples, behavior_of)
        curves = {name: calibration.to_json(curve) for name, curve in reliability.items()}
        return {
            **score_many(pairs(role)),
            "calibration_error": curves.get("behavior", curves["syllable"])["expected_error"],
            "calibration": {"mapped_on": mapped_on or "all", **curves},
        }

    by_role = {"all": scored(None), **{role: scored(role) for role in roles}}
    provenance = made_by("score", {}, [*labels, *truth, *posteriors])
    write_json(scores, {"scores": by_role, "provenance": provenance._asdict()})
