"""The file of MoSeq2: its conventions, and parts that are missing or damaged."""

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from oracles import small_recordings
from syllabary.depth import sources
from syllabary.depth.readers import moseq2
from syllabary.depth.settings import SourceSettings
from syllabary.errors import BadInput


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "results_00.h5"
    small_recordings.moseq2_extraction(file)
    return file


def replace(path, name, values):
    with h5py.File(path, "r+") as h5:
        del h5[name]
        if values is not None:
            h5[name] = values


def opened(path):
    return moseq2.open_crops(path, SourceSettings())


@pytest.mark.parametrize("name", ["results_00.h5", "results_7.hdf5"])
def test_files_are_recognized_by_their_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    assert moseq2.accepts(tmp_path / name)
    assert not moseq2.accepts((tmp_path / name).with_suffix(".npz"))


def test_and_otherwise_by_their_datasets(path):
    other = path.rename(path.with_name("m1.h5"))
    assert moseq2.accepts(other)
    replace(other, "scalars/centroid_x_px", None)
    assert not moseq2.accepts(other)
    other.write_bytes(b"not HDF5")
    assert not moseq2.accepts(other)
    assert not moseq2.accepts(other.with_name("absent.h5"))


def test_places_count_from_the_image_and_not_from_the_arena(path):
    roi = np.zeros((60, 80), bool)
    roi[10:50, 7:70] = True
    replace(path, "metadata/extraction/roi", roi)
    with opened(path) as crops:
        assert_allclose(crops.x_px, 7 + 20 + 4 * np.arange(10))
        assert_allclose(crops.y_px, 10 + 30)
        assert_array_equal(crops.mask, roi)


def test_an_arena_without_a_pixel_moves_nothing(path):
    replace(path, "metadata/extraction/roi", np.zeros((60, 80), bool))
    with opened(path) as crops:
        assert crops.x_px[0] == 20
        assert not crops.mask.any()


def test_angles_change_their_sense(path):
    replace(path, "scalars/angle", np.linspace(0, 3, 10).astype(np.float32))
    with opened(path) as crops:
        assert crops.heading_rad.dtype == np.float64
        assert_allclose(crops.heading_rad, -np.linspace(0, 3, 10), rtol=1e-6)


@pytest.mark.parametrize(("unit", "per_s"), [("s", 1), ("ms", 1e3), ("us", 1e6)])
def test_times_are_in_the_unit_that_their_values_have(path, unit, per_s, caplog):
    caplog.set_level("INFO")
    truth = 1.0 + 0.033 * np.arange(10)
    replace(path, "timestamps", truth * per_s)
    for settings in (SourceSettings(), SourceSettings(timestamp_unit=unit)):
        sources.require(path, settings)
        with moseq2.open_crops(path, settings) as crops:
            assert_allclose(crops.timestamps_s, truth)
    assert (f"times are read in {unit}" in caplog.text) == (unit != "ms")
    wrong = SourceSettings(timestamp_unit="ns")
    with pytest.raises(BadInput, match="wanted those of a camera"):
        sources.require(path, wrong)


@pytest.mark.parametrize(
    ("place", "value", "rate"),
    [
        ("metadata/extraction/parameters/fps", 30, 30),
        ("metadata/acquisition/ColorFrameRate", 60, None),
        ("metadata/acquisition/FrameRate", [b"25"], 25),
        ("beside", 15, 15),
        (None, None, None),
    ],
)
def test_without_times_the_rate_is_that_of_the_metadata_or_a_setting(path, place, value, rate, caplog):
    replace(path, "timestamps", None)
    if place == "beside":
        path.with_suffix(".yaml").write_text(f"complete: true\nparameters:\n  fps: {value}\n")
    elif place is not None:
        with h5py.File(path, "r+") as h5:
            h5[place] = value
    if rate is None:
        with pytest.raises(BadInput, match=r"no frame rate .* 'even' and its frames_per_second"):
            opened(path)
    else:
        with opened(path) as crops:
            assert_allclose(crops.timestamps_s, np.arange(10) / rate)
        assert f"by {rate} frames/s of its metadata" in caplog.text
    even = SourceSettings(timestamps="even", frames_per_second=50)
    sources.require(path, even)
    with moseq2.open_crops(path, even) as crops:
        assert_allclose(crops.timestamps_s, np.arange(10) / 50)


@pytest.mark.parametrize("values", [np.arange(10), np.arange(10) * 2.0, np.arange(7, 17)])
def test_numbers_of_frames_are_no_times(path, values):
    replace(path, "timestamps", values)
    with pytest.raises(BadInput, match=r"counts frames .* 'even' and its frames_per_second"):
        opened(path)


def test_timestamps_are_milliseconds_in_either_place(path):
    with opened(path) as crops:
        expected = crops.timestamps_s
    assert_allclose(np.diff(expected), 0.033)
    with h5py.File(path, "r+") as h5:
        h5.move("timestamps", "metadata/timestamps")
    with opened(path) as crops:
        assert_array_equal(crops.timestamps_s, expected)


@pytest.mark.parametrize(
    ("value", "text"),
    [(b"2017-01-25", "2017-01-25"), ([b"2018", b"later"], "2018"), (7, "7")],
    ids=["bytes", "list", "number"],
)
def test_the_start_time_is_text(path, value, text):
    replace(path, "metadata/acquisition/StartTime", value)
    with opened(path) as crops:
        assert crops.start_time == text


def test_without_a_start_time_it_is_empty(path):
    replace(path, "metadata/acquisition/StartTime", None)
    with opened(path) as crops:
        assert crops.start_time == ""
    with h5py.File(path, "r+") as h5:
        h5["metadata/extraction/StartTime"] = "2019"
    with opened(path) as crops:
        assert crops.start_time == "2019"


def test_heights_saturate_and_background_is_whole_millimeters(path):
    frames = np.zeros((10, 80, 80), np.float32)
    frames[0, 0, :5] = [-3, 12.7, 300, np.nan, np.inf]
    replace(path, "frames", frames)
    background = np.full((60, 80), 600.4)
    background[0, :3] = [np.nan, -5, 1e6]
    replace(path, "metadata/extraction/background", background)
    with opened(path) as crops:
        assert crops.read(0, 1)[0, 0, :5].tolist() == [0, 12, 255, 0, 255]
        assert crops.background_mm[0, :4].tolist() == [0, 0, 65535, 600]


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("frames", None, r"lacks frames"),
        ("scalars/angle", None, r"lacks scalars/angle"),
        ("frames", np.zeros((10, 80)), r"frames are not what MoSeq2 writes"),
        ("scalars/angle", np.array([b"a"] * 10), r"scalars/angle are not what MoSeq2 writes"),
        ("scalars/angle", np.zeros(9), r"different lengths \(frames 10, timestamps 10, .*angle 9\)"),
        ("metadata/extraction/roi", np.ones((60, 81), bool), r"different shapes, \(60, 80\) and"),
        ("timestamps", np.zeros(10), r"extract it again from the raw recording"),
    ],
)
def test_missing_or_damaged_parts_are_named(path, name, values, message):
    replace(path, name, values)
    for look in (sources.require, sources.open_source):
        with pytest.raises(BadInput, match=message):
            look(path)


def test_no_file_stays_open_after_a_refusal(path):
    replace(path, "frames", None)
    with pytest.raises(BadInput):
        opened(path)
    path.unlink()
    assert not path.exists()
