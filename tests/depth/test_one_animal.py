"""A hand, a second animal or a moved box is no crop, and quality.json names it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from oracles import moving_scene as scene
from syllabary.depth import extraction
from syllabary.depth.quality import assess
from syllabary.depth.settings import CheckSettings, ExtractSettings
from syllabary.provenance import Provenance
from syllabary.records.crops import Crops, Missing

COUNT = 90
SETTINGS = ExtractSettings.model_validate(
    {"camera": scene.CAMERA, "background": {"frames": 45}, "heading": {"learning_rounds": 0}}
)
MADE = Provenance("extract", {}, None, {}, "")
CHECK = CheckSettings(min_duration_s=1.0)
START, MIDDLE, END = range(18), range(40, 60), range(70, COUNT)


@pytest.fixture(scope="module")
def alone():
    return scene.film(COUNT)


@pytest.fixture
def measured(tmp_path):
    """Columns, reasons of missing frames, which frames have crops, and quality."""

    def run(frames):
        path = tmp_path / "crops.h5"
        source = scene.session(tmp_path / "raw", frames)
        extraction.extract(source, path, None, SETTINGS, recording="m1", provenance=MADE)
        with Crops(path) as crops:
            shown = crops.observed().any(axis=(1, 2))
            assert_array_equal(shown, crops.tracking["detected"])
            return crops.scalars, crops.missing, assess(path, CHECK)

    return run


def with_arm(frames, when, *, width_mm, height_mm=120.0, angle=0.0, reach_mm=-30.0):
    """An arm that reaches from outside to ``reach_mm`` from the center."""
    out, depth = frames.copy(), scene.FLOOR_MM - height_mm
    along = depth * (np.cos(angle) * scene.X + np.sin(angle) * scene.Y)
    across = depth * (-np.sin(angle) * scene.X + np.cos(angle) * scene.Y)
    arm = (np.abs(across) < width_mm / 2) & (along > reach_mm)
    for i in when:
        out[i][arm] = np.minimum(out[i][arm], depth + 10 * np.sin(i / 5))
    return out


def with_box(frame, x_mm, y_mm, side_mm):
    depth = scene.FLOOR_MM - 45
    near = np.maximum(np.abs(depth * scene.X - x_mm), np.abs(depth * scene.Y - y_mm))
    return np.where(near < side_mm / 2, np.minimum(frame, depth), frame)


def require_true_sizes(scalars, missing):
    frames = scalars[missing == Missing.DETECTED]
    assert_allclose(frames["length_mm"], scene.LENGTH_MM, rtol=0.08)
    assert_allclose(frames["height_max_mm"], scene.HEIGHT_MM, atol=4)
    assert_allclose(frames["speed_mm_s"].median(), scene.SPEED_MM_S, rtol=0.05)


@pytest.mark.parametrize("when", [START, MIDDLE, END])
@pytest.mark.parametrize(
    "arm",
    [
        {"width_mm": 95.0},
        {"width_mm": 30.0, "angle": 2.0},
        {"width_mm": 60.0, "height_mm": 40.0, "angle": 4.0},
        {"width_mm": 70.0, "height_mm": 250.0, "angle": 1.0},
    ],
)
def test_an_arm_is_no_mouse(alone, measured, when, arm):
    scalars, missing, quality = measured(with_arm(alone, when, **arm))
    with_an_arm = np.isin(np.arange(COUNT), when)
    assert_array_equal(missing == Missing.IMPLAUSIBLE, with_an_arm)
    assert_array_equal(missing == Missing.DETECTED, ~with_an_arm)
    assert_allclose(quality["implausible_fraction"], len(when) / COUNT)
    assert quality["verdict"] == "warn"
    assert any("such as a hand" in reason for reason in quality["reasons"])
    require_true_sizes(scalars, missing)


@pytest.mark.parametrize("when", [range(20), range(75, COUNT), [*range(12), *range(80, COUNT)]])
def test_an_animal_that_is_not_there_is_not_made_up(measured, when):
    scalars, missing, quality = measured(scene.film(COUNT, absent=when))
    absent = np.isin(np.arange(COUNT), when)
    assert_array_equal(missing, np.where(absent, Missing.NOTHING, Missing.DETECTED))
    assert_allclose(quality["missing_mouse_fraction"], len(when) / COUNT)
    assert quality["implausible_fraction"] == 0
    require_true_sizes(scalars, missing)


def test_a_hand_that_puts_the_animal_in_is_left_out(measured):
    frames = with_arm(scene.film(COUNT, absent=range(24)), range(12, 24), width_mm=60.0, height_mm=50.0)
    scalars, missing, _ = measured(frames)
    expected = np.repeat([Missing.NOTHING, Missing.IMPLAUSIBLE, Missing.DETECTED], [12, 12, COUNT - 24])
    assert_array_equal(missing, expected)
    require_true_sizes(scalars, missing)


@pytest.mark.parametrize(
    ("size", "speed", "phase", "when"),
    [(1.0, 90.0, np.pi, range(COUNT)), (0.75, 60.0, np.pi, range(COUNT)),
     (1.3, 40.0, np.pi, range(COUNT)), (1.0, 0.0, 1.2, range(48, COUNT))],
)  # fmt: skip
def test_two_animals_are_rejected_with_a_way_out(alone, measured, size, speed, phase, when):
    frames = alone.copy()
    place, heading = scene.circle(np.arange(COUNT) / scene.FPS, phase=phase, speed=speed)
    for i in when:
        frames[i] = np.minimum(frames[i], scene.laid(scene.empty(), place[i], heading[i], size=size))
    _, missing, quality = measured(frames)
    assert np.mean(missing == Missing.SEVERAL) > 0.3
    assert quality["verdict"] == "reject"
    assert any("extract.arena.which" in reason for reason in quality["reasons"])


@pytest.mark.parametrize("side_mm", [35.0, 60.0, 100.0])
@pytest.mark.parametrize("at", [45, 75])
def test_a_box_that_was_moved_is_no_mouse(alone, measured, side_mm, at):
    places = [(-20, 30) if i < at else (35, -20) for i in range(COUNT)]
    frames = np.stack([with_box(f, *place, side_mm) for f, place in zip(alone, places, strict=True)])
    _, _, quality = measured(frames)
    assert quality["verdict"] == "reject"
    assert any("object that was moved" in reason for reason in quality["reasons"])


@pytest.mark.parametrize("side_mm", [8.0, 12.0])
def test_droppings_are_no_second_animal(alone, measured, side_mm):
    frames = np.stack([with_box(f, 20, 10, side_mm) if i > 30 else f for i, f in enumerate(alone)])
    scalars, missing, quality = measured(frames)
    assert (missing == Missing.DETECTED).all()
    assert quality["verdict"] == "good"
    require_true_sizes(scalars, missing)
