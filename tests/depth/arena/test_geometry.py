import numpy as np
import pytest
from numpy.testing import assert_allclose

from syllabary.depth.arena import geometry
from syllabary.depth.lens.camera import Camera
from syllabary.depth.settings import ArenaSettings
from syllabary.errors import NoFloor

LENS = Camera(240.0, 250.0, 160.0, 118.0)


def tilted(rng, normal=(0.06, -0.04, 1.0), distance=600.0, noise=1.5):
    """Background of a square tilted floor inside high walls; its unit normal."""
    n = np.array(normal) / np.linalg.norm(normal)
    rows, columns = np.indices((240, 320), dtype=float)
    rays = np.stack(
        [(columns - LENS.cx_px) / LENS.fx_px, (rows - LENS.cy_px) / LENS.fy_px, np.ones_like(rows)]
    )
    depth = distance / np.tensordot(n, rays, 1)
    inside = (np.abs(columns - 170) < 70) & (np.abs(rows - 110) < 60)
    depth = np.where(inside, depth + rng.normal(0, noise, depth.shape), 420)
    return np.rint(depth).astype(np.uint16), n, inside


def arena_of(background, **settings):
    return geometry.find(background, LENS, ArenaSettings.model_validate(settings), where="m1")


def test_a_tilted_floor_is_found(rng):
    background, normal, inside = tilted(rng)
    result = arena_of(background)
    assert_allclose(result.floor_plane[:3], normal, atol=5e-4)
    assert_allclose(result.floor_plane[3], 600, atol=0.2)
    assert (result.mask != inside).mean() < 0.002


def test_same_background_same_plane(rng):
    background, _, _ = tilted(rng)
    assert arena_of(background).floor_plane.tobytes() == arena_of(background).floor_plane.tobytes()


def test_a_house_in_the_arena_is_part_of_its_mask(rng):
    background, normal, _ = tilted(rng)
    background[100:120, 150:170] -= 80
    result = arena_of(background)
    assert result.mask[110, 160]
    assert_allclose(result.floor_plane[:3], normal, atol=5e-4)


def test_origin_is_on_the_floor_and_does_not_follow_the_image(rng):
    background, _, _ = tilted(rng)
    result = arena_of(background)
    assert_allclose(result.floor_plane[:3] @ result.origin_mm, result.floor_plane[3], atol=1e-3)
    assert_allclose(result.pixels(np.zeros(3)), [170, 110], atol=2)


def test_arena_frame_is_right_down_up(rng):
    result = arena_of(tilted(rng, normal=(0.0, 0.0, 1.0))[0])
    assert_allclose(result.rotation, [[1, 0, 0], [0, 1, 0], [0, 0, -1]], atol=1e-3)
    assert_allclose(result.place(result.origin_mm + np.array([3, 5, -7])), [3, 5, 7], atol=0.02)


def test_pixels_undo_place(rng):
    result = arena_of(tilted(rng)[0])
    points = LENS.points(rng.uniform(0, 320, 9), rng.uniform(0, 240, 9), rng.uniform(400, 600, 9))
    assert_allclose(result.pixels(result.place(points)), LENS.pixels(points), atol=1e-9)


def test_floor_scale_is_the_derivative_of_pixels(rng):
    result = arena_of(tilted(rng)[0])
    place = np.array([40.0, -25.0, 0.0])
    x, y = result.pixels(place)
    step = 1e-3
    expected = [(result.pixels(place + step * e) - [x, y]) / step for e in np.eye(3)[:2]]
    assert_allclose(result.floor_scale(x, y), np.transpose(expected), rtol=1e-4)


def test_the_mouse_is_sought_beyond_the_floor_edge_by_the_margin(rng):
    background, _, inside = tilted(rng, normal=(0.0, 0.0, 1.0))
    tight, wide = arena_of(background, margin_mm=0), arena_of(background, margin_mm=25)
    assert (tight.search == tight.mask).all()
    # 25 mm at 600 mm are 10 px.
    assert np.count_nonzero(wide.search[110]) - np.count_nonzero(inside[110]) == pytest.approx(20, abs=3)
    assert wide.reference_mm[110, 95] > 0
    assert tight.reference_mm[110, 95] == 0


def test_too_tilted_is_a_sentence(rng):
    background, _, _ = tilted(rng)
    with pytest.raises(NoFloor, match="tilted by 4 degrees"):
        arena_of(background, max_tilt_deg=2)


def test_a_floor_out_of_range_is_a_sentence(rng):
    with pytest.raises(NoFloor, match="no plane between 900 and 2000 mm"):
        arena_of(tilted(rng)[0], floor_range_mm=(900, 2000))


def test_lens_is_above_the_floor(rng):
    result = arena_of(tilted(rng)[0])
    assert result.lens_mm[2] == pytest.approx(600, abs=0.2)


def test_covered_lens_is_a_sentence():
    with pytest.raises(NoFloor, match=r"m1: no plane between 300 and 2000 mm \(median depth 0 mm\)"):
        arena_of(np.zeros((240, 320), np.uint16))


def test_nothing_flat_is_a_sentence(rng):
    with pytest.raises(NoFloor, match="no flat floor"):
        arena_of(rng.integers(300, 2000, (240, 320)).astype(np.uint16))


def test_an_outlined_arena_keeps_its_outline(rng):
    background, normal, inside = tilted(rng)
    result = geometry.within(inside, background, LENS, ArenaSettings(), where="m1")
    assert (result.mask == inside).all()
    assert_allclose(result.floor_plane[:3], normal, atol=5e-4)
