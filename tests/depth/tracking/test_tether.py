import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from oracles.depth_scene import CX, CY, FOCAL, pear, render
from syllabary.depth.arena import geometry
from syllabary.depth.lens.camera import Camera
from syllabary.depth.settings import ArenaSettings, TrackingSettings
from syllabary.depth.tracking import tether
from syllabary.depth.tracking.tracker import Tracker


def drawn(*, cable_px):
    """An ellipse of 80 by 36 pixels and a stripe that leads away from it."""
    rows, columns = np.indices((60, 220))
    body = ((columns - 50) / 40) ** 2 + ((rows - 30) / 18) ** 2 <= 1
    cable = (np.abs(rows - 30) <= cable_px / 2) & (columns > 50) & (columns < 210)
    whole = body | cable
    inside = np.ix_(np.flatnonzero(whole.any(1)), np.flatnonzero(whole.any(0)))
    return whole[inside].astype(np.uint8), body[inside]


def test_a_cable_is_cut_off_the_body():
    mask, body = drawn(cable_px=10)
    remaining = tether.cut(mask, 1.0, 150.0)
    assert (remaining <= mask).all()
    assert remaining[body].all()
    assert (remaining.astype(bool) & ~body).sum() < 0.3 * (mask.astype(bool) & ~body).sum()


def test_what_is_no_longer_than_a_mouse_stays_whole():
    mask, _ = drawn(cable_px=10)
    assert_array_equal(tether.cut(mask, 1.0, 250.0), mask)
    thin = np.ones((5, 300), np.uint8)
    assert_array_equal(tether.cut(thin, 1.0, 150.0), thin)


@pytest.mark.parametrize("place", [(0, 0), (60, -40)])
def test_the_tracker_lets_go_of_a_thick_cable(place):
    empty = geometry.find(render(None, 0, 0), Camera(FOCAL, FOCAL, CX, CY), ArenaSettings(), where="m1")

    def tethered(along, across):
        cable = np.where((across > 0) & (across < 190) & (np.abs(along - 15) < 8), 60.0, 0.0)
        return np.maximum(pear(along, across), cable)

    def mouse(longest):
        tracker = Tracker(empty, TrackingSettings(max_length_mm=longest))
        shape = tracker.find(render(*place, 0.4, body=tethered), 0.0).shape
        return np.array([shape.x_mm, shape.y_mm])

    bare = Tracker(empty, TrackingSettings()).find(render(*place, 0.4), 0.0).shape
    bare = np.array([bare.x_mm, bare.y_mm])
    assert np.hypot(*(mouse(1000.0) - bare)) > 15
    assert_allclose(mouse(150.0), bare, atol=10)
