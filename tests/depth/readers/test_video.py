import numpy as np
import pytest
from numpy.testing import assert_array_equal

from syllabary.depth import sources
from syllabary.depth.settings import SourceSettings
from syllabary.errors import BadInput

EVEN = SourceSettings(timestamps="even", frames_per_second=30)


def complaint(path, settings=EVEN):
    with pytest.raises(BadInput) as error, sources.open_recording(path, settings) as video:
        video.read(0, len(video))
    return str(error.value)


@pytest.mark.parametrize("name", ["depth.avi", "depth.mkv"])
@pytest.mark.parametrize("group", ["1", "4", "1000"])
def test_random_slices_are_exact(tmp_path, frames, ffv1, rng, name, group):
    path = ffv1(tmp_path / name, frames, g=group)
    with sources.open_recording(path, EVEN) as video:
        for _ in range(40):
            start, stop = np.sort(rng.integers(0, 24, 2))
            assert_array_equal(video.read(start, stop), frames[start:stop])


def test_frames_in_turn_are_decoded_once(tmp_path, frames, ffv1, monkeypatch):
    from syllabary.depth.readers import video_container

    decoded = []
    images = video_container.Container._images

    def counted(self, packets, first):
        for frame, image in images(self, packets, first):
            decoded.append(frame)
            yield frame, image

    monkeypatch.setattr(video_container.Container, "_images", counted)
    with sources.open_recording(ffv1(tmp_path / "depth.avi", frames), EVEN) as video:
        for start in range(0, 23, 5):
            video.read(start, start + 5)
    # The first eight are looked at when it is opened, and one more is read ahead.
    assert decoded == [*range(9), *range(23)]


def test_other_lossless_gray_is_read_too(tmp_path, frames, ffv1):
    path = ffv1(tmp_path / "depth.avi", frames, codec="png", pixels="gray16be")
    with sources.open_recording(path, EVEN) as video:
        assert_array_equal(video.read(0, 23), frames)


@pytest.mark.parametrize("name", ["depth.avi", "depth.mkv"])
def test_eight_bits_are_no_depth(tmp_path, frames, ffv1, name):
    path = ffv1(tmp_path / name, frames, pixels="gray")
    assert "8-bit video has lost it" in complaint(path)


def test_avi_holds_no_times(tmp_path, frames, ffv1, times_ms):
    path = ffv1(tmp_path / "m1.avi", frames)
    message = complaint(path, SourceSettings())
    assert "no m1_ts.txt (milliseconds)" in message
    assert "set extract.source.timestamps to 'even'" in message
    (tmp_path / "m1_ts.txt").write_text("".join(f"{t:.6f} 0\n" for t in times_ms))
    with sources.open_recording(path) as video:
        np.testing.assert_allclose(video.timestamps_s, times_ms / 1000, rtol=0, atol=1e-6)
    assert sources.files(path) == [path, tmp_path / "m1_ts.txt"]


def test_matroska_holds_times_but_a_file_beside_wins(tmp_path, frames, ffv1, times_ms):
    path = ffv1(tmp_path / "m1.mkv", frames)
    with sources.open_recording(path) as video:
        np.testing.assert_allclose(video.timestamps_s, np.arange(23) / 30, rtol=0, atol=6e-4)
    (tmp_path / "m1_ts.txt").write_text("".join(f"{t:.6f} 0\n" for t in times_ms))
    with sources.open_recording(path) as video:
        np.testing.assert_allclose(video.timestamps_s, times_ms / 1000, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["depth.avi", "depth.mkv"])
def test_a_damaged_slice_is_found(tmp_path, frames, ffv1, name):
    """FFmpeg conceals it behind the frame before."""
    path = ffv1(tmp_path / name, frames, g="1")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55
    path.write_bytes(content)
    assert "cannot be decoded; the file is damaged there" in complaint(path)


@pytest.mark.parametrize("name", ["depth.avi", "depth.mkv"])
def test_a_video_cut_short_names_the_repair(tmp_path, frames, ffv1, name):
    path = ffv1(tmp_path / name, frames, g="1")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    (tmp_path / "depth_ts.txt").write_text("".join(f"{33 * i}\n" for i in range(23)))
    assert "extract.source.timestamps to 'cut'" in complaint(path, SourceSettings())
    with sources.open_recording(path, SourceSettings(timestamps="cut")) as video:
        assert 8 <= len(video) <= 12
        assert_array_equal(video.read(0, len(video) - 1), frames[: len(video) - 1])


def test_a_hole_in_matroska_is_found(tmp_path, frames, ffv1):
    """FFmpeg goes on behind it without the frames that were there."""
    path = ffv1(tmp_path / "depth.mkv", frames, g="1")
    content = bytearray(path.read_bytes())
    content[-4000:] = bytes(4000)
    path.write_bytes(content)
    assert "bytes after its beginning" in complaint(path, SourceSettings())
    with sources.open_recording(path, SourceSettings(timestamps="cut")) as video:
        assert_array_equal(video.read(0, 10), frames[:10])


@pytest.mark.parametrize("name", ["depth.avi", "depth.mkv"])
def test_what_is_no_video_at_all(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"#EXTM3U\n/etc/passwd\n" * 50)
    assert "not a whole video" in complaint(path)


def test_a_session_may_hold_video(tmp_path, frames, ffv1, times_ms):
    ffv1(tmp_path / "depth.avi", frames)
    ffv1(tmp_path / "ir.avi", frames[::-1])
    (tmp_path / "depth_ts.txt").write_text("".join(f"{t:.6f} 0\n" for t in times_ms))
    with sources.open_recording(tmp_path) as video:
        assert_array_equal(video.read(3, 8), frames[3:8])
    assert [path.name for path in sources.files(tmp_path)] == ["depth.avi", "depth_ts.txt"]


@pytest.mark.parametrize(("form", "rate"), [("avi", 12.0), ("avi", 60.0), ("mkv", 15.0)])
def test_times_at_another_rate_than_the_videos_are_refused(tmp_path, frames, ffv1, form, rate):
    path = ffv1(tmp_path / f"m1.{form}", frames)  # 30 frames/s
    (tmp_path / "m1_ts.txt").write_text("".join(f"{1000 * i / rate:.3f} 0\n" for i in range(23)))
    even = {"timestamps": "even", "frames_per_second": rate}
    for settings in ({}, even):
        message = complaint(path, SourceSettings(**settings))
        assert f"those of {rate:g} frames/s, and the video itself states 30" in message
        meant = SourceSettings(**settings, video_rate="ignore")
        with sources.open_recording(path, meant) as video:
            np.testing.assert_allclose(np.diff(video.timestamps_s), 1 / rate, atol=1.1e-6)
