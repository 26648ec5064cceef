import numpy as np
import pytest
from numpy.testing import assert_allclose

from syllabary.depth.tracking.shape import measure


def ellipse(angle, a=40.0, b=15.0, step=0.5):
    x, y = np.meshgrid(np.arange(-60, 60, step), np.arange(-60, 60, step))
    s, w = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    inside = (s / a) ** 2 + (w / b) ** 2 <= 1
    return x[inside] + 100, y[inside] - 30, np.full(inside.sum(), step**2)


@pytest.mark.parametrize("angle", [-1.2, 0.0, 0.7, 1.5])
def test_axes_of_an_ellipse(angle):
    x, y, patch = ellipse(angle)
    shape = measure(x, y, np.full(len(x), 20.0), patch)
    assert_allclose([shape.x_mm, shape.y_mm], [100, -30], atol=0.3)
    assert_allclose(shape.axis_rad, angle, atol=0.01)
    assert_allclose([shape.length_mm, shape.width_mm], [80, 30], rtol=0.01)
    assert_allclose(shape.area_mm2, np.pi * 40 * 15, rtol=0.01)
    assert shape.height_max_mm == 20
    assert_allclose(shape.height_mm, 20)


def test_one_point_has_a_place_and_no_size():
    shape = measure(np.array([3.0]), np.array([4.0]), np.array([12.0]), np.array([2.0]))
    assert (shape.x_mm, shape.y_mm, shape.area_mm2, shape.elongation) == (3, 4, 2, 0)
    assert shape.length_mm == shape.width_mm == 0
