"""A file that another program holds is not called a broken one, wherever it is opened."""

import errno
import subprocess
import sys

import h5py
import numpy as np
import pytest

from syllabary.depth import sources
from syllabary.errors import BadInput
from syllabary.records import clips, contents, crops, hdf5, posterior
from syllabary.reduction import pca

HOLD = """
import sys, h5py
with h5py.File(sys.argv[1], "r+"):
    print("open", flush=True)
    sys.stdin.read()
"""


def contents_of(path):
    with contents.open_contents(path) as arrays:
        return arrays


OPENERS = {
    "raw frames": sources.open_recording,
    "check of raw frames": sources.require,
    "crops": crops.Crops,
    "posterior": posterior.Posterior.load,
    "clips": clips.Clips.load,
    "components": pca.load,
    "any contents": contents_of,
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as h5:
        h5["frames"] = np.full((30, 24, 32), 673, np.uint16)
        h5["time_s"] = np.arange(30) / 30
    return path


@pytest.fixture
def held(path):
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout.readline() == "open\n"
        yield path
        program.communicate("")


@pytest.mark.parametrize("name", OPENERS)
def test_a_file_open_for_writing_elsewhere(held, name):
    with pytest.raises(
        BadInput, match=r"x\.h5: another program has it open for writing; close it there"
    ):
        OPENERS[name](held)


def test_a_file_that_was_closed_elsewhere_is_read(path):
    with sources.open_recording(path) as video:
        assert (video.read(0, 30) == 673).all()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(path, monkeypatch, number):
    def refuse(*_, **__):
        raise OSError(number, f"Unable to open file (unable to lock file, errno = {number})")

    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(BadInput, match="set the environment variable HDF5_USE_FILE_LOCKING=FALSE"):
        hdf5.open_to_read(path)


@pytest.mark.parametrize("content", [b"", b"not hdf5", b"\x89HDF\r\n\x1a\n" + bytes(500)])
def test_a_broken_file_stays_broken(path, content):
    path.write_bytes(content)
    with pytest.raises(BadInput, match="not a whole HDF5 file"):
        sources.open_recording(path)
