import json
from pathlib import Path

import numpy as np
import pytest

from syllabary.depth.readers import metadata_file
from syllabary.depth.settings import SourceSettings
from syllabary.depth.video import Intrinsics
from syllabary.errors import BadInput

LENS = {"fx_px": 365.5, "fy_px": 366.0, "cx_px": 256.0, "cy_px": 212.0}
PATH = Path("metadata.json")


def settings(**values):
    return SourceSettings.model_validate(values)


def test_a_file_of_the_recordings_own_name_comes_first(tmp_path):
    recording = tmp_path / "m1.avi"
    assert metadata_file.beside(recording).name == "metadata.json"
    assert metadata_file.read(recording) == {}
    (tmp_path / "metadata.json").write_text('{"SubjectName": "folder"}')
    assert metadata_file.read(recording)["SubjectName"] == "folder"
    (tmp_path / "m1.json").write_text('{"SubjectName": "file"}')
    assert metadata_file.read(recording)["SubjectName"] == "file"


def test_a_byte_order_mark_is_no_fault(tmp_path):
    (tmp_path / "metadata.json").write_bytes(b"\xef\xbb\xbf{}")
    assert metadata_file.read(tmp_path / "depth.dat") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"3", "holds a int; wanted a JSON object"),
    ],
    ids=["cut short", "binary", "nested", "number"],
)
def test_what_is_no_object(tmp_path, text, message):
    (tmp_path / "metadata.json").write_bytes(text)
    with pytest.raises(BadInput, match=message):
        metadata_file.read(tmp_path / "depth.dat")


def test_the_shape_is_that_of_the_settings_else_of_the_file_else_of_a_kinect():
    about = {"DepthResolution": [640, 576]}
    assert metadata_file.shape(about, settings(rows=3, columns=4), PATH) == (3, 4)
    assert metadata_file.shape(about, settings(), PATH) == (576, 640)
    assert metadata_file.shape({}, settings(), PATH) == (424, 512)


@pytest.mark.parametrize("resolution", [3, [1], [1, 2, 3], ["a", 2], [0, 4], [-1, 4], [1e400, 2], None])
def test_a_resolution_of_no_image(resolution):
    about = {"DepthResolution": resolution}
    if resolution is None:
        assert metadata_file.shape(about, settings(), PATH) == (424, 512)
        return
    with pytest.raises(BadInput, match=r"wanted \[columns, rows\]"):
        metadata_file.shape(about, settings(), PATH)


@pytest.mark.parametrize(
    ("about", "values", "expected"),
    [
        ({}, {}, "<u2"),
        ({"DepthDataType": "Int16[]"}, {}, "<i2"),
        ({"DepthDataType": "Single[]", "IsLittleEndian": False}, {}, ">f4"),
        ({"IsLittleEndian": "True"}, {}, "<u2"),
        ({"IsLittleEndian": False}, {"byte_order": "little"}, "<u2"),
        ({"DepthDataType": "nonsense"}, {"dtype": "uint32"}, "<u4"),
        ({}, {"byte_order": "big"}, ">u2"),
    ],
)
def test_the_type_of_a_pixel(about, values, expected):
    assert metadata_file.dtype(about, settings(**values), PATH) == np.dtype(expected)


@pytest.mark.parametrize("name", ["Complex[]", 3, None, ["UInt16[]"]])
def test_a_type_of_no_pixel(name):
    with pytest.raises(BadInput, match=r"known: Byte\[\], UInt16\[\]"):
        metadata_file.dtype({"DepthDataType": name}, settings(), PATH)


def test_a_calibration_comes_back_as_it_was_described():
    lens = Intrinsics(365.5, 366.0, 256.0, 212.0, tuple(0.1 * k for k in range(8)))
    about = metadata_file.describe({"SubjectName": "m1", "IsLittleEndian": False}, (424, 512), lens)
    about = json.loads(json.dumps(about))
    assert metadata_file.intrinsics(about, PATH) == lens
    assert metadata_file.shape(about, settings(), PATH) == (424, 512)
    assert metadata_file.dtype(about, settings(), PATH) == np.dtype("<u2")
    assert about["SubjectName"] == "m1"
    assert metadata_file.intrinsics(metadata_file.describe({}, (1, 1), None), PATH) is None


def test_distortion_may_be_left_out():
    assert metadata_file.intrinsics({"DepthIntrinsics": LENS}, PATH).distortion == (0.0,) * 8


@pytest.mark.parametrize(
    "values",
    [
        3,
        [],
        {**LENS, "fx_px": 0},
        {**LENS, "cy_px": "middle"},
        {**LENS, "fy_px": float("nan")},
        {**LENS, "distortion": [0.1, 0.2]},
        {name: LENS[name] for name in ("fx_px", "fy_px", "cx_px")},
    ],
)
def test_a_broken_calibration(values):
    with pytest.raises(BadInput, match="wanted numbers fx_px, fy_px, cx_px, cy_px and 8 of distortion"):
        metadata_file.intrinsics({"DepthIntrinsics": values}, PATH)


def test_a_long_value_is_shortened_in_the_message():
    with pytest.raises(BadInput) as error:
        metadata_file.dtype({"DepthDataType": "x" * 1000}, settings(), PATH)
    assert len(str(error.value)) < 300
