import av
import numpy as np
import pytest

from syllabary import movies


def test_a_movie_plays_with_its_size_length_and_rate(tmp_path):
    frames = [np.full((41, 60, 3), 5 * i, np.uint8) for i in range(12)]
    movies.write(tmp_path / "a.mp4", frames, 30)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.height, stream.width, stream.average_rate) == (40, 60, 30)
        assert sum(1 for _ in container.decode(video=0)) == 12


def test_gray_frames_and_equal_bytes(tmp_path):
    frames = [np.full((40, 40), 5 * i, np.uint8) for i in range(12)]
    for name in ("a.mp4", "b.mp4"):
        movies.write(tmp_path / name, frames, 30)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_no_frames_leave_no_file(tmp_path):
    with pytest.raises(ValueError, match="at least one frame"):
        movies.write(tmp_path / "a.mp4", [], 30)
    assert not list(tmp_path.iterdir())
