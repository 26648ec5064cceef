import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.depth.heading import flips
from syllabary.depth.heading.decode import Headings
from syllabary.errors import BadInput
from syllabary.records.crops import Crops

HEAD = "start_frame\tstop_frame\taction\n"


def listed(folder, text):
    path = folder / "m1.tsv"
    path.write_text(HEAD + text)
    return path


def test_rows_name_frames(tmp_path):
    reverse = flips.read(listed(tmp_path, "0\t2\treverse\n# looked at twice\n5\t6\treverse\n"), 6)
    assert_array_equal(reverse, [1, 1, 0, 0, 0, 1])
    assert not flips.read(None, 4).any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0\t2\tturn\n", "line 2: the action is 'turn'"),
        ("x\t2\treverse\n", "line 2: frames 'x' to '2'"),
        ("-1\t2\treverse\n", "whole numbers"),
        ("3\t3\treverse\n", "frames 3 to 3"),
        ("3\t99\treverse\n", "the recording has 0 to 5"),
        ("0\t3\treverse\n2\t4\treverse\n", "line 3: some of these frames"),
    ],
)
def test_wrong_rows(tmp_path, text, message):
    with pytest.raises(BadInput, match=message):
        flips.read(listed(tmp_path, text), 6)


def test_no_such_list(tmp_path):
    with pytest.raises(BadInput, match="start_frame, stop_frame, action"):
        flips.read(tmp_path / "none.tsv", 6)


def test_a_person_is_sure():
    before = Headings(np.array([0.5, 3.0, np.nan]), np.array([0.6, 0.7, np.nan]))
    after = flips.apply(before, np.array([False, True, True]))
    assert_allclose(after.heading_rad, [0.5, 3.0 - np.pi, np.nan])
    assert_allclose(after.confidence, [0.6, 1.0, np.nan])


def test_listed_frames_are_cut_the_other_way_round(scene, extract, tmp_path):
    plain = extract(scene.path, name="plain")
    turned = extract(scene.path, name="turned", flip_list=listed(tmp_path, "20\t30\treverse\n"))
    with Crops(plain) as automatic, Crops(turned) as corrected:
        listed_ticks = np.isin(automatic.frame, np.arange(20, 30))
        assert_array_equal(automatic.heights()[~listed_ticks], corrected.heights()[~listed_ticks])
        # The warp is the same but for the last bit.
        reversed_crops = corrected.heights()[listed_ticks][:, ::-1, ::-1]
        error = np.abs(automatic.heights()[listed_ticks].astype(int) - reversed_crops)
        assert error.max() <= 1
        turn = automatic.tracking["heading_rad"] - corrected.tracking["heading_rad"]
        assert_allclose(np.cos(turn[listed_ticks]), -1, atol=1e-6)
        assert (corrected.tracking["heading_confidence"][listed_ticks] == 1).all()


def test_crops_of_others_have_no_list(tmp_path):
    path = listed(tmp_path, "")
    flips.refuse(None, "results_00.h5")
    with pytest.raises(BadInput, match="needs the raw recording"):
        flips.refuse(path, "results_00.h5")
