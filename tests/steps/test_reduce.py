"""Step ``reduce``: components and change points of the recordings that were not rejected."""

import pytest

from syllabary.errors import BadInput, BadSetting
from syllabary.records import tables
from syllabary.reduction import reduction
from syllabary.steps import reduce

from .conftest import REDUCE, write_quality


def arguments(results, tmp_path, **changes):
    return {
        "crops": results.each("crops.h5"),
        "quality": results.each("quality.json"),
        "pca": tmp_path / "pca.h5",
        "changepoints": tmp_path / "changepoints.parquet",
        "settings": REDUCE,
        "seed": 1,
        **changes,
    }


def test_it_writes_both_reductions_and_change_points_of_every_recording(trained):
    models = trained.folder / "models"
    for registration in (False, True):
        loaded = reduction.load(
            models / "pca.h5", registration=registration, kinematics=False, subject_offset=False
        )
        assert len(loaded.pca.scale) == REDUCE["components"]
    changes = tables.read(models / "changepoints.parquet")
    assert set(changes["recording"]) <= {"a", "b"}
    assert tables.provenance_of(models / "changepoints.parquet").step == "reduce"


def test_the_same_seed_writes_the_same_bytes(trained, tmp_path):
    reduce(**arguments(trained, tmp_path))
    for name in ("pca.h5", "changepoints.parquet"):
        assert (tmp_path / name).read_bytes() == (trained.folder / "models" / name).read_bytes(), name


def test_rejected_recordings_are_left_out(trained, tmp_path):
    rejected = write_quality(tmp_path / "quality.json", "b", "reject", ["too short"])
    quality = [trained.recording("a", "quality.json"), rejected]
    reduce(**arguments(trained, tmp_path, quality=quality))
    assert set(tables.provenance_of(tmp_path / "changepoints.parquet").inputs) == {"a/crops.h5"}


def test_without_a_recording_that_is_good_enough_it_stops(trained, tmp_path):
    quality = [
        write_quality(tmp_path / name / "quality.json", name, "reject", ["too short"]) for name in "ab"
    ]
    sentence = r"every training recording was rejected \(a: too short; b: too short\)"
    with pytest.raises(BadInput, match=sentence):
        reduce(**arguments(trained, tmp_path, quality=quality))
    assert not (tmp_path / "pca.h5").exists()


def test_a_wrong_setting_is_named_with_its_section(trained, tmp_path):
    with pytest.raises(BadSetting, match=r"reduce\.changepoints\.lag; did you mean 'lag_s'"):
        reduce(**arguments(trained, tmp_path, settings={"changepoints": {"lag": 1}}))
