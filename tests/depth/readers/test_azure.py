"""Files as an Azure Kinect's recorder writes them, made byte by byte in ``oracles.matroska``."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from oracles import matroska
from syllabary.depth import sources
from syllabary.depth.settings import SourceSettings
from syllabary.errors import BadInput

PARAMETERS = [0.51, 0.49, 0.49, 0.48, 0.5, -2.7, 1.5, 0.4, -2.5, 1.4, 0, 0, -1e-4, 7e-4]


def calibration(parameters=PARAMETERS):
    camera = {"Purpose": "CALIBRATION_CameraPurposeDepth", "Intrinsics": {"ModelParameters": parameters}}
    other = {**camera, "Purpose": "CALIBRATION_CameraPurposePhotoVideo"}
    return json.dumps({"CalibrationInformation": {"Cameras": [other, camera]}}).encode() + b"\0"


@pytest.fixture
def recording(tmp_path, rng):
    depth, infrared = rng.integers(0, 2**16, (2, 5, 288, 320)).astype(np.uint16)
    times_us = 1_234_567 + np.array([0, 33_333, 66_670, 133_340, 166_660])
    tracks = {"COLOR": infrared[:, :16, :16], "DEPTH": depth, "IR": infrared}
    path = matroska.write(tmp_path / "m1.mkv", tracks, times_us, calibration=calibration())
    return path, depth, times_us


def test_depth_by_its_title_to_the_bit_and_the_microsecond(recording):
    path, depth, times_us = recording
    sources.require(path)
    with sources.open_recording(path) as video:
        assert_array_equal(video.read(0, 5), depth)
        assert_array_equal(video.read(3, 5), depth[3:])
        assert_array_equal(video.read(1, 2), depth[1:2])
        assert_allclose(video.timestamps_s, times_us / 1e6, rtol=0, atol=1e-9)


def test_the_calibration_of_its_mode(recording):
    """A point projected through the whole sensor's calibration falls on the same binned pixel."""
    path, *_ = recording
    with sources.open_recording(path) as video:
        lens = video.intrinsics
    x, y = 0.2, -0.1
    # 1024 sensor pixels, shown from column 192 and row 180 on, two by two; corners to centers.
    column = (1024 * (PARAMETERS[0] + PARAMETERS[2] * x) - 192) / 2 - 0.5
    row = (1024 * (PARAMETERS[1] + PARAMETERS[3] * y) - 180) / 2 - 0.5
    assert_allclose([lens.cx_px + lens.fx_px * x, lens.cy_px + lens.fy_px * y], [column, row])
    assert lens.distortion == (0.5, -2.7, 7e-4, -1e-4, 1.5, 0.4, -2.5, 1.4)


@pytest.mark.parametrize("text", [b"{", b"[]", b"{}", calibration([1.0]), calibration(["a"] * 14)])
def test_a_broken_calibration(recording, text, rng):
    path, depth, times_us = recording
    matroska.write(path, {"DEPTH": depth}, times_us, calibration=text)
    with pytest.raises(BadInput, match=r"calibration\.json does not describe a depth camera"):
        sources.open_recording(path)


def test_gray_tracks_without_titles_are_not_guessed_between(recording):
    path, depth, times_us = recording
    matroska.write(path, {"A": depth, "B": depth}, times_us)
    with pytest.raises(BadInput, match=r"no single track of depth, 16-bit gray \(found A gray16be, B"):
        sources.require(path)


def test_frames_that_go_back_in_time(recording):
    path, depth, times_us = recording
    matroska.write(path, {"DEPTH": depth}, times_us[[0, 1, 1, 3, 4]])
    with pytest.raises(BadInput, match="frame 2 is not later than the one before it"):
        sources.open_recording(path)


def test_a_file_of_which_the_end_is_missing(recording):
    path, depth, _ = recording
    content = path.read_bytes()
    path.write_bytes(content[:-1000])
    for look in (sources.require, sources.open_recording):
        with pytest.raises(BadInput, match=f"has {len(content) - 1000} of the {len(content)} bytes"):
            look(path)
    with sources.open_recording(path, SourceSettings(timestamps="cut")) as video:
        assert_array_equal(video.read(0, 4), depth[:4])
