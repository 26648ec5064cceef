import numpy as np
import pytest
from numpy.testing import assert_array_equal

from syllabary.depth.arena import background
from syllabary.depth.settings import BackgroundSettings


def test_plain_floor_is_the_median(rng):
    samples = rng.integers(600, 606, (41, 4, 5)).astype(np.uint16)
    assert_array_equal(background.far_mode(samples), np.median(samples, axis=0))


def test_an_animal_that_sleeps_for_most_of_the_recording_is_not_floor(rng):
    samples = np.rint(rng.normal(673, 1.7, (100, 8, 8))).astype(np.uint16)
    samples[:80, 2:6, 2:6] -= 30
    floor = background.far_mode(samples)
    assert np.abs(floor.astype(int) - 673).max() <= 3


def test_unmeasured_pixels_are_ignored_and_never_measured_ones_unknown(rng):
    samples = np.full((50, 3, 3), 700, np.uint16)
    samples[rng.random(samples.shape) < 0.6] = 0
    samples[:, 1, 1] = 0
    floor = background.far_mode(samples)
    assert floor[1, 1] == 0
    assert set(np.unique(floor)) == {0, 700}


def test_one_frame_is_its_own_background():
    samples = np.arange(600, 612, dtype=np.uint16).reshape(1, 3, 4)
    assert_array_equal(background.far_mode(samples), samples[0])


class Frames:
    """What ``estimate`` asks of a recording."""

    def __init__(self, frames):
        self.frames, self.shape = frames, frames.shape[1:]

    def __len__(self):
        return len(self.frames)

    def read(self, start, stop):
        return self.frames[start:stop]


@pytest.mark.parametrize("overlap", [0, 8], ids=["apart", "overlapping"])
def test_two_resting_places(rng, overlap):
    """An animal lies in one place for half of the time, in another for 24 %, and walks about.

    Where the places overlap, the floor is seen hardly more often than ``FAR_QUANTILE``.
    """
    count, floor_mm = 200, 673
    frames = np.rint(rng.normal(floor_mm, 1.7, (count, 48, 64)))
    first, second = (slice(10, 30), slice(6, 26)), (slice(10, 30), slice(26 - overlap, 46 - overlap))
    for t in range(count):
        # In turns, so that the order of frames tells nothing.
        share = (t * 37 % count) / count
        if share < 0.75:
            place = first if share < 0.51 else second
            frames[t][place] -= np.rint(rng.normal(30, 3, (20, 20)))
        else:
            left, top = int(rng.integers(0, 44)), int(rng.integers(0, 28))
            frames[t, top : top + 20, left : left + 20] -= 30
    frames[rng.random(frames.shape) < 0.02] = 0
    video = Frames(frames.astype(np.uint16))
    floor = background.estimate(video, BackgroundSettings()).astype(int)
    plain = np.median(video.frames, axis=0)
    assert (plain[first] < floor_mm - 20).mean() > 0.9
    assert np.abs(floor - floor_mm).max() <= 4
    assert abs(floor[first].mean() - floor_mm) < 1.5
