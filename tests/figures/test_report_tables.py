"""Tables of the report: the groups' names, intervals in one column, dashes for missing values."""

import math

import h5py
import numpy as np
import pandas as pd
import pytest

from syllabary.figures.report import _assets, _comparison, _tables
from syllabary.figures.results import ModelResults, RecordingResults, StudyResults

PAIR = {
    "measure": "usage", "comparison": "control vs drug", "group_a": "control", "group_b": "drug",
    "mean_a": 0.2, "low_a": 0.15, "high_a": 0.25, "mean_b": 0.1, "low_b": 0.05, "high_b": 0.15,
    "effect_size": -0.5, "p": 0.01,
}  # fmt: skip


def compared(*rows):
    table = pd.DataFrame([{"syllable": i, "q": 0.5 - 0.1 * i, **row} for i, row in enumerate(rows)])
    return _comparison.table_of(ModelResults("m", tables={"statistics": table}))


def test_one_comparison_has_the_names_of_its_groups():
    columns, rows = compared(PAIR, PAIR)
    assert [column.text for column in columns] == [
        "syllable", "measure", "comparison", "control", "95 % CI", "drug", "95 % CI", "effect size",
        "p", "q",
    ]  # fmt: skip
    assert [cell.text for cell in rows[0]][1] == "usage, %"
    assert [cell.text for cell in rows[0]][3:7] == ["20", "15–25", "10", "5–15"]


def test_several_comparisons_have_general_headings():
    other = {**PAIR, "comparison": "control vs old", "group_b": "old"}
    columns, _ = compared(PAIR, other)
    assert [column.text for column in columns[3:7]] == ["group 1", "95 % CI", "group 2", "95 % CI"]


def test_a_comparison_of_all_groups_has_no_means():
    missing = dict.fromkeys(set(PAIR) - {"measure", "comparison", "p"}, np.nan)
    columns, rows = compared({**PAIR, **missing, "comparison": "all groups"}, PAIR)
    assert columns[3].text == "control"
    whole = next(row for row in rows if row[2].text == "all groups")
    assert [cell.text for cell in whole[3:8]] == ["–"] * 5


def test_the_note_says_what_so_few_animals_can_show():
    row = {**PAIR, "syllable": 0, "q": 1.0, "p_smallest": 2 / 70, "q_alone": 4 / 70}
    table = pd.DataFrame([{**row, "detectable_effect": 2.38}, {**row, "detectable_effect": np.nan}])
    note = _comparison.note(ModelResults("m", tables={"statistics": table}))
    assert "no p can be below 0.029; if a single test of the 2 finds something, its q is 0.057" in note
    assert "2.4 standard deviations is found 4 times in 5" in note


def test_comparisons_are_sorted_by_q():
    _, rows = compared(PAIR, PAIR, PAIR)
    assert [row[0].text for row in rows] == ["2", "1", "0"]


def test_a_table_without_comparisons_is_left_out():
    assert _comparison.table_of(ModelResults("m")) == ([], [])
    table = pd.DataFrame({"syllable": [0], "p": [0.1]})
    assert _comparison.table_of(ModelResults("m", tables={"statistics": table})) == ([], [])


def test_syllables_have_the_smallest_q_of_their_comparisons():
    syllables = pd.DataFrame({"syllable": [0, 1, -1], "usage": [0.7, 0.3, 0.0], "bouts": [3, 4, 1]})
    statistics = pd.DataFrame({"syllable": [0, 0], "q": [0.5, 0.04]})
    model = ModelResults("m", tables={"syllables": syllables, "statistics": statistics})
    columns, cells = _tables.syllable_table(model)
    assert [column.text for column in columns] == ["usage (%)", "bouts", "q"]
    assert {s: [cell.text for cell in row] for s, row in cells.items()} == {
        0: ["70", "3", "0.04"], 1: ["30", "4", "–"],
    }  # fmt: skip


def test_states_are_listed_where_a_syllable_has_several():
    table = pd.DataFrame({"syllable": [0, 1], "states": ["0 3", "1"], "usage": [0.7, 0.3]})
    columns, cells = _tables.syllable_table(ModelResults("m", tables={"syllables": table}))
    assert [column.text for column in columns] == ["usage (%)", "states"]
    assert [cells[s][-1].text for s in (0, 1)] == ["0, 3", "1"]
    alone = table.assign(states=["0", "1"])
    columns, _ = _tables.syllable_table(ModelResults("m", tables={"syllables": alone}))
    assert [column.text for column in columns] == ["usage (%)"]


def test_true_syllables_are_listed_with_their_match():
    row = {"behavior": "rear", "frames": 90, "label": 3, "precision": 0.5, "recall": None}
    model = ModelResults("m", scores={"all": {"syllables": [row]}})
    _, [cells] = _tables.truth_table(model)
    assert [cell.text for cell in cells] == ["rear", "90", "3", "50.0", "–", "–"]
    assert _tables.truth_table(ModelResults("m", scores={"all": {"syllables": "none"}})) == ([], [])


@pytest.mark.parametrize(
    ("quality", "length", "dropped"),
    [
        ({"ticks": 1800, "median_fps": 30.0, "dropped": 9}, "60 s", "0.5"),
        ({"ticks": 1800, "median_fps": 30.0}, "60 s", "–"),
        ({"ticks": 0, "median_fps": 30.0, "dropped": 0}, "–", "–"),
        ({}, "–", "–"),
        ({"ticks": None, "reasons": None}, "–", "–"),
    ],
)
def test_a_recording_is_a_row_with_incomplete_quality(quality, length, dropped):
    study = StudyResults(recordings=(RecordingResults("m1", quality=quality),))
    [row] = _tables.recording_rows(study)
    assert (row["length"], row["dropped"].text) == (length, dropped)
    assert row["duration_s"] == (60 if length == "60 s" else 0)


@pytest.mark.parametrize(
    ("fps", "clocks", "text"),
    [(15.0, [30.0], "15.0 (read at 30)"), (29.97, [30.0], "30.0"), (60.0, [], "60.0"),
     (60.0, [30.0, 25.0, 30.0], "60.0 (read at 25, 30)")],
)  # fmt: skip
def test_a_recording_that_models_read_at_another_rate_says_so(tmp_path, fps, clocks, text):
    models = []
    for i, clock in enumerate(clocks):
        with h5py.File(tmp_path / f"{i}.h5", "w") as h5:
            h5.attrs["fps"] = clock
        models.append(ModelResults(f"m{i}", clips=tmp_path / f"{i}.h5"))
    (tmp_path / "cut.h5").write_bytes(b"nothing")
    models.append(ModelResults("damaged", clips=tmp_path / "cut.h5"))
    recording = RecordingResults("m1", quality={"ticks": 900, "median_fps": fps})
    [row] = _tables.recording_rows(StudyResults(recordings=(recording,), models=tuple(models)))
    assert (row["fps"].text, row["fps"].sort) == (text, fps)


@pytest.mark.parametrize("key", ["ami", "pixels_10_nats", "components_3_nats", "bound_nats"])
def test_every_score_has_a_meaning(key):
    heading, meaning, _ = _tables.score_of(key)
    assert heading and meaning
    assert ("higher is better" in meaning) == key.endswith("_nats")


def test_a_score_of_no_known_name_is_shown_by_its_key():
    assert _tables.score_of("my_own_score") == ("my own score", "", None)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, None, "text", pd.NA])
def test_a_cell_without_a_number_is_a_dash_and_sorts_last(value):
    assert _tables.cell(value) == _tables.Cell("–", -math.inf)


def test_files_are_inlined_until_the_budget_is_used_up(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.mp4").write_bytes(bytes(30))
    inliner = _assets.Inliner(tmp_path / "page", 100)
    first = inliner.source(tmp_path / "a.mp4", "movies/a.mp4")
    assert first.startswith("data:video/mp4;base64,") and inliner.left == 100 - len(first)
    assert inliner.source(tmp_path / "b.mp4", "movies/b.mp4") == "movies/b.mp4"
    assert (tmp_path / "page" / "movies" / "b.mp4").read_bytes() == bytes(30)


def test_a_large_drawing_is_shown_as_pixels(tmp_path):
    svg, png = tmp_path / "f.svg", tmp_path / "f.png"
    png.write_bytes(b"png")
    svg.write_bytes(b"<svg/>")
    inliner = _assets.Inliner(tmp_path, 10**7)
    assert inliner.figure((png, svg), "f").startswith("data:image/svg+xml")
    svg.write_bytes(bytes(_assets.LARGEST_SVG + 1))
    assert inliner.figure((png, svg), "f").startswith("data:image/png")
    assert inliner.figure((svg,), "f").startswith("data:image/svg+xml")
    assert inliner.figure((), "f") == ""
