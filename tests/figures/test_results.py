"""Tables of figures are read on demand; what is absent is None."""

import numpy as np
import pandas as pd
import pytest

from figures.synthetic import PROVENANCE
from syllabary.errors import BadInput
from syllabary.figures.results import ModelResults, RecordingResults, StudyResults, syllable_name
from syllabary.records import tables
from syllabary.records.posterior import Posterior


def test_a_table_is_read_from_its_path(tmp_path):
    written = pd.DataFrame({"syllable": [0, 1], "usage": [0.7, 0.3]})
    tables.write(tmp_path / "usage.parquet", written, PROVENANCE)
    model = ModelResults("m", tables={"usage": tmp_path / "usage.parquet"})
    pd.testing.assert_frame_equal(model.table("usage"), written)


@pytest.mark.parametrize("source", [pd.DataFrame(), "missing.parquet", None])
def test_an_empty_or_missing_table_is_none(source, tmp_path):
    source = tmp_path / source if isinstance(source, str) else source
    available = {} if source is None else {"usage": source}
    assert ModelResults("m", tables=available).table("usage") is None


def test_syllables_without_use_or_label_are_left_out():
    table = pd.DataFrame({"syllable": [-1, 0, 1, 2, 2], "usage": [0.5, 0.3, 0.0, 0.0, 0.2]})
    model = ModelResults("m", tables={"syllables": table})
    assert model.syllables() == [0, 2]
    assert model.syllables(1) == [0]
    assert ModelResults("m").syllables() == []


def test_syllables_come_from_usage_if_there_is_no_summary():
    table = pd.DataFrame({"syllable": [3, 1], "usage": [0.1, 0.9]})
    assert ModelResults("m", tables={"usage": table}).syllables() == [1, 3]


def test_names_are_those_of_named_syllables():
    table = pd.DataFrame({"syllable": [0, 1], "name": pd.array(["walk", pd.NA], dtype="string")})
    names = ModelResults("m", tables={"syllables": table}).names()
    assert names == {0: "walk"}
    assert [syllable_name(s, names) for s in (0, 1)] == ["0 walk", "1"]


def test_labels_and_posteriors_are_those_of_the_recording(study, tmp_path):
    recording, model = study.recordings[1], study.models[0]
    assert model.labels_of(recording) is not None
    assert model.labels_of(RecordingResults("other")) is None
    assert model.posterior_of(recording) is None
    ticks = np.arange(3)
    posterior = Posterior(np.zeros((3, 2)), np.ones((3, 2)), np.eye(3), np.zeros(3), ticks, ticks / 30)
    posterior.save(tmp_path / "p.h5", PROVENANCE)
    with_posterior = ModelResults("m", posteriors={recording.name: tmp_path / "p.h5"})
    np.testing.assert_array_equal(with_posterior.posterior_of(recording).states, np.eye(3))


def test_groups_are_in_the_order_of_recordings():
    recordings = [RecordingResults(f"m{i}", group=g) for i, g in enumerate(("drug", "control", "drug"))]
    assert StudyResults(recordings=tuple(recordings)).groups() == ["drug", "control"]


def test_only_recordings_with_a_truth_have_one(study):
    bare = StudyResults(recordings=(RecordingResults("real"), study.recordings[0]))
    assert [recording.name for recording, _ in bare.truths()] == ["m1"]


def test_two_models_of_one_name_are_refused():
    with pytest.raises(BadInput, match="two models named 'slds'"):
        StudyResults(models=(ModelResults("slds"), ModelResults("slds")))
