"""How often is a difference found where there is none, and where there is one?

Studies are drawn at random: 2 to 4 groups, 3 to 12 animals in each, the same animals in all groups or
others, 20 syllables. With effect 0 the groups do not differ; a study counts if any q of its table is
below 0.05. With another, a syllable is used more in the last group, by so many standard deviations
between animals; a study counts if the usage of that syllable has q < 0.05.

Beside ours is the rule of keypoint-MoSeq 0.8.1: Kruskal-Wallis by recording, p as the share of 1,000
permutations that are strictly larger, Benjamini-Hochberg over syllables.

    python benchmarks/null_studies.py [--studies 2000] [--effects 0 1.5 3] [--seed 0] [--record]
"""

import argparse
from collections import defaultdict

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.stats
from results import add

from syllabary.progress import track
from syllabary.syllables.settings import SummarizeSettings
from syllabary.syllables.statistics import groups as comparison

SYLLABLES, PERMUTATIONS, LIMIT = 20, 1000, 0.05
# Shape of the gamma distribution of a syllable's usage: animals differ by a quarter of the mean.
SHAPE = 16.0
KEYS = ["recording", "subject", "group"]


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--studies", type=int, default=2000)
    options.add_argument("--effects", type=float, nargs="+", default=[0.0])
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--record", action="store_true", help="add the results to results.csv")
    chosen = options.parse_args()
    settings = {
        "all measures": SummarizeSettings(permutations=PERMUTATIONS, bootstrap_samples=100),
        "usage": SummarizeSettings(permutations=PERMUTATIONS, bootstrap_samples=100, measures=["usage"]),
    }
    for effect in chosen.effects:
        findings: dict[tuple[str, str], list[bool]] = defaultdict(list)
        for seed in track(range(chosen.studies), f"effect {effect:g}", unit="studies"):
            rng = np.random.default_rng([chosen.seed, seed])
            groups, animals, paired = rng.integers(2, 5), rng.integers(3, 13), bool(rng.integers(2))
            kind = f"{groups if groups < 3 else '3 or 4'} groups, {'paired' if paired else 'unpaired'}"
            usage, transitions = study(rng, int(groups), int(animals), paired, effect)
            for name, setting in settings.items():
                table = comparison.compare(usage, setting, rng=rng, transitions=transitions)
                findings[kind, name].append(is_significant(table, effect))
            findings[kind, "keypoint-MoSeq's rule"].append(is_significant(rule(usage, rng), effect))
        report(findings, effect, chosen.record)


def study(
    rng: np.random.Generator, groups: int, animals: int, paired: bool, effect: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return usage and transitions by recording of a study; the last group uses syllable 0 more."""
    usage, moves = [], []
    means = rng.dirichlet(np.full(SYLLABLES, 3.0))
    usual = rng.gamma(SHAPE, 1 / SHAPE, (animals, SYLLABLES))
    for g in range(groups):
        for i in range(animals):
            usage_of_animal = rng.gamma(SHAPE, 1 / SHAPE, SYLLABLES) * (usual[i] if paired else 1.0)
            usage_of_animal[0] *= 1 + effect / np.sqrt(SHAPE) * (g == groups - 1)
            ticks = rng.poisson(36_000 * means * usage_of_animal / (means * usage_of_animal).sum())
            bouts = np.maximum(1, ticks // 12)
            about = (f"r{g}-{i}", f"m{i}" if paired else f"m{g}-{i}", f"g{g}")
            speed = rng.gamma(SHAPE, 5 / SHAPE, SYLLABLES)
            rows = zip(range(SYLLABLES), ticks, bouts, ticks / 30, speed, strict=True)
            usage += [(*about, *row) for row in rows]
            counts = rng.multinomial(3000, np.outer(ticks, ticks).ravel() / ticks.sum() ** 2)
            moves += [(*about, k // SYLLABLES, k % SYLLABLES, c) for k, c in enumerate(counts) if c]
    columns = ["syllable", "ticks", "bouts", "total_s", "speed_mm_s"]
    return pd.DataFrame(usage, columns=[*KEYS, *columns]).assign(name=None), pd.DataFrame(
        moves, columns=[*KEYS, "from_syllable", "to_syllable", "count"]
    )


def rule(usage: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return q of each syllable as keypoint-MoSeq adjusts it."""
    ticks = usage.pivot_table(index=["group", "recording"], columns="syllable", values="ticks")
    shares = ticks.div(ticks.sum(axis=1), axis=0)
    group = np.unique(shares.index.get_level_values("group"), return_inverse=True)[1]
    ranks = scipy.stats.rankdata(shares.to_numpy(), axis=0)
    observed = _between(ranks, group)
    drawn = np.stack([_between(ranks, rng.permutation(group)) for _ in range(PERMUTATIONS)])
    q = scipy.stats.false_discovery_control((drawn > observed).mean(0))
    return pd.DataFrame({"measure": "usage", "syllable": shares.columns, "q": q})


def _between(ranks: npt.NDArray[np.float64], group: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    sums = np.stack([ranks[group == g].sum(0) ** 2 / (group == g).sum() for g in range(group.max() + 1)])
    return np.asarray(sums.sum(0))


def is_significant(table: pd.DataFrame, effect: float) -> bool:
    """Return whether anything is significant; with an effect, whether syllable 0's usage is."""
    if effect:
        table = table[(table["measure"] == "usage") & (table["syllable"] == 0)]
    return bool((table["q"] < LIMIT).any())


def report(findings: dict[tuple[str, str], list[bool]], effect: float, record: bool) -> None:
    """Print the share of studies in which something was significant, with its 95 % interval."""
    rows = []
    for (kind, name), hits in sorted(findings.items()):
        interval = scipy.stats.binomtest(int(sum(hits)), len(hits)).proportion_ci()
        print(
            f"effect {effect:g} | {kind} | {name} | {np.mean(hits):.3f} "
            f"({interval.low:.3f} to {interval.high:.3f}) of {len(hits)}"
        )
        rows.append((f"effect {effect:g}, {kind}", name, float(np.mean(hits))))
    if record:
        for case, name, share in rows:
            add("null_studies", case, f"found by {name}", share, "share of studies")


if __name__ == "__main__":
    main()
