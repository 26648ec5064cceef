"""Calibration: compares the confidence of labels with their accuracy, where the truth is known.

Each syllable is mapped to the true syllable it overlaps most (many to one), so that a behavior
split into several syllables is no error. ``of_labels`` judges the probability in the labels, the
posterior probability of the labeled syllable. Where a behavior has several syllables, that
probability leaves out the others and is too small. ``of_posteriors`` sums the probabilities of all
syllables of the behavior. Frames without a label do not count.

References
----------
doi:10.1609/aaai.v29i1.9602 (expected and maximum calibration error);
doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2 (the score of Brier).
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import BadInput, ShapeError
from .scores import align

__all__ = ["BINS", "Reliability", "mapping", "of_labels", "of_posteriors", "reliability", "to_json"]

BINS = 10

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Reliability(NamedTuple):
    """Confidence and accuracy in bins of about equally many ticks.

    Attributes
    ----------
    confidence, accuracy, share : (B,) float64
        Mean probability, share of correct ticks, and share of all ticks, by bin in order of
        confidence. Equal probabilities share a bin, so B may be small.
    ticks : int
    expected_error : float
        Sum over bins of share × absolute (accuracy - confidence).
    max_error : float
        The largest absolute (accuracy - confidence) of a bin.
    brier : float
        Mean of (probability - correct)², where correct is 1 or 0.
    """

    confidence: Floats
    accuracy: Floats
    share: Floats
    ticks: int
    expected_error: float
    max_error: float
    brier: float


def mapping(pairs: Iterable[tuple[pd.DataFrame, pd.DataFrame]]) -> dict[int, int]:
    """Return the true syllable that each syllable overlaps most.

    Parameters
    ----------
    pairs : iterable of (labels, truth)
        Columns of ``records.tables.LABELS`` and ``TRUTH``, of the judged recordings or of
        others.

    Returns
    -------
    dict of syllable to true syllable
        Ties go to the lowest number; syllables that never occur are absent.
    """
    aligned = [align(labels, truth) for labels, truth in pairs]
    if not aligned:
        return {}
    label, true = (
        np.concatenate([getattr(pair, name) for pair in aligned]) for name in ("label", "true")
    )
    is_labeled = label >= 0
    syllables, s = np.unique(label[is_labeled], return_inverse=True)
    truths, t = np.unique(true[is_labeled], return_inverse=True)
    shared = np.zeros((len(syllables), len(truths)), np.int64)
    np.add.at(shared, (s, t), 1)
    return dict(zip(syllables.tolist(), truths[shared.argmax(1)].tolist(), strict=True))


def of_labels(
    pairs: Iterable[tuple[pd.DataFrame, pd.DataFrame]], mostly: Mapping[int, int], *, bins: int = BINS
) -> Reliability:
    """Return the reliability of the probability in labels, which is that of one syllable.

    Parameters
    ----------
    pairs : iterable of (labels, truth)
        Columns of ``records.tables.LABELS`` and ``TRUTH``.
    mostly : mapping of syllable to true syllable
        Result of ``mapping``; a syllable that is absent is always wrong.
    bins : int
        Largest number of bins.
    """
    parts = []
    for labels, truth in pairs:
        row, label, true = _ticks(labels, truth)
        parts.append((labels["probability"].to_numpy(np.float64)[row], _mapped(label, mostly) == true))
    return _pooled(parts, bins)


def of_posteriors(
    triples: Iterable[tuple[pd.DataFrame, npt.NDArray[np.floating], pd.DataFrame]],
    mostly: Mapping[int, int],
    *,
    bins: int = BINS,
) -> Reliability:
    """Return the reliability of a behavior's probability, summed over all its syllables.

    Parameters
    ----------
    triples : iterable of (labels, probabilities, truth)
        ``probabilities`` (T, S) are those of the syllables in the ticks that labels have.
    mostly : mapping of syllable to true syllable
        The behavior judged at a tick is that of its label; a syllable that is absent
        belongs to none.
    bins : int
        Largest number of bins.

    Raises
    ------
    ShapeError
        Labels and probabilities have different numbers of ticks.
    """
    parts = []
    for labels, probabilities, truth in triples:
        if len(labels) != len(probabilities):
            raise ShapeError(
                f"{len(labels)} labels but probabilities of {len(probabilities)} ticks; are they of one "
                "recording?"
            )
        row, label, true = _ticks(labels, truth)
        marginal = np.asarray(probabilities[row], np.float64)
        marginal /= np.maximum(marginal.sum(1, keepdims=True), np.finfo(float).tiny)
        classes = _mapped(np.arange(marginal.shape[1]), mostly)
        behavior = _mapped(label, mostly)
        same = (classes == behavior[:, None]) & (classes >= 0)
        parts.append(((marginal * same).sum(1), behavior == true))
    return _pooled(parts, bins)


def reliability(
    confidence: npt.NDArray[np.floating], right: npt.NDArray[np.bool_], *, bins: int = BINS
) -> Reliability:
    """Return confidence and accuracy by bins of confidence.

    Parameters
    ----------
    confidence : (n,) float
        Probability of each label, 0 to 1.
    right : (n,) bool
        Whether the label is correct.
    bins : int
        Largest number of bins; they are cut at quantiles of the confidence.

    Returns
    -------
    Reliability
        Without ticks it has no bins, and its errors are NaN.
    """
    confidence = np.asarray(confidence, np.float64)
    if not len(confidence):
        nothing = np.zeros(0)
        return Reliability(nothing, nothing, nothing, 0, np.nan, np.nan, np.nan)
    # Equal values fall on one side of every cut, so that their order does not matter.
    cuts = np.unique(np.quantile(confidence, np.arange(1, bins) / bins, method="higher"))
    bin_of = np.searchsorted(cuts, confidence, side="right")
    counts = np.bincount(bin_of, minlength=len(cuts) + 1)
    used = counts > 0
    means = [
        np.bincount(bin_of, values, len(counts))[used] / counts[used]
        for values in (confidence, np.asarray(right, np.float64))
    ]
    error = np.abs(means[1] - means[0])
    share = counts[used] / counts.sum()
    return Reliability(
        confidence=means[0],
        accuracy=means[1],
        share=share,
        ticks=len(confidence),
        expected_error=float(share @ error),
        max_error=float(error.max()),
        brier=float(np.mean((confidence - right) ** 2)),
    )


def to_json(result: Reliability) -> dict[str, float | list[float] | None]:
    """Return a reliability as lists and numbers; a number that is not defined is None."""
    values = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in result._asdict().items()}
    return values if result.ticks else {k: None if v != v else v for k, v in values.items()}


def _ticks(labels: pd.DataFrame, truth: pd.DataFrame) -> tuple[Ints, Ints, Ints]:
    """Return rows of labels, their syllables and the true ones, where both exist."""
    both = align(labels, truth)
    frame = labels["frame"].to_numpy(np.int64)
    places = np.flatnonzero(frame >= 0)
    shared_frames = truth["frame"].to_numpy(np.int64)[both.tick]
    row = places[np.argsort(frame[places], kind="stable")]
    row = row[np.searchsorted(frame[row], shared_frames)]
    is_labeled = both.label >= 0
    return row[is_labeled], both.label[is_labeled], both.true[is_labeled]


def _mapped(syllable: npt.NDArray[np.integer], mostly: Mapping[int, int]) -> Ints:
    return np.array([mostly.get(s, -1) for s in syllable.tolist()], np.int64)


def _pooled(parts: list[tuple[Floats, npt.NDArray[np.bool_]]], bins: int) -> Reliability:
    if not parts:
        raise BadInput("no recording to judge; give labels and their truth.")
    confidence, right = (np.concatenate(both) for both in zip(*parts, strict=True))
    return reliability(confidence, right, bins=bins)
