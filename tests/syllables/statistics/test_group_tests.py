"""Tests of groups against brute force, published sample sizes, and groups that do not differ."""

import itertools

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from numpy.testing import assert_allclose

from syllabary.errors import BadSetting
from syllabary.syllables.settings import SummarizeSettings
from syllabary.syllables.statistics import group_tests, permutations
from syllabary.syllables.statistics import groups as comparison

MANY = 10**6


def plan(rng, paired=False, is_profile=False, max_count=MANY):
    return group_tests.Plan(paired, is_profile, max_count, rng)


def distance(x, y):
    return ((x.mean(0) - y.mean(0)) ** 2).sum()


def test_profiles_of_two_groups_match_enumeration(rng):
    x, y = rng.random((3, 5)), rng.random((4, 5)) + 0.2
    result = group_tests.compare([x, y], plan(rng, is_profile=True))
    everyone = np.concatenate([x, y])
    all_ways = []
    for chosen in itertools.combinations(range(7), 3):
        rest = [i for i in range(7) if i not in chosen]
        all_ways.append(distance(everyone[list(chosen)], everyone[rest]))
    assert_allclose(result.p, np.mean(np.array(all_ways) >= distance(x, y) - 1e-12))
    assert_allclose(result.difference, np.sqrt(distance(x, y) / 2))
    total = ((everyone - everyone.mean(0)) ** 2).sum()
    inside = ((x - x.mean(0)) ** 2).sum() + ((y - y.mean(0)) ** 2).sum()
    assert_allclose(result.effect_size, 1 - inside / total)


def test_profiles_of_pairs_match_enumeration(rng):
    x = rng.random((5, 4))
    y = x + 0.05 + 0.1 * rng.random((5, 4))
    result = group_tests.compare([x, y], plan(rng, paired=True, is_profile=True))
    all_ways = [
        ((np.array(sign) @ (y - x) / 5) ** 2).sum() for sign in itertools.product([1, -1], repeat=5)
    ]
    assert_allclose(result.p, np.mean(np.array(all_ways) >= distance(x, y) - 1e-12))


@pytest.mark.parametrize("paired", [False, True])
def test_profiles_of_three_groups_match_enumeration(paired, rng):
    groups = [rng.random((3, 4)) + shift for shift in (0, 0.1, 0.3)]
    result = group_tests.compare(groups, plan(rng, paired=paired, is_profile=True))
    everyone = np.concatenate(groups)

    def between(parts):
        return sum(len(part) * ((part.mean(0) - everyone.mean(0)) ** 2).sum() for part in parts)

    if paired:
        ways = [
            [np.stack([groups[order[g]][i] for i, order in enumerate(orders)]) for g in range(3)]
            for orders in itertools.product(itertools.permutations(range(3)), repeat=3)
        ]
    else:
        ways = [
            [everyone[np.array(code) == g] for g in range(3)]
            for code in set(itertools.permutations([0, 0, 0, 1, 1, 1, 2, 2, 2]))
        ]
    assert_allclose(result.statistic, between(groups))
    assert_allclose(result.p, np.mean([between(way) >= between(groups) - 1e-12 for way in ways]))


@pytest.mark.parametrize(
    ("sizes", "paired"),
    [
        *(((3, 3), False), ((2, 4), False), ((2, 2, 2), False), ((2, 2, 3), False)),
        *(((4, 4), True), ((3, 3, 3), True)),
    ],
)
def test_the_smallest_p_is_that_of_groups_that_do_not_overlap(sizes, paired, rng):
    p = []
    # Which order of the groups is the most extreme depends on their sizes.
    for shift in itertools.permutations(100.0 * np.arange(len(sizes))):
        units = rng.random((max(sizes), 1))
        groups = [
            (units if paired else rng.random((n, 1))) + s for n, s in zip(sizes, shift, strict=True)
        ]
        # Ranks of groups in another order may give the same statistic, their means do not.
        result = group_tests.compare(groups, plan(rng, paired=paired, is_profile=len(sizes) > 2))
        p.append(result.p[0])
    assert_allclose(min(p), permutations.smallest_p(sizes, MANY, paired=paired))
    assert permutations.smallest_p(sizes, 5, paired=paired) >= 0.2


def test_detectable_effects_are_those_of_cohens_tables():
    """Cohen 1988, table 2.4.1: 26, 64 and 393 in each group find d = 0.8, 0.5 and 0.2."""
    for n, effect in ((26, 0.8), (64, 0.5), (393, 0.2)):
        assert_allclose(group_tests.detectable_effect((n, n), paired=False), effect, atol=0.01)
    # 34 pairs find 0.5 (the same book, 2.3.1 and 2.4.1).
    assert_allclose(group_tests.detectable_effect((34, 34), paired=True), 0.5, atol=0.01)
    assert np.isnan(group_tests.detectable_effect((1, 5), paired=False))


def test_detectable_effects_are_found_as_often_as_they_say(rng):
    effect = group_tests.detectable_effect((6, 6), paired=False)
    findings = [
        scipy.stats.ttest_ind(rng.standard_normal(6), rng.standard_normal(6) + effect).pvalue < 0.05
        for _ in range(2000)
    ]
    assert abs(np.mean(findings) - 0.8) < 0.04


def study(rng, animals, groups=2, syllables=12):
    """A study in which groups do not differ: usage and transitions by recording."""
    usage, moves = [], []
    for g in range(groups):
        for i in range(animals):
            about = (f"r{g}-{i}", f"m{g}-{i}", f"g{g}")
            bouts = rng.multinomial(300, rng.dirichlet(np.full(syllables, 3.0)))
            length = rng.gamma(9.0, 0.05, syllables)
            speed = rng.gamma(4.0, 10.0, syllables)
            rows = zip(range(syllables), bouts * 10, bouts, bouts * length, speed, strict=True)
            usage += [(*about, *row) for row in rows]
            counts = rng.multinomial(300, rng.dirichlet(np.ones(9)))
            moves += [(*about, k // 3, k % 3, int(count)) for k, count in enumerate(counts)]
    keys = ["recording", "subject", "group"]
    columns = ["syllable", "ticks", "bouts", "total_s", "speed_mm_s"]
    return pd.DataFrame(usage, columns=[*keys, *columns]).assign(name=None), pd.DataFrame(
        moves, columns=[*keys, "from_syllable", "to_syllable", "count"]
    )


def compare(tables, seed=0, **changes):
    settings = SummarizeSettings(**{"permutations": 400, "bootstrap_samples": 100} | changes)
    usage, transitions = tables
    rng = np.random.default_rng(seed)
    return comparison.compare(usage, settings, rng=rng, transitions=transitions)


@pytest.mark.parametrize(("groups", "paired"), [(2, False), (2, True), (3, False), (3, True)])
def test_studies_without_differences_find_something_in_one_of_twenty_at_most(groups, paired, rng):
    """200 studies of eight animals and 16 correlated tests; more than 19 is one in 500 by chance."""
    findings = 0
    for _ in range(200):
        shape = (8, 15)
        values = [
            np.round(rng.gamma(2.0, size=(8, 1)) * rng.gamma(4.0, size=shape)) for _ in range(groups)
        ]
        p = []
        for is_profile in (False, True):
            chosen = plan(rng, paired=paired, is_profile=is_profile, max_count=1000)
            p += [*group_tests.compare(values, chosen).p]
        findings += min(scipy.stats.false_discovery_control(p)) < 0.05
    assert findings <= 19


def test_every_measure_and_all_tests_together_are_adjusted(rng):
    result = compare(study(rng, 5, groups=3))
    # 12 syllables with four measures, and three measures of all: all groups, and three pairs.
    assert len(result) == (4 * 12 + 3) * 4
    assert_allclose(result["q"], scipy.stats.false_discovery_control(result["p"]))
    assert_allclose(result["q_alone"], (result["p_smallest"] * len(result)).clip(upper=1))
    whole = result[result["syllable"].isna()]
    assert set(whole["measure"]) == {"entropy_nats", "repertoire", "transitions"}


def test_animals_without_a_syllable_have_no_duration(rng):
    usage, transitions = study(rng, 5)
    absent = (usage["syllable"] == 3) & usage["subject"].isin(["m0-1", "m1-2"])
    usage.loc[absent, ["ticks", "bouts", "total_s"]] = 0
    usage.loc[absent, "speed_mm_s"] = np.nan
    result = compare((usage, transitions)).set_index(["measure", "syllable"])
    lacking, full = result.loc[("duration_s", 3)], result.loc[("usage", 3)]
    assert (lacking["subjects_a"], lacking["subjects_b"], lacking["subjects_left_out"]) == (4, 4, 2)
    assert (full["subjects_a"], full["subjects_b"], full["subjects_left_out"]) == (5, 5, 0)
    a = usage[(usage["group"] == "g0") & (usage["syllable"] == 3) & (usage["bouts"] > 0)]
    assert_allclose(lacking["mean_a"], (a["total_s"] / a["bouts"]).mean())
    assert lacking["low_a"] < lacking["mean_a"] < lacking["high_a"]


def test_others_are_compared_with_the_control_alone(rng):
    result = compare(study(rng, 4, groups=3), control="g1")
    assert set(result["comparison"]) == {"all groups", "g1 vs g0", "g1 vs g2"}
    with pytest.raises(BadSetting, match=r"control = 'g11' is none of the groups .* did you mean 'g1'"):
        compare(study(rng, 4, groups=3), control="g11")
