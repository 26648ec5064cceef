"""Two result folders are equal, or the comparison names what differs."""

import json
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from typer.testing import CliRunner

from syllabary import cli
from syllabary.errors import BadInput
from syllabary.provenance import Provenance
from syllabary.records import comparison, tables
from syllabary.records.comparison import Renames

LABELS = "recordings/m1/labels/slds.parquet"
CROPS = "recordings/m1/crops.h5"
MODEL = "models/slds/model.safetensors"
SCORES = "tables/slds/scores.json"
USAGE = "export/csv/slds/usage.csv"


def made_by(code):
    return Provenance("test", {}, None, {}, code)


def write(folder, code="one", *, column="posture", prefix="before"):
    """Write a small result folder with a file of each format."""
    for name in (LABELS, CROPS, MODEL, SCORES, USAGE):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(
        {
            "syllable": np.array([0, 1, -1], np.int16),
            "probability": np.array([0.5, 0.25, np.nan], np.float32),
            column: pd.array(["rear", None, column], dtype="string"),
        }
    )
    tables.write(folder / LABELS, table, made_by(code))
    with h5py.File(folder / CROPS, "w") as h5:
        h5["heights"] = np.arange(96, dtype=np.uint8).reshape(6, 4, 4)
        h5["scalars/x_mm"] = np.array([1.0, np.nan, 0.0], np.float32)
        h5.attrs.update({"pixel_mm": 1.85, "provenance": code})
    tensors = {f"{prefix}.net.weight": np.eye(3), f"{prefix}.usage": np.ones(3, np.float32)}
    metadata = json.dumps({"classes": ["rear", ""], "provenance": code})
    safetensors.numpy.save_file(tensors, folder / MODEL, {"syllabary": metadata})
    scores = {"all": {"ami": 0.5, column: {"rear": [1, 2]}, "f1": None}}
    (folder / SCORES).write_text(json.dumps({"provenance": code, "scores": scores}))
    (folder / USAGE).write_text(f"{column},usage\nrear,0.25\n")


@pytest.fixture
def folders(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name, code=name)
    return tmp_path / "a", tmp_path / "b"


def differing(folders, *renames):
    result = comparison.compare_folders(*folders, Renames.parse(renames))
    return {file.path: file.differences for file in result.files if not file.equal}


def edit_crops(folder, name, index, value):
    with h5py.File(folder / CROPS, "r+") as h5:
        h5[name][index] = value


def test_folders_are_equal_with_any_provenance(folders):
    assert differing(folders) == {}
    text = comparison.describe(comparison.compare_folders(*folders, Renames()))
    assert "crops (1): equal" in text and text.endswith("The results are equal.")


def test_figures_logs_and_settings_are_not_compared(folders):
    for place in ("figures/usage.json", "timing/fit.tsv", "models/slds/settings.json", ".hidden.json"):
        path = folders[1] / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    assert differing(folders) == {}


def test_a_float_that_moved_by_one_step_is_named_with_its_size(folders):
    table = tables.read(folders[1] / LABELS)
    table.loc[0, "probability"] = np.nextafter(np.float32(0.5), np.float32(1))
    tables.write(folders[1] / LABELS, table, made_by("b"))
    assert differing(folders) == {LABELS: ("probability: 1 of 3 entries differ, by 5.96e-08 at most",)}


def test_a_number_in_place_of_nan_is_a_difference(folders):
    edit_crops(folders[1], "scalars/x_mm", 1, 0.0)
    [line] = differing(folders)[CROPS]
    assert line == "scalars/x_mm: 1 of 3 entries differ; 1 of them are a number in one alone"


def test_negative_zero_is_not_zero(folders):
    edit_crops(folders[1], "scalars/x_mm", 2, -0.0)
    assert differing(folders) == {CROPS: ("scalars/x_mm: 1 of 3 entries differ, by 0 at most",)}


def test_blocks_of_a_long_array_are_summed(folders, monkeypatch):
    monkeypatch.setattr(comparison, "BLOCK_ENTRIES", 32)
    edit_crops(folders[1], "heights", (0, 0, 0), 3)
    edit_crops(folders[1], "heights", (5, 3, 3), 90)
    assert differing(folders) == {CROPS: ("heights: 2 of 96 entries differ, by 5 at most",)}


def test_types_shapes_and_attributes_count(folders):
    with h5py.File(folders[1] / CROPS, "r+") as h5:
        del h5["heights"], h5["scalars/x_mm"]
        h5["heights"] = np.zeros((5, 4, 4), np.uint8)
        h5["scalars/x_mm"] = np.zeros(3, np.float64)
        h5.attrs["pixel_mm"] = 2.0
    lines = differing(folders)[CROPS]
    assert "heights: shape (6, 4, 4) in the first, (5, 4, 4) in the second" in lines
    assert "scalars/x_mm: type float32 in the first, float64 in the second" in lines
    assert "@pixel_mm: 1 of 1 entries differ, by 0.15 at most" in lines


def test_columns_in_another_order_are_a_difference(folders):
    (folders[1] / USAGE).write_text("usage,posture\n0.25,rear\n")
    assert differing(folders) == {USAGE: ("columns are in another order",)}


def test_what_one_folder_lacks_is_listed(folders):
    (folders[1] / SCORES).unlink()
    shutil.copy(folders[1] / LABELS, folders[1] / "recordings/m1/labels/new.parquet")
    result = comparison.compare_folders(*folders, Renames())
    lacking = {file.path: file.only_in for file in result.files if file.only_in}
    assert lacking == {SCORES: "first", "recordings/m1/labels/new.parquet": "second"}
    assert not result.equal
    assert f"{SCORES}: only in the first" in comparison.describe(result)


def test_scores_and_texts_are_compared(folders):
    scores = json.loads((folders[1] / SCORES).read_text())
    scores["scores"]["all"] |= {"ami": 0.25, "f1": 0.5}
    scores["scores"]["all"]["posture"]["rear"] = [1, 5]
    (folders[1] / SCORES).write_text(json.dumps(scores))
    lines = differing(folders)[SCORES]
    assert "scores.all.ami: 1 of 1 entries differ, by 0.25 at most" in lines
    assert "scores.all.posture.rear: 1 of 2 entries differ, by 3 at most" in lines
    assert any(line.startswith("scores.all.f1: type object") for line in lines)


def test_renamed_names_and_text_values_are_equal_under_their_renames(folders, tmp_path):
    write(tmp_path / "new", column="stance", prefix="after")
    pair = (folders[0], tmp_path / "new")
    assert set(differing(pair)) == {LABELS, MODEL, SCORES, USAGE}
    assert differing(pair, "posture=stance", "before.=after.") == {}


def test_renamed_files_are_compared_under_their_new_name(folders):
    (folders[1] / LABELS).rename(folders[1] / "recordings/m1/labels/other.parquet")
    (folders[1] / "models/slds").rename(folders[1] / "models/other")
    (folders[1] / "tables/slds").rename(folders[1] / "tables/other")
    (folders[1] / "export/csv/slds").rename(folders[1] / "export/csv/other")
    assert len(differing(folders)) == 8
    assert differing(folders, "slds=other") == {}


@pytest.mark.parametrize("text", ["posture", "=stance", "posture="])
def test_a_rename_without_two_names_is_refused(text):
    with pytest.raises(BadInput, match="OLD=NEW"):
        Renames.parse([text])


def test_two_names_that_become_one_are_refused(folders):
    with pytest.raises(BadInput, match="two names become 'probability'"):
        differing(folders, "syllable=probability")


def test_what_is_no_result_folder_is_refused(folders, tmp_path):
    with pytest.raises(BadInput, match="no such folder"):
        differing((folders[0], tmp_path / "none"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no results"):
        differing((tmp_path / "empty", folders[0]))
    (folders[1] / LABELS).write_bytes(b"PAR1")
    with pytest.raises(BadInput, match="cannot be read"):
        differing(folders)


def test_the_exit_code_shows_whether_folders_are_equal(folders):
    arguments = ["compare-results", *map(str, folders)]
    assert CliRunner().invoke(cli.app, arguments).exit_code == 0
    edit_crops(folders[1], "heights", (0, 0, 0), 3)
    result = CliRunner().invoke(cli.app, [*arguments, "--rename", "x=y"])
    assert result.exit_code == 1
    assert "heights: 1 of 96 entries differ, by 3 at most" in result.output
