import numpy as np
import pytest
from numpy.testing import assert_allclose

from syllabary.depth import camera
from syllabary.depth.settings import CameraSettings
from syllabary.errors import BadSetting
from syllabary.settings import read


def test_focal_length_uses_the_tangent_of_the_field_of_view():
    lens = camera.from_settings(CameraSettings(), (424, 512))
    # At 673.5 mm half of 70.6 degrees spans 476.9 mm over 256 px; the angle itself would give 1.62.
    assert 673.5 / lens.fx_px == pytest.approx(1.863, abs=1e-3)
    assert 673.5 / lens.fy_px == pytest.approx(1.834, abs=1e-3)


def test_edge_pixels_lie_on_the_edge_of_the_field_of_view():
    lens = camera.from_settings(CameraSettings(), (424, 512))
    left, right = lens.points(np.array([-0.5, 511.5]), np.array([211.5, 211.5]), np.array([1.0, 1.0]))
    assert_allclose(np.rad2deg(np.arctan2(right[0], right[2])), 35.3, atol=1e-9)
    assert_allclose(left[0], -right[0], atol=1e-12)


def test_pixels_undo_points(rng):
    lens = camera.Camera(300.0, 310.0, 100.0, 90.0)
    x, y, z = rng.uniform(0, 500, 20), rng.uniform(0, 400, 20), rng.uniform(300, 900, 20)
    assert_allclose(lens.pixels(lens.points(x, y, z)), np.stack([x, y], axis=-1), atol=1e-9)


def test_rays_are_points_at_depth_one():
    lens = camera.Camera(300.0, 310.0, 2.0, 1.0)
    rays = lens.rays((3, 5))
    assert_allclose(rays[1, 2], [0, 0, 1])
    assert_allclose(rays[2, 4], [2 / 300, 1 / 310, 1])


def test_half_a_calibration_is_refused():
    with pytest.raises(BadSetting, match="give all of fx_px"):
        read(CameraSettings, {"fx_px": 300}, "extract.camera")
