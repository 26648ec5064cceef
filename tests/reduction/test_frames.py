"""Training frames: how they are packed, sampled and selected."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from reduction.registered import write
from syllabary.errors import BadInput
from syllabary.records.crops import CHUNK_TICKS
from syllabary.reduction import frames as training_frames
from syllabary.reduction.frames import BLOCK, Frames
from syllabary.reduction.settings import ReduceSettings

SIZE = (6, 7)
PIXELS = SIZE[0] * SIZE[1]


def packed(heights, missing, step_mm=1.0):
    bits = np.packbits(missing.reshape(len(missing), -1), axis=1)
    steps = np.full(len(heights), step_mm, np.float32)
    return Frames(heights.reshape(len(heights), -1).astype(np.uint8), bits, steps)


@pytest.fixture
def heights(rng):
    return rng.integers(1, 200, (BLOCK + 40, *SIZE))


@pytest.fixture
def missing(rng):
    return rng.random((BLOCK + 40, *SIZE)) < 0.3


def test_blocks_unpack_all_frames_in_order(rng, heights, missing):
    mean = rng.uniform(0, 100, PIXELS)
    blocks = list(packed(heights, missing, 0.5).blocks(mean))
    assert [rows for rows, _, _ in blocks] == [slice(0, BLOCK), slice(BLOCK, 2 * BLOCK)]
    flags = np.concatenate([gaps for _, _, gaps in blocks])
    deviation = np.concatenate([part for _, part, _ in blocks])
    assert_array_equal(flags, missing.reshape(-1, PIXELS))
    expected = np.where(flags, 0, 0.5 * heights.reshape(-1, PIXELS) - mean)
    assert_allclose(deviation, expected, atol=1e-4)
    assert (deviation[flags] == 0).all()


def test_images_are_the_chosen_frames_in_the_order_chosen(heights, missing):
    chosen = np.array([5, 3, BLOCK + 2, 0])
    frames = packed(heights, missing, 2.0)
    images, observed = next(iter(frames.images(chosen, SIZE)))
    assert_allclose(images, 2.0 * heights[chosen])
    assert_array_equal(observed, ~missing[chosen])
    everything = list(frames.images(np.arange(len(heights)), SIZE))
    assert [len(part) for part, _ in everything] == [BLOCK, 40]


def test_scales_of_one_camera_agree_and_those_of_two_do_not():
    assert training_frames.same_scale(2.0, 2.0)
    assert training_frames.same_scale(2.0, 2.03) and training_frames.same_scale(2.03, 2.0)
    assert not training_frames.same_scale(2.0, 2.1)


def test_select_drops_constant_pixels_and_rarely_measured_ones(rng):
    heights = rng.integers(1, 200, (400, *SIZE))
    missing = np.zeros(heights.shape, bool)
    heights[:, 0] = 50
    missing[:390, 1, 0] = True
    kept, mean, used = training_frames.select(packed(heights, missing), ReduceSettings(components=2))
    used = used.reshape(SIZE)
    assert not used[0].any() and not used[1, 0] and used[1, 1:].all() and used[2:].all()
    assert kept.heights.shape == (400, used.sum())
    assert_array_equal(kept.heights, heights[:, used])
    expected = heights.mean(0)
    expected[1, 0] = heights[390:, 1, 0].mean()
    assert_allclose(mean.reshape(SIZE), expected, rtol=1e-5)


def test_select_drops_frames_with_few_measured_pixels(rng):
    heights = rng.integers(1, 200, (300, *SIZE))
    missing = np.zeros(heights.shape, bool)
    missing[::10, :4] = True
    settings = ReduceSettings(components=2, min_observed_fraction=0.5)
    kept, _, used = training_frames.select(packed(heights, missing), settings)
    assert used.all() and len(kept.heights) == 270
    assert_array_equal(kept.heights, np.delete(heights, np.s_[::10], 0).reshape(270, -1))
    lenient = settings.model_copy(update={"min_observed_fraction": 0.2})
    assert len(training_frames.select(packed(heights, missing), lenient)[0].heights) == 300


def test_select_needs_more_frames_and_pixels_than_components(rng):
    heights = rng.integers(1, 200, (20, *SIZE))
    missing = np.zeros(heights.shape, bool)
    with pytest.raises(BadInput, match="only 20 frames and 42 pixels"):
        training_frames.select(packed(heights, missing), ReduceSettings(components=20))


def test_a_sample_has_whole_chunks_and_every_frame_once(tmp_path, rng):
    """The first pixel of a crop counts its tick."""
    ticks = 5 * CHUNK_TICKS
    heights = np.broadcast_to(np.arange(ticks)[:, None, None], (ticks, *SIZE)).astype(np.uint8)
    path = write(tmp_path / "m.h5", heights)
    frames, size, _ = training_frames.sample([path], 2 * CHUNK_TICKS + 1, rng)
    sampled = frames.heights[:, 0]
    assert size == SIZE and len(sampled) == 3 * CHUNK_TICKS
    assert len(np.unique(sampled)) == len(sampled)
    assert_array_equal(
        np.bincount(sampled // CHUNK_TICKS)[np.unique(sampled // CHUNK_TICKS)], CHUNK_TICKS
    )
    everything, _, _ = training_frames.sample([path], ticks, rng)
    assert_array_equal(everything.heights[:, 0], np.arange(ticks))
