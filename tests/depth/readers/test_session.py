"""Which file of a session folder is its depth: by the words of its name, then by what it holds."""

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from syllabary.depth import sources
from syllabary.depth.readers import session as sessions
from syllabary.depth.settings import SourceSettings
from syllabary.errors import BadInput

EVEN = SourceSettings(timestamps="even", frames_per_second=30, rows=12, columns=20)


@pytest.fixture
def fill(tmp_path, frames, ffv1):
    """Write a folder of videos by name; ``8`` for 8-bit gray."""

    def write(*names, eight_bit=()):
        folder = tmp_path / "s"
        folder.mkdir()
        for number, name in enumerate(names):
            if name.endswith(".dat"):
                (frames + number).astype("<u2").tofile(folder / name)
            else:
                ffv1(folder / name, frames + number, pixels="gray" if name in eight_bit else "gray16le")
        return folder

    return write


def opened_file(folder):
    with sources.open_recording(folder, EVEN) as video:
        assert len(video) == 23
        return video.path.name


@pytest.mark.parametrize(
    "name", ["iris_0501.avi", "irene.mkv", "rgbert.avi", "colorado.avi", "Irma.dat", "thermalia.avi"]
)
def test_an_animal_whose_name_begins_like_a_camera_is_depth(fill, frames, name):
    folder = fill(name)
    assert opened_file(folder) == name
    with sources.open_recording(folder, EVEN) as video:
        assert_array_equal(video.read(0, 23), frames)


@pytest.mark.parametrize(
    "other", ["ir.avi", "ir_0501.avi", "color.mkv", "m1_rgb.avi", "m1-IR.avi", "IR2.dat", "topRGB.avi"]
)
def test_video_of_another_camera_is_passed_over(fill, other):
    assert opened_file(fill("m1.avi", other)) == "m1.avi"


@pytest.mark.parametrize("name", ["ir.avi", "m1_rgb.mkv", "color.avi"])
def test_video_of_another_camera_alone_is_refused_by_name(fill, name):
    with pytest.raises(BadInput, match=rf"found none; of other cameras by their names: {name}\)"):
        opened_file(fill(name))


@pytest.mark.parametrize("other", ["side.avi", "a_top.mkv", "zoom.avi"])
def test_of_several_videos_the_one_of_16_bits_is_depth(fill, other):
    assert opened_file(fill("m1.avi", other, eight_bit=(other,))) == "m1.avi"


def test_a_table_of_keypoints_beside_the_video_is_passed_over(fill):
    folder = fill("m1.avi")
    with h5py.File(folder / "m1DLC_resnet50.h5", "w") as h5:
        h5["df_with_missing/table"] = np.zeros((23, 12))
    assert opened_file(folder) == "m1.avi"


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("m1_depth.avi", "m1_side.avi"), "m1_depth.avi"),
        (("depth_to_color.mkv", "m1.mkv"), "depth_to_color.mkv"),
        (("DepthTop.avi", "other.dat"), "DepthTop.avi"),
        (("depth.avi", "depth.dat", "m1.avi"), "depth.dat"),
    ],
)
def test_the_word_depth_decides_among_several(fill, names, chosen):
    assert opened_file(fill(*names)) == chosen


@pytest.mark.parametrize("names", [("a.avi", "b.avi"), ("a.avi", "b.mkv"), ("a.dat", "b.avi")])
def test_several_that_could_be_depth_are_refused_with_their_names(fill, names):
    with pytest.raises(BadInput, match=rf"found {names[0]}, {names[1]}\)"):
        opened_file(fill(*names))


def test_depth_in_hdf5_in_a_session_folder(tmp_path, frames):
    with h5py.File(tmp_path / "depth.h5", "w") as h5:
        h5["frames"] = frames
    (tmp_path / "notes.txt").write_text("")
    assert opened_file(tmp_path) == "depth.h5"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("iris_0501.avi", {"iris"}),
        ("m1_rgb.avi", {"m", "rgb"}),
        ("IR2.avi", {"ir"}),
        ("DepthIR.avi", {"depth", "ir", "depthir"}),
    ],
)
def test_words_of_a_name(tmp_path, name, words):
    assert sessions._words(tmp_path / name) == words
