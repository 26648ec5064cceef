"""What is compared, what is a unit, and what is a pair."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from numpy.testing import assert_allclose

from syllabary.errors import BadSetting
from syllabary.syllables import design
from syllabary.syllables.settings import SummarizeSettings
from syllabary.syllables.statistics import groups, permutations


def settings(**changes):
    return SummarizeSettings(**{"min_usage": 0, "bootstrap_samples": 100, **changes})


def study(rows, **columns):
    """Recordings given as (subject, group); further columns have a value for each."""
    table = pd.DataFrame(rows, columns=["subject", "group"]).assign(**columns)
    return table.assign(recording=[f"r{i}" for i in range(len(table))], role="train")


def usage(table, shares):
    """A usage table: share of syllable 0 in each recording of 10,000 ticks."""
    parts = [
        table.assign(syllable=s, name=None, ticks=[round(1e4 * abs(s - share)) for share in shares])
        for s in (1, 0)
    ]
    return pd.concat(parts)


def compare(table, shares, **changes):
    result = groups.compare(usage(table, shares), settings(**changes), rng=np.random.default_rng(0))
    return result[result["syllable"] == 0].set_index("comparison")


BEFORE = np.array([0.30, 0.42, 0.35, 0.51, 0.44, 0.28])
AFTER = np.array([0.33, 0.47, 0.36, 0.55, 0.42, 0.34])


def crossover(column="group"):
    """Six animals, each in both conditions."""
    animals = [f"m{i}" for i in range(6)]
    rows = [(animal, "all") for animal in animals * 2]
    table = study(rows).assign(**{column: ["saline"] * 6 + ["drug"] * 6})
    return table, [*BEFORE, *AFTER]


@pytest.mark.parametrize("column", ["group", "condition", "day"])
def test_animals_in_both_conditions_are_compared_with_themselves(column):
    table, shares = crossover(column)
    row = compare(table, shares, compare=column).loc["drug vs saline"]
    assert (row["test"], row["compared"], row["unit"]) == ("paired permutation", column, "subject")
    signed = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1).T @ (AFTER - BEFORE)
    assert row["p"] == np.mean(np.abs(signed) >= abs((AFTER - BEFORE).sum()) - 1e-9)
    assert_allclose(row["difference"], (BEFORE - AFTER).mean(), atol=1e-12)
    assert_allclose(row["effect_size"], (BEFORE - AFTER).mean() / (BEFORE - AFTER).std(ddof=1))
    assert (row["subjects_a"], row["subjects_b"], row["subjects_left_out"]) == (6, 6, 0)
    alone = compare(table.assign(subject=table["recording"]), shares, compare=column)
    assert alone["test"].tolist() == ["permutation"] and alone["p"].iloc[0] > 4 * row["p"]


def test_several_recordings_of_an_animal_in_a_condition_are_one_value():
    table, shares = crossover()
    twice = pd.concat([table, table.assign(recording=table["recording"] + "b")], ignore_index=True)
    again = compare(twice, [*(np.array(shares) - 0.01), *(np.array(shares) + 0.01)])
    once = compare(table, shares)
    for column in ("p", "difference", "effect_size", "subjects_a"):
        assert_allclose(again[column].astype(float), once[column].astype(float))


def test_numbers_are_conditions_in_the_order_of_their_values():
    table = study([(f"m{i}", "all") for i in range(9)], dose_mg=[10.0, 2.5, 0.0] * 3)
    result = compare(table, np.linspace(0.2, 0.6, 9), compare="dose_mg")
    assert list(result.index) == ["all groups", "0 vs 2.5", "0 vs 10", "2.5 vs 10"]


def test_animals_are_compared_by_their_recordings():
    table = study([("m1", "all")] * 4 + [("m2", "all")] * 4)
    row = compare(table, [0.1, 0.2, 0.15, 0.12, 0.5, 0.6, 0.55, 0.4], compare="subject").iloc[0]
    assert (row["group_a"], row["group_b"], row["unit"]) == ("m1", "m2", "recording")
    assert row["subjects_a"] == 4 and row["p"] == 2 / 70


def test_litters_are_pairs_of_the_means_of_their_animals():
    litters = ["l1", "l1", "l2", "l3"] * 2
    table = study([(f"m{i}", "ko" if i < 4 else "wt") for i in range(8)], litter=litters)
    shares = np.array([0.2, 0.4, 0.5, 0.6, 0.1, 0.3, 0.45, 0.4])
    row = compare(table, shares, pair_by="litter").iloc[0]
    means = [(shares[at : at + 2].mean(), shares[at + 2], shares[at + 3]) for at in (0, 4)]
    assert (row["unit"], row["subjects_a"], row["test"]) == ("litter", 3, "paired permutation")
    assert_allclose(row["difference"], np.subtract(means[1], means[0]).mean())
    assert row["p"] == 2 / 2**3


def test_recordings_without_a_value_are_not_compared():
    sex = ["f", "m", "f", "m", "", ""]
    table = study([(f"m{i}", "all") for i in range(6)], sex=sex)
    row = compare(table, np.linspace(0.2, 0.5, 6), compare="sex").iloc[0]
    assert (row["subjects_a"], row["subjects_b"]) == (2, 2)


def test_three_conditions_of_the_same_animals_are_permuted_within_each():
    rng = np.random.default_rng(3)
    values = np.round(0.3 + 0.05 * rng.standard_normal((5, 1)) + 0.02 * rng.random((5, 3)), 4)
    values[:, 2] += 0.02
    table = study([(f"m{i}", group) for group in "abc" for i in range(5)])
    result = compare(table, values.T.ravel())
    row = result.loc["all groups"]
    expected = scipy.stats.friedmanchisquare(*values.T)
    assert row["test"] == "Friedman permutation"
    assert_allclose(row["statistic"], expected.statistic)
    assert abs(row["p"] - expected.pvalue) < 0.02  # asymptotic against 6^5 permutations
    assert (result["test"][1:] == "paired permutation").all()


def test_all_orders_within_animals_are_enumerated():
    """Two animals in three groups: 36 orders, of which 6 rank both animals alike."""
    values = np.array([[1.0, 2, 3], [4, 5, 6]])[:, :, None]
    statistic = permutations.friedman(
        values, permutations.orders(*values.shape[:2], 1000, np.random.default_rng(0))
    )
    assert len(statistic) == 36
    assert statistic[0, 0] == 4 and np.mean(statistic[:, 0] >= 4) == 6 / 36


def test_animals_of_a_baseline_without_the_treatment_are_left_out_and_counted():
    """All animals have a baseline; half get the drug, and half the vehicle."""
    rows = [(f"m{i}", "baseline") for i in range(8)]
    rows += [(f"m{i}", "drug" if i < 4 else "vehicle") for i in range(8)]
    table = study(rows)
    design.require(table, settings())
    result = compare(table, np.linspace(0.2, 0.6, 16))
    assert result["test"].to_dict() == {
        "baseline vs drug": "paired permutation",
        "baseline vs vehicle": "paired permutation",
        "drug vs vehicle": "permutation",
    }
    assert result["subjects_left_out"].tolist() == [4, 4, 0]


@pytest.mark.parametrize("values", ["", np.nan])
def test_if_no_recording_with_a_value_is_left_nothing_is_compared(values):
    table = study([("m1", "a"), ("m2", "b")], day=values)
    assert compare(table, [0.2, 0.4], compare="day").empty
    assert len(compare(table, [0.2, 0.4])) == 1


MIXED = [("m1", "a"), ("m1", "b"), ("m2", "a"), ("m2", "b"), ("m3", "a"), ("m4", "b")]


def test_neither_pairs_nor_different_animals_are_refused_until_pairs_are_asked_for():
    table = study(MIXED)
    with pytest.raises(
        BadSetting,
        match=r"2 \(m1, m2\) are in both 'a' and 'b', 1 \(m3\) is in 'a' alone, .* summarize\.pair_by",
    ):
        design.require(table, settings())
    assert design.require(table, settings(pair_by="subject")) == ("group", "subject")
    row = compare(table, [0.1, 0.2, 0.3, 0.5, 0.9, 0.9], pair_by="subject").iloc[0]
    assert (row["subjects_a"], row["subjects_left_out"]) == (2, 2)
    assert_allclose(row["difference"], 0.15)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"compare": "grup"}, r"compare = 'grup': .* no such column to compare; did you mean 'group'"),
        ({"compare": "recording"}, r"compare = 'recording': .* it has subject, group, day"),
        ({"pair_by": "litter"}, r"pair_by = 'litter': recordings.tsv has no such column"),
        ({"pair_by": "group"}, r"'group' does not go with summarize.compare = 'group'"),
        ({"compare": "subject", "pair_by": "day"}, r"pair_by = 'day' does not go with"),
        ({"pair_by": "day"}, r"pair_by = 'day': animal 'm0' has 2 values; .* whole animals"),
        ({"compare": "empty"}, r"compare = 'empty': no recording has a value"),
        ({"compare": "weight_g"}, r"the column has 24 values, which are too many"),
        ({"pair_by": "cage"}, r"no value of this column is in two values of 'group'"),
    ],
)
def test_a_wrong_column_gets_one_sentence(changes, sentence):
    rows = [(f"m{i // 2}", "ab"[i % 2]) for i in range(24)]
    days = [float(i % 2) for i in range(24)]
    table = study(rows, day=days, empty="", weight_g=np.arange(24.0), cage="")
    table["cage"] = table["subject"].where(table["group"] == "a", "")
    with pytest.raises(BadSetting, match=sentence):
        design.require(table, settings(**changes))


def test_a_control_that_is_no_group_is_refused_before_the_run():
    table = pd.DataFrame({"subject": ["a", "b"], "group": ["saline", "drug"]})
    table = table.assign(recording=["r0", "r1"], role="train")
    design.require(table, settings(control="saline"))
    with pytest.raises(BadSetting, match=r"control = 'salin' is none .* did you mean 'saline'"):
        design.require(table, settings(control="salin"))
