import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from syllabary.depth import sources
from syllabary.depth.settings import SourceSettings
from syllabary.errors import BadInput, BadSetting
from syllabary.settings import read


def opened(path, **settings):
    return sources.open_recording(path, read(SourceSettings, settings, "extract.source"))


def complaint(path, **settings):
    with pytest.raises(BadInput) as error, opened(path, **settings):
        pass
    return str(error.value)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "int32", "float32", "float64"])
@pytest.mark.parametrize("order", ["little", "big"])
def test_any_shape_and_type(tmp_path, dtype, order, rng):
    values = rng.integers(0, 120, (6, 5, 7)).astype(np.dtype(dtype).newbyteorder("<>"[order == "big"]))
    values.tofile(tmp_path / "depth.dat")
    form = {"rows": 5, "columns": 7, "dtype": dtype, "byte_order": order}
    with opened(tmp_path, timestamps="even", frames_per_second=25, **form) as video:
        assert_array_equal(video.read(0, 6), values)
        np.testing.assert_allclose(video.timestamps_s, np.arange(6) / 25)


def test_counts_become_whole_mm_and_saturate(tmp_path):
    counts = np.array([[-5, np.nan, np.inf], [0.6004, 1e9, -np.inf]], "<f4")
    counts.tofile(tmp_path / "depth.dat")
    form = {"rows": 2, "columns": 3, "dtype": "float32", "unit_mm": 1000.0}
    with opened(tmp_path, timestamps="even", frames_per_second=30, **form) as video:
        assert_array_equal(video.read(0, 1)[0], [[0, 0, 0], [600, 65535, 0]])


def test_what_metadata_says_of_pixels(session, frames):
    metadata = {"DepthResolution": [20, 12], "DepthDataType": "Int16[]", "IsLittleEndian": False}
    (session / "metadata.json").write_text(json.dumps(metadata))
    signed = (frames // 3).astype(">i2")
    signed.tofile(session / "depth.dat")
    with opened(session) as video:
        assert_array_equal(video.read(4, 9), signed[4:9])
    # What the settings say goes before.
    with opened(session, dtype="uint16", rows=24, columns=10) as video:
        assert video.shape == (24, 10)
        assert_array_equal(video.read(4, 9), signed.astype(">u2")[4:9].reshape(-1, 24, 10))


def test_an_unknown_type_names_the_setting(session):
    (session / "metadata.json").write_text(json.dumps({"DepthDataType": "Half[]"}))
    assert "set extract.source.dtype" in complaint(session)


def test_too_few_timestamps_name_the_repair(session, frames, times_ms):
    clock = session / "depth_ts.txt"
    clock.write_text("".join(clock.read_text().splitlines(keepends=True)[:20]))
    assert "20 timestamps for 23 frames" in complaint(session)
    assert "extract.source.timestamps to 'cut'" in complaint(session)
    with opened(session, timestamps="cut") as video:
        assert len(video) == 20
        assert_array_equal(video.read(0, 99), frames[:20])
        np.testing.assert_allclose(video.timestamps_s, times_ms[:20] / 1000, rtol=0, atol=1e-6)


def test_too_many_timestamps_and_an_unfinished_frame_are_cut(session, frames, times_ms):
    dat = session / "depth.dat"
    dat.write_bytes(dat.read_bytes()[:-100])
    assert "set extract.source.timestamps to 'cut'" in complaint(session)
    with opened(session, timestamps="cut") as video:
        assert_array_equal(video.read(0, 99), frames[:22])
        np.testing.assert_allclose(video.timestamps_s, times_ms[:22] / 1000, rtol=0, atol=1e-6)


@pytest.mark.parametrize("bad", ["nan", "499999000", "inf", "-inf", "what"])
def test_a_bad_timestamp_names_the_repair(session, bad):
    lines = (session / "depth_ts.txt").read_text().splitlines()
    lines[7] = bad
    (session / "depth_ts.txt").write_text("\n".join(lines))
    assert "timestamp 8 is" in complaint(session)
    assert "set extract.source.timestamps to 'even'" in complaint(session)
    with opened(session, timestamps="even", frames_per_second=30) as video:
        assert len(video) == 23


def test_a_day_between_two_frames_is_two_recordings(session):
    lines = (session / "depth_ts.txt").read_text().splitlines()
    lines[-1] = str(5e8 + 86_400_000)
    (session / "depth_ts.txt").write_text("\n".join(lines))
    assert "two recordings in one file" in complaint(session)


@pytest.mark.parametrize("part", [",", ";", " ", "\t", " , "])
def test_seconds_parted_in_any_way(session, times_ms, part):
    (session / "depth_ts.txt").unlink()
    (session / "timestamps.csv").write_text("".join(f"{t / 1000:.6f}{part}1\n\n" for t in times_ms))
    with opened(session) as video:
        np.testing.assert_allclose(video.timestamps_s, times_ms / 1000, rtol=0, atol=2e-6)


@pytest.mark.parametrize("unit", [None, "s"])
def test_the_unit_of_timestamps_is_in_their_values_or_said(session, times_ms, unit):
    (session / "depth_ts.txt").write_text("".join(f"{t / 1000:.6f}\n" for t in times_ms))
    with opened(session, timestamp_unit=unit) as video:
        np.testing.assert_allclose(video.timestamps_s, times_ms / 1000, rtol=0, atol=1e-6)
    assert "are they in another unit?" in complaint(session, timestamp_unit="ms")


@pytest.mark.parametrize(
    ("start", "began"),
    [(None, "2021-03-04T12:34:56.0"), ("", "2021-03-04T12:34:56.0"), ("March", "March"),
     (1614861296, "2021-03-04T12:34:56+00:00"), (["2021", "x"], "2021 x")],
)  # fmt: skip
def test_when_a_recording_began(session, start, began):
    ticks = [f"2021-03-04T12:34:{56 + i / 30:.6f}" if i < 120 else "" for i in range(23)]
    (session / "depth_ts.txt").write_text("\n".join(ticks))
    about = {"DepthResolution": [20, 12]} | ({} if start is None else {"StartTime": start})
    (session / "metadata.json").write_text(json.dumps(about))
    with opened(session) as video:
        assert video.start_time.startswith(began)


@pytest.mark.parametrize("rate", [0.5, 241, 1000])
def test_even_times_at_the_rate_of_no_camera(rate):
    with pytest.raises(BadSetting, match="frames_per_second"):
        read(SourceSettings, {"timestamps": "even", "frames_per_second": rate}, "extract.source")


def test_timestamps_by_the_name_of_the_recording_win(session, times_ms):
    (session / "depth.dat").rename(session / "m7.dat")
    (session / "m7_timestamps.csv").write_text("".join(f"{i / 30}\n" for i in range(23)))
    with opened(session) as video:
        assert_array_equal(video.timestamps_s, np.arange(23) / 30)


def test_two_recordings_in_a_folder_are_not_guessed_between(session):
    (session / "depth.dat").rename(session / "a.dat")
    (session / "b.dat").write_bytes(b"")
    assert "found a.dat, b.dat" in complaint(session)
    (session / "b.dat").rename(session / "ir.dat")
    with opened(session) as video:
        assert len(video) == 23


def test_a_file_that_shrinks_while_open(session):
    with opened(session) as video:
        (session / "depth.dat").write_bytes(b"")
        with pytest.raises(BadInput, match="frames 2 to 4 cannot be read"):
            video.read(2, 5)


@pytest.mark.parametrize("settings", [{"timestamps": "even"}, {"frames_per_second": 30}, {"rows": 4}])
def test_settings_that_need_each_other(settings):
    with pytest.raises(BadSetting, match=r"frames_per_second goes with|both of rows"):
        read(SourceSettings, settings, "extract.source")
