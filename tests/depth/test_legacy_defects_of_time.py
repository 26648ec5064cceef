"""Defects of the legacy chain in time, options and numbers: each shown, and absent from ours."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from oracles.depth_scene import CX, CY, FOCAL, pear, render
from syllabary.depth import scalars
from syllabary.depth.arena import geometry
from syllabary.depth.lens.camera import Camera
from syllabary.depth.settings import ArenaSettings, ExtractSettings, TrackingSettings
from syllabary.depth.timing import ticks
from syllabary.depth.tracking.tracker import Tracker, foreground
from syllabary.errors import BadSetting
from syllabary.records.crops import Crops
from syllabary.settings import read


@pytest.fixture(scope="module")
def empty():
    return geometry.find(render(None, 0, 0), Camera(FOCAL, FOCAL, CX, CY), ArenaSettings(), where="m1")


@pytest.mark.parametrize(
    ("interval_ms", "lost", "max_share"),
    [(1000 / 30, 20, 0.7), (33.03, 55, 0.0)],
    ids=["30 Hz", "Kinect"],
)
def test_3_every_dropped_frame_is_found(rng, interval_ms, lost, max_share):
    count = 2000
    times = (np.arange(count) * interval_ms + rng.normal(0, 0.12, count)) / 1000
    # Single frames, never two in a row.
    gone = np.sort(rng.choice(np.arange(2, count - 2, 2), lost, replace=False))
    kept = np.setdiff1d(np.arange(count), gone)
    dt = np.diff(times[kept])
    fps = round(1 / dt.mean())
    legacy = np.maximum(np.floor(dt * fps) - 1, 0).sum()
    assert legacy <= max_share * lost
    gaps = ticks.from_timestamps(times[kept])
    assert_array_equal(np.flatnonzero(gaps.frame < 0), gone)


def test_4_speed_and_heading_go_on_where_a_chunk_begins(scene, extract):
    chunk = 10
    with Crops(extract(scene.path, block_frames=chunk)) as crops:
        observed = crops.scalars[crops.frame >= 0].reset_index(drop=True)
    starts = np.arange(chunk, 30, chunk)  # it walks there
    x, y = observed["x_mm"].to_numpy(), observed["y_mm"].to_numpy()
    parts = [slice(s, s + chunk) for s in range(0, len(x), chunk)]
    legacy = np.concatenate([
        np.hypot(np.diff(x[p], prepend=x[p][:1]), np.diff(y[p], prepend=y[p][:1])) for p in parts
    ])  # fmt: skip
    assert_array_equal(legacy[starts], 0)
    speed = observed["speed_mm_s"].to_numpy()
    assert_allclose(speed[starts], np.median(speed[2:30]), rtol=0.25)
    # Legacy angles are unwrapped chunk by chunk: whole turns come and go between chunks.
    angle = np.linspace(0, 4 * np.pi, 40)
    wrapped = (angle + np.pi) % (2 * np.pi) - np.pi
    unwrapped = np.concatenate([np.unwrap(wrapped[s : s + chunk]) for s in range(0, 40, chunk)])
    assert np.abs(np.diff(unwrapped)).max() > np.pi
    turning = scalars.rate(wrapped, np.arange(40) / 30, period=2 * np.pi)
    assert_allclose(turning, 30 * 4 * np.pi / 39)


def tailed(along, across):
    tail = np.where((along < 0) & (along > -90) & (np.abs(across) < 7), 14.0, 0.0)
    return np.maximum(pear(along, across), tail)


def test_5_an_option_either_acts_or_is_refused(empty):
    frame = render(0, 0, 0.3, body=tailed)
    heights = foreground(empty.reference_mm, frame, TrackingSettings())
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))

    def legacy(tail_filter_iters, **others):
        # The fourth argument is where to write, not how often; other names fall on deaf ears.
        return cv2.morphologyEx(heights, cv2.MORPH_OPEN, disc, tail_filter_iters)

    assert_array_equal(legacy(1), legacy(5, cable_filter_iters=3, tracking_model_ll_threshold=-100))
    thin, thick = (
        Tracker(empty, TrackingSettings(tail_width_mm=width)).find(frame, 0.0) for width in (5.0, 25.0)
    )
    assert thin.shape.area_mm2 > thick.shape.area_mm2 + 300
    for name in ("cable_filter_iters", "tracking_model_ll_threshold", "tracking_model_mask_threshold"):
        with pytest.raises(BadSetting, match=f"unknown setting extract.tracking.{name}"):
            read(ExtractSettings, {"tracking": {name: 1}}, "extract")


def largest(heights, low):
    """Centroid of the largest outline, px, and the part of the frame in connected ``low`` parts."""
    _, _, stats, _ = cv2.connectedComponentsWithStats((heights.astype(float) > low).astype(np.uint8))
    outlines, _ = cv2.findContours((heights > 10).astype(np.uint8), cv2.RETR_EXTERNAL, 1)
    m = cv2.moments(max(outlines, key=cv2.contourArea))
    return np.array([m["m10"] / m["m00"], m["m01"] / m["m00"]]), stats[1:, cv2.CC_STAT_AREA]


def beside(empty):
    """The mouse at (0, 0), and the same with a larger thing 60 px to the right of it."""
    alone = render(0, 0, 0.0)
    both = alone.copy()
    row, column = round(CY), round(CX) + 60
    both[row - 10 : row + 11, column - 10 : column + 11] -= 40
    return alone, both


def test_6_connected_parts_tell_things_apart(empty):
    _, both = beside(empty)
    heights = foreground(empty.reference_mm, both, TrackingSettings())
    # Every pixel is above -20 mm, so that the whole frame is one part, whatever stands in it.
    _, areas = largest(heights, -20)
    assert areas.tolist() == [heights.size]
    tracker = Tracker(empty, TrackingSettings())
    alone, _ = beside(empty)
    bare = tracker.find(alone, 0.0)
    assert tracker.find(both, 0.03).shape.area_mm2 == pytest.approx(bare.shape.area_mm2, rel=0.02)


def test_7_an_outlier_of_60_px_does_not_survive(empty):
    alone, both = beside(empty)
    frames = [alone] * 7 + [both] + [alone] * 7
    heights = [foreground(empty.reference_mm, frame, TrackingSettings()) for frame in frames]
    x = np.array([largest(h, 0)[0][0] for h in heights])
    assert x[7] - x[6] > 50
    median, mad = np.median(x), np.median(np.abs(x - np.median(x)))
    # The legacy filter asks whether it is farther from the median than the median is from 0.
    legacy = np.where(np.abs(x - median) > median + 3 * mad, median, x)
    assert_array_equal(legacy, x)
    tracker = Tracker(empty, TrackingSettings())
    cleaned = np.array([tracker.find(frame, 0.033).x_px for frame in frames])
    assert_allclose(cleaned, cleaned[0], atol=1)


def test_14_speed_is_per_second_across_gaps():
    kept = np.setdiff1d(np.arange(60), [20, 21, 22, 40])
    times = kept * 0.033
    x = 150.0 * times
    legacy = np.diff(x, prepend=x[:1]) * 30
    assert legacy.max() > 3.5 * np.median(legacy)
    clock = ticks.from_timestamps(times)
    speed = scalars.rate(scalars.spread_over_ticks(x, clock), clock.time_s)
    assert_allclose(speed[clock.frame >= 0], 150.0)
    assert np.isnan(speed[clock.frame < 0]).all()


def test_15_what_lies_behind_the_floor_or_far_above_it_is_no_mouse():
    reference = np.full((1, 5), 673, np.uint16)
    frame = np.array([[640, 700, 370, 673, 0]], np.uint16)
    # As x86 casts: modulo 256.
    legacy = (673.0 - frame.astype(np.float64)).astype(np.int64).astype(np.uint8)
    assert legacy.tolist() == [[33, 229, 47, 0, 161]]
    ours = foreground(reference, frame, TrackingSettings(median_px=1))
    assert ours.tolist() == [[33, 0, 0, 0, 0]]
