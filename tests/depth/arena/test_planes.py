import numpy as np
import pytest
from numpy.testing import assert_allclose

from syllabary.depth.arena import planes
from syllabary.depth.lens.camera import Camera

SHAPE = (96, 128)
RAYS = Camera(120.0, 120.0, 63.5, 47.5).rays(SHAPE)
EVERYWHERE = np.ones(SHAPE)


def depth_of(normal, distance):
    """Depth at which every ray meets a plane."""
    return distance / (RAYS @ (np.array(normal) / np.linalg.norm(normal)))


def propose(depth, weight=EVERYWHERE, **options):
    options = {"max_tilt_deg": 45, "max_planes": 4, **options}
    return planes.propose(RAYS, depth, weight, 5.0, **options)


@pytest.mark.parametrize("normal", [(0, 0, 1), (0.2, 0, 1), (-0.3, 0.25, 1), (0, -0.5, 1)])
def test_one_plane_is_found_exactly(normal):
    (plane,) = propose(depth_of(normal, 600.0))
    assert_allclose(plane, [*np.array(normal) / np.linalg.norm(normal), 600.0], rtol=1e-9, atol=1e-9)


def test_the_better_supported_plane_comes_first():
    depth = depth_of((0, 0, 1), 600.0)
    depth[:, :40] = depth_of((0, 0, 1), 900.0)[:, :40]
    near, far = propose(depth)
    assert (near[3], far[3]) == (pytest.approx(600), pytest.approx(900))
    # Weight counts, not area.
    weight = np.where(np.arange(128) < 40, 5.0, 1.0) * EVERYWHERE
    assert propose(depth, weight)[0][3] == pytest.approx(900)


def test_there_are_at_most_as_many_planes_as_wanted():
    depth = np.empty(SHAPE)
    for i, distance in enumerate((500.0, 600.0, 700.0, 800.0)):
        depth[:, 32 * i : 32 * (i + 1)] = distance
    for count in (1, 2, 3, 4):
        assert len(propose(depth, max_planes=count)) == count
    assert len(propose(depth, max_planes=9)) == 4


def test_a_steep_plane_is_a_wall():
    depth = depth_of((1.0, 0, 1), 600.0)
    assert propose(depth, max_tilt_deg=44) == []
    assert len(propose(depth, max_tilt_deg=46)) == 1


def test_a_plane_with_next_to_no_support_is_none():
    depth = depth_of((0, 0, 1), 600.0)
    depth[:16, :16] = 1200.0  # 2 % of the image
    assert len(propose(depth)) == 1


def test_unmeasured_pixels_propose_nothing(rng):
    depth = depth_of((0.1, 0, 1), 600.0)
    # Patches with fewer measured pixels than half stay out.
    few = np.where(rng.random(SHAPE) < 0.3, 1.0, 0.0)
    assert propose(np.where(few > 0, depth, 0.0), few) == []
    many = np.where(rng.random(SHAPE) < 0.8, 1.0, 0.0)
    (plane,) = propose(np.where(many > 0, depth, 0.0), many)
    assert plane[3] == pytest.approx(600)
    assert propose(np.zeros(SHAPE), np.zeros(SHAPE)) == []


def test_an_image_smaller_than_a_patch_has_no_plane():
    small = np.full((10, 12), 600.0)
    rays = Camera(20.0, 20.0, 5.5, 4.5).rays(small.shape)
    assert planes.propose(rays, small, np.ones(small.shape), 5.0, max_tilt_deg=45, max_planes=2) == []


def test_the_same_image_gives_the_same_planes(rng):
    depth = depth_of((0.1, 0.2, 1), 600.0) + rng.normal(0, 1.5, SHAPE)
    first, second = propose(depth), propose(depth.copy())
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    assert first[0][3] == pytest.approx(600, abs=6)
