import io
import tarfile

import pytest
from numpy.testing import assert_array_equal

from syllabary.depth import sources
from syllabary.errors import BadInput


@pytest.fixture
def pack(tmp_path, session):
    """Pack the session; what is added is (name, TarInfo attributes, content)."""

    def pack(*more, inside="", name="m1.tar.gz"):
        path = tmp_path / name
        with tarfile.open(path, "w:gz") as archive:
            for file in sorted(session.iterdir()):
                archive.add(file, inside + file.name)
            for other, attributes, content in more:
                member = tarfile.TarInfo(other)
                member.size = len(content)
                for key, value in attributes.items():
                    setattr(member, key, value)
                archive.addfile(member, io.BytesIO(content))
        return path

    return pack


def complaint(path, scratch):
    with pytest.raises(BadInput) as error:
        sources.open_recording(path, scratch=scratch)
    assert not list(scratch.iterdir())
    return str(error.value)


@pytest.mark.parametrize("inside", ["", "./", "session_2020/"])
@pytest.mark.parametrize("name", ["m1.tar.gz", "m1.tgz"])
def test_a_packed_session(pack, tmp_path, frames, inside, name):
    path, scratch = pack(inside=inside, name=name), tmp_path / "scratch"
    sources.require(path)
    with sources.open_recording(path, scratch=scratch) as video:
        assert len(list(scratch.iterdir())) == 1
        assert_array_equal(video.read(5, 20), frames[5:20])
    assert not list(scratch.iterdir())
    assert sources.files(path) == [path]


@pytest.mark.parametrize(
    "name", ["../escaped", "a/../../escaped", "/tmp/escaped", "m1/../../../escaped"]
)
def test_members_cannot_leave_the_folder(pack, tmp_path, name):
    path = pack((name, {}, b"x"))
    assert "would be written outside" in complaint(path, tmp_path / "scratch")
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(pack, tmp_path, kind):
    path = pack(("depth2.dat", {"type": kind, "linkname": "/etc/passwd"}, b""))
    assert "is a link, a device" in complaint(path, tmp_path / "scratch")


def test_a_name_twice_does_not_replace_the_first(pack, tmp_path):
    assert "holds depth.dat twice" in complaint(pack(("depth.dat", {}, b"x")), tmp_path / "scratch")


def test_a_size_that_cannot_be_true(tmp_path):
    path = tmp_path / "m1.tgz"
    member = tarfile.TarInfo("depth.dat")
    member.size = 100 << 30
    with tarfile.open(path, "w:gz") as archive:
        archive.fileobj.write(member.tobuf())
    assert "packed bytes cannot hold" in complaint(path, tmp_path / "scratch")


def test_a_damaged_stream_is_found_by_its_checksum(pack, tmp_path):
    path = pack()
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # in the CRC of the whole
    path.write_bytes(content)
    assert "not a whole archive" in complaint(path, tmp_path / "scratch")
    path.write_bytes(content[:3000])
    assert "not a whole archive" in complaint(path, tmp_path / "scratch")


def test_what_is_wrong_inside_is_told_of_the_archive(pack, session, tmp_path):
    (session / "depth_ts.txt").write_text("33\n66\n")
    message = complaint(pack(), tmp_path / "scratch")
    assert message.startswith(f"{tmp_path}/m1.tar.gz/depth_ts.txt: 2 timestamps for 23 frames")
