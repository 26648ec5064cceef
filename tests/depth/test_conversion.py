import json
import os
import subprocess
import sys

import av
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from syllabary.depth import conversion, sources
from syllabary.depth.settings import SourceSettings
from syllabary.depth.video import Intrinsics
from syllabary.errors import BadInput

STRICT = SourceSettings()


@pytest.fixture
def frames(rng):
    return rng.integers(0, 2**16, (70, 12, 20)).astype(np.uint16)


@pytest.fixture
def session(tmp_path, frames, rng):
    folder = tmp_path / "raw" / "m1"
    folder.mkdir(parents=True)
    frames.astype("<u2").tofile(folder / "depth.dat")
    times = 666649624.5888 + np.cumsum(rng.uniform(33, 34, 70))
    (folder / "depth_ts.txt").write_text("".join(f"{t!r} 0\n" for t in times.tolist()))
    lens = {"fx_px": 365.5, "fy_px": 366.25, "cx_px": 9.5, "cy_px": 6.125, "distortion": [0.1] * 8}
    about = {"SubjectName": "m1", "DepthResolution": [20, 12], "DepthIntrinsics": lens, "Box": 3}
    (folder / "metadata.json").write_text(json.dumps(about))
    return folder


@pytest.mark.parametrize("names", [["depth.avi", "b.mkv", "c/depth.dat"], ["b.dat", "depth.mkv"]])
def test_from_format_to_format_and_nothing_changes(tmp_path, session, frames, names):
    source, digests = session, set()
    for number, name in enumerate(names):
        target = tmp_path / str(number) / name
        digests.add(conversion.convert(source, target, STRICT))
        source = target
    with sources.open_recording(session) as first, sources.open_recording(source) as last:
        assert_array_equal(last.read(0, 70), frames)
        assert_array_equal(last.timestamps_s, first.timestamps_s)
        assert last.intrinsics == first.intrinsics == Intrinsics(365.5, 366.25, 9.5, 6.125, (0.1,) * 8)
        assert (last.subject, last.metadata["Box"]) == ("m1", 3)
    assert len(digests) == 1
    assert {path.suffix for path in tmp_path.rglob(".*")} == set()


def test_other_programs_read_what_is_written(tmp_path, session, frames):
    target = tmp_path / "out" / "m1.mkv"
    conversion.convert(session, target, STRICT)
    with av.open(str(target)) as container:
        track = container.streams.video[0]
        assert track.metadata["title"] == "DEPTH"
        images = list(container.decode(track))
        assert_array_equal(np.stack([image.to_ndarray() for image in images]), frames)
        with sources.open_recording(session) as video:
            expected = video.timestamps_s - video.timestamps_s[0]
        np.testing.assert_allclose([image.time for image in images], expected, rtol=0, atol=6e-4)


def test_nothing_is_replaced_unasked(tmp_path, session, frames):
    target = tmp_path / "out" / "m1.avi"
    target.parent.mkdir()
    (tmp_path / "out" / "m1_timestamps.csv").write_text("mine")
    with pytest.raises(BadInput, match=r"has m1_timestamps\.csv already; name another target, or"):
        conversion.convert(session, target, STRICT)
    assert not target.exists()
    conversion.convert(session, target, STRICT, overwrite=True)
    with sources.open_recording(target) as video:
        assert_array_equal(video.read(0, 70), frames)


def test_a_raw_folder_is_never_written_to(session):
    for source in (session, session / "depth.dat"):
        with pytest.raises(BadInput, match="is never written to"):
            conversion.convert(source, session / "depth.avi", STRICT)
    assert len(list(session.iterdir())) == 3


def test_a_damaged_source_leaves_nothing_behind(tmp_path, session):
    conversion.convert(session, tmp_path / "a" / "depth.avi", STRICT)
    damaged = tmp_path / "a" / "depth.avi"
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 0x55
    damaged.write_bytes(content)
    with pytest.raises(BadInput, match="cannot be decoded"):
        conversion.convert(damaged, tmp_path / "b" / "depth.dat", STRICT)
    assert not list((tmp_path / "b").iterdir())


def test_a_disk_that_writes_something_else_is_found(tmp_path, session, monkeypatch):
    from syllabary.depth.readers import dat

    def wrong(path, blocks, shape, times_s):
        path.write_bytes(b"".join((block ^ (block == 7)).tobytes() for block in blocks)[:-1] + b"\0")

    monkeypatch.setattr(dat, "write_video", wrong)
    with pytest.raises(BadInput, match="does not read back as it was written"):
        conversion.convert(session, tmp_path / "out" / "depth.dat", STRICT)
    assert not list((tmp_path / "out").iterdir())


def test_a_suffix_that_nobody_writes(tmp_path, session):
    with pytest.raises(BadInput, match=r"name a file that ends in \.avi, \.dat, \.mkv"):
        conversion.convert(session, tmp_path / "m1.mp4", STRICT)


def test_by_hand(tmp_path, session):
    command = [
        sys.executable,
        "-m",
        "syllabary.cli",
        "convert",
        str(session),
        str(tmp_path / "o/m1.avi"),
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert "written, read back and the same bit for bit" in done.stdout, done.stderr
    again = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert again.returncode == 1
    assert again.stderr.startswith("BadInput: ")
    assert "give --overwrite" in again.stderr
