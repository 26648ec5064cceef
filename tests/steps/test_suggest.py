"""Step ``suggest``: clips to label next. Its table is tested in ``syllables/test_queries.py``."""

import re
import shutil
from pathlib import Path

import pytest

from syllabary.errors import BadInput, BadSetting
from syllabary.records import tsv
from syllabary.steps import suggest

from .conftest import merged_labels, write_quality


def run(results, path, **changes):
    names = [row["recording"] for row in results.rows if row["role"] == "train"]
    suggest(
        **{
            "labels": results.each("labels", "m.parquet", names=names),
            "posteriors": results.each("posterior", "m.h5", names=names),
            "queries": path,
            "recordings": results.rows,
            "settings": {"clips": 4},
            **changes,
        }
    )
    return tsv.read(path, ("recording", "start_s", "stop_s"))


def test_clips_are_of_training_recordings(labeled, tmp_path):
    table = run(labeled, tmp_path / "queries.tsv")
    assert len(table) == 4
    assert set(table["recording"]) <= {"m1", "m2", "m3"}
    spans = table["stop_s"].astype(float) - table["start_s"].astype(float)
    assert spans.to_numpy() == pytest.approx(2, abs=0.1)


def test_rejected_recordings_are_left_out(labeled, tmp_path):
    quality = [write_quality(tmp_path / n / "quality.json", n, "reject") for n in ("m1", "m2")]
    table = run(labeled, tmp_path / "queries.tsv", quality=quality)
    assert set(table["recording"]) == {"m3"}


def test_reasons_name_syllables_and_not_states(labeled, tmp_path):
    labels = merged_labels(labeled, tmp_path, [0, 1, 1, 1, 1])
    reasons = run(labeled, tmp_path / "queries.tsv", labels=labels)["reason"]
    named = {int(number) for text in reasons for number in re.findall(r"(\d+) \(\d+ %\)", text)}
    assert named == {0, 1}


def test_posteriors_without_labels_of_their_model_are_refused(labeled, tmp_path):
    other = []
    for name in ("m1", "m2", "m3"):
        other.append(tmp_path / name / "labels" / "other.parquet")
        other[-1].parent.mkdir(parents=True)
        shutil.copy(labeled.recording(name, "labels", "m.parquet"), other[-1])
    with pytest.raises(BadInput, match="no labels; 'syllabary label' makes them"):
        run(labeled, tmp_path / "queries.tsv", labels=other)


@pytest.mark.parametrize("folder", [".", "m1", "x/posterior", "m9/posterior"])
def test_posteriors_outside_the_places_of_a_study_are_one_sentence(
    labeled, tmp_path, monkeypatch, folder
):
    monkeypatch.chdir(tmp_path)
    path = Path(folder) / "m.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(labeled.recording("m1", "posterior", "m.h5"), path)
    with pytest.raises(BadInput, match=f"{path} is in no folder of a recording of the table"):
        run(labeled, Path("queries.tsv"), posteriors=[path])


def test_files_can_be_named_from_within_the_folder_of_the_recording(labeled, tmp_path, monkeypatch):
    folder = labeled.recording("m1", "labels", "m.parquet").parent.parent
    monkeypatch.chdir(folder / "labels")
    paths = {"labels": [Path("m.parquet")], "posteriors": [Path("../posterior/m.h5").resolve()]}
    assert set(run(labeled, tmp_path / "queries.tsv", **paths)["recording"]) == {"m1"}


def test_without_any_recording_it_says_so(labeled, tmp_path):
    with pytest.raises(BadInput, match="no recording to choose clips from"):
        run(labeled, tmp_path / "queries.tsv", posteriors=[])


def test_a_wrong_setting_is_named(labeled, tmp_path):
    with pytest.raises(BadSetting, match=r"setting suggest\.clips = 0"):
        run(labeled, tmp_path / "queries.tsv", settings={"clips": 0})
