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


def test_a_unit_that_is_not_said_is_not_guessed(write, times_ms):
    path = write(times="timestamps")
    assert "set extract.source.timestamp_unit" in complaint(path)
    with sources.open_recording(path, SourceSettings(timestamp_unit="ms")) as video:
        assert_allclose(video.timestamps_s, times_ms / 1000)


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
