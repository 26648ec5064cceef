"""Step ``score``: labels against known syllables."""

import json

import pytest

from syllabary.errors import SyllabaryError
from syllabary.records import tables
from syllabary.steps import compare, score

from .conftest import merged_labels


def run(results, path, *, posteriors=(), truth=None, labels=None):
    places = [results.folder / "simulated" / row["recording"] / "truth.parquet" for row in results.rows]
    score(
        labels=labels or results.each("labels", "m.parquet"),
        truth=truth or places,
        scores=path,
        recordings=results.rows,
        posteriors=posteriors,
    )
    return json.loads(path.read_text())


def test_right_labels_score_one_in_all_and_by_role(labeled, tmp_path):
    scores = run(labeled, tmp_path / "scores.json")["scores"]
    assert set(scores) == {"all", "train", "held_out"}
    assert [scores[role]["ami"] for role in scores] == pytest.approx([1, 1, 1])
    assert scores["all"]["calibration"]["mapped_on"] == "train"
    assert set(scores["all"]["calibration"]) == {"mapped_on", "syllable"}


def test_posteriors_add_the_calibration_of_behaviors(labeled, tmp_path):
    posteriors = labeled.each("posterior", "m.h5")
    written = run(labeled, tmp_path / "scores.json", posteriors=posteriors)
    calibration = written["scores"]["all"]["calibration"]
    # Every tick is right, with a confidence of 0.8.
    assert calibration["behavior"]["expected_error"] == pytest.approx(0.2, abs=1e-3)
    assert written["scores"]["all"]["calibration_error"] == calibration["behavior"]["expected_error"]
    assert len(written["provenance"]["inputs"]) > 0


def test_probabilities_of_merged_states_are_summed(labeled, tmp_path):
    labels = merged_labels(labeled, tmp_path, [0, 1, 2, 2, 2])
    written = run(
        labeled, tmp_path / "s.json", posteriors=labeled.each("posterior", "m.h5"), labels=labels
    )
    calibration = written["scores"]["all"]["calibration"]["behavior"]
    # 0.8 of a state alone, and 0.9 of three that are one syllable.
    assert sorted({round(c, 2) for c in calibration["confidence"]}) == [0.8, 0.9]


def test_a_missing_table_is_named(labeled, tmp_path):
    truth = [tmp_path / f"{row['recording']}.parquet" for row in labeled.rows]
    with pytest.raises(SyllabaryError, match=r"m1\.parquet: no such table"):
        run(labeled, tmp_path / "scores.json", truth=truth)


def test_one_recording_is_compared_as_plain_text(labeled):
    labels = labeled.recording("m1", "labels", "m.parquet")
    text = compare(labels, labeled.folder / "simulated" / "m1" / "truth.parquet")
    assert "1.000" in text
    assert tables.read(labels)["name"].isna().any()
