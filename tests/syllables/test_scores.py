"""Scores on cases small enough to work out by hand, and against brute force."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from syllabary.errors import BadInput
from syllabary.syllables import score_text, scores

NAMES = np.array(["walk", "rear_up", "rear_down", "groom", "sniff"])


def table(syllable, frame=None):
    T = len(syllable)
    syllable = np.asarray(syllable)
    return pd.DataFrame(
        {
            "frame": np.arange(T) if frame is None else frame,
            "time_s": np.arange(T) / 30,
            "syllable": syllable,
            "behavior": pd.array(NAMES[syllable % len(NAMES)], dtype="string"),
        }
    )


def sequence(rng, T, K=5, mean=10):
    bouts = [np.repeat(rng.integers(K), 1 + rng.poisson(mean)) for _ in range(T // 4)]
    return np.concatenate(bouts)[:T]


SAME = ("ami", "nmi", "ari", "best_shift_ami", "macro_f1", "boundary_f1", "duration_ratio")


def test_perfect_labels_score_one(rng):
    truth = table(sequence(rng, 2000))
    result = scores.score(truth, truth)
    assert_allclose([result[key] for key in SAME], 1)
    assert result["best_shift_ticks"] == 0
    assert result["true_states"] == result["states_above_1_percent"] == 5
    assert result["behaviors"]["rear"]["f1"] == result["behaviors"]["groom"]["f1"] == 1
    assert all(
        row["recall"] == row["precision"] == row["mostly_recall"] == 1 for row in result["syllables"]
    )


def test_renamed_labels_score_one(rng):
    truth = sequence(rng, 2000)
    result = scores.score(table(np.array([7, 3, 0, 9, 1])[truth]), table(truth))
    assert_allclose([result[key] for key in SAME], 1)
    assert [row["label"] for row in result["syllables"]] == [7, 3, 0, 9, 1]


def test_a_delay_is_measured_and_separated_from_agreement(rng):
    truth = sequence(rng, 4000)
    for delay in (-3, 2):
        result = scores.score(table(np.roll(truth, delay)[5:-5]), table(truth[5:-5]))
        assert result["best_shift_ticks"] == delay
        assert result["ami"] < 0.9 < 1 - 1e-9 < result["best_shift_ami"]


def test_constant_labels_have_no_agreement(rng):
    truth = table(sequence(rng, 2000))
    result = scores.score(table(np.zeros(2000, int)), truth)
    assert_allclose([result["ami"], result["ari"], result["boundary_f1"]], 0, atol=1e-9)
    assert result["boundary_precision"] is None and result["boundary_recall"] == 0
    assert result["states_above_1_percent"] == 1
    both = scores.score(table(np.zeros(50, int)), table(np.zeros(50, int)))
    assert both["boundary_f1"] == both["ami"] == 1


def test_boundaries_by_hand():
    truth = np.zeros(60, int)
    truth[10:30], truth[30:50], truth[50:] = 1, 2, 3
    labels = np.zeros(60, int)
    labels[13:15], labels[15:34], labels[34:52], labels[52:] = 4, 1, 2, 3
    # True borders 10, 30, 50; found 13, 15, 34, 52: within 3 ticks only 13-10 and 52-50.
    result = scores.score(table(labels), table(truth))
    assert_allclose(result["boundary_precision"], 2 / 4)
    assert_allclose(result["boundary_recall"], 2 / 3)
    assert_allclose(result["boundary_f1"], 4 / 7)
    # Bouts of 13, 2, 19, 18, 8 against 10, 20, 20, 10 ticks.
    assert_allclose(result["duration_ratio"], 13 / 15)


def test_two_borders_cannot_share_one_true_border():
    assert scores.matched(np.array([9, 11]), np.array([10])) == 1
    assert scores.matched(np.array([8, 12]), np.array([10, 13])) == 2
    assert scores.matched(np.array([], int), np.array([3])) == 0


def test_matching_is_the_largest_possible(rng):
    def largest(a, b):
        if not a or not b:
            return 0
        skip = largest(a[1:], b)
        return max(
            [
                skip,
                *(
                    1 + largest(a[1:], b[:j] + b[j + 1 :])
                    for j in range(len(b))
                    if abs(a[0] - b[j]) <= 3
                ),
            ]
        )

    for _ in range(100):
        a, b = (np.sort(rng.choice(25, rng.integers(0, 7), replace=False)) for _ in range(2))
        assert scores.matched(a, b) == largest(a.tolist(), b.tolist())


def test_chance_is_what_random_borders_reach(rng):
    truth, other = sequence(rng, 20_000), sequence(rng, 20_000)
    result = scores.score(table(other), table(truth))
    assert abs(result["boundary_f1"] - result["boundary_f1_chance"]) < 0.04
    assert 0.4 < result["boundary_f1_chance"] < 0.6
    assert scores.score(table(truth), table(truth))["boundary_f1_chance"] < 0.6
    assert result == scores.score(table(other), table(truth)), "the chance level is seeded"


def test_borders_are_never_counted_across_recordings():
    first, second = table(np.zeros(20, int)), table(np.ones(20, int))
    result = scores.score_many([(first, first), (second, second)])
    assert result["recordings"] == 2 and result["frames"] == 40
    assert result["boundary_precision"] is None and result["boundary_f1"] == 1
    assert result["ami"] == 1 and result["duration_ratio"] == 1


def test_syllables_are_shared_by_recordings():
    first, second = np.repeat([0, 1], 20), np.repeat([1, 0], 20)
    swapped = scores.score_many([(table(first), table(first)), (table(1 - first), table(first))])
    assert swapped["ami"] < 0.05 and swapped["boundary_f1"] == 1
    same = scores.score_many([(table(1 - x), table(x)) for x in (first, second)])
    assert same["ami"] == 1


def test_splitting_and_merging_by_hand():
    truth = np.repeat([0, 1, 2, 3], [40, 30, 20, 10])
    labels = np.repeat([5, 6, 7, 7], [25, 15, 30, 30])  # splits 0, keeps 1, merges 2 and 3 with it
    rows = scores.score(table(labels), table(truth))["syllables"]
    assert [row["label"] for row in rows] == [5, 7, None, None]
    assert_allclose([row["recall"] for row in rows], [25 / 40, 1, 0, 0])
    assert_allclose(rows[1]["precision"], 0.5)
    assert rows[2]["precision"] is None
    assert rows[0]["labels_mostly"] == [5, 6] and rows[0]["mostly_recall"] == 1
    assert rows[1]["labels_mostly"] == [7] and rows[1]["mostly_precision"] == 0.5
    assert rows[3]["mostly_recall"] == 0
    result = scores.score(table(labels), table(truth))
    assert_allclose(result["macro_f1"], np.mean([2 * 25 / 65, 2 * 30 / 90, 0, 0]))


def test_the_one_to_one_match_shares_most_frames(rng):
    truth, labels = rng.integers(0, 4, 300), rng.integers(0, 4, 300)
    counts = np.array([[np.sum((truth == i) & (labels == j)) for j in range(4)] for i in range(4)])
    best = max(sum(counts[i, p[i]] for i in range(4)) for p in itertools.permutations(range(4)))
    rows = scores.score(table(labels), table(truth))["syllables"]
    assert sum(counts[row["syllable"], row["label"]] for row in rows) == best


def test_rear_and_groom_by_name():
    truth = np.repeat([0, 1, 2, 3, 4], [40, 10, 10, 20, 20])
    labels = np.repeat([0, 1, 2, 0], [35, 25, 20, 20])  # label 1 is 5 walk and all 20 rear frames
    result = scores.score(table(labels), table(truth))["behaviors"]
    assert result["rear"] == {"frames": 20, "precision": 20 / 25, "recall": 1.0, "f1": 40 / 45}
    assert result["groom"]["f1"] == 1
    without = scores.score(table([0, 0, 4, 4]), table([0, 0, 4, 4]))["behaviors"]
    assert without["rear"] == {"frames": 0, "precision": None, "recall": None, "f1": None}


def test_rows_are_aligned_by_frame():
    truth = table([0, 0, 1, 1, 2, 2, 0, 0], frame=[0, 1, -1, 2, 3, 4, 5, 6])
    labels = table([9, 0, 0, 1, 2, 2, 0], frame=[-1, 0, 1, 2, 3, 4, 5])
    result = scores.score(labels, truth)
    assert result["frames"] == 6
    assert result["ami"] == result["boundary_f1"] == 1


def test_unlabeled_frames_count_as_misses():
    truth = np.repeat([0, 1], 20)
    labels = truth.copy()
    labels[:15] = -1
    result = scores.score(table(labels), table(truth))
    assert result["frames"] == 40 and result["syllables"][0]["recall"] == 0.25
    assert result["syllables"][0]["mostly_recall"] == 0.25
    quiet = scores.score(table(np.full(40, -1)), table(truth))
    assert quiet["macro_f1"] == 0 and quiet["states_above_1_percent"] == 0


def test_labels_of_other_recordings_are_refused():
    with pytest.raises(BadInput, match="share no frame"):
        scores.score(table([1, 2], frame=[-1, -1]), table([1, 2]))
    with pytest.raises(BadInput, match="share no frame"):
        scores.score_many([])


def test_scores_are_json_and_text(rng):
    result = scores.score(table(sequence(rng, 300, K=3)), table(sequence(rng, 300)))
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    text = score_text.format(result)
    assert f"{result['ami']:.3f}" in text and "groom" in text and "rear_up" in text
    assert len({len(line.rstrip()) > 100 for line in text.splitlines()}) == 1
