import numpy as np
import pytest
from numpy.testing import assert_allclose

from oracles.depth_scene import CAMERA, CX, CY, FLOOR_MM, FOCAL, pear, render, write_session
from syllabary.depth import extraction
from syllabary.depth.arena import geometry
from syllabary.depth.crops import Cutter, size_factor
from syllabary.depth.lens.camera import Camera
from syllabary.depth.settings import ArenaSettings, CropSettings, ExtractSettings, TrackingSettings
from syllabary.errors import BadInput
from syllabary.records.crops import Crops


@pytest.fixture(scope="module")
def empty():
    lens = Camera(FOCAL, FOCAL, CX, CY)
    return geometry.find(render(None, 0, 0), lens, ArenaSettings(), where="m1")


def cut(empty, x, y, heading, body=None):
    """Cut a body standing at (x, y) mm, centered where the floor below it appears."""
    frame = render(x, y, heading, **({"body": body} if body else {}))
    cutter = Cutter(empty, TrackingSettings(), CropSettings())
    x_px, y_px = x / FLOOR_MM * FOCAL + CX, y / FLOOR_MM * FOCAL + CY
    return cutter.cut(frame, x_px, y_px, heading)


def box(along, across):
    return np.where((np.abs(along) < 40) & (np.abs(across) < 15), 20.0, 0.0)


@pytest.mark.parametrize("heading", [0.0, 0.9, -2.0, np.pi])
def test_heading_lies_along_the_columns_to_the_right(empty, heading):
    heights = cut(empty, 0, 0, heading).heights.astype(float)
    rows, columns = np.indices(heights.shape) - 39.5
    spread = heights > 0
    assert columns[spread].std() > 1.8 * rows[spread].std()
    # The pear's broad end is behind.
    assert spread[:, :40].sum() > 1.15 * spread[:, 40:].sum()
    assert_allclose(rows[spread].mean(), 0, atol=0.4)


def test_scale_and_height_are_those_of_the_floor(empty):
    heights = cut(empty, 0, 0, 0.5, body=box).heights
    assert_allclose(np.median(heights[heights > 5]), 20, atol=0.5)
    # A box of 80 x 30 mm whose top is 20 mm nearer to the camera looks 600/580 larger.
    length = np.count_nonzero(heights[37:43] > 10, axis=1).mean() * 1.85
    width = np.count_nonzero(heights[:, 30:50] > 10, axis=0).mean() * 1.85
    assert_allclose([length, width], np.array([80, 30]) * 600 / 580, atol=2)


def test_a_sub_pixel_shift_of_the_mouse_leaves_the_crop(empty):
    pixel = FLOOR_MM / FOCAL
    crop = cut(empty, 0, 0, 0.3).heights.astype(float)
    for shift in (0.25, 0.5, 0.75):
        other = cut(empty, shift * pixel, 0, 0.3).heights.astype(float)
        rows, columns = np.indices(crop.shape)
        for axis in (rows, columns):
            assert_allclose(np.average(axis, weights=other), np.average(axis, weights=crop), atol=0.1)


def test_what_was_not_measured_is_not_observed(empty):
    frame = render(0, 0, 0.0)
    row, column = round(CY), round(CX)
    frame[row - 3 : row + 4, column - 3 : column + 4] = 0
    crop = Cutter(empty, TrackingSettings(), CropSettings()).cut(frame, CX, CY, 0.0)
    assert not crop.observed[38:42, 38:42].any()
    assert crop.heights[39, 39] == 0
    assert crop.observed.mean() > 0.95


def test_beyond_the_image_nothing_is_observed(empty):
    crop = Cutter(empty, TrackingSettings(), CropSettings()).cut(render(0, 0, 0.0), 2.0, CY, 0.0)
    assert not crop.observed[:, :35].any()
    assert crop.observed[:, 45:].all()


def test_droppings_beside_the_mouse_are_left_out(empty):
    frame = render(0, 0, 0.0)
    frame[round(CY) + 20 : round(CY) + 24, round(CX) : round(CX) + 4] -= 20
    crop = Cutter(empty, TrackingSettings(), CropSettings()).cut(frame, CX, CY, 0.0)
    assert not crop.heights[60:].any()


def elongated(size):
    return lambda along, across: pear(along, across, 80 * size, 36 * size, 34)


def test_animals_of_all_sizes_can_be_scaled_to_one(tmp_path, made):
    angle = 0.4 * np.arange(16)
    x, y = 100 * np.cos(angle), 100 * np.sin(angle)
    spans, lengths, scales = [], [], []
    for size in (0.75, 1.3):
        frames = [render(*p, body=elongated(size)) for p in zip(x, y, angle + np.pi / 2, strict=True)]
        source = write_session(tmp_path / f"raw{size}", frames, 1e6 + 33.0 * np.arange(16))
        path = tmp_path / f"{size}.h5"
        settings = {"camera": CAMERA, "crop": {"normalize_length_mm": 70.0}}
        extraction.extract(
            source, path, None, ExtractSettings.model_validate(settings), recording="m", provenance=made
        )
        with Crops(path) as crops:
            spans.append((crops.heights() > 10).any(axis=1).sum(axis=1).mean())
            lengths.append(spans[-1] * crops.pixel_mm)
            scales.append((crops.pixel_mm, crops.size_factor, crops.scaled_pixel_mm))
            assert crops.pixel_mm == pytest.approx(1.85 * crops.scalars["length_mm"].median() / 70)
    # In pixels they are alike; in millimeters, by the file's own pixel_mm, as they were.
    assert spans[0] == pytest.approx(spans[1], rel=0.06)
    assert lengths[1] / lengths[0] == pytest.approx(1.3 / 0.75, rel=0.06)
    assert [scale[2] for scale in scales] == pytest.approx([1.85, 1.85])


def test_an_animal_of_another_kind_is_not_scaled():
    settings = CropSettings(normalize_length_mm=200.0)
    with pytest.raises(BadInput, match="median length is 60 mm"):
        size_factor(np.array([np.nan, 60.0]), settings, where="m1")
    assert size_factor(np.array([np.nan]), settings, where="m1") == 1
    assert size_factor(np.array([60.0]), CropSettings(), where="m1") == 1
