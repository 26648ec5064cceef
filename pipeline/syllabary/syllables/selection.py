"""Which of several trained models to use: judged by animals that none of them has seen.

Two things count. *Likelihood*: how well a candidate predicts the pixels of unseen animals, as a mean
rank among all candidates, animal by animal. *Stability*: how much its labels agree with those of the
same settings under other seeds, as adjusted mutual information (AMI). Neither will do alone: the
likelihood of a model rises while its syllables get worse, and few syllables agree easily.

So settings (a *variant*) are chosen by likelihood among those that are about as stable as the most
stable ones, and the seed within them is the most typical one, not the luckiest.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import BadInput, ShapeError

__all__ = ["Candidate", "agreement", "choose", "count", "likelihoods"]

RULE = (
    "Of the variants whose stability (mean AMI between seeds on held-out animals) is at most "
    "{margin:g} below the best, the one of the best mean rank (1 is the best) by held-out animals: half "
    "by IWAE, half by predicted pixels at all horizons. Of its seeds, the one whose labels agree most "
    "with the others'."
)
# Mean AMIs and margins are decimal fractions: equal ones may differ by rounding.
ROUNDING = 1e-9
COMMON_SHARE = 0.01

Ints = npt.NDArray[np.integer]


class Candidate(NamedTuple):
    """A trained model: its name, its settings' name, and the seed it was trained with."""

    name: str
    variant: str
    seed: int


def likelihoods(rows: pd.DataFrame) -> dict[str, float]:
    """Mean nats per frame of each measure and horizon, by the largest number of samples.

    Parameters
    ----------
    rows : DataFrame
        Of ``records.tables.LIKELIHOOD``, all of one model; rows without frames do not count.

    Returns
    -------
    dict
        ``bound_nats``, ``iwae_nats``, ``pixels_<horizon>_nats``, ``components_<horizon>_nats``.
    """
    found = {}
    scored = rows[rows["frames"] > 0]
    for (measure, horizon), part in scored.groupby(["measure", "horizon"], sort=False):
        most = part[part["samples"] == part["samples"].max()]
        name = f"{measure}_{horizon}" if horizon else str(measure)
        nats = (most["nats_per_frame"] * most["frames"]).sum()
        found[f"{name}_nats"] = float(nats / most["frames"].sum())
    return found


def agreement(labels: Mapping[str, Mapping[str, Ints]]) -> pd.DataFrame:
    """Agreement of every two candidates' labels, pooled over recordings.

    Parameters
    ----------
    labels : mapping of candidate to mapping of recording to (T,) int
        -1 where nothing is said: ticks of which either says nothing do not count.

    Returns
    -------
    DataFrame
        A row per pair: ``candidate, other, ami, ticks``. ``ami`` is NaN where both label all ticks
        with one syllable: they agree, but about nothing.

    Raises
    ------
    ShapeError
        Two candidates label different recordings, or one of them with different numbers of ticks.
    """
    from sklearn import metrics

    shapes = {
        name: {recording: len(one) for recording, one in said.items()} for name, said in labels.items()
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
        name: np.concatenate([said[recording] for recording in order] or [np.empty(0, int)])
        for name, said in labels.items()
    }
    rows = []
    for a, b in itertools.combinations(joined, 2):
        both = (joined[a] >= 0) & (joined[b] >= 0)
        one, other = joined[a][both], joined[b][both]
        says = len(np.unique(one)) > 1 or len(np.unique(other)) > 1
        ami = metrics.adjusted_mutual_info_score(one, other) if says else math.nan
        rows.append((a, b, float(ami), int(both.sum())))
    return pd.DataFrame(rows, columns=["candidate", "other", "ami", "ticks"])


def count(labels: Mapping[str, Ints]) -> dict[str, int]:
    """Count the syllables of one candidate: all, and those on more than 1 % of the ticks."""
    said = np.concatenate([one[one >= 0] for one in labels.values()] or [np.empty(0, int)])
    ticks = np.unique(said, return_counts=True)[1]
    return {
        "syllables": len(ticks),
        "syllables_above_1_percent": int((ticks > COMMON_SHARE * len(said)).sum()),
    }


def choose(
    candidates: Sequence[Candidate], likelihood: pd.DataFrame, pairs: pd.DataFrame, *, margin: float
) -> dict[str, Any]:
    """Choose a candidate.

    Parameters
    ----------
    candidates : sequence of Candidate
        In the order in which ties are decided.
    likelihood : DataFrame
        Of ``records.tables.LIKELIHOOD`` with a column ``candidate``; of held-out recordings alone.
    pairs : DataFrame
        As ``agreement`` returns them, of the same recordings.
    margin : float
        How far a variant's stability may be below the best, AMI.

    Returns
    -------
    dict
        Ready for JSON, None where something is not defined: ``chosen, variant, seed, rule``;
        ``variants`` by name with ``stability, rank, is_stable``; ``candidates`` by name with
        ``variant, seed, rank, mean_ami`` (with the other seeds of its variant) and ``likelihoods``.

    Raises
    ------
    BadInput
        No animal could be scored by any candidate.
    """
    rank = _ranks(candidates, likelihood)
    variant_of = {one.name: one.variant for one in candidates}
    own = pairs[pairs["candidate"].map(variant_of) == pairs["other"].map(variant_of)]
    typical = {
        one.name: _mean(own["ami"][(own["candidate"] == one.name) | (own["other"] == one.name)])
        for one in candidates
    }
    names: dict[str, list[Candidate]] = {}
    for one in candidates:
        names.setdefault(one.variant, []).append(one)
    stability = {v: _mean(own["ami"][own["candidate"].map(variant_of) == v]) for v in names}
    mean_rank = {v: float(np.mean([rank[one.name] for one in seeds])) for v, seeds in names.items()}
    # Where no variant finds more than one syllable there is nothing to be stable about.
    least = max((s for s in stability.values() if s is not None), default=-math.inf) - margin - ROUNDING
    stable = {v: _or_least(s) >= least for v, s in stability.items()}
    variant = min(
        (v for v in names if stable[v]), key=lambda v: (mean_rank[v], -_or_least(stability[v]))
    )
    best = min(names[variant], key=lambda one: (-_or_least(typical[one.name]), rank[one.name]))
    return {
        "chosen": best.name,
        "variant": best.variant,
        "seed": best.seed,
        "rule": RULE.format(margin=margin),
        "variants": {
            v: {"stability": stability[v], "rank": mean_rank[v], "is_stable": stable[v]} for v in names
        },
        "candidates": {
            one.name: {
                "variant": one.variant,
                "seed": one.seed,
                "rank": rank[one.name],
                "mean_ami": typical[one.name],
                "likelihoods": likelihoods(likelihood[likelihood["candidate"] == one.name]),
            }
            for one in candidates
        },
    }


def _ranks(candidates: Sequence[Candidate], likelihood: pd.DataFrame) -> dict[str, float]:
    """Mean rank of each candidate over animals and measures, 1 the best.

    Components are not compared: they are each model's own.
    """
    found = []
    for _, animal in likelihood.groupby("subject"):
        rows = {name: likelihoods(part) for name, part in animal.groupby("candidate")}
        scores = pd.DataFrame.from_dict(rows, orient="index").reindex([one.name for one in candidates])
        scores = scores.dropna(axis=1, how="all")
        found.append(scores.rank(ascending=False, na_option="bottom"))
    mean = pd.concat(found).groupby(level=0, sort=False).mean() if found else pd.DataFrame()
    kinds = [[n for n in mean if str(n).startswith(kind)] for kind in ("iwae", "pixels")]
    halves = [mean[names].mean(axis=1) for names in kinds if names]
    if not halves:
        raise BadInput(
            "no held-out animal could be scored; their recordings may be too short or reject (see "
            "quality.json)."
        )
    total = sum(halves[1:], halves[0]) / len(halves)
    return {str(name): float(value) for name, value in total.items()}


def _mean(values: pd.Series) -> float | None:
    """Mean of what is defined."""
    return None if values.isna().all() else float(values.mean())


def _or_least(value: float | None) -> float:
    return -math.inf if value is None else value
