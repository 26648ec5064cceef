"""A dark animal, of which many pixels are missing, keeps its size, place and speed; or is no mouse."""

import cv2
import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from oracles.depth_scene import CAMERA, FLOOR_MM, render, write_session
from syllabary.depth import extraction, quality
from syllabary.depth.settings import CheckSettings, ExtractSettings
from syllabary.provenance import Provenance

COUNT, SPEED_MM_S = 45, 120.0
TIMES_S = np.arange(COUNT) / 30
CHECK = CheckSettings(min_duration_s=0)


def blobs(rng, inside, share, sd_px):
    """Connected holes over a share of the pixels inside."""
    field = cv2.GaussianBlur(rng.standard_normal(inside.shape), (0, 0), sd_px)
    return inside & (field < np.quantile(field[inside], share))


HOLES = {
    "40 % at random": lambda rng, mouse: mouse & (rng.random(mouse.shape) < 0.4),
    "60 % at random": lambda rng, mouse: mouse & (rng.random(mouse.shape) < 0.6),
    "40 % in blobs": lambda rng, mouse: blobs(rng, mouse, 0.4, 2.0),
    "40 % in large blobs": lambda rng, mouse: blobs(rng, mouse, 0.4, 4.0),
    "60 % in blobs": lambda rng, mouse: blobs(rng, mouse, 0.6, 2.0),
    "half and half": lambda rng, mouse: (
        (mouse & (rng.random(mouse.shape) < 0.25)) | blobs(rng, mouse, 0.2, 3.0)
    ),
    "40 % of everything": lambda rng, mouse: rng.random(mouse.shape) < 0.4,
    "60 % of everything": lambda rng, mouse: rng.random(mouse.shape) < 0.6,
}


@pytest.fixture(scope="module")
def walk():
    """Frames of a mouse that walks around a circle, and which pixels show it."""
    rng = np.random.default_rng(2)
    angle = SPEED_MM_S / 90 * TIMES_S
    places = zip(90 * np.cos(angle), 90 * np.sin(angle), angle + np.pi / 2, strict=True)
    still = render(None, 0, 0)
    poses = np.stack([render(*place) for place in places])
    noisy = np.rint(poses + rng.normal(0, 1, poses.shape)).astype(np.uint16)
    return noisy, poses < still


def scalars_of(crops):
    with h5py.File(crops) as h5:
        return {name: float(np.nanmedian(values[()])) for name, values in h5["scalars"].items()}


def crops_of(folder, frames):
    """Extract a recording of frames, without a movie."""
    session = write_session(folder / "m1", frames, 1000 * TIMES_S)
    settings, made = (
        ExtractSettings.model_validate({"camera": CAMERA}),
        Provenance("extract", {}, None, {}, ""),
    )
    extraction.extract(session, folder / "crops.h5", None, settings, recording="m1", provenance=made)
    return folder / "crops.h5"


@pytest.fixture
def extracted(tmp_path):
    return lambda frames: crops_of(tmp_path, frames)


@pytest.fixture(scope="module")
def whole(walk, tmp_path_factory):
    """Scalars of the mouse without holes."""
    return scalars_of(crops_of(tmp_path_factory.mktemp("whole"), walk[0]))


@pytest.mark.parametrize("name", HOLES)
def test_a_dark_mouse_keeps_its_size_and_speed(walk, whole, extracted, name):
    frames, mouse = walk
    rng = np.random.default_rng(7)
    holes = np.stack([HOLES[name](rng, shown) for shown in mouse])
    crops = extracted(np.where(holes, 0, frames))
    dark = scalars_of(crops)
    assert whole["speed_mm_s"] == pytest.approx(SPEED_MM_S, rel=0.03)
    for scalar in ("speed_mm_s", "length_mm", "width_mm", "height_mm", "height_max_mm"):
        assert dark[scalar] == pytest.approx(whole[scalar], rel=0.05), scalar
    assert quality.assess(crops, CHECK)["verdict"] == "good"
    with h5py.File(crops) as h5:
        body = h5["heights"][()] > 0
        # What was filled is marked as not measured.
        assert h5["observed"][()][body].mean() == pytest.approx(1 - holes[mouse].mean(), abs=0.05)


def test_a_mouse_that_is_hardly_measured_is_rejected(walk, extracted, rng):
    frames, mouse = walk
    crops = extracted(np.where(mouse & (rng.random(mouse.shape) < 0.8), 0, frames))
    assert quality.assess(crops, CHECK)["verdict"] == "reject"


@pytest.mark.parametrize("shift", [(0, -4), (0, 3), (4, 0)])
def test_a_shadow_on_the_floor_is_not_the_mouse(walk, whole, extracted, shift):
    """The shadow of a light beside the lens is where the mouse hides the floor from it."""
    frames, mouse = walk
    shadow = np.zeros_like(mouse)
    for part in range(1, 5):
        shadow |= np.roll(mouse, [round(part / 4 * step) for step in shift], axis=(1, 2))
    crops = scalars_of(extracted(np.where(shadow & ~mouse, 0, frames)))
    for scalar in ("length_mm", "width_mm", "height_mm", "speed_mm_s"):
        assert crops[scalar] == pytest.approx(whole[scalar], rel=0.02)


def test_a_dark_mouse_with_a_shadow_is_rejected(walk, extracted, rng):
    frames, mouse = walk
    shadow = np.zeros_like(mouse)
    for part in range(1, 6):
        shadow |= np.roll(mouse, -part, axis=2)
    missing = (shadow & ~mouse) | (mouse & (rng.random(mouse.shape) < 0.4))
    crops = extracted(np.where(missing, 0, frames))
    assert quality.assess(crops, CHECK)["verdict"] == "reject"


@pytest.mark.parametrize("share", [0.0, 0.02])
def test_holes_of_the_floor_change_no_crop(walk, whole, extracted, rng, share):
    """A part of the floor that is never measured is not the mouse when it stands there."""
    frames, mouse = walk
    static = np.zeros(frames.shape[1:], bool)
    static[60:70] = True
    missing = (static & ~mouse) | (~mouse & (rng.random(mouse.shape) < share))
    crops = scalars_of(extracted(np.where(missing, 0, frames)))
    assert crops["length_mm"] == pytest.approx(whole["length_mm"], rel=0.01)
    assert crops["height_mm"] == pytest.approx(whole["height_mm"], rel=0.01)


def test_crops_without_holes_are_those_of_before(walk, tmp_path, monkeypatch):
    from syllabary.depth.tracking import first_pass

    class Idle:
        is_needed = False

        def __init__(self, *_):
            pass

        def fill(self, depth_mm):
            return depth_mm

    frames, _ = walk
    crops = crops_of(tmp_path / "now", frames)
    monkeypatch.setattr(first_pass, "Filler", Idle)
    with h5py.File(crops) as now, h5py.File(crops_of(tmp_path / "before", frames)) as before:
        assert_array_equal(now["heights"], before["heights"])
        assert float(now["arena/floor_plane"][3]) == pytest.approx(FLOOR_MM, abs=1)
