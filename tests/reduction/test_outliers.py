"""What is none of the animal's is narrow and high."""

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
def test_a_cable_is_an_outlier_with_its_neighbors_and_a_back_is_none(slant):
    cable, back = lines(3, slant=slant), lines(24, slant=slant)
    found = outliers.find(cable, PIXEL_MM)
    assert found[cable].all() and found.sum() > cable.sum()
    # Steps of a slanted edge are narrow.
    assert outliers.find(back, PIXEL_MM).mean() < (0.15 * back.mean() if slant else 1e-9)


def test_every_frame_is_judged_alone_and_nothing_is_nothing():
    many = np.concatenate([lines(3), np.zeros((1, 40, 40), bool), lines(20)])
    found = outliers.find(many, PIXEL_MM)
    for i in range(3):
        assert_array_equal(found[i : i + 1], outliers.find(many[i : i + 1], PIXEL_MM))
    assert not found[1].any() and not found[2].any()


def test_a_guess_sees_a_cable_over_the_animal_but_neither_animal_nor_tail():
    heights = 35.0 * lines(18)[0] + 8.0 * lines(3, slant=1.0)[0]
    assert not outliers.guess(heights[None].astype(np.float32), PIXEL_MM).any()
    cable = lines(2).swapaxes(1, 2)
    heights = np.where(cable[0], 80.0, heights)
    found = outliers.guess(heights[None].astype(np.float32), PIXEL_MM)
    assert found[cable].all() and found.mean() < 3.1 * cable.mean()
