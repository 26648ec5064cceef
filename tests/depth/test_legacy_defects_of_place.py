"""Defects of the older chain: its formula fails where ours passes.

Each test states a truth, shows that the formula that was used misses it, and asks ours for it.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.depth.arena import geometry
from syllabary.depth.lens import camera
from syllabary.depth.settings import ArenaSettings, CameraSettings, TrackingSettings
from syllabary.depth.tracking.tracker import Tracker

SHAPE = 424, 512
FLOOR_MM = 673.5
HALF_VIEW = np.tan(np.deg2rad([35.3, 30.0]))


def kinect():
    return camera.from_settings(CameraSettings(), SHAPE)


def pixels_of(x_mm, y_mm, depth_mm):
    """Pixels of a place, from what a field of view is: its edge is the edge of the image."""
    ahead = np.array([x_mm, y_mm]) / depth_mm / HALF_VIEW
    return (ahead + 1) / 2 * np.array([SHAPE[1], SHAPE[0]]) - 0.5


def older_mm_per_px(depth_mm):
    """The angle itself where its tangent belongs."""
    return depth_mm * 2 * np.deg2rad([35.3, 30.0]) / np.array([SHAPE[1], SHAPE[0]])


def level_arena(mask):
    depth = np.where(mask, round(FLOOR_MM), 0).astype(np.uint16)
    return geometry.within(mask, depth, kinect(), ArenaSettings(), where="m1")


def rectangle(left, right, top, bottom):
    mask = np.zeros(SHAPE, bool)
    mask[top:bottom, left:right] = True
    return mask


class TestDefect1:
    """Lengths and areas were too small."""

    @pytest.mark.parametrize(("axis", "short"), [(0, 0.87), (1, 0.907)])
    def test_lengths(self, axis, short):
        ends = [sign * 100.0 * np.eye(2)[axis] for sign in (-1, 1)]
        a, b = (pixels_of(*end, FLOOR_MM) for end in ends)
        older = np.linalg.norm((b - a) * older_mm_per_px(FLOOR_MM))
        assert older == pytest.approx(200 * short, rel=0.003)
        places = kinect().points(*np.transpose([a, b]), np.array([FLOOR_MM, FLOOR_MM]))
        assert np.linalg.norm(places[1] - places[0]) == pytest.approx(200, rel=1e-9)

    def test_areas(self):
        inside = rectangle(100, 400, 80, 340)
        box_mm, top_mm = np.array([90.0, 60.0]), FLOOR_MM - 30
        left, top = np.rint(pixels_of(*-box_mm / 2, top_mm)).astype(int)
        right, bottom = np.rint(pixels_of(*box_mm / 2, top_mm)).astype(int)
        frame = np.where(inside, round(FLOOR_MM), 0).astype(np.uint16)
        frame[top:bottom, left:right] = round(top_mm)
        mouse = Tracker(level_arena(inside), TrackingSettings()).find(frame, 0.0)
        pixels = (bottom - top) * (right - left)
        older = pixels * older_mm_per_px(FLOOR_MM).mean()
        # A factor for lengths, of the floor, where one for areas, of the mouse, belongs.
        assert box_mm.prod() / older > 1.8
        # Opening rounds the corners of a box, which no mouse has.
        assert mouse.shape.area_mm2 == pytest.approx(box_mm.prod(), rel=0.06)


class TestDefect2:
    """The origin of positions depended on where the arena was cut out."""

    ARENA = 150, 370, 90, 300

    def older(self, mask, x_px, y_px):
        rows, columns = np.nonzero(mask)
        cut = np.array([x_px - columns.min(), y_px - rows.min()])
        return (cut - np.array([SHAPE[1], SHAPE[0]]) / 2) * older_mm_per_px(FLOOR_MM)

    def ours(self, mask, x_px, y_px):
        place = level_arena(mask)
        depth = np.array(place.floor_plane[3])
        return place.place(place.camera.points(np.array(x_px), np.array(y_px), depth))[:2]

    def test_the_center_of_the_arena_is_the_origin(self):
        mask = rectangle(*self.ARENA)
        center = (150 + 369) / 2, (90 + 299) / 2
        assert np.abs(self.older(mask, *center)).max() > 100
        assert_allclose(self.ours(mask, *center), 0, atol=0.1)

    def test_a_wider_outline_moves_nobody(self):
        left, right, top, bottom = self.ARENA
        masks = [rectangle(left - n, right + n, top - n, bottom + n) for n in (0, 10)]
        older, ours = (
            np.subtract(*(where(m, 200.0, 150.0) for m in masks)) for where in (self.older, self.ours)
        )
        assert np.abs(older).min() > 15
        assert_allclose(ours, 0, atol=0.1)


class TestDefect9:
    """The same background gave another arena every time."""

    @pytest.fixture
    def bucket(self, rng):
        """A floor that bends into its wall, as in a bucket."""
        rows, columns = np.indices(SHAPE)
        beyond = np.clip(np.hypot(rows - 220, columns - 260) - 105, 0, None)
        depth = 670 - 0.12 * beyond**2 + rng.normal(0, 1, SHAPE)
        return np.where(beyond < 40, depth, 0).round().astype(np.uint16)

    def older(self, background, rng):
        """Best of random triples, in pixels and mm, by inliers and mean distance."""
        rows, columns = np.nonzero((background > 620) & (background < 720))
        points = np.column_stack([columns, rows, background[rows, columns]]).astype(float)
        max_count, nearest, best = 0, np.inf, None
        for _ in range(200):
            a, b, c = points[rng.choice(len(points), 3, replace=False)]
            normal = np.cross(b - a, c - a)
            if not np.linalg.norm(normal):
                continue
            distance = np.abs((points - a) @ normal) / np.linalg.norm(normal)
            inliers = np.count_nonzero(distance < 30)
            if inliers > max(max_count, 0.1 * len(points)) and distance.mean() < nearest:
                max_count, nearest, best = inliers, distance.mean(), distance < 30
        return np.count_nonzero(best)

    def test_same_arena_every_time(self, bucket):
        areas = [self.older(bucket, np.random.default_rng(seed)) for seed in range(5)]
        assert np.ptp(areas) > 0.001 * max(areas)
        masks = [geometry.find(bucket, kinect(), ArenaSettings(), where="m1").mask for _ in range(5)]
        for mask in masks[1:]:
            assert_array_equal(mask, masks[0])
        assert masks[0].any()
