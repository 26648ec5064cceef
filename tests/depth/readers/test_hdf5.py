import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.depth import sources
from syllabary.depth.readers import moseq2
from syllabary.depth.settings import SourceSettings
from syllabary.errors import BadInput


@pytest.fixture
def write(tmp_path, frames, times_ms):
    def write(more=(), **names):
        path = tmp_path / "m1.h5"
        with h5py.File(path, "w") as h5:
            h5[names.get("frames", "depth")] = frames
            h5[names.get("times", "timestamps_ms")] = times_ms
            for name, values in more:
                h5[name] = values
        return path

    return write


def complaint(path, **settings):
    with pytest.raises(BadInput) as error:
        sources.require(path, SourceSettings(**settings))
    return str(error.value)


def test_any_names_and_kinds_of_number(tmp_path, frames, times_ms):
    path = tmp_path / "m1.hdf5"
    with h5py.File(path, "w") as h5:
        h5.create_dataset("a/b/c", data=frames / np.float32(1000), chunks=(5, 6, 20), compression="lzf")
        h5["time"] = times_ms / 1000
        h5["time"].attrs["units"] = "seconds"
        h5["weight"] = np.arange(23)
    with sources.open_recording(path, SourceSettings(unit_mm=1000)) as video:
        assert_array_equal(video.read(2, 19), frames[2:19])
        assert_allclose(video.timestamps_s, times_ms / 1000)
    assert sources.files(path) == [path]
    assert not moseq2.accepts(path)


def test_several_that_could_be_meant_are_named_by_settings(write, frames):
    path = write(more=[("infrared", frames // 2), ("time_of_day_s", np.arange(23.0))])
    assert "wanted one dataset of frames" in complaint(path)
    assert "extract.source.hdf5_frames" in complaint(path)
    assert "extract.source.hdf5_timestamps" in complaint(path, hdf5_frames="depth")
    assert "no dataset 'depht'" in complaint(path, hdf5_frames="depht")
    named = SourceSettings(hdf5_frames="infrared", hdf5_timestamps="time_of_day_s")
    with sources.open_recording(path, named) as video:
        assert_array_equal(video.read(0, 23), frames // 2)
        assert_array_equal(video.timestamps_s, np.arange(23))


@pytest.mark.parametrize(("name", "per_ms"), [("timestamps", 1), ("time", 1e-3), ("time_of_frame", 1e6)])
def test_a_unit_that_is_not_said_is_in_the_values(tmp_path, frames, times_ms, name, per_ms, caplog):
    caplog.set_level("INFO")
    path = tmp_path / "m1.h5"
    with h5py.File(path, "w") as h5:
        h5["depth"], h5[name] = frames, times_ms * per_ms
    with sources.open_recording(path) as video:
        assert_allclose(video.timestamps_s, times_ms / 1000)
    assert (f"{name}: times are read in" in caplog.text) == (name != "time")
    unit = {1: "ms", 1e-3: "s", 1e6: "ns"}[per_ms]
    with sources.open_recording(path, SourceSettings(timestamp_unit=unit)) as video:
        assert_allclose(video.timestamps_s, times_ms / 1000)
    assert "wanted those of a camera" in complaint(path, timestamp_unit="us")


@pytest.mark.parametrize("rate", [30, 3, "30 frames/s"])
def test_an_attribute_of_the_rate_decides_between_units_and_must_agree(tmp_path, frames, rate):
    path = tmp_path / "m1.h5"
    with h5py.File(path, "w") as h5:
        h5["depth"], h5["time"] = frames, 333_333 * np.arange(23)
    assert "can be us (3 frames/s) or 100ns (30 frames/s)" in complaint(path)
    with h5py.File(path, "r+") as h5:
        h5["depth"].attrs["fps"] = rate
    if isinstance(rate, str):
        # Words are no rate.
        assert "can be us" in complaint(path)
    else:
        with sources.open_recording(path) as video:
            assert_allclose(np.diff(video.timestamps_s), 1 / rate, rtol=1e-5)
        assert "the video itself states" in complaint(
            path, timestamp_unit="us" if rate == 30 else "100ns"
        )


@pytest.mark.parametrize("values", [np.arange(23), np.arange(5.0, 28.0), 2 * np.arange(23)])
def test_a_dataset_that_counts_frames_holds_no_times(tmp_path, frames, values):
    path = tmp_path / "m1.h5"
    with h5py.File(path, "w") as h5:
        h5["depth"], h5["time"] = frames, values
    assert "counts frames" in complaint(path)


@pytest.mark.parametrize(
    "start", ["2021-03-04T12:34:56+00:00", 1_614_861_296, 1_614_861_296_000.0, None]
)
def test_when_an_hdf5_recording_began(tmp_path, frames, start):
    path = tmp_path / "m1.h5"
    with h5py.File(path, "w") as h5:
        h5["depth"], h5["time"] = frames, 1_614_861_296 + np.arange(23) / 30
        if start is not None:
            h5.attrs["start_time"] = start
    with sources.open_recording(path) as video:
        assert video.start_time == "2021-03-04T12:34:56+00:00"


def test_a_claim_of_100_gb_in_one_frame(tmp_path):
    path = tmp_path / "m1.h5"
    with h5py.File(path, "w") as h5:
        h5.create_dataset("frames", (3, 200_000, 250_000), "u2", chunks=(1, 100, 100))
        h5["time_s"] = np.arange(3.0)
    assert "frames of 250000x200000 pixels" in complaint(path)


def test_chunks_that_do_not_fit_into_memory(tmp_path):
    path = tmp_path / "m1.h5"
    with h5py.File(path, "w") as h5:
        h5.create_dataset("frames", (1000, 424, 512), "u2", chunks=(1000, 424, 512))
        h5["time_s"] = np.arange(1000.0)
    assert "stored in chunks of 434176000 bytes" in complaint(path)


def test_an_extraction_of_moseq2_is_recognized_by_its_datasets(write):
    path = write(more=[("scalars/centroid_x_px", np.arange(23.0))])
    assert moseq2.accepts(path)
    # It is not read as frames of a camera, which it would pass for.
    assert "not a MoSeq2 extraction with all its parts" in complaint(path)
