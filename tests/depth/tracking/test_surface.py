import numpy as np
import pytest
from numpy.testing import assert_allclose

from oracles.depth_scene import CX, CY, FLOOR_MM, FOCAL, pear, render
from syllabary.depth.arena import geometry
from syllabary.depth.lens.camera import Camera
from syllabary.depth.settings import ArenaSettings, TrackingSettings
from syllabary.depth.tracking import surface
from syllabary.depth.tracking.shape import measure
from syllabary.depth.tracking.tracker import Tracker, foreground


@pytest.fixture(scope="module")
def arena():
    return geometry.find(render(None, 0, 0), Camera(FOCAL, FOCAL, CX, CY), ArenaSettings(), where="m1")


@pytest.fixture(scope="module")
def empty(arena):
    return Tracker(arena, TrackingSettings())._view


def body_of(arena, empty, frame, left=0, top=0):
    """The body in a frame, measured in a window that begins at (left, top)."""
    heights = foreground(empty.reference_mm, frame[arena.window], TrackingSettings())[top:, left:]
    mask = np.minimum(heights, 1)
    return surface.body(heights, mask, left, top, empty), heights, mask


def test_points_are_those_of_the_camera(arena, empty):
    frame = render(60, -30, 0.4)
    body, heights, mask = body_of(arena, empty, frame)
    rows, columns = np.nonzero(mask)
    window = arena.window
    depth = empty.reference_mm[rows, columns].astype(float) - heights[rows, columns]
    points = arena.place(arena.camera.points(columns + window[1].start, rows + window[0].start, depth))
    patch = depth**2 / FOCAL**2
    expected = measure(points[:, 0], points[:, 1], points[:, 2], patch)
    # float32 maps of floor and slant
    assert_allclose(body.visible, expected, rtol=1e-3, atol=1e-3)
    assert_allclose(body.height_mm, points[:, 2], atol=0.01)
    assert (body.column, body.row) == (columns.mean(), rows.mean())


@pytest.mark.parametrize(
    ("x", "y", "heading"), [(0, 0, 0.3), (90, 0, 0.0), (0, -90, 0.0), (-60, 50, 2.2), (70, 40, -0.4)]
)
def test_size_and_place_are_those_from_straight_above_wherever_the_body_lies(
    arena, empty, x, y, heading
):
    along, across = np.meshgrid(np.arange(-60.0, 60.0, 0.25), np.arange(-30.0, 30.0, 0.25))
    inside = pear(along, across) > 10.5
    points = np.cov(along[inside], across[inside], bias=True)
    length, width = 4 * np.sqrt(np.linalg.eigvalsh(points)[::-1])
    body, *_ = body_of(arena, empty, render(x, y, heading))
    assert_allclose(body.shape.length_mm, length, rtol=0.03)
    assert_allclose(body.shape.width_mm, width, rtol=0.06)
    at = np.array([x, y]) + along[inside].mean() * np.array([np.cos(heading), np.sin(heading)])
    lens = arena.lens_mm[:2]
    assert_allclose(np.array(body.shape[:2]) - lens, at, atol=1.0)


def test_a_smaller_window_changes_nothing(arena, empty):
    frame = render(-40, 20, 1.0)
    whole, heights, _ = body_of(arena, empty, frame)
    rows, columns = np.nonzero(heights)
    part, *_ = body_of(arena, empty, frame, int(columns.min()) - 2, int(rows.min()) - 1)
    assert whole.shape == part.shape
    assert (whole.column, whole.row) == (part.column, part.row)
    assert_allclose(whole.along_mm, part.along_mm, rtol=0, atol=0)


@pytest.mark.parametrize("heading", [0.0, 0.9, -1.3])
def test_along_is_measured_from_the_centroid_on_the_axis(arena, empty, heading):
    body, *_ = body_of(arena, empty, render(30, 50, heading))
    assert abs(np.average(body.along_mm)) < 2
    # Its ends are lower than 10 mm and do not count.
    assert 68 < np.ptp(body.along_mm) < 82
    turned = body.shape.axis_rad - heading
    assert abs((turned + np.pi / 2) % np.pi - np.pi / 2) < 0.1


def test_thin_parts_lie_on_the_floor_along_the_axis(arena, empty):
    body, _, mask = body_of(arena, empty, render(0, 0, 0.0))
    labels = np.zeros(mask.shape, np.int32)
    rows, columns = np.nonzero(mask)
    row = int(rows.mean())
    labels[row, columns.max() + 1 : columns.max() + 11] = 7
    labels[row + 3, :5] = 2  # another thing
    thin = surface.thin_parts(labels, 7, mask, 0, 0, body.shape, empty)
    assert len(thin) == 10
    # Pixels of the floor are FLOOR / FOCAL mm apart.
    assert_allclose(np.abs(np.diff(thin)), FLOOR_MM / FOCAL, rtol=0.01)
    assert np.abs(thin).min() > 0.9 * np.abs(body.along_mm).max()


def test_solid_pixels_are_not_thin(arena, empty):
    body, _, mask = body_of(arena, empty, render(0, 0, 0.0))
    labels = mask.astype(np.int32)
    assert len(surface.thin_parts(labels, 1, mask, 0, 0, body.shape, empty)) == 0
    assert len(surface.thin_parts(labels, 1, np.zeros_like(mask), 0, 0, body.shape, empty)) == mask.sum()
