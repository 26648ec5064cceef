"""Labels against people: by hand, and people against one another."""

import numpy as np
import pandas as pd
import pytest

from syllabary.errors import BadInput
from syllabary.records.labeled_bouts import LabeledBout
from syllabary.syllables import people, score_text


def labels(path, drop=()):
    path = np.asarray(path)
    frame = np.where(np.isin(np.arange(len(path)), drop), -1, np.arange(len(path)))
    return pd.DataFrame(
        {
            "frame": frame,
            "time_s": np.arange(len(path)) / 10,
            "syllable": path,
            "name": pd.array([{4: "up"}.get(s, pd.NA) for s in path.tolist()], dtype="string"),
        }
    )


def bout(start, stop, behavior, annotator="", recording="m1", confidence=1.0):
    return LabeledBout(0, recording, start / 10, stop / 10, behavior, annotator, confidence)


#            0  1  2  3  4  5  6  7  8  9 10 11
TABLE = labels([4, 4, 4, 7, 7, 7, 7, 4, 9, 9, 9, 9])
REARS = [bout(0, 3, "rear"), bout(3, 8, "walk")]


def by_behavior(scores):
    return {row["behavior"]: row for row in scores.labels["syllables"]}


def test_precision_recall_and_the_syllables_of_a_behavior():
    rows = by_behavior(people.score({"m1": TABLE}, REARS))
    # Syllable 4 is mostly rear, though one of its four frames is a walk.
    assert rows["rear"]["labels_mostly"] == [4] and rows["walk"]["labels_mostly"] == [7]
    assert (rows["rear"]["mostly_precision"], rows["rear"]["mostly_recall"]) == (0.75, 1.0)
    assert (rows["walk"]["mostly_precision"], rows["walk"]["mostly_recall"]) == (1.0, 0.8)


def test_ticks_that_nobody_labeled_and_borders_between_runs_do_not_count():
    scores = people.score({"m1": TABLE}, [bout(0, 3, "rear"), bout(8, 12, "groom")])
    assert scores.labels["frames"] == 7
    assert scores.labels["boundary_recall"] is None, "both stretches have one behavior"
    assert scores.seconds == pytest.approx(0.5)
    assert people.score({"m1": labels(TABLE["syllable"], drop=[1])}, REARS).labels["frames"] == 7


def test_what_the_fit_was_given_does_not_count():
    scores = people.score({"m1": TABLE}, REARS, training_bouts=[bout(0, 3, "sniff")])
    assert set(by_behavior(scores)) == {"walk"} and scores.labels["frames"] == 5
    with pytest.raises(BadInput, match="share no time that the fit was not"):
        people.score({"m1": TABLE}, REARS, training_bouts=[bout(0, 12, "rear")])
    with pytest.raises(BadInput, match="share no time"):
        people.score({"m2": TABLE}, REARS)


def test_people_are_compared_where_both_labeled():
    anna = [bout(0, 4, "rear", "anna"), bout(4, 8, "walk", "anna")]
    ben = [bout(2, 4, "rear", "ben"), bout(4, 12, "walk", "ben")]
    scores = people.score({"m1": TABLE}, anna + ben)
    between = scores.people["anna", "ben"]
    assert between["frames"] == 6 and between["ari"] == 1 and between["boundary_f1"] == 1
    assert scores.labels["frames"] == 8 + 10
    late = [bout(2, 5, "rear", "ben"), bout(5, 12, "walk", "ben")]
    assert people.score({"m1": TABLE}, anna + late).people["anna", "ben"]["ari"] < 1


def test_of_overlapping_bouts_the_more_confident_counts():
    doubt = [bout(0, 8, "walk", confidence=0.5), bout(2, 4, "rear", confidence=0.9)]
    rows = by_behavior(people.score({"m1": TABLE}, doubt))
    assert (rows["rear"]["frames"], rows["walk"]["frames"]) == (2, 6)


def test_the_text_names_syllables_and_says_when_people_are_alone():
    tables = {"m1": TABLE}
    text = score_text.of_people(people.score(tables, REARS), tables)
    assert "0.7 s that people labeled, 8 frames" in text
    assert "No two people labeled the same frames" in text
    row = next(line for line in text.splitlines() if line.startswith("rear"))
    assert row.split() == ["rear", "3", "0.750", "1.000", "4", "up"]
