"""Which plane is the floor, which part of it is the arena, and what an outline does."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.depth.arena import geometry, outline, planes
from syllabary.depth.lens.camera import Camera
from syllabary.depth.settings import ArenaSettings
from syllabary.errors import BadInput, BadSetting, NoFloor
from syllabary.settings import read

LENS = Camera(240.0, 250.0, 160.0, 118.0)
SHAPE = 240, 320
ROWS, COLUMNS = np.indices(SHAPE, dtype=float)


def plane(distance, normal=(0.0, 0.0, 1.0)):
    """Depth of a plane at every pixel, mm."""
    n = np.array(normal) / np.linalg.norm(normal)
    x, y = (COLUMNS - LENS.cx_px) / LENS.fx_px, (ROWS - LENS.cy_px) / LENS.fy_px
    return distance / (n[0] * x + n[1] * y + n[2])


def box(left, right, top, bottom):
    mask = np.zeros(SHAPE, bool)
    mask[top:bottom, left:right] = True
    return mask


FLOOR = box(60, 260, 30, 210)
# Walls, and what is left of the room beside them.
WALLS = box(54, 266, 24, 216) & ~FLOOR


def scene(rng, normal=(0.0, 0.0, 1.0), *, floor=600.0, surroundings_mm=1100.0):
    depth = np.where(FLOOR, plane(floor, normal), plane(surroundings_mm))
    depth = np.where(WALLS, 420, depth)
    return depth + rng.normal(0, 1.5, SHAPE)


def find(depth, **settings):
    whole = np.rint(depth).clip(0, 65535).astype(np.uint16)
    return geometry.find(whole, LENS, ArenaSettings.model_validate(settings), where="m1")


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize("tilt", [0.0, 0.1, 0.25, 0.45])
def test_a_tilted_floor_among_walls(rng, tilt):
    result = find(scene(rng, (tilt, -tilt / 2, 1.0)))
    n = np.array([tilt, -tilt / 2, 1.0])
    assert_allclose(result.floor_plane[:3], n / np.linalg.norm(n), atol=2e-3)
    assert overlap(result.mask, FLOOR) > 0.97


@pytest.mark.parametrize("high", [40, 100, 250])
@pytest.mark.parametrize(
    "table", [box(110, 220, 70, 170), box(70, 130, 40, 90)], ids=["middle", "corner"]
)
def test_a_table_is_not_the_floor(rng, table, high):
    result = find(np.where(table, plane(600.0 - high), scene(rng)))
    assert result.floor_plane[3] == pytest.approx(600, abs=0.5)
    assert overlap(result.mask, FLOOR) > 0.97


@pytest.mark.parametrize(
    ("maze", "settings"),
    [(box(90, 230, 45, 190), {}), (box(140, 180, 90, 150), {"floor_range_mm": (300, 800)})],
    ids=["wide", "narrow"],
)
def test_a_raised_arena_is_not_the_room_around_it(rng, maze, settings):
    """On legs: the floor of the room encloses it and goes on to the image's border."""
    depth = np.where(maze, plane(600.0), plane(900.0))
    result = find(depth + rng.normal(0, 1.5, SHAPE), **settings)
    assert result.floor_plane[3] == pytest.approx(600, abs=0.5)
    assert overlap(result.mask, maze) > 0.97


@pytest.mark.parametrize("tilt", [0.0, 0.2])
@pytest.mark.parametrize("table_mm", [470.0, 560.0, 660.0, 800.0])
def test_a_table_three_times_as_large_around_the_arena(rng, table_mm, tilt):
    """As most of the image shows it, also near the center; the animal is on neither of its sides."""
    arena_px = box(110, 215, 75, 180)
    wall = box(104, 221, 69, 186) & ~arena_px
    normal = np.array([tilt, tilt / 2, 1.0])
    depth = np.where(arena_px, plane(600.0, normal), plane(table_mm))
    depth = np.where(wall, 420, depth) + rng.normal(0, 1.5, SHAPE)
    depth[rng.random(SHAPE) < 0.05] = 0
    result = find(depth)
    assert_allclose(result.floor_plane[:3], normal / np.linalg.norm(normal), atol=2e-3)
    assert result.floor_plane[3] == pytest.approx(600, abs=0.5)
    assert overlap(result.mask, arena_px) > 0.95


def test_a_steep_wall_larger_than_the_floor_around_it(rng):
    """A funnel: walls of 65 degrees, three times the floor, and a room beyond them."""
    away = np.hypot(COLUMNS - 165, ROWS - 120)
    depth = np.where(away < 50, 600.0, 600 - (away - 50) * 600 / 245 * np.tan(np.deg2rad(65)))
    depth = np.where(away < 100, depth, 1500) + rng.normal(0, 1.5, SHAPE)
    result = find(depth)
    assert_allclose(result.floor_plane, [0, 0, 1, 600], atol=0.5)
    # A wall leaves the plane by the tolerance after 3 px.
    assert 0.85 < (away < 50).sum() / result.mask.sum() <= 1.01


def test_planes_of_patches_are_planes_of_the_scene(rng):
    left = box(0, 160, 0, 240)
    normals = np.array([[0.2, 0.1, 1.0], [-0.1, 0.05, 1.0]])
    depth = np.where(left, plane(600.0, normals[0]), plane(750.0, normals[1]))
    weight = np.where(left, 1.0, 0.5)
    proposed = planes.propose(LENS.rays(SHAPE), depth, weight, 5.0, max_tilt_deg=45, max_planes=4)
    assert len(proposed) == 2
    for candidate, normal, distance in zip(proposed, normals, (600, 750), strict=True):
        assert_allclose(candidate, np.append(normal / np.linalg.norm(normal), distance), rtol=1e-6)


def test_a_wall_that_leans_into_the_arena(rng):
    """A wall seen along its face: as large as half of the floor, of every depth."""
    leaning = box(60, 130, 30, 210)
    depth = np.where(leaning, 350 + (COLUMNS - 60) * 250 / 70, scene(rng))
    result = find(depth)
    assert_allclose(result.floor_plane, [0, 0, 1, 600], atol=0.5)
    assert overlap(result.mask, FLOOR & ~leaning) > 0.95


@pytest.mark.parametrize("missing", [0.05, 0.2, 0.35])
def test_unmeasured_pixels(rng, missing):
    depth = scene(rng)
    depth[rng.random(SHAPE) < missing] = 0
    depth[100:112, 140:160] = 0
    result = find(depth)
    assert overlap(result.mask, FLOOR) > 0.95
    assert result.mask[106, 150]


FOUR = [box(x, x + 100, y, y + 80) for y in (20, 130) for x in (40, 180)]


@pytest.fixture
def four(rng):
    """Four arenas side by side, on floors of their own."""
    depth = np.full(SHAPE, 450.0)
    for i, part in enumerate(FOUR):
        depth = np.where(part, plane(600.0 + 3 * i, (0.01 * i, 0, 1)), depth)
    # The one on the right begins a little higher than its neighbor.
    depth[13:20, 180:280] = 600
    return depth + rng.normal(0, 1.0, SHAPE)


@pytest.mark.parametrize("which", [1, 2, 3, 4])
def test_several_arenas_are_numbered_as_one_reads(four, which):
    result = find(four, which=which)
    assert overlap(result.mask, FOUR[which - 1]) > 0.9
    assert result.floor_plane[3] == pytest.approx(600 + 3 * (which - 1), abs=1)
    assert_allclose(result.floor_plane[0], 0.01 * (which - 1), atol=4e-3)


@pytest.mark.parametrize("which", [1, 2, 3, 4])
def test_a_table_at_the_height_of_the_floors_is_not_counted(rng, which):
    small = [box(x, x + 60, y, y + 50) for y in (50, 130) for x in (80, 170)]
    walls = [box(x - 5, x + 65, y - 5, y + 55) for y in (50, 130) for x in (80, 170)]
    depth = np.where(np.any(walls, axis=0) & ~np.any(small, axis=0), 450, plane(600.0))
    result = find(depth + rng.normal(0, 1.0, SHAPE), which=which)
    assert overlap(result.mask, small[which - 1]) > 0.9


def test_more_arenas_than_there_are(four):
    with pytest.raises(NoFloor, match=r"m1: extract.arena.which is 5, but of connected floors .* 4"):
        find(four, which=5)


class TestOutlines:
    DRAWN = box(80, 200, 50, 150)

    @pytest.mark.parametrize("suffix", [".png", ".tiff", ".npy"])
    def test_a_mask_of_a_file(self, rng, tmp_path, suffix):
        path = tmp_path / f"mask{suffix}"
        if suffix == ".npy":
            np.save(path, self.DRAWN)
        else:
            cv2.imwrite(str(path), self.DRAWN.astype(np.uint8) * 255)
        result = find(scene(rng), mask=str(path))
        assert_array_equal(result.mask, self.DRAWN)
        assert_allclose(result.floor_plane, [0, 0, 1, 600], atol=0.5)

    def test_a_colored_picture_is_a_mask(self, rng, tmp_path):
        path = tmp_path / "mask.png"
        colored = np.zeros((*SHAPE, 4), np.uint8)
        colored[..., 3] = 255
        colored[self.DRAWN, 2] = 200
        cv2.imwrite(str(path), colored)
        assert_array_equal(find(scene(rng), mask=str(path)).mask, self.DRAWN)

    def test_a_polygon(self, rng):
        result = find(scene(rng), polygon_px=[[80, 50], [199, 50], [199, 149], [80, 149]])
        assert_array_equal(result.mask, self.DRAWN)

    def test_a_mask_of_other_images(self, rng, tmp_path):
        np.save(tmp_path / "mask.npy", np.ones((10, 20), bool))
        with pytest.raises(BadInput, match="a mask of 20x10 for images of 320x240 of m1"):
            find(scene(rng), mask=str(tmp_path / "mask.npy"))

    def test_nothing_inside(self, rng):
        with pytest.raises(BadInput, match="has no pixel inside the image"):
            find(scene(rng), polygon_px=[[-50, -50], [-10, -50], [-10, -10]])

    def test_nothing_known_inside(self, rng):
        with pytest.raises(NoFloor, match="the background is unknown inside the arena's outline"):
            find(np.where(self.DRAWN, 0, scene(rng)), polygon_px=[[90, 60], [150, 60], [150, 100]])

    @pytest.mark.parametrize("content", [None, b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
    @pytest.mark.parametrize("suffix", [".png", ".npy", ".jpg"])
    def test_what_is_no_mask(self, tmp_path, suffix, content):
        path = tmp_path / f"mask{suffix}"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(BadInput, match=f"mask{suffix}: "):
            outline.require(ArenaSettings(mask=str(path)))

    @pytest.mark.parametrize(
        ("values", "sentence"),
        [
            ({"polygon_px": [[0, 0], [1, 1]]}, "three corners or more"),
            ({"which": 1, "mask": "m.png"}, "give one of which, mask and polygon_px"),
        ],
    )
    def test_settings_that_contradict(self, values, sentence):
        with pytest.raises(BadSetting, match=sentence):
            read(ArenaSettings, values, "extract.arena")


def test_images_narrower_than_a_patch_have_no_floor():
    thin = np.full((8, 400), 700, np.uint16)
    with pytest.raises(NoFloor):
        geometry.find(thin, LENS, ArenaSettings(), where="m1")
