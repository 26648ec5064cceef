import json
import os
import re
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
        digests.add(conversion.convert(source, target, STRICT).digest)
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


def noisy(rng, count=70):
    """Depth of a tilted floor in mm, finer than a millimeter."""
    return 500 + np.arange(240.0).reshape(12, 20) / 4 + rng.normal(0, 1, (count, 12, 20))


def recorded(folder, counts):
    folder.mkdir(parents=True, exist_ok=True)
    counts.tofile(folder / "depth.dat")
    (folder / "depth_ts.txt").write_text("".join(f"{33.3 * i:.4f} 0\n" for i in range(len(counts))))
    return folder


MEANINGS = {
    "tenths of mm": (lambda mm: np.rint(mm * 10).astype("<u2"), {"unit_mm": 0.1}),
    "eighths of mm": (lambda mm: np.rint(mm * 8).astype("<u2"), {"unit_mm": 0.125}),
    "quarters of mm": (lambda mm: np.rint(mm * 4).astype("<u2"), {"unit_mm": 0.25}),
    "player index": (lambda mm: (mm.astype(int) * 8 + 3).astype("<u2"), {"bit_shift": 3}),
    "a code": (lambda mm: np.where(mm > 530, 65535, mm).astype("<u2"), {"invalid": (65535.0,)}),
    "signed": (lambda mm: np.rint(mm).astype("<i2"), {"dtype": "int16"}),
    "whole floats": (lambda mm: np.rint(mm).astype("<f4"), {"dtype": "float32"}),
}


@pytest.mark.parametrize("name", ["depth.avi", "m1.mkv", "m1.dat"])
@pytest.mark.parametrize("meaning", MEANINGS)
def test_a_copy_keeps_every_count_and_says_what_it_means(tmp_path, rng, meaning, name):
    write, settings = MEANINGS[meaning]
    counts = write(noisy(rng))
    source, target = recorded(tmp_path / "raw", counts), tmp_path / "out" / name
    how = SourceSettings(rows=12, columns=20, **settings)
    copy = conversion.convert(source, target, how)
    assert copy.is_exact
    with sources.open_recording(source, how) as video:
        mm = video.read(0, 70)
    # Under the settings of the source, and without any, the copy is the same.
    for reading in (SourceSettings(**{k: v for k, v in settings.items() if k != "dtype"}), STRICT):
        with sources.open_recording(target, reading) as video:
            assert_array_equal(video.raw(0, 70), counts.astype(np.uint16))
            assert_array_equal(video.read(0, 70), mm)


@pytest.mark.parametrize("name", ["depth.avi", "m1.mkv", "m1.dat"])
@pytest.mark.parametrize(
    ("dtype", "unit_mm", "levels"),
    [
        ("<f4", 1000.0, r"\d{4,} levels"),
        ("<f8", 1.0, r"\d{4,} levels"),
        ("<i4", 0.001, r"\d{4,} levels"),
    ],
)
def test_levels_that_would_merge_are_counted_and_refused(tmp_path, rng, name, dtype, unit_mm, levels):
    counts = (noisy(rng) / unit_mm).astype(dtype)
    source, target = recorded(tmp_path / "raw", counts), tmp_path / "out" / name
    how = SourceSettings(rows=12, columns=20, dtype=np.dtype(dtype).name, unit_mm=unit_mm)
    with pytest.raises(BadInput, match=f"the {levels} of frames 0 to 63 would become .* give --lossy"):
        conversion.convert(source, target, how)
    assert not target.exists()
    copy = conversion.convert(source, target, how, lossy=True)
    assert not copy.is_exact
    assert copy.levels[0] == len(np.unique(counts)) > copy.levels[1]
    for reading in (how, STRICT):
        with sources.open_recording(target, reading.model_copy(update={"dtype": None})) as video:
            # Half a count of the rounding to float32.
            np.testing.assert_allclose(video.read(0, 70), counts.astype(float) * unit_mm, atol=0.501)


@pytest.mark.parametrize(
    ("meaning", "lossy", "sentence"),
    [
        ("tenths of mm", False, "every count as it was; its metadata say what they mean, .* of 0.1 mm"),
        ("tenths of mm", True, r"as whole mm and read back; \d+ levels of depth were merged into \d+"),
        ("a code", True, r"as whole mm and read back; \d+ levels of depth were merged into \d+"),
        ("whole floats", False, "the same bit for bit"),
    ],
)
def test_unequal_things_are_not_called_equal(tmp_path, rng, meaning, lossy, sentence):
    from syllabary import steps

    write, settings = MEANINGS[meaning]
    source = recorded(tmp_path / "raw", write(noisy(rng)))
    config = tmp_path / "c.yaml"
    how = {"rows": 12, "columns": 20, **settings, "invalid": list(settings.get("invalid", ()))}
    config.write_text(json.dumps({"extract": {"source": how}}))
    answer = steps.convert(source, tmp_path / "o" / "m1.avi", config, overwrite=False, lossy=lossy)
    assert re.search(sentence, answer), answer
    assert ("the same bit for bit" in answer) == (sentence == "the same bit for bit")


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_a_copy_of_either_byte_order_is_the_same(tmp_path, order):
    rng = np.random.default_rng(0)
    source = recorded(tmp_path / "raw", np.rint(noisy(rng)).astype(order))
    conversion.convert(source, tmp_path / "o" / "m1.mkv", SourceSettings(rows=12, columns=20))
    with sources.open_recording(tmp_path / "o" / "m1.mkv") as video:
        assert_array_equal(video.raw(0, 70), np.rint(noisy(np.random.default_rng(0))))
