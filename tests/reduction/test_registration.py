"""Registration recovers simulated shifts and ignores missing pixels."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from reduction.registered import PIXEL_MM, SIZE, animals, write
from syllabary.errors import BadInput, ShapeError
from syllabary.records.crops import Crops
from syllabary.reduction import frames as training_frames
from syllabary.reduction import registration
from syllabary.reduction.alignment import shifts_of
from syllabary.reduction.settings import ReduceSettings
from syllabary.reduction.template import Template
from syllabary.reduction.template_learning import learn_template

SETTINGS = ReduceSettings(shift_sd_mm=PIXEL_MM)
SEED = 11


def ticks_apart(values):
    """Changes from tick to tick; slow movements of the body may look like shifts."""
    return np.diff(values, axis=0) / np.sqrt(2)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A template, and crops with their simulated shifts."""
    rng = np.random.default_rng(SEED)
    heights, shifts = animals(rng, 1500)
    path = write(tmp_path_factory.mktemp("registration") / "m.h5", heights)
    frames, size, pixel_mm = training_frames.sample([path], 1500, rng)
    template = learn_template(frames, size, pixel_mm, SETTINGS, np.random.default_rng(1)).template
    return path, template, heights, shifts


def test_jitter_of_the_tracking_is_estimated(learned):
    path, template, _, shifts = learned
    with Crops(path) as crops:
        estimated = registration.shifts_of_crops(template, crops)
    error = ticks_apart(estimated - shifts)
    for axis, bar in enumerate((0.4, 0.4, np.radians(1.5))):
        assert np.sqrt(np.mean(error[:, axis] ** 2)) < bar
        assert np.corrcoef(ticks_apart(estimated)[:, axis], ticks_apart(shifts)[:, axis])[0, 1] > 0.9


def test_missing_pixels_are_invisible_and_a_third_of_them_can_be_missed(learned, rng):
    _, template, heights, shifts = learned
    observed = rng.random(heights.shape) > 0.3
    observed[:, :12, :15] = False
    estimated = shifts_of(template, heights.astype(np.float32), observed)
    other = np.where(observed, heights, rng.integers(0, 255, heights.shape)).astype(np.float32)
    assert_array_equal(shifts_of(template, other, observed), estimated)
    error = ticks_apart(estimated - shifts)
    assert (np.sqrt(np.mean(error[:, :2] ** 2, 0)) < 0.5).all()
    values = registration.warp(heights, observed, estimated)
    filled = registration.warp(other.astype(np.uint8), observed, estimated)
    for value, expected in zip(values, filled, strict=True):
        assert_array_equal(value, expected)


def test_a_cable_hardly_moves_a_crop(rng):
    heights, shifts = animals(rng, 900)
    cabled = heights.copy()
    # The cable is one pixel wide, 80 mm high, over the rear of the animal, and its slant changes slowly.
    down = np.arange(SIZE[0])
    slant = 0.1 * np.sin(np.arange(900) / 60)
    across = np.rint(SIZE[1] / 2 - 12 + slant[:, None] * (down - SIZE[0] / 2)).astype(int)
    cabled[np.arange(900)[:, None], down, across] = 80
    frames = training_frames.Frames(
        cabled.reshape(900, -1),
        np.packbits(np.zeros((900, cabled[0].size), bool), axis=1),
        np.ones(900, np.float32),
    )
    errors = []
    for sd in (5.0, 0.0):
        chosen = SETTINGS.model_copy(update={"outlier_sd": sd})
        template = learn_template(frames, SIZE, PIXEL_MM, chosen, np.random.default_rng(1)).template
        estimated = shifts_of(template, cabled.astype(np.float32), np.ones(cabled.shape, bool))
        errors.append(np.sqrt(np.mean(ticks_apart(estimated - shifts) ** 2, 0)))
    # At half resolution the cable hides a sixth of the crop.
    assert (errors[0][[0, 2]] < 0.4 * errors[1][[0, 2]]).all() and errors[0][1] < 0.1


def test_moving_back_undoes_the_jitter(learned):
    path, template, heights, _ = learned
    still, _ = animals(np.random.default_rng(SEED), 1500, jitter_px=0, jitter_rad=0)
    with Crops(path) as crops:
        registered = registration.register(crops, registration.shifts_of_crops(template, crops))
        moved = registered.heights()
        assert registered.size == SIZE and len(registered) == 1500 and registered.recording == "m"
        assert_array_equal(registered.observed(10, 20), registered.pair(10, 20)[1])
        for first, block, observed in registered.blocks(400):
            assert_array_equal(block, moved[first : first + 400])
            assert observed[:, 5:-5, 5:-5].all()
        assert registration.register(registered, registered._shifts) is registered
        assert registration.register(crops, None) is crops

    def apart(images):
        steps = np.diff(images[:, 6:-6, 6:-6].astype(float), axis=0)
        return np.sqrt(np.mean((steps - np.diff(still[:, 6:-6, 6:-6].astype(float), axis=0)) ** 2))

    # The noise of two frames remains.
    assert apart(moved) < 0.45 * apart(heights)


def test_there_and_back_is_the_same_crop(rng):
    heights, _ = animals(rng, 20, noise_mm=0)
    observed = np.ones(heights.shape, bool)
    shifts = rng.standard_normal((20, 3)) * (1, 1, 0.05)
    moved, measured = registration.warp(heights, observed, shifts)
    # Undoing a shift is a shift by −R(−turn) d and −turn.
    c, s = np.cos(shifts[:, 2]), np.sin(shifts[:, 2])
    back = -np.stack([c * shifts[:, 0] + s * shifts[:, 1], c * shifts[:, 1] - s * shifts[:, 0]], 1)
    again, measured_again = registration.warp(moved, measured, np.column_stack([back, -shifts[:, 2]]))
    inside = (slice(None), slice(6, -6), slice(6, -6))
    assert measured_again[inside].all()
    # Slopes are up to 8 mm per pixel, interpolated and rounded twice.
    assert np.abs(again[inside].astype(int) - heights[inside]).max() <= 4
    assert_array_equal(registration.warp(heights, observed, np.zeros((20, 3)))[0], heights)
    whole = registration.warp(heights, observed, np.tile([2.0, 0, 0], (20, 1)))
    assert_array_equal(whole[0][:, :, :-2], heights[:, :, 2:])
    assert not whole[1][:, :, -2:].any() and whole[1][:, :, :-2].all()


def test_frames_are_independent_and_cutting_changes_nothing(learned):
    _, template, heights, _ = learned
    heights = heights[:600].astype(np.float32)
    observed = np.ones(heights.shape, bool)
    whole = shifts_of(template, heights, observed)
    parts = [shifts_of(template, heights[i : i + 256], observed[:256]) for i in (0, 256)]
    assert_array_equal(np.concatenate(parts), whole[:512])
    alone = shifts_of(template, heights[7:8], observed[:1])
    # Products of other shapes are summed in another order.
    assert_allclose(alone, whole[7:8], atol=1e-4)


def test_without_measured_pixels_there_is_no_shift(learned, tmp_path):
    _, template, heights, _ = learned
    observed = np.ones((60, *SIZE), bool)
    observed[5] = False
    frame = np.arange(60)
    frame[9] = -1
    path = write(tmp_path / "gaps.h5", heights[:60], observed, frame=frame)
    with Crops(path) as crops:
        estimated = registration.shifts_of_crops(template, crops)
    assert (estimated[[5, 9]] == 0).all() and np.isfinite(estimated).all()
    assert (estimated[[4, 6, 8, 10]] != 0).all()


def test_learning_is_the_same_every_time_and_works_on_few_and_odd_frames(learned, rng):
    heights = animals(rng, 12)[0][:, :37, :41]
    frames = training_frames.Frames(
        heights.reshape(12, -1),
        np.packbits(np.zeros((12, 37 * 41), bool), axis=1),
        np.ones(12, np.float32),
    )
    template, again = (
        learn_template(frames, (37, 41), PIXEL_MM, SETTINGS, np.random.default_rng(3)).template
        for _ in "ab"
    )
    for name, value in template.tensors().items():
        assert_array_equal(again.tensors()[name], value)
    assert template.mean.shape == (19, 21)
    estimated = shifts_of(template, heights.astype(np.float32), np.ones(heights.shape, bool))
    assert np.isfinite(estimated).all()


@pytest.mark.parametrize("jitter", [0.3, 1.0])
def test_registration_is_worthwhile_where_an_animal_moves_in_its_crops(rng, jitter):
    heights, _ = animals(rng, 900, jitter_px=jitter, jitter_rad=0.05 * jitter)
    assert learned_from(heights, rng).residual_ratio < 0.9


def test_registration_is_not_worthwhile_where_components_explain_everything(rng):
    """Images that are sums of components, as of a linear system."""
    rank, pixels = 12, SIZE[0] * SIZE[1]
    smooth = animals(rng, rank)[0].reshape(rank, pixels).astype(float)
    scores = rng.standard_normal((900, rank)) / rank
    heights = smooth.mean(0) + scores @ (smooth - smooth.mean(0))
    heights = np.clip(np.rint(heights), 0, 255).astype(np.uint8).reshape(900, *SIZE)
    assert learned_from(heights, rng).residual_ratio > 1


def learned_from(heights, rng):
    missing = np.packbits(np.zeros((len(heights), heights[0].size), bool), axis=1)
    frames = training_frames.Frames(
        heights.reshape(len(heights), -1), missing, np.ones(len(heights), np.float32)
    )
    return learn_template(frames, SIZE, PIXEL_MM, SETTINGS, rng)


def test_errors_name_the_wrong_argument(learned):
    path, template, heights, _ = learned
    with pytest.raises(ShapeError, match=r"this template takes \(n, 40, 44\)"):
        shifts_of(template, heights[:3, 1:], heights[:3, 1:] > 0)
    with Crops(path) as crops, pytest.raises(ShapeError, match="1500 crops but shifts"):
        registration.register(crops, np.zeros((3, 3)))
    with pytest.raises(BadInput, match="tensors of a template are missing: mean"):
        tensors = template.tensors()
        del tensors["mean"]
        Template.from_tensors(tensors)
