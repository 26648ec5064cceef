import numpy as np
from numpy.testing import assert_array_equal

from syllabary.depth import background
from syllabary.depth.settings import BackgroundSettings


def test_plain_floor_is_the_median(rng):
    samples = rng.integers(600, 606, (41, 4, 5)).astype(np.uint16)
    assert_array_equal(background.far_mode(samples, BackgroundSettings()), np.median(samples, axis=0))


def test_an_animal_that_sleeps_for_most_of_the_recording_is_not_floor(rng):
    samples = np.rint(rng.normal(673, 1.7, (100, 8, 8))).astype(np.uint16)
    samples[:80, 2:6, 2:6] -= 30
    floor = background.far_mode(samples, BackgroundSettings())
    assert np.abs(floor.astype(int) - 673).max() <= 3


def test_unmeasured_pixels_are_ignored_and_never_measured_ones_unknown(rng):
    samples = np.full((50, 3, 3), 700, np.uint16)
    samples[rng.random(samples.shape) < 0.6] = 0
    samples[:, 1, 1] = 0
    floor = background.far_mode(samples, BackgroundSettings())
    assert floor[1, 1] == 0
    assert set(np.unique(floor)) == {0, 700}


def test_one_frame_is_its_own_background():
    samples = np.arange(600, 612, dtype=np.uint16).reshape(1, 3, 4)
    assert_array_equal(background.far_mode(samples, BackgroundSettings()), samples[0])
