"""Figures of a model and of a study show the values of its tables."""

import dataclasses

import h5py
import numpy as np
import pandas as pd
import pytest

from figures.conftest import QUICK
from figures.synthetic import BEHAVIORS, SIZE
from syllabary.figures import (
    _axes,
    coloring,
    comparison,
    components,
    durations,
    quality,
    scalars,
    scores,
    transitions,
    usage,
)
from syllabary.figures.settings import DrawSettings
from syllabary.figures.study import FigureData, ModelResults, RecordingResults, StudyResults


@pytest.fixture(scope="module")
def data(study):
    return FigureData(study, coloring.shared(study, QUICK), study.models[0], None)


def draw(module, data, settings=QUICK):
    with _axes.style():
        return module.draw(data, settings)


def test_bars_of_usage_are_means_over_animals(data):
    figure = draw(usage, data)
    axes = figure.axes[0]
    expected = usage.subject_usage(data.model, [0, 1, 2])
    for container, group in zip(axes.containers, ("control", "drug"), strict=True):
        heights = [bar.get_height() for bar in container]
        np.testing.assert_allclose(heights, 100 * expected[group].mean(0))
        assert container.get_label() == f"{group} (n={len(expected[group])})"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "1 rear", "2"]


def test_stars_follow_the_smallest_q_of_a_syllable():
    table = pd.DataFrame(
        {"measure": "usage", "syllable": [0, 0, 1, 2, 3], "q": [0.2, 0.0004, 0.004, 0.04, 0.5]}
    )
    model = ModelResults("m", tables={"statistics": table})
    assert usage._stars(model, [0, 1, 2, 3, 4]) == ["***", "**", "*", "", ""]
    assert usage._stars(ModelResults("m"), [0, 1]) == ["", ""]


def test_scalars_are_those_of_the_table_in_order_of_syllables(data):
    figure = draw(scalars, data)
    labels = {axes.get_xlabel(): axes for axes in figure.axes}
    table = data.model.table("syllables").sort_values("syllable").head(3)
    points = labels["speed (mm/s)"].collections[1].get_offsets()
    np.testing.assert_allclose(points[:, 0], table["speed_mm_s"])
    assert set(labels) == set(scalars.COLUMNS.values())


def test_columns_without_values_are_left_out(data):
    table = data.model.table("syllables").assign(length_mm=np.nan)
    model = dataclasses.replace(data.model, tables={**data.model.tables, "syllables": table})
    figure = draw(scalars, dataclasses.replace(data, model=model))
    assert "length (mm)" not in {axes.get_xlabel() for axes in figure.axes}


def test_medians_of_durations_are_in_the_legend(data):
    figure = draw(durations, data)
    median = data.model.table("bouts")["duration_s"].median()
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert texts[0] == f"bouts of slds (median {median:.2f} s)"
    assert [text.split(" (")[0] for text in texts[1:]] == ["between change points", "true bouts"]


def test_true_durations_leave_out_the_cut_bouts_at_the_ends(study):
    expected = []
    for recording in study.recordings:
        truth = recording.truth()
        starts = truth.index[truth["syllable"].diff().fillna(0) != 0]
        expected += np.diff(truth["time_s"][starts]).tolist()
    np.testing.assert_allclose(durations._true_durations(study), expected)


def test_columns_of_the_confusion_add_up_to_100_percent(data):
    figure = draw(scores, data, DrawSettings())
    image = np.asarray(figure.axes[0].images[0].get_array())
    np.testing.assert_allclose(image.sum(0), 100)
    # The model is nearly right: the main behavior of each syllable is the true one.
    rows = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert [rows[i] for i in image.argmax(0)[:6]] == list(BEHAVIORS)


def test_panels_of_transitions_are_the_groups_and_their_difference(data):
    figure = draw(transitions, data)
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.images]
    assert titles[:3] == ["control", "drug", "drug minus control"]
    first, second, difference = (
        np.asarray(axes.images[0].get_array(), float) for axes in figure.axes[:3]
    )
    np.testing.assert_allclose(difference, second - first)
    np.testing.assert_allclose(np.nansum(first, 1), 1)


def test_a_single_group_has_no_panel_of_differences(study, data):
    one_group = tuple(dataclasses.replace(r, group="control") for r in study.recordings)
    table = data.model.table("transitions").assign(group="control")
    model = dataclasses.replace(data.model, tables={**data.model.tables, "transitions": table})
    alone = dataclasses.replace(
        data, study=dataclasses.replace(study, recordings=one_group), model=model
    )
    figure = draw(transitions, alone)
    assert [a.get_title(loc="left") for a in figure.axes if a.get_xlabel()] == ["control"]


def test_the_comparison_has_a_bar_for_each_score_and_a_diamond_for_held_out(data):
    axes = draw(comparison, dataclasses.replace(data, model=None)).axes[0]
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert set(names) == {"slds", "pca-arhmm", "held-out animals"}
    pooled = data.study.models[0].scores["all"]
    heights = [bar.get_height() for bar in axes.containers[0]]
    np.testing.assert_allclose(heights, [pooled[key] for key in comparison.SCORES])
    diamonds = [line.get_ydata()[0] for line in axes.lines if line.get_marker() == "D"]
    held_out = data.study.models[0].scores["held_out"]
    assert diamonds[0] == held_out["ami"]


def test_the_worst_recordings_come_first():
    recordings = tuple(
        RecordingResults(name, quality={"verdict": verdict, "ticks": 100, "dropped": dropped})
        for name, verdict, dropped in (
            ("clean", "good", 0),
            ("holes", "good", 9),
            ("odd", "warn", 1),
            ("dark", "reject", 0),
        )
    )
    bare = FigureData(StudyResults(recordings=recordings), None)
    axes = draw(quality, bare).axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["dark", "odd", "holes", "clean"]
    assert [bar.get_width() for bar in axes.containers[0]] == [0, 1, 9, 0]


def test_components_are_named_and_add_up(data, tmp_path):
    figure = draw(components, data)
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.images]
    assert titles[:3] == ["mean", "1", "2"]
    curve = next(axes for axes in figure.axes if axes.get_xlabel() == "component (number)").lines[0]
    np.testing.assert_allclose(curve.get_ydata(), 100 * np.cumsum(0.4 * 0.6 ** np.arange(10)))


def test_flat_components_and_their_variance_are_read_too(data, tmp_path):
    with h5py.File(tmp_path / "pca.h5", "w") as h5:
        h5["components"] = np.ones((2, SIZE * SIZE))
        h5["explained_variance"] = [3.0, 1.0]
        h5["total_variance"] = 8.0
    study = dataclasses.replace(data.study, pca_path=tmp_path / "pca.h5")
    figure = draw(components, dataclasses.replace(data, study=study))
    images = [axes for axes in figure.axes if axes.images]
    assert images[0].images[0].get_array().shape == (SIZE, SIZE)
    assert [axes.get_title(loc="left") for axes in images] == ["1", "2"]
    np.testing.assert_allclose(figure.axes[-1].lines[0].get_ydata(), [37.5, 50])


def test_at_most_the_chosen_number_of_syllables_is_drawn(data):
    few = DrawSettings(max_syllables=2, bootstrap_samples=100)
    axes = draw(usage, data, few).axes[0]
    assert len(axes.containers[0]) == 2
