"""Depth of solids against closed forms, point by point."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from syllabary.simulate import rendering
from syllabary.simulate.settings import PinholeSettings, RoundArenaSettings


@pytest.fixture
def camera():
    level = PinholeSettings(tilt_x_deg=0, tilt_y_deg=0)
    return rendering.camera_of(level, RoundArenaSettings(center_x_mm=0, center_y_mm=0))


def test_sphere_is_its_ray_intersection(camera):
    center, radius = np.array([40.0, -25.0, 640.0]), 30.0
    depth = np.zeros((camera.rows, camera.columns), np.float32)
    box = rendering.depth_of(center[None], radius**2 * np.eye(3)[None], camera, depth)
    row, column = np.nonzero(depth)
    # Distance along a unit ray: u.c - sqrt(r² - |c|² + (u.c)²); depth is its third component.
    ray = np.stack([(column - 256) / 365.5, (row - 212) / 365.5, np.ones(len(row))], axis=1)
    length = np.linalg.norm(ray, axis=1)
    along = ray @ center / length
    expected = (along - np.sqrt(radius**2 - center @ center + along**2)) / length
    assert_allclose(depth[row, column], expected, rtol=1e-6)  # float32
    # Every pixel whose ray comes nearer than the radius is there, and no other.
    rows, columns = np.mgrid[: camera.rows, : camera.columns]
    rays = np.stack([(columns - 256) / 365.5, (rows - 212) / 365.5, np.ones(rows.shape)], axis=-1)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    away = np.linalg.norm(center - (rays @ center)[..., None] * rays, axis=-1)
    assert np.array_equal(depth > 0, away <= radius)
    assert box == (row.min(), row.max() + 1, column.min(), column.max() + 1)


def test_ellipsoid_points_lie_on_it(camera, rng):
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    axes = np.array([40.0, 15.0, 22.0])
    shape = turn @ np.diag(axes**2) @ turn.T
    center = np.array([-60.0, 35.0, 630.0])
    depth = np.zeros((camera.rows, camera.columns), np.float32)
    rendering.depth_of(center[None], shape[None], camera, depth)
    row, column = np.nonzero(depth)
    z = depth[row, column].astype(float)
    points = np.stack([(column - 256) / 365.5 * z, (row - 212) / 365.5 * z, z], axis=1)
    unit = (points - center) @ turn / axes
    assert len(row) > 400
    assert_allclose((unit**2).sum(1), 1, atol=1e-4)  # float32 depth of 600 mm
    # They are the near side: a little nearer is outside.
    nearer = (points * 0.999 - center) @ turn / axes
    assert ((nearer**2).sum(1) > 1).all()


def test_overlap_is_never_deeper_than_the_nearest_solid(camera):
    centers = np.array([[0.0, 0, 640], [12.0, 0, 642]])
    shapes = np.array([400 * np.eye(3), 300 * np.eye(3)])
    parts = []
    for single in ([0], [1], [0, 1]):
        depth = np.zeros((camera.rows, camera.columns), np.float32)
        rendering.depth_of(centers[single], shapes[single], camera, depth, blend_mm=2.0)
        parts.append(np.where(depth > 0, depth, np.inf))
    nearest = np.minimum(parts[0], parts[1])
    assert (parts[2] <= nearest + 1e-3).all()
    visible = np.isfinite(nearest)
    assert (nearest[visible] - parts[2][visible]).max() <= 2.0 * np.log(2) + 1e-3


def test_out_of_view_draws_nothing(camera):
    depth = np.full((camera.rows, camera.columns), 7, np.float32)
    box = rendering.depth_of(np.array([[5000.0, 0, 600]]), 100 * np.eye(3)[None], camera, depth)
    assert box == (0, 0, 0, 0)
    assert (depth == 7).all()


def test_project_agrees_with_to_camera():
    camera = rendering.camera_of(PinholeSettings(tilt_x_deg=2, tilt_y_deg=-3), RoundArenaSettings())
    center, _ = rendering.to_camera(
        np.array([[10.0, 0, 30]]), np.eye(3)[None], 50, 60, np.pi / 2, camera
    )
    # Facing +y, ten mm forward is +y.
    pixels = rendering.project(np.array([50.0, 70.0, 30.0]), camera)
    expected = [256 + 365.5 * center[0, 0] / center[0, 2], 212 + 365.5 * center[0, 1] / center[0, 2]]
    assert_allclose(pixels, expected)


def test_tilt_has_the_sign_it_says():
    camera = rendering.camera_of(PinholeSettings(tilt_x_deg=2, tilt_y_deg=0), RoundArenaSettings())
    right, left = (camera.rotation @ np.array([x, 0.0, 0.0]) for x in (100, -100))
    assert left[2] > right[2]
    assert_allclose(abs(right[2]), 100 * np.sin(np.deg2rad(2)))
