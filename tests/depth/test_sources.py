import json

import h5py
import numpy as np
import pytest

from syllabary.depth import sources
from syllabary.depth.readers import moseq2
from syllabary.errors import BadInput


@pytest.fixture
def session(tmp_path):
    folder = tmp_path / "m1"
    folder.mkdir()
    np.zeros((5, 4, 6), "<u2").tofile(folder / "depth.dat")
    (folder / "depth_ts.txt").write_text("".join(f"{1000 + 33 * i}.5 0\n" for i in range(5)))
    (folder / "metadata.json").write_text(
        json.dumps({"DepthResolution": [6, 4], "SubjectName": ["a", "b"]})
    )
    return folder


def complaint(path):
    with pytest.raises(BadInput) as error:
        sources.require(path)
    return str(error.value)


def test_a_whole_session_passes_as_folder_and_as_file(session):
    sources.require(session)
    sources.require(session / "depth.dat")
    with sources.open_recording(session / "depth.dat") as video:
        assert (len(video), video.shape, video.subject) == (5, (4, 6), "a b")
    assert [p.name for p in sources.files(session)] == ["depth.dat", "metadata.json", "depth_ts.txt"]


def test_nothing_there(tmp_path):
    assert "no such file or folder" in complaint(tmp_path / "m7")


def test_a_folder_without_depth(tmp_path):
    assert "holds no depth.dat" in complaint(tmp_path)


def test_a_file_of_another_kind(tmp_path):
    (tmp_path / "m1.docx").write_text("?")
    assert "no reader for this kind of file" in complaint(tmp_path / "m1.docx")


def test_a_recording_cut_short(session):
    with (session / "depth.dat").open("ab") as file:
        file.write(b"x")
    message = complaint(session)
    assert "depth.dat: 241 bytes are not a whole number of 6x4 uint16 frames (48 bytes each)" in message
    assert "set extract.source.timestamps to 'cut'" in message


def test_an_empty_recording(session):
    (session / "depth.dat").write_bytes(b"")
    assert "the file is empty" in complaint(session)


def test_without_metadata_frames_are_those_of_a_kinect(session):
    (session / "metadata.json").unlink()
    assert "512x424" in complaint(session)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"DepthResolution": 3}', '{"DepthResolution": ["a", "b"]}']
)
def test_broken_metadata(session, text):
    (session / "metadata.json").write_text(text)
    assert "metadata.json: " in complaint(session)


def test_missing_timestamps(session):
    (session / "depth_ts.txt").unlink()
    assert "no depth_ts.txt (milliseconds) nor timestamps.csv (seconds)" in complaint(session)


def test_a_timestamp_too_few(session):
    lines = (session / "depth_ts.txt").read_text().splitlines()
    (session / "depth_ts.txt").write_text("\n".join(lines[:4]))
    assert "depth_ts.txt: 4 timestamps for 5 frames" in complaint(session)


@pytest.mark.parametrize(("line", "word"), [(3, "1000.0"), (2, "nan"), (1, "inf")])
def test_timestamps_that_do_not_increase(session, line, word):
    lines = (session / "depth_ts.txt").read_text().splitlines()
    lines[line - 1] = word
    (session / "depth_ts.txt").write_text("\n".join(lines))
    assert "timestamps must be numbers that increase" in complaint(session)


def test_a_timestamp_that_is_no_number(session):
    (session / "depth_ts.txt").write_text("33 0\n66 0\n?? 0\n132 0\n165 0\n")
    assert "timestamp 3 is '??', not a number" in complaint(session)


def test_seconds_with_commas_and_a_header(session):
    (session / "depth_ts.txt").unlink()
    (session / "timestamps.csv").write_text(
        "time,device\n" + "".join(f"{7 + i / 30:.4f},0\n" for i in range(5))
    )
    with sources.open_recording(session) as video:
        np.testing.assert_allclose(np.diff(video.timestamps_s), 1 / 30, atol=1e-4)


def extraction(path, lengths=None, **skip):
    with h5py.File(path, "w") as h5:
        for name, shape in {
            "frames": (6, 80, 80),
            "timestamps": (6,),
            "scalars/centroid_x_px": (6,),
            "scalars/centroid_y_px": (6,),
            "scalars/angle": (6,),
        }.items():
            if name in skip.get("without", ()):
                continue
            length = (lengths or {}).get(name, shape[0])
            h5[name] = 33 * np.arange(length) if name == "timestamps" else np.zeros((length, *shape[1:]))
        h5["metadata/extraction/background"] = np.zeros((4, 6))
        h5["metadata/extraction/roi"] = np.ones((4, 6), bool)


def test_a_legacy_extraction(tmp_path):
    path = tmp_path / "results_00.h5"
    extraction(path)
    sources.require(path)
    assert moseq2.accepts(path)
    extraction(path, without=["scalars/angle"])
    assert "lacks scalars/angle" in complaint(path)
    extraction(path, without=["timestamps"])
    assert "holds no times (timestamps) and no frame rate" in complaint(path)
    extraction(path, lengths={"timestamps": 7})
    assert "different lengths (frames 6, timestamps 7" in complaint(path)
    path.write_bytes(b"not hdf5")
    assert "not a whole HDF5 file" in complaint(path)
