"""Outliers are narrow and high."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from syllabary.reduction import outliers

PIXEL_MM = 1.85


def lines(width, *, slant=0.0):
    """Flags (1, 40, 40) of a line across the crop, so many pixels wide."""
    rows, columns = np.indices((40, 40))
    return (np.abs(rows - 20 - slant * (columns - 20)) < width / 2)[None]


@pytest.mark.parametrize("slant", [0.0, 0.5, 1.0])
def test_a_cable_and_its_neighbors_are_outliers_and_a_back_is_not(slant):
    cable, back = lines(3, slant=slant), lines(24, slant=slant)
    flags = outliers.find(cable, PIXEL_MM)
    assert flags[cable].all() and flags.sum() > cable.sum()
    # Steps of a slanted edge are narrow.
    assert outliers.find(back, PIXEL_MM).mean() < (0.15 * back.mean() if slant else 1e-9)


def test_frames_are_independent_and_empty_frames_have_no_outliers():
    many = np.concatenate([lines(3), np.zeros((1, 40, 40), bool), lines(20)])
    flags = outliers.find(many, PIXEL_MM)
    for i in range(3):
        assert_array_equal(flags[i : i + 1], outliers.find(many[i : i + 1], PIXEL_MM))
    assert not flags[1].any() and not flags[2].any()


def test_a_guess_marks_a_cable_and_neither_animal_nor_tail():
    heights = 35.0 * lines(18)[0] + 8.0 * lines(3, slant=1.0)[0]
    assert not outliers.guess(heights[None].astype(np.float32), PIXEL_MM).any()
    cable = lines(2).swapaxes(1, 2)
    heights = np.where(cable[0], 80.0, heights)
    flags = outliers.guess(heights[None].astype(np.float32), PIXEL_MM)
    assert flags[cable].all() and flags.mean() < 3.1 * cable.mean()
