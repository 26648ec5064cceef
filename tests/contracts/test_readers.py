"""What every reader promises: of raw depth, or of crops that were extracted already."""

import json
import tarfile
from pathlib import Path

import av
import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from oracles import small_recordings
from syllabary import registry
from syllabary.depth import sources
from syllabary.depth.video import ExtractedCrops
from syllabary.errors import BadInput


def write_session(folder, frames, times_s):
    folder.mkdir()
    frames.astype("<u2").tofile(folder / "depth.dat")
    (folder / "depth_ts.txt").write_text("".join(f"{1000 * t:.6f} 0\n" for t in times_s))
    size = [frames.shape[2], frames.shape[1]]
    about = {"DepthResolution": size, "SubjectName": "m1", "StartTime": "2020-01-01T00:00:00"}
    (folder / "metadata.json").write_text(json.dumps(about))
    return folder


def write_video(name):
    """A session whose depth is FFV1 in groups of 5 frames, of which only the first stands alone."""

    def write(folder, frames, times_s):
        path = write_session(folder, frames, times_s) / name
        path.with_name("depth.dat").unlink()
        with av.open(str(path), "w") as container:
            track = container.add_stream("ffv1", rate=30)
            track.height, track.width = frames.shape[1:]
            track.pix_fmt = "gray16le"
            track.options = {"level": "3", "g": "5", "slices": "4", "slicecrc": "1"}
            for frame in frames:
                image = av.VideoFrame.from_ndarray(frame, format="gray16le")
                container.mux(track.encode(image))
            container.mux(track.encode(None))
        return path

    return write


def write_hdf5(folder, frames, times_s):
    folder.mkdir()
    path = folder / "m1.h5"
    with h5py.File(path, "w") as h5:
        h5.create_dataset("camera/depth", data=frames, chunks=(4, 12, 20), compression="gzip")
        h5["camera/time_ms"] = 1000 * times_s
        h5.attrs["subject"], h5.attrs["start_time"] = "m1", "2020-01-01T00:00:00"
    return path


def write_archive(folder, frames, times_s):
    session = write_session(folder, frames, times_s)
    path = folder.with_name("packed") / "m1.tar.gz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as archive:
        for member in sorted(session.iterdir()):
            archive.add(member, member.name)
    return path


def write_by_reader(name):
    """A session whose depth the reader itself writes."""
    reader = registry.find("syllabary.depth.readers", name)

    def write(folder, frames, times_s):
        session = write_session(folder, frames, times_s)
        (session / "depth.dat").unlink()
        path = session / f"depth{reader.SUFFIXES[0]}"
        reader.write_video(path, iter([frames]), frames.shape[1:], times_s)
        return path

    return write


# How to make a recording of each format that its reader does not write, or not as cameras do.
WRITERS = {
    "archive": write_archive,
    "avi": write_video("depth.avi"),
    "hdf5": write_hdf5,
    "mkv": write_video("depth.mkv"),
    "session": write_session,
}


READERS = {
    name: registry.find("syllabary.depth.readers", name)
    for name in registry.names("syllabary.depth.readers")
}
OF_CROPS = [name for name, reader in READERS.items() if hasattr(reader, "open_crops")]
OF_VIDEO = [name for name in READERS if name not in OF_CROPS]


@pytest.mark.parametrize("name", READERS)
def test_a_reader_offers_what_the_folder_describes(name):
    reader = READERS[name]
    assert all(hasattr(reader, function) for function in ("SUFFIXES", "accepts", "require", "files"))
    assert hasattr(reader, "open_video") != hasattr(reader, "open_crops")
    assert not reader.accepts(Path("m1.docx"))


@pytest.mark.parametrize("name", OF_VIDEO)
class TestReaderOfVideo:
    @pytest.fixture
    def recording(self, name, tmp_path, rng):
        frames = rng.integers(0, 2**16, (17, 12, 20)).astype(np.uint16)
        times = 100 + np.cumsum(rng.uniform(0.03, 0.04, 17))
        write = WRITERS.get(name) or write_by_reader(name)
        return write(tmp_path / "m1", frames, times), frames, times

    def test_frames_come_back_exactly(self, recording):
        path, frames, times = recording
        with sources.open_recording(path) as video:
            assert (len(video), video.shape) == (17, (12, 20))
            whole = video.read(0, 17)
            assert whole.dtype == np.uint16
            assert_array_equal(whole, frames)
            np.testing.assert_allclose(video.timestamps_s, times, atol=1e-6)
            assert (video.subject, video.start_time[:4]) == ("m1", "2020")

    def test_any_slice_equals_frames_read_in_turn(self, recording):
        path, *_ = recording
        with sources.open_recording(path) as video:
            for start, stop in ((3, 9), (0, 1), (16, 17), (5, 5), (15, 40), (9, 3)):
                in_turn = [video.read(i, i + 1)[0] for i in range(start, min(stop, 17))]
                expected = np.array(in_turn, np.uint16).reshape(-1, 12, 20)
                assert_array_equal(video.read(start, stop), expected)

    def test_frames_come_back_after_jumps_and_in_turn(self, recording):
        path, frames, _ = recording
        with sources.open_recording(path) as video:
            # In turn, back, in turn from there, far ahead, and inside the block that was read ahead.
            for start in (0, 3, 6, 2, 5, 8, 14, 1, 4, 8, 16, 0):
                assert_array_equal(video.read(start, start + 3), frames[start : start + 3])

    def test_nothing_is_written_beside_the_recording(self, recording):
        path, _, _ = recording
        before = {p: p.stat().st_mtime_ns for p in path.parent.rglob("*")}
        sources.require(path)
        with sources.open_recording(path) as video:
            video.read(0, 2)
        assert {p: p.stat().st_mtime_ns for p in path.parent.rglob("*")} == before

    def test_its_files_exist(self, recording):
        path, _, _ = recording
        assert all(p.is_file() for p in sources.files(path))


# How to make an extraction of each format: crops of 10 frames in an arena of (60, 80) px.
EXTRACTIONS = {"moseq2": small_recordings.moseq2_extraction}


@pytest.mark.parametrize("name", OF_CROPS)
class TestReaderOfCrops:
    @pytest.fixture
    def extraction(self, name, tmp_path):
        path = tmp_path / f"results_00{READERS[name].SUFFIXES[0]}"
        return path, EXTRACTIONS[name](path)

    def test_crops_come_back_exactly(self, extraction):
        path, expected = extraction
        with sources.open_source(path) as crops:
            assert isinstance(crops, ExtractedCrops)
            assert (len(crops), crops.crop_shape) == (len(expected), expected.shape[1:])
            heights = crops.read(0, len(crops))
            assert heights.dtype == np.uint8
            assert_array_equal(heights, expected)

    def test_any_slice_equals_crops_read_in_turn(self, extraction):
        path, expected = extraction
        with sources.open_source(path) as crops:
            for start, stop in ((3, 9), (0, 1), (9, 10), (5, 5), (8, 40), (9, 3)):
                assert_array_equal(crops.read(start, stop), expected[start:stop])

    def test_there_is_a_place_for_every_crop(self, extraction):
        path, expected = extraction
        with sources.open_source(path) as crops:
            columns = (crops.timestamps_s, crops.x_px, crops.y_px, crops.heading_rad)
            assert all(column.shape == (len(expected),) for column in columns)
            assert all(column.dtype == np.float64 for column in columns)
            assert (np.diff(crops.timestamps_s) > 0).all()
            assert crops.background_mm.shape == crops.mask.shape == (60, 80)
            assert (crops.background_mm.dtype, crops.mask.dtype) == (np.uint16, bool)
            assert crops.start_time[:4] == "2020"

    def test_it_is_no_raw_recording(self, extraction):
        with pytest.raises(BadInput, match="is extracted already"):
            sources.open_recording(extraction[0])

    def test_nothing_is_written_beside_it(self, extraction):
        path, _ = extraction
        before = {p: p.stat().st_mtime_ns for p in path.parent.rglob("*")}
        sources.require(path)
        assert sources.files(path) == [path]
        with sources.open_source(path) as crops:
            crops.read(0, 2)
        assert {p: p.stat().st_mtime_ns for p in path.parent.rglob("*")} == before
