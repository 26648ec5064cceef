import dataclasses

import numpy as np
import pandas as pd
import pytest

from figures.conftest import QUICK
from syllabary.errors import BadInput, BadSetting, UnknownName
from syllabary.figures import transitions, usage
from syllabary.figures.results import paired
from syllabary.figures.study import (
    ModelResults,
    RecordingResults,
    StudyResults,
    draw_all,
    file_stem,
    names,
    shown_recordings,
)


def test_every_figure_is_written(drawings, study):
    assert {d.name for d in drawings.figures} == set(names())
    assert all(d.paths and not d.missing for d in drawings.figures)
    assert all(p.stat().st_size > 500 for d in drawings.figures for p in d.paths)
    assert {d.model for d in drawings.figures if d.scope == "model"} == {m.name for m in study.models}


def test_two_draws_give_the_same_bytes(drawings, study, tmp_path):
    # One model of the two, to save time; it draws figures of every kind.
    alone = dataclasses.replace(study, models=study.models[:1])
    some = ("ethogram", "usage", "trajectories")
    both = ("png", "svg")
    fewer = QUICK.model_copy(update={"figures": some, "max_syllables": 2, "formats": both})
    first, second = ([], [])
    again = draw_all(tmp_path / "again", alone, fewer, seed=7)
    drawings = draw_all(tmp_path / "first", alone, fewer, seed=7)
    for made, into in ((drawings, first), (again, second)):
        into += sorted(p for d in made.figures for p in d.paths)
    assert [p.name for p in first] == [p.name for p in second]
    assert {p.suffix for p in first} == {".png", ".svg"}
    for a, b in zip(first, second, strict=True):
        assert a.read_bytes() == b.read_bytes(), a.name
    movies = [p for by_kind in again.movies["slds"].values() for p in by_kind.values()]
    twins = [p for by_kind in drawings.movies["slds"].values() for p in by_kind.values()]
    assert movies and [p.read_bytes() for p in movies] == [p.read_bytes() for p in twins]


def test_decoded_movies_are_there_where_the_model_has_clips(drawings):
    assert {kind for by_kind in drawings.movies["slds"].values() for kind in by_kind} >= {
        "decoded",
        "arena",
    }
    assert set(drawings.simulated) == {"slds"} and drawings.simulated["slds"].stat().st_size > 500
    assert all("decoded" not in by_kind for by_kind in drawings.movies["pca-arhmm"].values())


def test_only_the_chosen_figures_are_drawn(study, tmp_path):
    few = QUICK.model_copy(update={"figures": ("quality",), "examples": 0})
    result = draw_all(tmp_path, study, few)
    assert [d.name for d in result.figures] == ["quality"]
    assert result.movies == {m.name: {} for m in study.models}


@pytest.mark.parametrize(
    ("change", "error", "needs"),
    [
        ({"palette": "rainbowish"}, BadSetting, "turbo"),
        ({"formats": ("bmp",)}, BadSetting, "pdf, png, svg"),
        ({"figures": ("usge",)}, UnknownName, "did you mean 'usage'"),
    ],
)
def test_what_does_not_exist_is_named(change, error, needs, study, tmp_path):
    with pytest.raises(error, match=needs):
        draw_all(tmp_path, study, QUICK.model_copy(update=change))


def test_two_recordings_of_one_name_are_refused():
    with pytest.raises(BadInput, match="two recordings named 'm1'"):
        StudyResults(recordings=(RecordingResults("m1"), RecordingResults("m1")))


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "", "..", ".hidden", "mäuse", "x" * 300])
def test_a_file_stem_is_safe_and_its_own(name):
    stem = file_stem(name)
    assert "/" not in stem and not stem.startswith(".") and 0 < len(stem) < 130
    assert stem != file_stem(name + "!")


def test_a_plain_name_is_its_own_file_stem():
    assert file_stem("m1_2024-01.a") == "m1_2024-01.a"


def test_recordings_with_figures_are_spread_over_the_study():
    many = StudyResults(recordings=tuple(RecordingResults(f"m{i}") for i in range(100)))
    shown = shown_recordings(many, QUICK.model_copy(update={"max_recordings": 4}))
    assert [r.name for r in shown] == ["m0", "m25", "m50", "m75"]


def test_transition_probabilities_leave_out_staying():
    result = transitions.probabilities(np.array([[9.0, 1, 3], [2, 0, 0], [0, 0, 5]]))
    np.testing.assert_allclose(result[0], [np.nan, 0.25, 0.75])
    np.testing.assert_allclose(result[1], [1, np.nan, 0])
    assert np.isnan(result[2]).all()  # never left


def test_an_animal_counts_once_however_many_recordings_it_has():
    table = pd.DataFrame({
        "recording": ["a", "b", "c"], "subject": ["s1", "s1", "s2"], "group": "g", "role": "train",
        "syllable": 0, "usage": [0.2, 0.4, 0.9],
    })  # fmt: skip
    result = usage.subject_usage(ModelResults("m", tables={"usage": table}), [0, 1])
    np.testing.assert_allclose(result["g"], [[0.3, 0], [0.9, 0]])


def test_long_recordings_of_an_animal_count_more_than_short_ones():
    table = pd.DataFrame({
        "recording": ["a", "a", "b", "b"], "subject": "s1", "group": "g", "role": "train",
        "syllable": [0, 1, 0, 1], "ticks": [10, 90, 300, 100], "usage": [0.1, 0.9, 0.75, 0.25],
    })  # fmt: skip
    result = usage.subject_usage(ModelResults("m", tables={"usage": table}), [0])
    np.testing.assert_allclose(result["g"], [[0.62]])


def compared_by_day():
    """Two animals on two days; another recording of the second animal has no day."""
    days = {"a": 10.0, "b": 2.0, "c": 2.0, "d": 10.0, "e": None}
    recordings = tuple(
        RecordingResults(name, subject, "g", covariates={"day": day})
        for (name, day), subject in zip(days.items(), ("s1", "s1", "s2", "s2", "s2"), strict=True)
    )
    study = StudyResults(recordings=recordings, compared="day")
    table = pd.DataFrame({
        "recording": list("abcde"), "subject": [r.subject for r in recordings], "group": "g",
        "role": "train", "day": list(days.values()), "syllable": 0, "ticks": 100,
        "usage": 1.0, "from_syllable": 0, "to_syllable": 1, "count": [1, 2, 4, 8, 16],
    })  # fmt: skip
    return study, table


def test_the_usage_of_an_animal_is_drawn_in_each_condition_that_is_compared():
    study, table = compared_by_day()
    other = table.assign(syllable=1, ticks=[0, 100, 300, 100, 900])
    model = ModelResults("m", tables={"usage": pd.concat([table, other])})
    result = usage.subject_usage(model, [0], study)
    assert study.groups() == ["2", "10"], "by size"
    np.testing.assert_allclose(result["10"], [[1.0], [0.5]])
    np.testing.assert_allclose(result["2"], [[0.5], [0.25]])


def test_transitions_are_counted_in_each_condition_that_is_compared():
    study, table = compared_by_day()
    counts = study.grouped(table).groupby("group")["count"].sum()
    assert counts.to_dict() == {"10": 9, "2": 6}


def test_recordings_that_are_left_out_are_in_no_figure_of_the_study(study, tmp_path):
    rejected = {**study.recordings[1].quality, "verdict": "reject"}
    out = dataclasses.replace(study.recordings[1], quality=rejected)
    fewer = dataclasses.replace(study, recordings=(study.recordings[0], out, *study.recordings[2:]))
    alone = dataclasses.replace(study, recordings=(study.recordings[0], *study.recordings[2:]))
    assert [r.name for r in fewer.used()] == [r.name for r in alone.recordings]
    assert [r.name for r, _ in fewer.truths()] == [r.name for r in alone.recordings]
    some = QUICK.model_copy(
        update={"figures": ("scores", "durations", "novelty"), "formats": ("svg",), "examples": 0}
    )
    first, second = (draw_all(tmp_path / n, s, some) for n, s in (("a", fewer), ("b", alone)))
    assert first.colors == second.colors
    for drawn, other in zip(first.figures, second.figures, strict=True):
        assert [p.read_bytes() for p in drawn.paths] == [p.read_bytes() for p in other.paths], drawn.name


def test_labels_and_truth_meet_by_frame():
    labels = pd.DataFrame({"frame": [0, -1, 1, 2], "syllable": [5, 9, 6, 7]})
    truth = pd.DataFrame({"frame": [1, 2, -1, 3], "behavior": ["walk", "rear", "groom", "sniff"]})
    both = paired(labels, truth)
    assert both.to_numpy().tolist() == [[6, "walk"], [7, "rear"]]


def test_without_crops_and_truth_the_rest_is_drawn(study, tmp_path):
    still = dataclasses.replace(study.recordings[0], crops_path=None, truth_path=None)
    alone = dataclasses.replace(study, recordings=(still,), changepoints=None)
    some = ("scores", "trajectories", "ethogram", "durations")
    result = draw_all(tmp_path, alone, QUICK.model_copy(update={"figures": some}))
    assert {d.name for d in result.figures if d.missing} == {"scores", "trajectories"}
    # What the model itself shows needs no crops.
    assert {k for m in result.movies.values() for by_kind in m.values() for k in by_kind} == {"decoded"}
