import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from syllabary.depth.lens import distortion

LENSES = {
    "weak": (0.1, -0.05, 1e-3, -5e-4, 0.01, 0.0, 0.0, 0.0),
    "azure": (0.5, -2.7, 7e-4, -1e-4, 1.5, 0.4, -2.5, 1.4),
    "wide": (0.49652, 0.01951, 0.0, 0.0, 0.0, 0.83472, 0.11632, 0.0),
}


@pytest.fixture(params=LENSES)
def coefficients(request):
    return LENSES[request.param]


@pytest.fixture
def rays(rng):
    """Up to 35 degrees from the axis."""
    return rng.uniform(-0.5, 0.5, (2, 200))


def test_rays_appear_where_opencv_has_them(coefficients, rays):
    points = np.stack([*rays, np.ones(rays.shape[1])], axis=-1)
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), np.eye(3), np.array(coefficients))
    assert_allclose(np.stack(distortion.bend(*rays, coefficients), axis=-1), expected[:, 0], atol=1e-12)


def test_straight_rays_are_those_before_the_lens(coefficients, rays):
    there = distortion.bend(*rays, coefficients)
    assert_allclose(distortion.straighten(*there, coefficients), rays, atol=1e-9)


def test_the_jacobian_is_that_of_finite_differences(coefficients, rays):
    step = 1e-6
    xx, xy, yy = distortion.jacobian(*rays, coefficients)
    for axis, (along, across) in enumerate(((xx, xy), (yy, xy))):
        shift = np.zeros((2, 1))
        shift[axis] = step
        change = np.subtract(
            distortion.bend(*(rays + shift), coefficients),
            distortion.bend(*(rays - shift), coefficients),
        ) / (2 * step)
        assert_allclose(change[axis], along, atol=1e-8)
        assert_allclose(change[1 - axis], across, atol=1e-8)


def test_no_distortion_changes_nothing(rays):
    assert_allclose(distortion.bend(*rays, distortion.NONE), rays, rtol=0, atol=0)
    assert distortion.straighten(*rays, distortion.NONE)[0] is rays[0] or np.array_equal(
        distortion.straighten(*rays, distortion.NONE), rays
    )


def test_corners_that_a_wide_lens_leaves_dark_are_finite():
    x, y = np.meshgrid(np.linspace(-3, 3, 21), np.linspace(-3, 3, 21))
    straight = distortion.straighten(x, y, LENSES["wide"])
    assert np.isfinite(straight).all()
    assert np.hypot(*straight).max() <= distortion.FARTHEST + 1e-9
