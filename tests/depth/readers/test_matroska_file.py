import numpy as np
import pytest

from oracles import matroska
from syllabary.depth.readers import matroska_file
from syllabary.errors import BadInput


@pytest.fixture
def path(tmp_path, rng):
    frames = rng.integers(0, 1 << 16, (4, 8, 10)).astype(np.uint16)
    return matroska.write(tmp_path / "m1.mkv", {"DEPTH": frames}, 33_333 * np.arange(4))


def test_a_whole_file_passes(path):
    matroska_file.require_length(path)
    matroska_file.require_whole(path)


@pytest.mark.parametrize("lost", [1, 50, 400])
def test_a_file_cut_short_is_refused_by_its_length(path, lost):
    content = path.read_bytes()
    path.write_bytes(content[:-lost])
    for check in (matroska_file.require_length, matroska_file.require_whole):
        with pytest.raises(BadInput, match=f"has {len(content) - lost} of the {len(content)} bytes"):
            check(path)


def test_damage_to_the_length_of_an_element_is_found(path):
    content = bytearray(path.read_bytes())
    cluster = content.index(matroska_file.CLUSTER)
    content[cluster + 11] ^= 0x55  # the last byte of the cluster's length
    path.write_bytes(content)
    matroska_file.require_length(path)
    with pytest.raises(BadInput, match="is damaged"):
        matroska_file.require_whole(path)


def test_damage_inside_an_element_is_not_its_matter(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 0xFF  # a pixel
    path.write_bytes(content)
    matroska_file.require_whole(path)


@pytest.mark.parametrize("content", [b"", b"\x1a", b"no video at all", b"\x1a\x45\xdf\xa3\x80"])
def test_what_is_no_matroska_is_left_to_the_decoder(tmp_path, content):
    path = tmp_path / "m1.mkv"
    path.write_bytes(content)
    matroska_file.require_length(path)
    matroska_file.require_whole(path)


def test_a_file_that_was_never_closed_cannot_be_checked(path):
    content = bytearray(path.read_bytes())
    segment = content.index(matroska_file.SEGMENT)
    content[segment + 4 : segment + 12] = b"\x01" + b"\xff" * 7  # length not known
    path.write_bytes(content[:-100])
    matroska_file.require_length(path)
    matroska_file.require_whole(path)
