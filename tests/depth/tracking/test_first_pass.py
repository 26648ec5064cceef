from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from oracles.depth_scene import CX, CY, FOCAL, render, stroll
from syllabary.depth.arena import geometry
from syllabary.depth.lens.camera import Camera
from syllabary.depth.settings import ArenaSettings, TrackingSettings
from syllabary.depth.tracking.first_pass import locate
from syllabary.depth.tracking.tracker import foreground
from syllabary.depth.video import Video


class Walk(Video):
    """Frames of a walking mouse, of which some show no mouse."""

    def __init__(self, empty_frames=(4, 5, 11)):
        x, y, heading = stroll(12)
        places = zip(x, y, heading, strict=True)
        self.frames = [
            render(None, 0, 0) if i in empty_frames else render(*place) for i, place in enumerate(places)
        ]
        super().__init__(Path("m1"), self.frames[0].shape, 100 + np.arange(12) / 30, {})

    def _read(self, start, stop):
        return np.stack(self.frames[start:stop])


@pytest.fixture(scope="module")
def arena():
    return geometry.find(render(None, 0, 0), Camera(FOCAL, FOCAL, CX, CY), ArenaSettings(), where="m1")


def track_of(arena, video, block_frames=5, keep=None):
    options = {"block_frames": block_frames, "recording": "m1", "keep": keep}
    track, eras = locate(video, arena, TrackingSettings(), **options)
    assert [era.arena for era in eras] == [arena]
    return track


def test_the_mouse_is_found_where_there_is_one(arena):
    track = track_of(arena, Walk())
    assert_array_equal(np.flatnonzero(~track.detected), [4, 5, 11])
    assert np.isnan(track.x_mm[[4, 5, 11]]).all()
    assert_array_equal(track.features[4], 0)


def test_blocks_of_any_size_give_the_same_track(arena):
    video = Walk()
    first, *others = (track_of(arena, video, size) for size in (5, 1, 12, 100))
    for other in others:
        assert_array_equal(first.x_px, other.x_px)
        assert_array_equal(first.axis_rad, other.axis_rad)
        assert_array_equal(first.features, other.features)


def test_frames_with_a_mouse_are_handed_on_in_turn(arena):
    video, kept = Walk(), []
    track = track_of(arena, video, keep=lambda *call: kept.append(call))
    assert [frame for frame, *_ in kept] == np.flatnonzero(track.detected).tolist()
    for frame, depth, heights, mouse, where in kept:
        assert where is arena
        assert_array_equal(depth, video.frames[frame])
        assert_array_equal(
            heights, foreground(arena.reference_mm, depth, TrackingSettings())[arena.window]
        )
        assert (mouse.x_px, mouse.y_px) == (track.x_px[frame], track.y_px[frame])


def test_frames_without_a_mouse_are_reported(arena, caplog):
    with caplog.at_level("INFO"):
        track_of(arena, Walk())
    assert "m1: no mouse in 3 of 12 frames" in caplog.text
    caplog.clear()
    with caplog.at_level("INFO"):
        track_of(arena, Walk(empty_frames=()))
    assert "no mouse" not in caplog.text
