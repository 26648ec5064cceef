"""Group comparisons against brute force and against scipy."""

import itertools

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from numpy.testing import assert_allclose

from syllabary.syllables.design import Design
from syllabary.syllables.settings import SummarizeSettings
from syllabary.syllables.statistics import groups, measures, permutations

SETTINGS = SummarizeSettings(min_usage=0, measures=["usage"])


def usage_of(shares, subjects=None):
    """A usage table: {group: (animals, syllables) shares}, one recording of 10,000 ticks each."""
    rows = []
    for group, values in shares.items():
        for i, animal in enumerate(np.atleast_2d(values)):
            subject = subjects[group][i] if subjects else f"{group}{i}"
            for syllable, share in enumerate(animal):
                rows.append((f"r-{group}-{i}", subject, group, syllable, None, round(1e4 * share)))
    columns = ["recording", "subject", "group", "syllable", "name", "ticks"]
    return pd.DataFrame(rows, columns=columns)


def shares(rng, n, means=(0.5, 0.3, 0.2), spread=0.02):
    values = np.abs(np.array(means) + spread * rng.standard_normal((n, len(means))))
    return values / values.sum(1, keepdims=True)


def subject_usage(table):
    return measures.measured(table, None, Design(), ["usage"])[0].table


def compare(table, settings=SETTINGS, seed=0):
    return groups.compare(table, settings, rng=np.random.default_rng(seed))


def test_two_groups_match_enumeration(rng):
    table = usage_of({"ctrl": shares(rng, 4), "drug": shares(rng, 5, (0.45, 0.33, 0.22))})
    result = compare(table)
    values = subject_usage(table)
    x, y = values.loc["ctrl"].to_numpy(), values.loc["drug"].to_numpy()
    everyone = np.concatenate([x, y])
    for k in range(3):
        observed = abs(y[:, k].mean() - x[:, k].mean())
        extreme = [
            abs(np.delete(everyone[:, k], chosen).mean() - everyone[list(chosen), k].mean())
            >= observed - 1e-12
            for chosen in itertools.combinations(range(9), 4)
        ]
        assert_allclose(result["p"][k], np.mean(extreme))
        assert_allclose(result["difference"][k], y[:, k].mean() - x[:, k].mean())
        pooled = np.sqrt((3 * x[:, k].var(ddof=1) + 4 * y[:, k].var(ddof=1)) / 7)
        assert_allclose(result["effect_size"][k], result["difference"][k] / pooled * (1 - 3 / 27))
    assert (result["subjects_a"] == 4).all() and (result["subjects_b"] == 5).all()
    assert_allclose(result["q"], scipy.stats.false_discovery_control(result["p"]))
    assert {name: str(t) for name, t in result.dtypes.items()} == groups.COLUMNS


def test_a_third_group_changes_nothing_about_two_others(rng):
    """Rows of a group are taken by its name, never by their place in the table."""
    ctrl, drug, other = (
        shares(rng, 4),
        shares(rng, 4, (0.3, 0.4, 0.3)),
        shares(rng, 4, (0.9, 0.05, 0.05)),
    )
    alone = compare(usage_of({"ctrl": ctrl, "drug": drug}))
    table = usage_of({"aaa": other, "drug": drug, "ctrl": ctrl})
    for rows in (table, table.sample(frac=1, random_state=1)):
        result = compare(rows)
        pair = result[result["comparison"] == "ctrl vs drug"].reset_index(drop=True)
        for column in ("p", "difference", "effect_size", "mean_a", "mean_b"):
            assert_allclose(pair[column], alone[column])
        assert list(result["comparison"].unique()) == [
            "all groups", "aaa vs ctrl", "aaa vs drug", "ctrl vs drug"
        ]  # fmt: skip


def test_h_is_scipys_and_its_p_is_near_the_asymptotic_one(rng):
    groups = {
        name: shares(rng, 7, (0.5 + shift, 0.3 - shift, 0.2))
        for name, shift in zip("abc", (0, 0.01, 0.02), strict=True)
    }
    table = usage_of(groups)
    result = compare(table)
    rows = result[result["comparison"] == "all groups"]
    values = subject_usage(table)
    for k, (h, p) in enumerate(zip(rows["statistic"], rows["p"], strict=True)):
        expected = scipy.stats.kruskal(*(values.loc[g].to_numpy()[:, k] for g in "abc"))
        assert_allclose(h, expected.statistic)
        assert abs(p - expected.pvalue) < 0.04
    assert rows["group_a"].isna().all() and rows["subjects_a"].isna().all()


def test_p_values_are_uniform_when_nothing_differs(rng):
    p = [compare(usage_of({"a": shares(rng, 5), "b": shares(rng, 5)}))["p"][0] for _ in range(150)]
    assert scipy.stats.kstest(p, "uniform").pvalue > 0.001
    assert np.mean(np.array(p) < 0.05) < 0.12


def test_random_permutations_agree_with_all_of_them(rng):
    table = usage_of({"a": shares(rng, 6), "b": shares(rng, 6, (0.52, 0.29, 0.19))})
    exact = compare(table)
    drawn = compare(table, SETTINGS.model_copy(update={"permutations": 900}))
    assert_allclose(exact["p"], drawn["p"], atol=0.06)
    assert_allclose(exact["p"] * 924, np.round(exact["p"] * 924), err_msg="12 choose 6 ways")
    assert (drawn["p"] >= 1 / 900).all()


def test_the_animal_is_the_unit_not_the_recording(rng):
    """Copies of an animal's recordings add no evidence."""
    table = usage_of({"a": shares(rng, 3), "b": shares(rng, 3, (0.3, 0.4, 0.3))})
    copies = pd.concat([table, table.assign(recording=table["recording"] + "-again")])
    assert_allclose(compare(copies)["p"], compare(table)["p"])
    assert (compare(table)["p"] >= 2 / 20).all(), "three against three cannot reach less"


def test_animals_in_both_groups_are_paired(rng):
    before = shares(rng, 6, spread=0.1)
    after = before + np.array([0.02, -0.01, -0.01])
    names = [f"m{i}" for i in range(6)]
    result = compare(usage_of({"a": before, "b": after}, {"a": names, "b": names}))
    assert (result["test"] == "paired permutation").all()
    assert_allclose(result["p"][0], 2 / 2**6)
    unpaired = compare(usage_of({"a": before, "b": after}))
    assert unpaired["p"][0] > 0.3


def test_intervals_cover_and_a_single_animal_has_none(rng):
    covered = []
    for _ in range(60):
        table = subject_usage(usage_of({"a": shares(rng, 20)}))
        rows = groups.group_means(table, SummarizeSettings(bootstrap_samples=200), rng=rng)
        covered.append(rows["low"][0] <= 0.5 <= rows["high"][0])
    assert 0.8 < np.mean(covered) <= 1
    single = groups.group_means(subject_usage(usage_of({"a": shares(rng, 1)})), SETTINGS, rng=rng)
    assert single["low"].isna().all() and single["subjects"].tolist() == [1, 1, 1]
    both = compare(usage_of({"a": shares(rng, 1), "b": shares(rng, 1)}))
    assert (both["p"] == 1).all() and both["effect_size"].isna().all()


def test_rare_syllables_are_not_tested(rng):
    table = usage_of(
        {
            "a": shares(rng, 4, (0.7, 0.29, 0.002), 0.0005),
            "b": shares(rng, 4, (0.6, 0.39, 0.002), 0.0005),
        }
    )
    assert compare(table, SummarizeSettings(min_usage=0.01, measures=["usage"]))[
        "syllable"
    ].tolist() == [0, 1]


def test_one_group_has_no_comparison(rng):
    result = compare(usage_of({"a": shares(rng, 4)}))
    assert len(result) == 0 and list(result) == list(groups.COLUMNS)


def test_identical_animals_do_not_differ():
    result = compare(usage_of({"a": np.full((4, 3), 1 / 3), "b": np.full((4, 3), 1 / 3)}))
    assert (result["p"] == 1).all() and result["effect_size"].isna().all()
    three = compare(usage_of({g: np.full((3, 3), 1 / 3) for g in "abc"}))
    assert (three["p"] == 1).all()


def test_the_same_seed_gives_the_same_table(rng):
    table = usage_of({"a": shares(rng, 12), "b": shares(rng, 12)})
    pd.testing.assert_frame_equal(compare(table), compare(table))
    assert not compare(table, seed=1)["low_a"].equals(compare(table)["low_a"])


@pytest.mark.parametrize("sizes", [(2, 3), (1, 2, 2)])
def test_all_assignments_are_different_and_begin_with_the_observed_one(sizes, rng):
    result = permutations.assignments(sizes, 1000, rng)
    assert len(np.unique(result, axis=0)) == len(result) == {(2, 3): 10, (1, 2, 2): 30}[sizes]
    assert result[0].tolist() == np.repeat(range(len(sizes)), sizes).tolist()
