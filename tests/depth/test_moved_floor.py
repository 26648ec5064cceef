"""A camera or a floor that moves is followed or told; it never makes a mouse of the floor."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from oracles import moving_scene as scene
from syllabary.depth import extraction
from syllabary.depth.quality import assess
from syllabary.depth.settings import CheckSettings, ExtractSettings
from syllabary.provenance import Provenance
from syllabary.records.crops import Crops, Missing

COUNT, HALF = 90, 45
SETTINGS = ExtractSettings.model_validate(
    {"camera": scene.CAMERA, "background": {"frames": 45}, "heading": {"learning_rounds": 0}}
)
MADE = Provenance("extract", {}, None, {}, "")
CHECK = CheckSettings(min_duration_s=1.0)


@pytest.fixture(scope="module")
def still():
    return scene.film(COUNT)


@pytest.fixture
def measured(tmp_path):
    """What is extracted from frames, and its quality."""

    def run(frames):
        path = tmp_path / "crops.h5"
        source = scene.session(tmp_path / "raw", frames)
        extraction.extract(source, path, None, SETTINGS, recording="m1", provenance=MADE)
        with Crops(path) as crops:
            return crops.scalars, crops.missing, assess(path, CHECK)

    return run


def require_a_mouse(scalars, missing, *, lost, height_atol=1.5):
    """The mouse has its true size and speed in all frames but some."""
    detected = missing == Missing.DETECTED
    assert np.count_nonzero(~detected) <= lost
    frames = scalars[detected]
    assert_allclose(frames["height_max_mm"].median(), scene.HEIGHT_MM, atol=height_atol)
    assert frames["height_max_mm"].between(scene.HEIGHT_MM - 4, scene.HEIGHT_MM + 4).all()
    assert_allclose(frames["length_mm"].median(), scene.LENGTH_MM, rtol=0.05)
    assert_allclose(frames["speed_mm_s"].median(), scene.SPEED_MM_S, rtol=0.05)
    assert frames["area_mm2"].max() < 1.25 * frames["area_mm2"].median()


def test_a_still_camera_is_no_news(still, measured):
    scalars, missing, quality = measured(still)
    require_a_mouse(scalars, missing, lost=0)
    assert (quality["verdict"], quality["background_shift_mm"]) == ("good", 0.0)
    assert quality["background_jumps"] == []


@pytest.mark.parametrize(("jump_mm", "at"), [(6, HALF), (20, 9), (20, 84), (-20, HALF), (45, HALF)])
def test_a_bump_is_followed_and_told(measured, jump_mm, at):
    floor = np.where(np.arange(COUNT) < at, scene.FLOOR_MM, scene.FLOOR_MM + jump_mm)
    scalars, missing, quality = measured(scene.film(COUNT, floor_mm=floor))
    require_a_mouse(scalars, missing, lost=5)
    assert quality["verdict"] == "warn"
    assert_allclose(quality["background_shift_mm"], abs(jump_mm), atol=1)
    (jump,) = quality["background_jumps"]
    assert at <= jump["tick"] <= at + 5
    assert_allclose(jump["mm"], jump_mm, atol=1)
    sentence = f"moved by {quality['background_shift_mm']:.0f} mm (at {jump['time_s']:.1f} s)"
    assert any(sentence in reason for reason in quality["reasons"])


@pytest.mark.parametrize("degrees", [1.0, 3.0, -2.0])
def test_a_tilt_of_the_whole_picture_is_followed(still, measured, degrees):
    frames = still.copy()
    frames[HALF:] += scene.FLOOR_MM * np.tan(np.deg2rad(degrees)) * scene.X
    scalars, missing, quality = measured(frames)
    require_a_mouse(scalars, missing, lost=5)
    assert quality["verdict"] == "warn"
    edge_mm = np.tan(np.deg2rad(abs(degrees))) * scene.RADIUS_MM
    assert_allclose(quality["background_shift_mm"], edge_mm, rtol=0.15)


@pytest.mark.parametrize("drift_mm", [8.0, 25.0, -25.0])
def test_a_slow_drift_is_followed(measured, drift_mm):
    floor = scene.FLOOR_MM + np.linspace(0, drift_mm, COUNT)
    scalars, missing, quality = measured(scene.film(COUNT, floor_mm=floor))
    # At 8 mm/s, the floor moves by 1.2 mm while its pose is measured.
    require_a_mouse(scalars, missing, lost=3, height_atol=2.2)
    assert_allclose(quality["background_shift_mm"], abs(drift_mm), atol=2.5)
    assert quality["verdict"] == "warn"
    assert any("(slowly)" in reason for reason in quality["reasons"])


@pytest.mark.parametrize("pixels", [5, 10, -25])
def test_a_shift_sideways_is_no_silent_fault(still, measured, pixels):
    frames = still.copy()
    frames[HALF:] = np.roll(frames[HALF:], pixels, axis=2)
    _, _, quality = measured(frames)
    assert quality["verdict"] == "reject"
    assert any("wall" in reason for reason in quality["reasons"])


def test_a_bump_and_back_leaves_the_rest_alone(still, measured):
    frames = still.copy()
    frames[40:60] += 20
    scalars, missing, quality = measured(frames)
    require_a_mouse(scalars, missing, lost=10)
    assert [round(jump["mm"]) for jump in quality["background_jumps"]] == [20, -20]


def test_a_lid_before_the_lens_is_no_floor(still, measured):
    frames = still.copy()
    frames[30:50] = 300
    scalars, missing, quality = measured(frames)
    assert (missing[30:50] == Missing.IMPLAUSIBLE).all()
    require_a_mouse(scalars, missing, lost=20)
    assert quality["background_shift_mm"] == 0


def test_a_large_move_is_rejected(still, measured):
    frames = still.copy()
    frames[HALF:] += 80
    _, _, quality = measured(frames)
    assert quality["verdict"] == "reject"
    assert any("moved by 80 mm" in reason for reason in quality["reasons"])
