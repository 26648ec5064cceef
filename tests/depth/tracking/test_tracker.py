import numpy as np
import pytest
from numpy.testing import assert_allclose

from oracles.depth_scene import CX, CY, FLOOR_MM, FOCAL, pear, render
from syllabary.depth.arena import geometry
from syllabary.depth.lens.camera import Camera
from syllabary.depth.settings import ArenaSettings, TrackingSettings
from syllabary.depth.tracking.tracker import Tracker, foreground


@pytest.fixture(scope="module")
def empty():
    return geometry.find(render(None, 0, 0), Camera(FOCAL, FOCAL, CX, CY), ArenaSettings(), where="m1")


def find(empty, frame):
    return Tracker(empty, TrackingSettings()).find(frame, 0.0)


def test_heights_neither_wrap_nor_invent():
    settings = TrackingSettings(median_px=1)
    reference = np.array([[673, 673, 673, 673, 673, 0]], np.uint16)
    depth = np.array([[640, 700, 0, 300, 668, 600]], np.uint16)
    # A mouse; behind the floor; not measured; far too high; noise; outside the arena.
    assert foreground(reference, depth, settings).tolist() == [[33, 0, 0, 0, 0, 0]]


def center_of_ground(x, y, heading):
    """Centroid of the ground that the body covers where it is higher than 10 mm."""
    s, w = np.meshgrid(np.arange(-60, 60, 0.5), np.arange(-40, 40, 0.5))
    body = pear(s, w) > 10
    s, w = s[body].mean(), w[body].mean()
    return x + s * np.cos(heading) - w * np.sin(heading), y + s * np.sin(heading) + w * np.cos(heading)


@pytest.mark.parametrize("position", [(0, 0), (130, 0), (-120, 90), (20, -150)])
def test_position_does_not_lean_toward_the_camera(empty, position):
    x, y = position
    mouse = find(empty, render(x, y, 0.7))
    origin = empty.origin_mm  # the camera's axis meets the scene's floor at its own (0, 0)
    place = mouse.shape.x_mm + origin[0], mouse.shape.y_mm + origin[1]
    # A pixel has 2.5 mm; without correction, the far places would be more than 4 mm off.
    assert_allclose(place, center_of_ground(x, y, 0.7), atol=2.5)


@pytest.mark.parametrize("heading", np.linspace(-1.5, 1.5, 7))
def test_axis_follows_the_body(empty, heading):
    mouse = find(empty, render(60, -40, heading))
    assert abs((mouse.shape.axis_rad - heading + np.pi / 2) % np.pi - np.pi / 2) < np.deg2rad(4)
    # Narrow in front: skewness points to the head.
    ahead = np.cos(mouse.shape.axis_rad - heading)
    assert mouse.features[0] * ahead > 0.05


def test_a_tail_does_not_move_the_body_and_tells_its_end(empty):
    def tailed(along, across):
        tail = np.where((along < 0) & (along > -100) & (np.abs(across) < 4), 14.0, 0.0)
        return np.maximum(pear(along, across), tail)

    bare, whole = find(empty, render(30, 20, 0.0)), find(empty, render(30, 20, 0.0, body=tailed))
    assert_allclose(whole.shape.x_mm, bare.shape.x_mm, atol=2.5)
    assert whole.features[1] < bare.features[1] - 0.3


def test_specks_around_the_mouse_are_no_tail(empty, rng):
    clean = render(30, 20, 0.0)
    frame = clean.copy()
    rows, columns = np.indices(frame.shape)
    ahead = (np.abs(rows - round(20 / FLOOR_MM * FOCAL + CY)) < 25) & (columns > 200) & (columns < 225)
    for row, column in rng.permutation(np.argwhere(ahead))[:40]:
        frame[row : row + 3, column : column + 3] = FLOOR_MM - 14
    bare, specked = find(empty, clean), find(empty, frame)
    assert_allclose(specked.features[1], bare.features[1], atol=0.1)


def test_an_empty_arena_has_no_mouse(empty, rng):
    assert find(empty, render(None, 0, 0, rng=rng, noise_mm=1.5)) is None


def test_among_two_things_the_mouse_is_the_one_it_can_have_become(empty):
    near, far = render(-100, 0, 0.0), render(120, 80, 0.5)
    both = np.minimum(near, far)
    both[far < near] = np.minimum(both, render(121, 80, 0.5))[far < near]  # a little larger
    for first, x in ((near, -100), (far, 120)):
        tracker = Tracker(empty, TrackingSettings(max_speed_mm_s=500))
        tracker.find(first, 0.0)
        assert tracker.find(both, 0.03).shape.x_mm + empty.origin_mm[0] == pytest.approx(x, abs=8)


def test_pixel_center_is_that_of_the_image(empty):
    frame = render(50, 30, 0.2)
    mouse = find(empty, frame)
    rows, columns = np.nonzero((frame < FLOOR_MM - 10) & (frame > FLOOR_MM - 60))
    assert_allclose([mouse.x_px, mouse.y_px], [columns.mean(), rows.mean()], atol=0.4)
