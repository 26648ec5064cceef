"""Step ``evaluate``: log likelihoods of recordings under a model."""

import pytest

from syllabary.errors import BadInput, BadSetting
from syllabary.records import tables
from syllabary.steps import evaluate

QUICK = {
    "draws": 1, "clips": 1, "clip_frames": 20, "samples": [1], "horizons": [1], "rollouts": 4,
    "targets": 2, "history_frames": 10,
}  # fmt: skip


def run(results, path, **changes):
    evaluate(
        **{
            "crops": results.each("crops.h5"),
            "model": results.folder / "models" / "m" / "model.safetensors",
            "likelihood": path,
            "recordings": results.rows,
            "settings": QUICK,
            "seed": 2,
            **changes,
        }
    )
    return tables.read(path, tables.LIKELIHOOD)


def test_every_recording_has_rows_with_its_animal_and_role(trained, tmp_path):
    table = run(trained, tmp_path / "likelihood.parquet")
    assert set(table["recording"]) == {"a", "b"}
    assert set(table["role"]) == {"train"}
    assert (table["subject"] == table["recording"]).all()


def test_numbers_of_a_recording_do_not_depend_on_the_others(trained, tmp_path):
    both = run(trained, tmp_path / "both.parquet")
    alone = run(
        trained,
        tmp_path / "alone.parquet",
        crops=[trained.recording("b", "crops.h5")],
        recordings=trained.rows[1:],
    )
    expected = both[both["recording"] == "b"].reset_index(drop=True)
    assert expected["nats_per_frame"].equals(alone["nats_per_frame"])


def test_a_wrong_setting_is_named(trained, tmp_path):
    with pytest.raises(BadSetting, match=r"setting evaluate\.draws = 0"):
        run(trained, tmp_path / "likelihood.parquet", settings={"draws": 0})


def test_crops_of_a_recording_that_is_not_in_the_table_are_named(trained, tmp_path):
    with pytest.raises(BadInput, match=r"a/crops\.h5 is in no folder of a recording of the table \(b\)"):
        run(trained, tmp_path / "likelihood.parquet", recordings=trained.rows[1:])
