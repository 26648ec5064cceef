"""Recordings of other frame rates on the clock of a study."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from reduction import registered
from syllabary.errors import BadInput
from syllabary.records import clock
from syllabary.records.crops import Crops


def on(rate, fps, seconds=4.0):
    times = np.arange(round(seconds * rate)) / rate
    return clock.clock_to(times, fps, has_frame=np.ones(len(times), bool)), times


@pytest.mark.parametrize("rate", [15, 25, 50, 60, 120])
def test_each_tick_has_the_frame_nearest_in_time_and_none_is_used_twice(rate):
    on_ticks, times = on(rate, 30)
    present = on_ticks.row >= 0
    assert_allclose(times[on_ticks.row[present]], on_ticks.time_s[present], atol=0.5 / 30 + 1e-3)
    assert_allclose(on_ticks.at[present] / 30, times[on_ticks.row[present]])
    assert (np.diff(on_ticks.row[present]) > 0).all()
    # As many frames as there are, and no more than ticks.
    assert abs(present.sum() - min(rate, 30) * 4) <= 1
    assert_allclose(times, on_ticks.time_s[on_ticks.tick_of_row], atol=0.5 / 30 + 1e-3)
    assert on_ticks.gap == (1 if rate < 30 else 0)


def test_every_second_tick_of_half_the_rate_is_missing_and_every_second_frame_of_twice_is_left_out():
    assert on(15, 30)[0].row[:5].tolist() == [0, -1, 1, -1, 2]
    assert on(60, 30)[0].row[:4].tolist() == [0, 2, 4, 6]
    assert on(60, 30)[0].tick_of_row[:5].tolist() == [0, 0, 1, 1, 2]


def test_a_dropped_frame_gives_its_tick_to_a_neighbor():
    has_frame = np.arange(240) != 4
    on_ticks = clock.clock_to(np.arange(240) / 60, 30, has_frame=has_frame)
    assert on_ticks.row[:4].tolist() == [0, 2, 5, 6]


@pytest.mark.parametrize(
    ("rates", "minutes", "common"),
    [([15, 30, 30], [10, 10, 10], 30), ([15, 30], [20, 10], 15), ([15, 30], [10, 10], 30),
     ([29.97, 30, 25], [5, 5, 8], 30), ([60, 25, 25.1, 24.9], [9, 4, 4, 4], 25)],
)  # fmt: skip
def test_the_rate_of_a_study_is_one_that_exists(rates, minutes, common):
    assert clock.usual_rate(rates, [60 * m for m in minutes]) == common


@pytest.mark.parametrize(("fps", "ticks"), [(29.97, 30), (30.3, 30), (25, 25), (60, 59)])
def test_nearly_equal_rates_are_read_as_they_are(tmp_path, rng, fps, ticks):
    heights, _ = registered.animals(rng, 30)
    with Crops(registered.write(tmp_path / "a.h5", heights)) as crops:
        view = clock.on_clock(crops, fps)
        assert (view is crops) == (abs(fps - 30) < 1)
        assert clock.on_clock(view, fps) is view
        assert len(view) == ticks
        for start, stop in ((0, None), (7, 20)):
            present = view.frame[start:stop] >= 0
            rows = view.frame[start:stop][present]
            assert (view.heights(start, stop)[present] == heights[rows]).all()
            assert (view.observed(start, stop).any((1, 2)) == present).all()
        assert view.tracking["detected"].to_numpy().tolist() == (view.frame >= 0).tolist()


@pytest.mark.parametrize("fps", [76, 120, 200])
def test_a_recording_of_far_too_few_frames_is_refused(tmp_path, rng, fps):
    heights, _ = registered.animals(rng, 10)
    with (
        Crops(registered.write(tmp_path / "a.h5", heights)) as crops,
        pytest.raises(BadInput, match=f"30 frames/s, too few for a model at {fps}"),
    ):
        clock.on_clock(crops, fps)


@pytest.mark.parametrize("rate", [15, 25, 60])
def test_a_cut_clock_is_that_of_its_ticks_and_of_their_frames_alone(rate):
    whole, times = on(rate, 30)
    start, stop = 31, 74
    part = whole.cut(start, stop)
    rows = np.flatnonzero((whole.tick_of_row >= start) & (whole.tick_of_row < stop))
    assert len(part.row) == len(part.time_s) == len(part.at) == stop - start
    assert_array_equal(part.take(times[rows], np.nan), whole.take(times, np.nan)[start:stop])
    assert_array_equal(part.time_s[part.tick_of_row], whole.time_s[whole.tick_of_row[rows]])
    assert part.gap == whole.gap
