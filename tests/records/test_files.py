import errno

import pytest

from syllabary.errors import BadInput
from syllabary.records import files


def test_a_file_appears_only_when_whole(tmp_path):
    path = tmp_path / "deep" / "result.txt"
    with files.create(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        assert temporary.suffix == path.suffix
    assert path.read_text() == "half"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_what_was_there_before(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")

    def fail():
        with files.create(path) as temporary:
            temporary.write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_sentence_with_the_way_out(tmp_path):
    def fill():
        with files.create(tmp_path / "result.txt") as temporary:
            temporary.write_text("x")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(BadInput, match=r"result\.txt: the disk is full; free some space"):
        fill()
    assert not list(tmp_path.iterdir())


def test_a_missing_file_names_the_step_that_makes_it(tmp_path):
    with pytest.raises(BadInput, match="made by 'syllabary extract'"):
        files.require(tmp_path / "crops.h5", "extract")
