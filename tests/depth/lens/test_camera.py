import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from syllabary.depth.lens import camera
from syllabary.depth.settings import CameraSettings
from syllabary.depth.video import Intrinsics
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


BENT = {
    "Brown and Conrady": (0.11, -0.23, 0.0012, -0.0008, 0.09, 0.0, 0.0, 0.0),
    "rational": (0.548, -0.021, -7e-5, 2e-5, -0.0027, 0.89, 0.086, -0.014),
}


@pytest.mark.parametrize("distortion", BENT.values(), ids=BENT)
class TestDistortion:
    @pytest.fixture
    def lens(self, distortion):
        return camera.Camera(500.0, 510.0, 322.0, 295.0, distortion)

    @pytest.fixture
    def matrix(self):
        return np.array([[500.0, 0, 322.0], [0, 510.0, 295.0], [0, 0, 1]])

    def test_points_appear_where_opencv_shows_them(self, rng, lens, matrix, distortion):
        points = np.column_stack([rng.uniform(-500, 500, (40, 2)), rng.uniform(600, 900, 40)])
        expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, np.array(distortion))
        assert_allclose(lens.pixels(points), expected[:, 0], atol=1e-9)

    def test_rays_of_all_pixels_are_opencvs(self, lens, matrix, distortion):
        shape = 576, 640
        rows, columns = np.indices(shape, dtype=float)
        pixels = np.stack([columns.ravel(), rows.ravel()], axis=-1)
        until = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 2000, 1e-12)
        expected = cv2.undistortPoints(pixels[:, None], matrix, np.array(distortion), criteria=until)
        assert_allclose(lens.rays(shape)[..., :2].reshape(-1, 2), expected[:, 0], atol=1e-6)
        assert_allclose(lens.pixels(lens.rays(shape)).reshape(-1, 2), pixels, atol=1e-6)

    def test_bending_is_the_derivative_of_pixels(self, lens):
        ray = lens.points(np.array(500.0), np.array(90.0), np.array(1.0))
        step = 1e-6
        expected = [(lens.pixels(ray + step * e) - [500, 90]) / step for e in np.eye(3)[:2]]
        assert_allclose(lens.bending(500.0, 90.0), np.transpose(expected), rtol=1e-4)


def test_a_calibration_in_the_recording_wins_over_the_preset_and_settings_over_both():
    calibration = Intrinsics(505.0, 506.0, 320.0, 331.0, (0.1,) * 8)
    assert camera.from_settings(CameraSettings(), (576, 640), calibration) == calibration
    chosen = read(
        CameraSettings, {"fx_px": 1, "fy_px": 2, "cx_px": 3, "cy_px": 4, "distortion": [0.1, 0.2]}, ""
    )
    lens = camera.from_settings(chosen, (576, 640), calibration)
    assert lens == (1, 2, 3, 4, (0.1, 0.2, 0, 0, 0, 0, 0, 0))


def view_deg(preset, shape):
    """Angles that a preset sees from edge to edge, across and down the optical axis."""
    lens = camera.from_settings(CameraSettings(preset=preset), shape)
    rows, columns = shape
    x = lens.points(np.array([-0.5, columns - 0.5]), np.full(2, lens.cy_px), np.ones(2))[:, 0]
    y = lens.points(np.full(2, lens.cx_px), np.array([-0.5, rows - 0.5]), np.ones(2))[:, 1]
    return np.rad2deg([np.ptp(np.arctan(x)), np.ptp(np.arctan(y))])


@pytest.mark.parametrize(
    ("preset", "shape", "nominal"),
    [
        ("kinect_v2", (424, 512), (70.6, 60)),
        ("azure_nfov", (576, 640), (75, 65)),
        ("azure_nfov_binned", (288, 320), (75, 65)),
        ("azure_wfov", (1024, 1024), (120, 120)),
        ("azure_wfov_binned", (512, 512), (120, 120)),
        ("realsense_d435", (480, 848), (87, 58)),
        ("realsense_d435", (720, 1280), (87, 58)),
    ],
)
def test_presets_see_what_their_makers_say(preset, shape, nominal):
    assert_allclose(view_deg(preset, shape), nominal, atol=2)


@pytest.mark.parametrize("shape", camera.PRESETS)
def test_auto_is_the_camera_that_alone_has_such_images(shape):
    named = camera.from_settings(CameraSettings(preset=camera.PRESETS[shape]), shape)
    assert camera.from_settings(CameraSettings(preset="auto"), shape) == named


@pytest.mark.parametrize("shape", [(480, 848), (480, 640), (720, 1280), (100, 100)])
def test_auto_does_not_guess(shape):
    with pytest.raises(BadSetting, match=r"m1: the camera cannot be determined from images of"):
        camera.from_settings(CameraSettings(), shape, where="m1")


@pytest.mark.parametrize(
    ("preset", "shape"),
    [("kinect_v2", (480, 640)), ("realsense_d435", (480, 640)), ("azure_wfov", (512, 512))],
)
def test_a_part_of_the_view_is_refused(preset, shape):
    with pytest.raises(BadSetting, match=rf"m1: images of .* not the whole view of .*{preset}"):
        camera.from_settings(CameraSettings(preset=preset), shape, where="m1")


def test_distortion_without_a_calibration_is_refused():
    with pytest.raises(BadSetting, match="distortion belongs to a calibration"):
        read(CameraSettings, {"distortion": [0.1]}, "extract.camera")
