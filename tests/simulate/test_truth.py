import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.records import tables
from syllabary.simulate import motion, truth
from syllabary.simulate.movements import MOVEMENTS
from syllabary.simulate.settings import SimulateSettings


@pytest.fixture(scope="module")
def performed():
    return motion.perform(
        SimulateSettings(duration_s=3), recording="r", subject="m", group="control", seed=1
    )


@pytest.fixture
def table(performed):
    ticks = len(performed.pose)
    dropped = np.zeros(ticks, bool)
    dropped[[3, 4, 10]] = True
    stamps_ms = 5e8 + 33.0 * np.arange(ticks)
    return truth.table(performed, motion.footprints(performed), stamps_ms, dropped), dropped


def test_frames_count_what_was_recorded(table):
    values, dropped = table
    assert_array_equal(values["dropped"], dropped)
    assert_array_equal(values["frame"][dropped], -1)
    assert_array_equal(values["frame"][~dropped], np.arange(np.count_nonzero(~dropped)))


def test_time_begins_with_the_recording(table):
    values, _ = table
    assert values["time_s"].iloc[0] == 0
    assert_allclose(np.diff(values["time_s"]), 0.033)


def test_a_behavior_is_that_of_its_syllable(table):
    values, _ = table
    expected = [MOVEMENTS[list(MOVEMENTS)[k]].behavior for k in values["syllable"]]
    assert values["behavior"].tolist() == expected


def test_headings_are_wrapped_and_heights_are_a_mouses(table, performed):
    values, _ = table
    assert values["heading_rad"].between(-np.pi, np.pi).all()
    assert_allclose(np.cos(values["heading_rad"] - performed.heading_rad), 1)
    assert values["height_mm"].between(15, 130).all()


def test_columns_are_those_of_the_record(table):
    assert list(table[0].columns) == list(tables.TRUTH)


def test_points_of_the_body_turn_with_it(performed):
    ahead = np.tile([10.0, 0.0, 5.0], (4, 1))
    aside = np.tile([0.0, 10.0, 5.0], (4, 1))
    origin = np.zeros((4, 3))
    start = 7
    place = truth.in_arena(performed, start, origin)
    assert_allclose(place[:, 0], performed.x_mm[start : start + 4])
    step = truth.in_arena(performed, start, ahead) - place
    heading = performed.heading_rad[start : start + 4]
    assert_allclose(step, np.stack([10 * np.cos(heading), 10 * np.sin(heading), np.full(4, 5)], 1))
    # y of the body is to its right, as y of the arena is to the right of x.
    right = truth.in_arena(performed, start, aside) - place
    assert_allclose(step[:, 0] * right[:, 1] - step[:, 1] * right[:, 0], 100)
