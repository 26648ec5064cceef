"""Which clips a person should label next: clips of uncertain syllables, of many kinds.

The *doubt* of a tick is the entropy over syllables plus the disagreement between models, in nats.
A clip adds its doubt, in seconds times nats, to the syllables it may show and to its recording.
The value of a set of clips is the sum over syllables and recordings of log(1 + doubt so far), and
each next clip is the one that raises it most. A second clip of one kind adds less than a first
clip of another kind. This greedy choice reaches at least 1 - 1/e of the best value.

References
----------
doi:10.1007/BF01588971 (greedy choice under diminishing returns).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import BadInput, ShapeError

__all__ = ["COLUMNS", "RecordingPosterior", "disagreement", "propose"]

COLUMNS = ("recording", "start_s", "stop_s", "behavior", "reason")
# Candidate clips start at this many times per length of a clip.
STARTS = 4
MAX_NAMED = 3  # syllables in a reason
MIN_SHARE = 0.1  # smallest share of the clip of a syllable in a reason

Floats = npt.NDArray[np.float64]


class Proposal(NamedTuple):
    """A clip that could be labeled: its recording, and its start and stop, s."""

    recording: str
    start_s: float
    stop_s: float


class RecordingPosterior(NamedTuple):
    """Posterior of one recording and the ticks that people labeled; T ticks, S syllables.

    Attributes
    ----------
    recording : str
    time_s : (T,) float
        Time of each tick, s.
    probabilities : (T, S) float
        Posterior probability of each syllable.
    observed : (T,) bool
        Ticks with a frame.
    labeled : (T,) bool
        Ticks that a person labeled.
    disagreement_nats : (T,) float64 or None
        Result of ``disagreement``, nats.
    """

    recording: str
    time_s: npt.NDArray[np.floating]
    probabilities: npt.NDArray[np.floating]
    observed: npt.NDArray[np.bool_]
    labeled: npt.NDArray[np.bool_]
    disagreement_nats: Floats | None = None


def disagreement(labels: Sequence[Mapping[str, npt.NDArray[np.integer]]]) -> dict[str, Floats]:
    """Return the disagreement of several models about each tick.

    For labels a and b of two models it is the mean of -log p(a | b) and -log p(b | a), from
    counts over all recordings. Its mean over ticks is half their variation of information. Models
    may differ in the number and the order of their syllables.

    Parameters
    ----------
    labels : sequence of mappings of recording to (T,) int
        One mapping per model, all of the same recordings; -1 = unlabeled.

    Returns
    -------
    dict of recording to (T,) float64
        Mean over pairs of models, nats; 0 where a model has no label, and for a single model.

    Raises
    ------
    ShapeError
        Two models label a recording with different numbers of ticks.
    """
    names = list(labels[0]) if labels else []
    total = {name: np.zeros(len(labels[0][name])) for name in names}
    pairs = [(a, b) for i, a in enumerate(labels) for b in labels[i + 1 :]]
    for a, b in pairs:
        for name in names:
            if len(a[name]) != len(b[name]):
                raise ShapeError(
                    f"{name}: models label {len(a[name])} and {len(b[name])} ticks; they share the "
                    "recording's ticks. Segment it again with each."
                )
        joined = [np.concatenate([np.asarray(m[name]) for name in names]).astype(int) for m in (a, b)]
        counts = np.zeros((joined[0].max(initial=-1) + 2, joined[1].max(initial=-1) + 2))
        np.add.at(counts, tuple(joined), 1)  # -1 is the last row or column
        counts[-1], counts[:, -1] = 0, 0
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = (np.log(counts.sum(0)) + np.log(counts.sum(1))[:, None]) / 2 - np.log(counts)
        apart = np.where(counts > 0, apart, 0.0)
        for name in names:
            total[name] += apart[a[name], b[name]] / len(pairs)
    return total


def propose(recordings: Iterable[RecordingPosterior], *, clips: int, clip_s: float) -> pd.DataFrame:
    """Propose clips to label, best first.

    Parameters
    ----------
    recordings : iterable of RecordingPosterior
        All of one model; one is in memory at a time.
    clips : int
        Largest number of clips.
    clip_s : float
        Length of a clip, s.

    Returns
    -------
    DataFrame
        ``COLUMNS``. ``behavior`` is empty, for people to fill in; ``reason`` names the syllables
        that the clip may show. Clips overlap neither each other nor labeled ticks. Ties go to the
        first clip in order of recordings and time.

    Raises
    ------
    BadInput
        There is no recording, or none has an unlabeled clip of that length.
    ShapeError
        Arrays of a recording have different numbers of ticks.
    """
    proposals: list[Proposal] = []
    doubts: list[npt.NDArray[np.float32]] = []
    reasons: list[str] = []
    places: list[int] = []
    labeled_doubt: list[Floats] = []
    for place, posterior in enumerate(recordings):
        doubt, entropy, length = _doubt(posterior, clip_s)
        labeled_doubt.append(doubt[posterior.labeled].sum(0))
        starts = np.arange(0, len(posterior.time_s) - length + 1, max(1, length // STARTS))
        free = np.concatenate([[0], np.cumsum(posterior.labeled)])
        starts = starts[free[starts + length] == free[starts]]
        sums = np.concatenate([np.zeros((1, doubt.shape[1])), np.cumsum(doubt, 0)])
        doubts.append((sums[starts + length] - sums[starts]).astype(np.float32))
        tick_s = _tick_s(posterior.time_s)
        for first in starts.tolist():
            start = float(posterior.time_s[first])
            stop = float(posterior.time_s[first + length - 1]) + tick_s
            proposals.append(Proposal(posterior.recording, start, stop))
            reasons.append(_reason(posterior, entropy, slice(first, first + length)))
        places += [place] * len(starts)
    if not labeled_doubt:
        raise BadInput("no recording to choose clips from; 'syllabary segment' makes posteriors.")
    if not proposals:
        raise BadInput(
            f"no recording has {clip_s:g} s without labels; choose shorter clips with the setting "
            "suggest.clip_s."
        )
    chosen = _greedy(proposals, np.concatenate(doubts), np.array(places), labeled_doubt, clips)
    rows = [
        (clip.recording, *np.round(clip[1:], 3).tolist(), "", reasons[i])
        for i, clip in ((i, proposals[i]) for i in chosen)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _doubt(posterior: RecordingPosterior, clip_s: float) -> tuple[Floats, Floats, int]:
    """Return doubt (T, S) in s times nats, entropy (T,) in nats, and the ticks of a clip."""
    probabilities = np.asarray(posterior.probabilities, np.float64)
    ticks = {len(posterior.time_s), len(probabilities), len(posterior.observed), len(posterior.labeled)}
    if posterior.disagreement_nats is not None:
        ticks.add(len(posterior.disagreement_nats))
    if len(ticks) > 1:
        raise ShapeError(
            f"{posterior.recording}: times, probabilities and labels have "
            f"{', '.join(map(str, sorted(ticks)))} ticks; they share the recording's ticks. Segment it "
            "again."
        )
    total = probabilities.sum(1, keepdims=True)
    shares = np.divide(probabilities, total, where=total > 0, out=np.zeros_like(probabilities))
    terms = np.where(shares > 0, shares * np.log(np.where(shares > 0, shares, 1.0)), 0.0)
    entropy = -terms.sum(1)
    # A tick without a frame cannot be labeled.
    apart = 0.0 if posterior.disagreement_nats is None else posterior.disagreement_nats
    nats = np.where(posterior.observed, entropy + apart, 0.0)
    tick_s = _tick_s(posterior.time_s)
    return shares * nats[:, None] * tick_s, entropy, max(1, round(clip_s / tick_s))


def _greedy(
    proposals: Sequence[Proposal],
    doubts: npt.NDArray[np.float32],
    places: npt.NDArray[np.int64],
    labeled_doubt: Sequence[Floats],
    clips: int,
) -> list[int]:
    """Return indices of clips; each raises the value of those before it most."""
    syllables = np.sum(labeled_doubt, 0)
    recordings = np.array([doubt.sum() for doubt in labeled_doubt])
    worth = doubts.sum(1, dtype=np.float64)
    start = np.array([clip.start_s for clip in proposals])
    stop = np.array([clip.stop_s for clip in proposals])
    is_free = worth > 0
    chosen: list[int] = []
    while len(chosen) < clips and is_free.any():
        gain = np.log1p(doubts / (1 + syllables)).sum(1, dtype=np.float64)
        gain += np.log1p(worth / (1 + recordings[places]))
        best = int(np.argmax(np.where(is_free, gain, -np.inf)))
        chosen.append(best)
        syllables = syllables + doubts[best]
        recordings[places[best]] += worth[best]
        overlaps = (start < stop[best]) & (stop > start[best]) & (places == places[best])
        is_free &= ~overlaps
    return chosen


def _reason(posterior: RecordingPosterior, entropy: Floats, clip: slice) -> str:
    """Return the likely syllables of a clip, their entropy and the disagreement, as text."""
    observed = posterior.observed[clip]
    if not observed.any():
        return ""
    mean = np.asarray(posterior.probabilities[clip], np.float64)[observed].mean(0)
    order = np.argsort(-mean, kind="stable")[:MAX_NAMED]
    likely = [f"{k} ({100 * mean[k]:.0f} %)" for k in order.tolist() if mean[k] >= MIN_SHARE]
    text = f"syllable {', '.join(likely)}; entropy {entropy[clip][observed].mean():.2f} nats"
    if posterior.disagreement_nats is not None:
        text += f"; models disagree by {posterior.disagreement_nats[clip][observed].mean():.2f} nats"
    return text


def _tick_s(time_s: npt.NDArray[np.floating]) -> float:
    return float(np.median(np.diff(time_s))) if len(time_s) > 1 else 1 / 30
