import numpy as np
import pytest

from syllabary.simulate.settings import MouseSettings
from syllabary.simulate.variety import WIDEST_CABLE_MM, vary


def drawn(count=300, **changes):
    options = {"smallest": 0.65, "largest": 1.3, "cable_share": 0.3, "seconds": 5.0, **changes}
    return [vary(np.random.default_rng(seed), **options) for seed in range(count)]


def test_the_same_generator_draws_the_same_recording():
    assert drawn(5) == drawn(5)


def test_cameras_hang_at_all_heights_of_a_rack():
    heights = np.array([film.camera.height_mm for film in drawn()])
    assert 600 <= heights.min() < 615
    assert 835 < heights.max() <= 850


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_as_many_mice_carry_a_cable_as_wanted(share):
    diameters = np.array([film.cable.diameter_mm for film in drawn(cable_share=share)])
    assert np.mean(diameters > 0) == pytest.approx(share, abs=0.08)
    assert diameters.max(initial=0) <= WIDEST_CABLE_MM
    assert ((diameters == 0) | (diameters >= 1)).all()


def test_mice_of_one_size_differ_in_their_proportions():
    adult = MouseSettings()
    mice = [film.mouse for film in drawn(smallest=1.0, largest=1.0)]
    lengths = np.array([mouse.length_mm for mouse in mice]) / adult.length_mm
    widths = np.array([mouse.width_mm for mouse in mice]) / adult.width_mm
    assert 0.02 < lengths.std() < 0.06
    assert 0.05 < widths.std() < 0.11
    assert abs(np.corrcoef(lengths, widths)[0, 1]) < 0.2


def test_large_mice_are_large_in_every_dimension():
    mice = [film.mouse for film in drawn()]
    columns = np.array([[m.length_mm, m.width_mm, m.height_mm] for m in mice]).T
    assert np.corrcoef(columns).min() > 0.7


def test_recordings_are_as_long_as_wanted():
    assert {film.duration_s for film in drawn(3, seconds=7.5)} == {7.5}
