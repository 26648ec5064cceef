"""Figures of one recording show the values of its files."""

import dataclasses

import numpy as np
import pytest

from figures.conftest import QUICK
from figures.synthetic import SIZE, TICKS
from syllabary.figures import _axes, arena, coloring, ethogram, examples, tracking, trajectories
from syllabary.figures.study import FigureData


@pytest.fixture(scope="module")
def data(study):
    return FigureData(study, coloring.shared(study, QUICK), None, study.recordings[0])


@pytest.fixture(scope="module")
def crops(study):
    with study.recordings[0].crops() as opened:
        return opened.tracking, opened.scalars, opened.time_s, opened.frame, opened.arena


def draw(module, data):
    with _axes.style():
        return module.draw(data, QUICK)


def test_the_arena_has_its_background_outline_and_positions(data, crops):
    where, _, time_s, _, scene = crops
    axes = draw(arena, data).axes[0]
    depth = np.asarray(axes.images[0].get_array())
    np.testing.assert_array_equal(depth, scene["background_mm"])
    low, high = axes.images[0].get_clim()
    assert (low, high) == (700 - arena.SPAN_MM, 700 + arena.SPAN_MM)
    points = axes.collections[-1]
    located = np.isfinite(where["x_px"]).to_numpy()
    np.testing.assert_allclose(points.get_offsets()[:, 0], where["x_px"][located], rtol=1e-6)
    np.testing.assert_allclose(points.get_array(), time_s[located])


def test_examples_are_crops_at_their_times(data, crops):
    _, _, time_s, frame, _ = crops
    figure = draw(examples, data)
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == examples.ACROSS * examples.DOWN
    times = np.array([float(axes.get_xlabel().removesuffix(" s")) for axes in panels])
    assert (np.diff(times) > 0).all() and times[0] == 0
    assert times[-1] == pytest.approx(time_s[-1], abs=0.05)
    assert panels[0].images[0].get_array().shape == (SIZE, SIZE)
    missing = time_s[frame < 0]
    assert not ((times[:, None] > missing[0]) & (times[:, None] < missing[-1])).any()


def test_the_ethogram_has_a_row_of_colors_for_the_truth_and_each_model(data):
    figure = draw(ethogram, data)
    stripes = [axes for axes in figure.axes if axes.images]
    names = [axes.get_yticklabels()[0].get_text() for axes in stripes]
    assert names == ["truth", "slds", "pca-arhmm"]
    labels = data.study.models[0].labels_of(data.recording)
    codes = np.asarray(stripes[1].images[0].get_array())[0] - 1
    np.testing.assert_array_equal(codes, labels["syllable"])
    image = stripes[1].images[0]
    shown = image.cmap(image.norm(image.get_array()))[0, 0, :3]
    np.testing.assert_allclose(shown, data.colors.of("slds", labels["syllable"][0]), atol=1 / 255)


def test_the_ethogram_averages_the_confidence_over_half_a_second(data):
    figure = draw(ethogram, data)
    labels = data.study.models[0].labels_of(data.recording)
    trace = next(a for a in figure.axes if a.get_ylabel().startswith("probability")).lines[0]
    times, values = trace.get_data()
    inside = labels["time_s"] < ethogram.SMOOTH_S
    assert values[0] == pytest.approx(labels["probability"][inside].mean(), rel=1e-6)
    assert times[0] == pytest.approx(ethogram.SMOOTH_S / 2)


def test_without_truth_the_legend_names_the_syllables_of_the_first_model(data):
    alone = dataclasses.replace(data.recording, truth_path=None)
    figure = draw(ethogram, dataclasses.replace(data, recording=alone))
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts[:3] == ["0", "1 rear", "2"]


def test_smoothing_ignores_gaps_and_leaves_empty_bins_missing():
    times = np.array([0.0, 0.1, 0.2, 1.1, 2.0])
    values = np.array([1.0, np.nan, 3.0, np.nan, 5.0])
    centers, means = ethogram._smooth(times, values)
    np.testing.assert_allclose(centers, [0.25, 0.75, 1.25, 1.75, 2.25])
    np.testing.assert_allclose(means, [2, np.nan, np.nan, np.nan, 5])


def test_tracking_names_the_shares_of_dropped_and_lost_frames(data, crops):
    where, _, _, frame, _ = crops
    figure = draw(tracking, data)
    texts = [tick.get_text() for tick in figure.axes[2].get_yticklabels()]
    dropped = frame < 0
    lost = ~dropped & ~where["detected"].to_numpy(bool)
    assert texts == [f"dropped ({dropped.mean():.1%})", f"lost ({lost.mean():.1%})"]
    assert len(figure.axes[2].collections[0].get_segments()) == dropped.sum()


def test_extremes_keep_the_peaks_of_long_recordings():
    times = np.arange(4 * tracking.COLUMNS) / 30
    values = np.zeros(len(times))
    values[[5, 403]] = 9, -9
    values[8:12] = np.nan
    at, low, high = tracking._extremes(times, values)
    assert len(at) == len(low) == tracking.COLUMNS
    assert high[1] == 9 and low[100] == -9
    assert np.isnan(low[2]) and np.isnan(high[2])


def test_the_trajectory_adds_up_to_the_time_of_the_recording(data, crops):
    _, scalars, time_s, _, _ = crops
    left, right = draw(trajectories, data).axes[:2]
    stay_s = right.collections[0].get_array()
    located = np.isfinite(scalars["x_mm"]).sum()
    assert stay_s.sum() == pytest.approx(located * np.median(np.diff(time_s)))
    segments = left.collections[0].get_segments()
    assert len(segments) == TICKS - 1 - 5, "lines do not cross the four missing ticks"
    assert right.get_ylim()[0] > right.get_ylim()[1], "y points downward"


@pytest.mark.parametrize("module", [arena, examples, tracking, trajectories])
def test_without_crops_there_is_no_figure(module, data):
    bare = dataclasses.replace(data.recording, crops_path=None)
    assert draw(module, dataclasses.replace(data, recording=bare)) is None
    assert draw(module, dataclasses.replace(data, recording=None)) is None
