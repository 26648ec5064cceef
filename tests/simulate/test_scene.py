"""The empty arena: exact where there is geometry."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from syllabary.simulate import rendering, scene
from syllabary.simulate.settings import (
    NoiseSettings,
    PinholeSettings,
    RoundArenaSettings,
    SimulateSettings,
)


def empty(**camera):
    settings = SimulateSettings(
        camera=PinholeSettings(**camera),
        arena=RoundArenaSettings(center_x_mm=10, center_y_mm=-5),
        noise=NoiseSettings(texture_sd_mm=0),
    )
    view = rendering.camera_of(settings.camera, settings.arena)
    return settings, view, scene.build(settings, view, np.random.default_rng(0))


def points_of(depth, mask, view):
    row, column = np.nonzero(mask)
    z = depth[row, column].astype(float)
    points = np.stack([(column - 256) / 365.5 * z, (row - 212) / 365.5 * z, z], axis=1)
    return (points - view.origin) @ view.rotation


@pytest.mark.parametrize("tilt", [0.0, 1.5])
def test_floor_is_a_disc_at_height_zero(tilt):
    settings, view, measured = empty(tilt_x_deg=tilt, tilt_y_deg=-tilt)
    points = points_of(measured.depth, measured.floor, view)
    assert_allclose(points[:, 2], 0, atol=1e-3)  # float32
    assert np.hypot(points[:, 0], points[:, 1]).max() <= settings.arena.radius_mm + 1e-3
    # A disc of radius R at this distance has so many pixels.
    expected = np.pi * (settings.arena.radius_mm * 365.5 / 673) ** 2
    assert measured.floor.sum() == pytest.approx(expected, rel=0.01)


def test_wall_is_a_cone():
    settings, view, measured = empty(tilt_x_deg=0, tilt_y_deg=0)
    lean = np.tan(np.deg2rad(settings.arena.wall_slant_deg))
    rows, columns = np.mgrid[:424, :512]
    away = np.hypot(columns - 256 - 10 * 365.5 / 673, rows - 212 + 5 * 365.5 / 673)
    ring = (away > 115) & (away < 140)
    points = points_of(measured.depth, ring, view)
    expected = settings.arena.radius_mm + lean * points[:, 2]
    assert_allclose(np.hypot(points[:, 0], points[:, 1]), expected, atol=0.01)
    assert points[:, 2].min() > 0


def test_an_upright_wall_and_none_work():
    for wall in ({"wall_slant_deg": 0.0}, {"wall_height_mm": 0.0}):
        settings = SimulateSettings(arena=RoundArenaSettings(**wall))
        view = rendering.camera_of(settings.camera, settings.arena)
        empty = scene.build(settings, view, np.random.default_rng(0))
        assert np.isfinite(empty.depth).all()
        assert (empty.depth >= 0).all()


def test_noise_grows_away_from_the_axis():
    _, _, measured = empty()
    inside = measured.spread[measured.floor]
    assert np.median(inside) == pytest.approx(1.7, abs=0.1)
    assert measured.spread[212, 256] < inside.max()
    assert np.median(measured.spread[~measured.floor]) > 1.5 * np.median(inside)
