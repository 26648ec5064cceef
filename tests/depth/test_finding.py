"""The raw recordings under a folder: every format, and nothing else."""

import json
import shutil

import av
import h5py
import numpy as np
import pytest

from oracles import small_recordings
from syllabary import study
from syllabary.depth import finding
from syllabary.errors import BadInput


@pytest.fixture(scope="module")
def one_of_each(tmp_path_factory):
    return small_recordings.recordings(tmp_path_factory.mktemp("raw"))


def video(path, pixel_format, codec="ffv1"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = 80, 60, pixel_format
        for _ in range(3):
            image = np.zeros((60, 80), np.uint16 if pixel_format == "gray16le" else np.uint8)
            frame = av.VideoFrame.from_ndarray(image, "gray16le" if image.itemsize == 2 else "gray")
            container.mux(stream.encode(frame.reformat(format=pixel_format)))
        container.mux(stream.encode())


def put(source, place):
    place.parent.mkdir(parents=True, exist_ok=True)
    (shutil.copytree if source.is_dir() else shutil.copy2)(source, place)
    return place


def listed(folder):
    return {each.name: each for each in finding.find(folder)[0]}


def test_every_format_is_found_in_folders_of_folders(one_of_each, tmp_path):
    places = {
        "s1": put(one_of_each["session"], tmp_path / "week1/day1/s1"),
        "plain": put(one_of_each["dat"], tmp_path / "week1/plain.dat"),
        "video": put(one_of_each["avi"].parent, tmp_path / "week1/video"),
        "m2": put(one_of_each["mkv"], tmp_path / "week2/m2.mkv"),
        "azure": put(one_of_each["azure"], tmp_path / "week2/azure.mkv"),
        "m3": put(one_of_each["hdf5"], tmp_path / "week2/m3.h5"),
        "old": put(one_of_each["legacy"], tmp_path / "old/results_00.h5"),
        "m4": put(one_of_each["packed"], tmp_path / "m4.tar.gz"),
    }
    shutil.copy2(one_of_each["session"] / "metadata.json", tmp_path / "week1/plain.json")
    recordings = listed(tmp_path)
    assert {each.path for each in recordings.values()} == set(places.values())
    names = {place: name for name, place in places.items()}
    for name, each in recordings.items():
        expected = names[each.path]
        assert name == ("old_results_00" if expected == "old" else expected)


@pytest.mark.parametrize("name", ["ir", "rgb", "color", "m1_ir", "m1-rgb", "rgb.front", "ir_0"])
def test_video_of_other_cameras_is_passed_over(name, one_of_each, tmp_path):
    session = put(one_of_each["session"], tmp_path / "m1")
    video(session / f"{name}.avi", "gray16le")
    video(session / "film.mkv", "yuv420p")
    recordings, left_out = finding.find(tmp_path)
    assert [each.path for each in recordings] == [session]
    assert [path.name for path, _ in left_out] == ["film.mkv"]


@pytest.mark.parametrize("name", ["iris_0501", "colorado", "irene", "rgbert2"])
def test_animals_whose_names_begin_like_a_camera_are_found(name, tmp_path):
    video(tmp_path / f"{name}.avi", "gray16le")
    assert list(listed(tmp_path)) == [name]


def test_results_of_a_study_are_passed_over(one_of_each, tmp_path):
    put(one_of_each["session"], tmp_path / "raw/m1")
    for name in ("crops", "posterior"):
        place = tmp_path / f"copied/{name}.h5"
        place.parent.mkdir(exist_ok=True)
        with h5py.File(place, "w") as h5:
            h5["heights"] = np.zeros((4, 5, 6))
            h5.attrs["provenance"] = "{}"
    put(one_of_each["hdf5"], tmp_path / "study/results/recordings/m1/crops.h5")
    (tmp_path / "study/config").mkdir()
    (tmp_path / "study/config/config.yaml").touch()
    # What MoSeq2 extracted from a session lies inside it.
    put(one_of_each["legacy"], tmp_path / "raw/m1/proc/results_00.h5")
    assert list(listed(tmp_path)) == ["m1"]


def test_subjects_are_those_of_the_metadata_else_the_name(one_of_each, tmp_path):
    for name, subject in (("a", "mouse 7"), ("b", ""), ("c", None)):
        session = put(one_of_each["session"], tmp_path / name)
        metadata = json.loads((session / "metadata.json").read_text())
        metadata = {**metadata, "SubjectName": subject}
        if subject is None:
            del metadata["SubjectName"]
        (session / "metadata.json").write_text(json.dumps(metadata))
    place = put(one_of_each["hdf5"], tmp_path / "d.h5")
    with h5py.File(place, "r+") as h5:
        h5.attrs["subject"] = "m12"
    put(one_of_each["packed"], tmp_path / "e.tar.gz")
    subjects = {name: each.subject for name, each in listed(tmp_path).items()}
    assert subjects == {"a": "mouse 7", "b": "b", "c": "c", "d": "m12", "e": "e"}


def test_names_are_unique_and_allowed(one_of_each, tmp_path):
    for place in ("day1/m1", "day2/m1", "day2/M1b", "day 3/müll#1", "x/day1/m1"):
        put(one_of_each["session"], tmp_path / place)
    put(one_of_each["hdf5"], tmp_path / "day2/m1b.h5")
    recordings = finding.find(tmp_path)[0]
    names = [each.name.lower() for each in recordings]
    assert len(recordings) == len(set(names)) == 6
    assert {"day2_m1", "mull_1", "x_day1_m1"} <= set(names)
    assert all(study.config.NAME.fullmatch(each.name) for each in recordings)


def test_a_file_without_depth_is_left_out_with_a_reason(one_of_each, tmp_path):
    put(one_of_each["session"], tmp_path / "m1")
    (tmp_path / "notes.dat").write_bytes(b"123")
    (tmp_path / "broken.avi").write_bytes(b"RIFF")
    with h5py.File(tmp_path / "table.h5", "w") as h5:
        h5["x"] = np.zeros(3)
    recordings, left_out = finding.find(tmp_path)
    assert [each.name for each in recordings] == ["m1"]
    assert {path.name for path, _ in left_out} == {"notes.dat", "broken.avi", "table.h5"}
    assert all(reason for _, reason in left_out)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadInput, match="nowhere: no such folder; name the one that holds the rec"):
        finding.find(tmp_path / "nowhere")
