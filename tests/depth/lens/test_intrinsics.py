import json
from pathlib import Path

import pytest

from syllabary.depth.lens import camera, intrinsics
from syllabary.errors import BadInput

PARAMETERS = [0.5, 0.5, 0.49, 0.48, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0, 0, 0.7, 0.8]


def text(parameters=PARAMETERS, purpose=intrinsics.PURPOSE):
    values = {"Purpose": purpose, "Intrinsics": {"ModelParameters": parameters}}
    return json.dumps({"CalibrationInformation": {"Cameras": [values]}}).encode()


@pytest.mark.parametrize(("shape", "preset"), intrinsics.AZURE_SHAPES.items())
def test_a_mode_sees_the_part_of_the_sensor_that_its_preset_sees(shape, preset):
    lens = intrinsics.of_azure_kinect(text(), shape, Path("m1.mkv"))
    nominal = camera.from_settings(camera.CameraSettings(preset=preset), shape)
    # The axis of this calibration is the sensor's center.
    assert (lens.cx_px, lens.cy_px) == (nominal.cx_px, nominal.cy_px)
    assert lens.fx_px == 0.49 * intrinsics.AZURE_MODES[preset][0]


def test_coefficients_are_ordered_as_opencv_has_them():
    lens = intrinsics.of_azure_kinect(text(), (576, 640), Path("m1.mkv"))
    k1, k2, p1, p2, k3, k4, k5, k6 = lens.distortion
    assert (k1, k2, k3, k4, k5, k6) == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
    assert (p1, p2) == (0.8, 0.7)


def test_zeros_of_the_cameras_memory_are_no_text():
    with_zeros = text() + b"\0" * 100
    expected = intrinsics.of_azure_kinect(text(), (576, 640), Path("m1.mkv"))
    assert intrinsics.of_azure_kinect(with_zeros, (576, 640), Path("m1.mkv")) == expected


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"null",
        text(purpose="CALIBRATION_CameraPurposePhotoVideo"),
        text([*PARAMETERS[:2], 0.0, *PARAMETERS[3:]]),
        text([*PARAMETERS[:4], float("nan"), *PARAMETERS[5:]]),
        b" " * (intrinsics.MAX_BYTES + 1),
    ],
    ids=["empty", "null", "another camera", "no focal length", "not a number", "too long"],
)
def test_what_describes_no_depth_camera(damaged):
    with pytest.raises(BadInput, match=r"m1\.mkv: its attachment calibration\.json does not describe"):
        intrinsics.of_azure_kinect(damaged, (576, 640), Path("m1.mkv"))


def test_frames_of_no_mode():
    with pytest.raises(BadInput, match="frames of 512x424, which no mode"):
        intrinsics.of_azure_kinect(text(), (424, 512), Path("m1.mkv"))
