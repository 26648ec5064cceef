"""The defects of the legacy extraction: each test fails on the legacy formula and passes on ours."""

import json
import struct
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from oracles.depth_scene import (
    CAMERA,
    CX,
    CY,
    FLOOR_MM,
    FOCAL,
    INTERVAL_MS,
    pear,
    render,
    stroll,
    write_session,
)
from syllabary.depth import arena, extraction, ticks, tracking
from syllabary.depth.camera import Camera
from syllabary.depth.crops import Cutter
from syllabary.depth.heading import evidence, lessons, model
from syllabary.depth.settings import ArenaSettings, CropSettings, ExtractSettings, TrackingSettings
from syllabary.errors import BadSetting
from syllabary.records.crops import Crops
from syllabary.settings import read


def tailed(along, across):
    """A pear with a thick tail, as high above the floor as a tail is not cleaned away by height."""
    tail = np.where((along < 0) & (along > -75) & (np.abs(across) < 4), 14.0, 0.0)
    return np.maximum(pear(along, across), tail)


def cleaned(crop):
    """What the legacy classifier was taught: median of 3, opened by a disc of 9 px."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    return cv2.morphologyEx(cv2.medianBlur(crop, 3), cv2.MORPH_OPEN, disc)


def test_13_the_flip_classifier_is_asked_about_what_it_was_taught(tmp_path, extract, monkeypatch, rng):
    x, y, heading = stroll(40)
    frames = [render(*p, body=tailed, rng=rng, noise_mm=1.0) for p in zip(x, y, heading, strict=True)]
    source = write_session(tmp_path / "m1", frames, 5e8 + INTERVAL_MS * np.arange(40))
    asked = []

    def spy(axis_rad, elongation, position_mm, time_s, features, settings):
        asked.append((axis_rad, features))
        return decode(axis_rad, elongation, position_mm, time_s, features, settings)

    decode = extraction.decode
    monkeypatch.setattr(extraction, "decode", spy)
    with Crops(extract(source)) as crops:
        raw = crops.heights()
    (axis, features), *_ = asked
    # Legacy: taught on cleaned crops, asked about raw ones. They are not the same animal: the tail,
    # which is the plainest sign of the rear, is not in what was taught.
    behind = np.s_[:, 34:46, :8]
    taught = np.stack([cleaned(crop) for crop in raw])
    assert (raw[behind] > 0).mean() > 5 * (taught[behind] > 0).mean() + 0.05
    # Ours: what the network is taught of a recording is bit for bit what it is asked about.
    settings = ExtractSettings.model_validate({"camera": CAMERA})
    ours = lessons.of_recording(source, settings, heading)
    seen_ahead = np.where(np.cos(axis - heading)[:, None] > 0, features, features * evidence.SIGNS)
    assert_array_equal(ours, seen_ahead)


def test_13_weights_need_no_library_of_their_year():
    """Legacy classifiers are pickles that load with scikit-learn 0.20 alone."""
    content = model.SHIPPED.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    names = set(header) - {"__metadata__"}
    assert names == set(model.Network._fields)
    assert {header[name]["dtype"] for name in names} == {"F32"}
    assert len(content) == 8 + length + max(header[name]["data_offsets"][1] for name in names)


# --- What is measured over time, and which options act: 3, 4, 5, 6, 7, 14, 15 ----------------------


def circling(count):
    """A mouse that runs round the arena and is nowhere for long: x, y, mm, and heading, rad."""
    angle = np.arange(count) * 0.2
    return 110 * np.cos(angle), 110 * np.sin(angle), angle + np.pi / 2


def legacy_drops(times_s, fps):
    """Frames missing before each frame, as the legacy program counts them."""
    return np.floor(np.diff(times_s) * fps).astype(int) - 1


@pytest.mark.parametrize(
    ("interval_s", "dropped", "found_by_legacy"),
    [(1 / 30, 0.005, (0.3, 0.7)), (0.03303, 0.027, (0.0, 0.0))],
    ids=["few drops", "many drops"],
)
def test_03_single_dropped_frames_are_all_found(rng, interval_s, dropped, found_by_legacy):
    kept = rng.random(20_000) >= dropped
    kept[[0, 1, -1]] = True
    # Single ones only.
    kept |= ~np.concatenate([[True], kept[:-1]])
    ticks_kept = np.flatnonzero(kept)
    stamps = ticks_kept * interval_s + rng.normal(0, 1.2e-4, len(ticks_kept))
    lost = np.diff(ticks_kept) - 1
    # Legacy: the rate is rounded to whole frames per second, the span towards zero.
    legacy = legacy_drops(stamps, round(1 / np.diff(stamps).mean()))
    low, high = found_by_legacy
    assert low <= (legacy[lost > 0] > 0).mean() <= high
    # Ours
    clock = ticks.from_timestamps(stamps)
    assert_array_equal(np.diff(clock.of_frame) - 1, lost)
    assert_array_equal(np.flatnonzero(clock.frame < 0), np.flatnonzero(~kept))


def test_04_blocks_do_not_restart_anything(scene, extract):
    block = 10
    with Crops(extract(scene.path, block_frames=block)) as crops:
        x, y = (crops.scalars[name].to_numpy()[crops.frame >= 0] for name in ("x_mm", "y_mm"))
        angle = crops.scalars["heading_rad"].to_numpy()[crops.frame >= 0]
        speed = crops.scalars["speed_mm_s"].to_numpy()[crops.frame >= 0]
        turning = crops.scalars["turning_rad_s"].to_numpy()[crops.frame >= 0]
        whole = extract(scene.path, name="whole", block_frames=len(x))
    starts = np.arange(block, 30, block)  # The mouse walks until frame 34.

    def chunked(values):
        return np.concatenate([np.diff(v, prepend=v[:1]) for v in np.split(values, starts)])

    # Legacy: differences begin anew in every chunk, so that a walking mouse stands still there, ...
    assert not chunked(x)[starts].any()
    # ... and the angle is unwrapped in each by itself, so that the joints jump by half turns.
    flipped = np.where(np.arange(len(angle)) // block % 2, angle + np.pi, angle)
    joined = np.concatenate([np.unwrap(part) for part in np.split(flipped, starts)])
    assert np.abs(np.diff(joined))[starts - 1].max() > 1
    # Ours
    walking = np.median(speed[5:30])
    assert walking > 100
    assert_allclose(speed[starts], walking, rtol=0.3)
    assert np.abs(turning[starts]).max() < 5
    assert np.hypot(*np.diff([x, y], axis=1))[starts - 1].min() > 2
    assert extract(scene.path, name="again", block_frames=block).read_bytes() == whole.read_bytes()


def test_05_options_act_and_misspelt_ones_are_refused():
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    tail = np.zeros((40, 60), np.uint8)
    tail[10:30, 10:30], tail[18:22, 30:55] = 20, 20

    def legacy(frame, iters=1, cable_iters=0, **unknown):
        # The fourth argument is where the result goes, not how often.
        opened = cv2.morphologyEx(frame, cv2.MORPH_OPEN, disc, iters)
        return cv2.erode(opened, disc, iterations=cable_iters)

    assert_array_equal(legacy(tail, iters=3), legacy(tail))
    # Under its name in the configuration an option falls among the unknown ones and is lost.
    assert_array_equal(legacy(tail, cable_filter_iters=2), legacy(tail))
    assert (legacy(tail, cable_iters=2) != legacy(tail)).any()
    # Ours: the width decides what is tail, and an unknown name is an error. What every other
    # setting does is asked in test_every_setting.py.
    wide = tracking.tail_kernel(16.0, 1.85)
    assert not cv2.morphologyEx(tail, cv2.MORPH_OPEN, wide)[:, 40:].any()
    assert cv2.morphologyEx(tail, cv2.MORPH_OPEN, tracking.tail_kernel(4.0, 1.85))[:, 40:].any()
    with pytest.raises(BadSetting, match="tail_width_mm"):
        read(ExtractSettings, {"tracking": {"tail_widht_mm": 16.0}}, "extract")


def test_06_only_the_mouse_is_measured(tmp_path, extract):
    """A second thing on the floor, apart from the mouse, belongs to nothing that is measured."""
    x, y, heading = circling(24)
    frames = [render(*p) for p in zip(x, y, heading, strict=True)]
    block = (slice(106, 118), slice(160, 172))
    for frame in frames[12:]:
        frame[block] -= 30
    source = write_session(tmp_path / "m1", frames, 5e8 + INTERVAL_MS * np.arange(24))
    # Legacy: parts are labelled in what is above -20 mm, which is one part, the whole image.
    heights = render(None, 0, 0).astype(float) - frames[20]
    _, labels, stats, _ = cv2.connectedComponentsWithStats((heights > -20).astype(np.uint8))
    largest = labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])
    assert_array_equal(heights * largest, heights)
    assert (largest[block] & (heights[block] == 30)).all()
    # Ours
    with Crops(extract(source)) as crops:
        area = crops.scalars["area_mm2"].to_numpy()
        assert crops.tracking["found"].all()
    assert_allclose(area, np.median(area[:12]), rtol=0.1)


def test_07_a_leap_of_60_px_does_not_survive(tmp_path, extract):
    count, odd = 30, 20
    x, y, heading = circling(count)
    frames = [render(*p) for p in zip(x, y, heading, strict=True)]
    # For one frame something larger than the mouse stands 60 px away from it.
    column = round(x[odd] / FLOOR_MM * FOCAL + CX) + 60
    row = round(y[odd] / FLOOR_MM * FOCAL + CY)
    frames[odd][row - 12 : row + 12, column - 12 : column + 12] -= 30
    source = write_session(tmp_path / "m1", frames, 5e8 + INTERVAL_MS * np.arange(count))
    with Crops(extract(source)) as crops:
        found_x, found_y = (crops.tracking[name].to_numpy() for name in ("x_px", "y_px"))
    # Legacy: the largest thing is the mouse, and the filter compares a distance with a place.
    stands = render(None, 0, 0).astype(int) - frames[odd] > 10
    _, _, stats, centers = cv2.connectedComponentsWithStats(stands.astype(np.uint8))
    leaping = found_x.copy()
    leaping[odd] = centers[1 + np.argmax(stats[1:, cv2.CC_STAT_AREA]), 0]
    for i in range(3, count - 3):
        near = leaping[i - 3 : i + 4]
        median = np.median(near)
        spread = np.median(np.abs(near - median))
        if abs(leaping[i] - median) > median + 3 * spread:
            leaping[i] = median
    assert leaping[odd] - found_x[odd] > 50
    # Ours
    assert np.hypot(np.diff(found_x), np.diff(found_y)).max() < 15


def test_14_speeds_are_per_second_whatever_the_camera_and_its_gaps(tmp_path, extract):
    interval_ms, speed_mm_s = 50.0, 150.0
    at = np.delete(np.arange(24), [8, 9, 15])
    x = -90 + speed_mm_s * at * interval_ms / 1000
    frames = [render(place, 0.0, 0.0) for place in x]
    source = write_session(tmp_path / "m1", frames, 5e8 + interval_ms * at)
    with Crops(extract(source)) as crops:
        seen = crops.frame >= 0
        found = crops.scalars["speed_mm_s"].to_numpy()[seen]
        place = crops.scalars["x_mm"].to_numpy()[seen]
    # Legacy: steps from frame to frame, times 30: too fast, and thrice as fast across a gap of two.
    legacy = np.diff(place) * 30
    assert np.median(legacy) > 1.4 * speed_mm_s
    assert legacy.max() > 2.5 * np.median(legacy)
    # Ours
    assert_allclose(found[1:-1], speed_mm_s, rtol=0.1)


def test_15_heights_saturate():
    floor = np.full((9, 9), 673, np.uint16)
    hole, lamp, mouse = floor + np.uint16(180), floor - np.uint16(300), floor - np.uint16(40)

    def legacy(depth):
        # What a cast of -180.0 or 300.0 to uint8 does is undefined in C; this is x86.
        heights = (floor.astype(float) - depth).astype(np.int64).astype(np.uint8)
        return np.where((heights < 10) | (heights > 100), 0, heights)

    assert legacy(mouse)[4, 4] == 40
    assert legacy(hole)[4, 4] == 76  # 180 mm below the floor passes for a mouse.
    assert legacy(lamp)[4, 4] == 44  # 300 mm above it does, too.
    # Ours
    settings = TrackingSettings(max_height_mm=255)
    ours = [tracking.foreground(floor, depth, settings)[4, 4] for depth in (mouse, hole, lamp)]
    assert ours == [40, 0, 0]
    # Nor does a crop count beyond 255 where the floor lies deeper than the background was.
    lens = Camera(FOCAL, FOCAL, CX, CY)
    empty = arena.find(render(None, 0, 0), lens, ArenaSettings(), where="m1")
    frame = render(0.0, 0.0, 0.0, body=lambda along, across: np.where(np.abs(along) < 30, 254.0, 0.0))
    taller = replace(empty, floor_plane=empty.floor_plane + np.array([0, 0, 0, 30.0]))
    cutter = Cutter(taller, settings, CropSettings())
    heights = cutter.cut(frame, CX, CY, 0.0).heights
    assert heights.max() == 255
    assert (heights[30:50, 36:44] > 240).all()
