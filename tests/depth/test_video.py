from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from syllabary.depth.counts import Counts
from syllabary.depth.video import ExtractedCrops, Intrinsics, Video, require_shape
from syllabary.errors import BadInput


class Frames(Video):
    """Frames that are whole in memory."""

    def __init__(self, counts, metadata=None, **options):
        self.values = counts
        times = np.arange(len(counts)) / 30
        super().__init__(Path("m1"), counts.shape[1:], times, metadata or {}, **options)

    def _read(self, start, stop):
        return self.values[start:stop]


class Shrunk(Frames):
    def _read(self, start, stop):
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (5000, 5000)])
def test_a_size_of_no_camera_is_refused(shape):
    with pytest.raises(BadInput, match=f"m1: frames of {shape[1]}x{shape[0]} pixels"):
        require_shape(shape, "m1")


def test_sizes_of_cameras_pass():
    for shape in ((1, 1), (424, 512), (1024, 1024), (4096, 4096)):
        require_shape(shape, "m1")


def test_slices_end_where_the_recording_does(rng):
    counts = rng.integers(0, 1 << 16, (7, 3, 4), np.uint16)
    with Frames(counts) as video:
        assert len(video) == 7
        for start, stop in ((0, 7), (2, 5), (5, 99), (4, 4), (5, 2), (9, 12)):
            block = video.read(start, stop)
            assert_array_equal(block, counts[start:stop])
            assert (block.dtype, block.shape[1:]) == (np.uint16, (3, 4))


def test_a_unit_other_than_millimeters():
    with Frames(np.full((2, 3, 4), 6730, np.uint16)) as video:
        video.counts = Counts(unit_mm=0.1)
        assert (video.read(0, 2) == 673).all()


def test_a_disk_that_fails_is_a_sentence():
    with Shrunk(np.zeros((4, 2, 2), np.uint16)) as video:
        with pytest.raises(BadInput, match=r"m1: frames 1 to 2 cannot be read \(Input/output error\)"):
            video.read(1, 3)
        # No frame is asked of the disk for an empty slice.
        assert video.read(2, 2).shape == (0, 2, 2)


@pytest.mark.parametrize(
    ("value", "text"), [("m1", "m1"), (["a", "b"], "a b"), (None, ""), (7, "7"), ([], "")]
)
def test_names_in_the_metadata_are_text(value, text):
    video = Frames(np.zeros((1, 1, 1)), {"SubjectName": value, "StartTime": value})
    assert (video.subject, video.start_time) == (text, text)


def test_closing_runs_every_action_once_and_in_order():
    closed = []
    video = Frames(np.zeros((1, 1, 1)))
    video.when_closed(lambda: closed.append("file"))
    video.when_closed(lambda: closed.append("folder"))
    with video:
        assert closed == []
    video.close()
    assert closed == ["file", "folder"]


def test_a_calibration_has_no_distortion_unless_it_is_given():
    assert Intrinsics(1.0, 2.0, 3.0, 4.0).distortion == (0.0,) * 8


@pytest.mark.parametrize("kind", [Video, ExtractedCrops])
def test_a_source_that_cannot_read_is_none(kind):
    with pytest.raises(TypeError, match="abstract"):
        kind(Path("m1"))
