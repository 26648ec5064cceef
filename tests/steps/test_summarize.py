"""Step ``summarize``: labels to five tables."""

import pytest

from syllabary.errors import BadInput, BadSetting
from syllabary.records import tables

from .conftest import summarize


def test_it_writes_five_tables_of_every_recording(labeled, tmp_path):
    written = summarize(labeled, tmp_path)
    assert set(written) == {"bouts", "usage", "transitions", "syllables", "statistics"}
    for name in ("bouts", "usage", "transitions"):
        assert set(written[name]["recording"]) == {"m1", "m2", "m3", "m4"}, name
    seconds = written["bouts"].groupby("recording")["duration_s"].sum()
    assert seconds.to_numpy() == pytest.approx(20)
    assert written["usage"].groupby("recording")["usage"].sum().to_numpy() == pytest.approx(1)
    assert set(written["statistics"]["group_a"]) == {"control"}
    assert tables.provenance_of(tmp_path / "bouts.parquet").step == "summarize"


def test_doubtful_bouts_can_be_left_out(labeled, tmp_path):
    every = summarize(labeled, tmp_path / "every")["bouts"]
    sure = summarize(labeled, tmp_path / "sure", min_probability=0.8)["bouts"]
    assert 0 < len(sure) < len(every)
    assert sure["probability"].min() >= 0.8


def test_a_table_that_is_not_asked_for_is_named(labeled, tmp_path):
    with pytest.raises(BadInput, match="was called with bouts, usage; name one"):
        summarize(labeled, tmp_path, names=("bouts", "usage"))


def test_a_wrong_setting_is_named(labeled, tmp_path):
    with pytest.raises(BadSetting, match=r"setting summarize\.confidence = 2"):
        summarize(labeled, tmp_path, confidence=2)
