"""Which of several trained models to use, judged by held-out animals.

There are two criteria. *Likelihood* is how well a candidate predicts the pixels of held-out animals,
as a mean rank among all candidates over animals. *Stability* is how much its labels agree with those
of the same settings under other seeds, as adjusted mutual information (AMI). Neither is enough alone:
likelihood can rise while syllables get worse, and models with few syllables agree easily.

The settings (a *variant*) are chosen by likelihood among those that are about as stable as the best.
Within the variant, the chosen seed is the most typical one.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import BadInput, ShapeError

__all__ = ["TrainedModel", "agreement", "choose", "count", "likelihoods"]

RULE = (
    "Stable variants are those whose stability (mean AMI between seeds on held-out animals) is at most "
    "{margin:g} below the best. The chosen variant has the best mean rank (1 = best) on held-out "
    "animals, half by IWAE and half by predicted pixels at all horizons. The chosen seed has the labels "
    "that agree most with those of the other seeds."
)
# Equal mean AMIs may differ by rounding.
ROUNDING = 1e-9
COMMON_SHARE = 0.01

Ints = npt.NDArray[np.integer]


class TrainedModel(NamedTuple):
    """A trained model: its name, its variant of the settings, and its seed."""

    name: str
    variant: str
    seed: int


class VariantResult(TypedDict):
    """Stability (AMI), mean rank and stability verdict of one variant."""

    stability: float | None
    rank: float
    is_stable: bool


class Choice(TypedDict):
    """The chosen candidate, and how all of them were judged."""

    chosen: str
    variant: str
    seed: int
    rule: str
    variants: dict[str, VariantResult]
    candidates: dict[str, dict[str, object]]


def likelihoods(rows: pd.DataFrame) -> dict[str, float]:
    """Return mean nats per frame of each measure and horizon, by the largest number of samples.

    Parameters
    ----------
    rows : DataFrame
        Columns of ``records.tables.LIKELIHOOD``, of one model; rows without frames do not
        count.

    Returns
    -------
    dict
        ``bound_nats``, ``iwae_nats``, ``pixels_<horizon>_nats``, ``components_<horizon>_nats``.
    """
    means = {}
    scored = rows[rows["frames"] > 0]
    for (measure, horizon), part in scored.groupby(["measure", "horizon"], sort=False):
        best_estimate = part[part["samples"] == part["samples"].max()]
        name = f"{measure}_{horizon}" if horizon else str(measure)
        nats = (best_estimate["nats_per_frame"] * best_estimate["frames"]).sum()
        means[f"{name}_nats"] = float(nats / best_estimate["frames"].sum())
    return means


def agreement(labels: Mapping[str, Mapping[str, Ints]]) -> pd.DataFrame:
    """Return the agreement of labels for each pair of candidates, pooled over recordings.

    Parameters
    ----------
    labels : mapping of candidate to mapping of recording to (T,) int
        -1 = unlabeled; a tick that either model leaves unlabeled does not count.

    Returns
    -------
    DataFrame
        A row per pair: ``candidate, other, ami, ticks``. ``ami`` is NaN if both models use a single
        syllable, so that their agreement carries no information.

    Raises
    ------
    ShapeError
        Two candidates label different recordings, or one of them with different numbers of ticks.
    """
    from sklearn import metrics

    shapes = {
        name: {recording: len(left) for recording, left in by_recording.items()}
        for name, by_recording in labels.items()
    }
    for name, shape in shapes.items():
        first = next(iter(shapes))
        if shape != shapes[first]:
            raise ShapeError(
                f"{name} labels {sum(shape.values())} ticks of {len(shape)} recordings and {first} "
                f"{sum(shapes[first].values())} of {len(shapes[first])}; segment the same with each."
            )
    order = list(next(iter(labels.values()), {}))
    joined = {
        name: np.concatenate([by_recording[recording] for recording in order] or [np.empty(0, int)])
        for name, by_recording in labels.items()
    }
    rows = []
    for a, b in itertools.combinations(joined, 2):
        both = (joined[a] >= 0) & (joined[b] >= 0)
        left, right = joined[a][both], joined[b][both]
        is_informative = len(np.unique(left)) > 1 or len(np.unique(right)) > 1
        ami = metrics.adjusted_mutual_info_score(left, right) if is_informative else math.nan
        rows.append((a, b, float(ami), int(both.sum())))
    return pd.DataFrame(rows, columns=["candidate", "other", "ami", "ticks"])


def count(labels: Mapping[str, Ints]) -> dict[str, int]:
    """Count all syllables of one candidate, and those on more than 1 % of the labeled ticks.

    Parameters
    ----------
    labels : mapping of recording to (T,) int
        -1 = unlabeled.
    """
    labeled = np.concatenate(
        [syllables[syllables >= 0] for syllables in labels.values()] or [np.empty(0, int)]
    )
    ticks = np.unique(labeled, return_counts=True)[1]
    return {
        "syllables": len(ticks),
        "syllables_above_1_percent": int((ticks > COMMON_SHARE * len(labeled)).sum()),
    }


def choose(
    candidates: Sequence[TrainedModel], likelihood: pd.DataFrame, pairs: pd.DataFrame, *, margin: float
) -> Choice:
    """Choose a candidate by likelihood and stability.

    Parameters
    ----------
    candidates : sequence of TrainedModel
        Ties go to the earlier one.
    likelihood : DataFrame
        Columns of ``records.tables.LIKELIHOOD`` and ``candidate``, of held-out recordings only.
    pairs : DataFrame
        Result of ``agreement`` for the same recordings.
    margin : float
        Largest distance of a stable variant from the best stability, AMI.

    Returns
    -------
    Choice
        A dict for JSON; a value that is not defined is None: ``chosen, variant, seed, rule``;
        ``variants`` by name with ``stability, rank, is_stable``; ``candidates`` by name with
        ``variant, seed, rank, mean_ami`` (with the other seeds of its variant) and ``likelihoods``.

    Raises
    ------
    BadInput
        No animal could be scored by any candidate.
    """
    rank = _ranks(candidates, likelihood)
    variant_of = {candidate.name: candidate.variant for candidate in candidates}
    same_variant = pairs[pairs["candidate"].map(variant_of) == pairs["other"].map(variant_of)]
    mean_ami = {
        candidate.name: _mean(
            same_variant["ami"][
                (same_variant["candidate"] == candidate.name) | (same_variant["other"] == candidate.name)
            ]
        )
        for candidate in candidates
    }
    names: dict[str, list[TrainedModel]] = {}
    for candidate in candidates:
        names.setdefault(candidate.variant, []).append(candidate)
    stability = {
        v: _mean(same_variant["ami"][same_variant["candidate"].map(variant_of) == v]) for v in names
    }
    mean_rank = {
        v: float(np.mean([rank[candidate.name] for candidate in seeds])) for v, seeds in names.items()
    }
    # Stability is not defined for a variant whose models all use a single syllable.
    min_stability = (
        max((s for s in stability.values() if s is not None), default=-math.inf) - margin - ROUNDING
    )
    stable = {v: _or_lowest(s) >= min_stability for v, s in stability.items()}
    variant = min(
        (v for v in names if stable[v]), key=lambda v: (mean_rank[v], -_or_lowest(stability[v]))
    )
    best = min(names[variant], key=lambda model: (-_or_lowest(mean_ami[model.name]), rank[model.name]))
    return {
        "chosen": best.name,
        "variant": best.variant,
        "seed": best.seed,
        "rule": RULE.format(margin=margin),
        "variants": {
            v: {"stability": stability[v], "rank": mean_rank[v], "is_stable": stable[v]} for v in names
        },
        "candidates": {
            candidate.name: {
                "variant": candidate.variant,
                "seed": candidate.seed,
                "rank": rank[candidate.name],
                "mean_ami": mean_ami[candidate.name],
                "likelihoods": likelihoods(likelihood[likelihood["candidate"] == candidate.name]),
            }
            for candidate in candidates
        },
    }


def _ranks(candidates: Sequence[TrainedModel], likelihood: pd.DataFrame) -> dict[str, float]:
    """Return the mean rank of each candidate over animals and measures; 1 is the best.

    Components are not compared, because each model has its own.
    """
    ranks = []
    for _, animal in likelihood.groupby("subject"):
        rows = {name: likelihoods(part) for name, part in animal.groupby("candidate")}
        scores = pd.DataFrame.from_dict(rows, orient="index").reindex(
            [candidate.name for candidate in candidates]
        )
        scores = scores.dropna(axis=1, how="all")
        ranks.append(scores.rank(ascending=False, na_option="bottom"))
    mean = pd.concat(ranks).groupby(level=0, sort=False).mean() if ranks else pd.DataFrame()
    by_measure = [[n for n in mean if str(n).startswith(measure)] for measure in ("iwae", "pixels")]
    halves = [mean[names].mean(axis=1) for names in by_measure if names]
    if not halves:
        raise BadInput(
            "no held-out animal could be scored; their recordings may be too short or rejected (see "
            "quality.json)."
        )
    total = sum(halves[1:], halves[0]) / len(halves)
    return {str(name): float(value) for name, value in total.items()}


def _mean(values: pd.Series) -> float | None:
    """Return the mean of the values that are defined; None if none is."""
    return None if values.isna().all() else float(values.mean())


def _or_lowest(value: float | None) -> float:
    return -math.inf if value is None else value
