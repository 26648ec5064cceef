"""PCA of crops against an exact singular value decomposition and a per-frame solve."""

from pathlib import Path

import numpy as np
import pytest
import threadpoolctl
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.errors import BadInput, ShapeError
from syllabary.provenance import Provenance
from syllabary.records.crops import SCALARS, TRACKING, Crops, CropsWriter
from syllabary.reduction import frames as training_frames
from syllabary.reduction import pca, pca_fitting
from syllabary.reduction.settings import ReduceSettings

PROVENANCE = Provenance("test", {}, 0, {}, "code")
SIZE = (12, 10)
PLAIN = ReduceSettings(components=3, smoothing_mm=0, passes=60)


def write(path, heights, observed=None, *, frame=None, pixel_mm=1.85, step_mm=1.0):
    T = len(heights)
    observed = np.ones(heights.shape, bool) if observed is None else observed
    with CropsWriter(
        path, recording=path.stem, pixel_mm=pixel_mm, size=heights.shape[1:], height_step_mm=step_mm
    ) as writer:
        writer.append(heights.astype(np.uint8), observed)
        writer.finish(
            frame=np.arange(T) if frame is None else frame,
            time_s=np.arange(T) / 30,
            start_time="",
            scalars={name: np.zeros(T) for name in SCALARS},
            tracking={name: np.zeros(T) for name in TRACKING},
            arena={"mask": np.ones(SIZE)},
            provenance=PROVENANCE,
        )
    return path


def blobs(rng, T, sd=(40.0, 25.0, 12.0), noise=1.0):
    """Heights with three smooth directions of variation; the first row is constant."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] / max(SIZE)
    images = np.stack([np.cos(np.pi * x), np.cos(np.pi * y), np.cos(np.pi * (x + y))])
    images[:, 0] = 0
    basis = np.linalg.qr(images.reshape(3, -1).T)[0].T
    heights = 100 + (rng.standard_normal((T, 3)) * sd) @ basis
    heights += noise * rng.standard_normal(heights.shape)
    heights = np.round(heights).reshape(T, *SIZE)
    heights[:, 0] = 100
    return heights, basis.reshape(3, *SIZE)


def angle(a, b):
    """Largest principal angle between two sets of orthonormal images, rad."""
    overlap = np.linalg.svd(a.reshape(len(a), -1) @ b.reshape(len(b), -1).T, compute_uv=False)
    return np.arccos(np.clip(overlap.min(), -1, 1))


def test_without_gaps_pca_is_a_singular_value_decomposition(tmp_path, rng):
    heights, _ = blobs(rng, 700)
    paths = [write(tmp_path / "a.h5", heights[:300]), write(tmp_path / "b.h5", heights[300:])]
    fitted = pca_fitting.fit(paths, PLAIN, seed=1)
    flat = heights.reshape(700, -1)
    _, singular, right = np.linalg.svd(flat - flat.mean(0), full_matrices=False)
    # Blocks are summed in float32, and iteration stops at an angle of 1e-3.
    assert_allclose(fitted.mean.ravel(), flat.mean(0), atol=1e-4)
    assert_allclose(fitted.scale, singular[:3] / np.sqrt(700), rtol=1e-5)
    assert_allclose(fitted.explained_variance_ratio, singular[:3] ** 2 / np.sum(singular**2), rtol=2e-3)
    for component, expected in zip(fitted.components.reshape(3, -1), right[:3], strict=True):
        assert abs(component @ expected) > 1 - 1e-5
        assert component[np.abs(component).argmax()] > 0
    assert not fitted.used[0].any() and fitted.used[1:].all()
    assert_array_equal(fitted.components[:, 0], 0)
    residual = np.sum(singular[3:] ** 2) / (700 * fitted.used.sum())
    assert_allclose(fitted.noise_variance_mm2, residual, rtol=1e-2)


def test_training_latents_are_white(tmp_path, rng):
    heights, _ = blobs(rng, 500)
    path = write(tmp_path / "a.h5", heights)
    with Crops(path) as crops:
        values, observed, _ = pca.scores(pca_fitting.fit([path], PLAIN, seed=1), crops)[:3]
    assert observed.all()
    assert_allclose(values.mean(0), 0, atol=1e-4)
    assert_allclose(np.cov(values.T, bias=True), np.eye(3), atol=1e-4)


def test_a_third_of_the_pixels_missing_hardly_turns_the_components(tmp_path, rng):
    heights, basis = blobs(rng, 900)
    observed = rng.random(heights.shape) > 0.3
    observed[:, 4:7, 3:6] &= rng.random((900, 1, 1)) > 0.5
    path = write(tmp_path / "a.h5", np.where(observed, heights, 0), observed)
    fitted = pca_fitting.fit([path], PLAIN, seed=1)
    whole = pca_fitting.fit([write(tmp_path / "b.h5", heights)], PLAIN, seed=1)
    # Noise alone turns the weakest component by about sqrt(pixels / frames) / 12 = 0.03.
    assert angle(fitted.components, whole.components) < 0.03
    assert angle(fitted.components, basis) < 0.05
    assert_allclose(fitted.scale, whole.scale, rtol=0.02)
    assert_allclose(fitted.explained_variance_ratio, whole.explained_variance_ratio, rtol=0.02)
    assert_allclose(fitted.noise_variance_mm2, whole.noise_variance_mm2, rtol=0.03)
    with Crops(path) as crops:
        values = pca.scores(fitted, crops).values
    error = (pca.reconstruct(fitted, values) - heights)[~observed]
    assert np.sqrt(np.mean(error**2)) < 1.3, "noise is 1 mm; filling missing pixels adds little"


def test_latents_solve_the_regularized_least_squares_of_each_frame(tmp_path, rng):
    heights, _ = blobs(rng, 300)
    observed = rng.random(heights.shape) > rng.uniform(0, 0.5, (300, 1, 1))
    observed[:5] = True
    path = write(tmp_path / "a.h5", heights, observed)
    fitted = pca_fitting.fit([path], PLAIN, seed=1)
    with Crops(path) as crops:
        values, has_latents, _ = pca.scores(fitted, crops)[:3]
    signal = fitted.scale**2 - fitted.noise_variance_mm2
    for t in np.flatnonzero(has_latents):
        pixels = observed[t] & fitted.used
        design = fitted.components[:, pixels].T
        precision = design.T @ design / fitted.noise_variance_mm2 + np.diag(1 / signal)
        target = design.T @ (heights[t] - fitted.mean)[pixels] / fitted.noise_variance_mm2
        shrinkage = signal / fitted.scale**2
        expected = np.linalg.solve(precision, target) / shrinkage / fitted.scale
        assert_allclose(values[t], expected, atol=1e-9)
    plain = (
        np.tensordot(heights[:5] - fitted.mean, fitted.components, axes=([1, 2], [1, 2])) / fitted.scale
    )
    assert_allclose(values[:5], plain, atol=1e-9)


def test_noise_of_each_pixel_is_the_residual_of_the_frames_that_measured_it(tmp_path, rng):
    heights, _ = blobs(rng, 600)
    heights[:, 5:8] = np.round(heights[:, 5:8] + 6 * rng.standard_normal((600, 3, SIZE[1])))
    observed = rng.random(heights.shape) > 0.2
    path = write(tmp_path / "a.h5", np.where(observed, heights, 0), observed)
    fitted = pca_fitting.fit([path], PLAIN, seed=1)
    with Crops(path) as crops:
        values = pca.scores(fitted, crops).values
    flat = fitted.mean + np.tensordot(values * fitted.scale, fitted.components, axes=1)
    for pixel in np.argwhere(fitted.used):
        measured = observed[:, *pixel]
        residual = np.mean((heights - flat)[measured][:, *pixel] ** 2)
        # The last pass of fitting works in float32.
        assert fitted.pixel_variance_mm2[*pixel] == pytest.approx(max(residual, 1), rel=1e-4)
    assert fitted.pixel_variance_mm2[5:8].min() > 20 > 2 > np.median(fitted.pixel_variance_mm2[1:5])
    assert_array_equal(fitted.pixel_variance_mm2[~fitted.used], 1)


def test_noise_has_a_floor(tmp_path, rng):
    path = write(tmp_path / "a.h5", blobs(rng, 300)[0])
    fitted = pca_fitting.fit([path], PLAIN.model_copy(update={"noise_floor_mm": 5.0}), seed=1)
    assert_array_equal(fitted.pixel_variance_mm2, 25)


def test_information_is_the_precision_given_measured_pixels_and_other_latents(tmp_path, rng):
    heights, _ = blobs(rng, 300, noise=2.0)
    observed = rng.random(heights.shape) > rng.uniform(0, 0.6, (300, 1, 1))
    path = write(tmp_path / "a.h5", heights, observed)
    fitted = pca_fitting.fit([path], PLAIN, seed=1)
    with Crops(path) as crops:
        _, has_latents, information = pca.scores(fitted, crops)[:3]
    assert 0 < (~has_latents).sum() < 300 and information.dtype == np.float64
    for t in range(300):
        pixels = observed[t] & fitted.used
        images = fitted.scale[:, None] * fitted.components[:, pixels]
        expected = np.sum(images**2 / fitted.pixel_variance_mm2[pixels], axis=1)
        assert_allclose(information[t], expected if has_latents[t] else 0, rtol=1e-12)


def test_reconstruction_undoes_scores(tmp_path, rng):
    heights, _ = blobs(rng, 300, noise=0.0)
    path = write(tmp_path / "a.h5", heights)
    fitted = pca_fitting.fit([path], PLAIN, seed=1)
    with Crops(path) as crops:
        back = pca.reconstruct(fitted, pca.scores(fitted, crops).values)
    assert back.dtype == np.float32
    assert np.sqrt(np.mean((back - heights) ** 2)) < 0.5, "rounding to whole mm has an SD of 0.29"


def test_smoothing_finds_a_smooth_direction_in_strong_noise(tmp_path, rng):
    heights, basis = blobs(rng, 60, sd=(40.0, 25.0, 16.0), noise=8.0)
    path = write(tmp_path / "a.h5", heights)
    smoothed = pca_fitting.fit([path], PLAIN.model_copy(update={"smoothing_mm": 2.0}), seed=1)
    assert angle(smoothed.components, basis) < 0.8 * angle(
        pca_fitting.fit([path], PLAIN, seed=1).components, basis
    )


@pytest.mark.parametrize("chunk", [1, 256, 300, 5000])
def test_neither_chunks_nor_threads_change_a_bit(tmp_path, rng, chunk):
    heights, _ = blobs(rng, 1100)
    observed = rng.random(heights.shape) > 0.1
    path = write(tmp_path / "a.h5", heights, observed)
    fitted = pca_fitting.fit([path], PLAIN, seed=1)
    with threadpoolctl.threadpool_limits(2), Crops(path) as crops:
        again = pca_fitting.fit([path], PLAIN, seed=1)
        for name, value in fitted.tensors().items():
            assert_array_equal(value, again.tensors()[name])
        whole, chunked = pca.scores(fitted, crops), pca.scores(again, crops, chunk=chunk)
        assert_array_equal(whole.values, chunked.values)
        assert_array_equal(whole.information, chunked.information)


def with_cable(rng, heights, *, height=80.0):
    """Add a cable, one pixel wide, along a random row of every crop."""
    changed, rows = heights.copy(), rng.integers(1, SIZE[0], len(heights))
    frames = np.arange(len(heights))
    changed[frames, rows] = np.clip(changed[frames, rows] + height, 0, 255)
    return changed


def test_a_cable_moves_neither_components_nor_latents(tmp_path, rng):
    heights, basis = blobs(rng, 900)
    cabled = with_cable(rng, heights)
    paths = [write(tmp_path / f"{name}.h5", part) for name, part in (("a", heights), ("b", cabled))]
    frames = [training_frames.sample([path], 1000, rng) for path in paths]
    seeds = [np.random.default_rng(1) for _ in range(3)]
    clean = pca_fitting.fit_frames(*frames[0], PLAIN, seeds[0], clear=True)
    cleared = pca_fitting.fit_frames(*frames[1], PLAIN, seeds[1], clear=True)
    disturbed = pca_fitting.fit_frames(*frames[1], PLAIN, seeds[2])
    assert angle(cleared.components, basis) < 0.1 < 0.5 < angle(disturbed.components, basis)
    with Crops(paths[0]) as crops:
        reference = pca.scores(clean, crops)
        same = pca.scores(clean, crops, outlier_sd=5.0)
    # Without a cable hardly a pixel stands out.
    assert np.mean(same.values != reference.values) < 0.01
    with Crops(paths[1]) as crops:
        without_outliers, with_outliers = (pca.scores(clean, crops, outlier_sd=sd) for sd in (5.0, 0.0))
        chunked = pca.scores(clean, crops, outlier_sd=5.0, chunk=300)
    assert_array_equal(without_outliers.values, chunked.values)
    error, error_with_outliers = (
        np.sqrt(np.mean((series.values - reference.values) ** 2))
        for series in (without_outliers, with_outliers)
    )
    # Three of 11 rows are missing, and with them their information about the noise.
    assert error < 0.15 < 0.5 < error_with_outliers
    assert (without_outliers.information < with_outliers.information).all()


def test_ticks_without_enough_pixels_have_no_latents(tmp_path, rng):
    heights, _ = blobs(rng, 40)
    observed = np.ones(heights.shape, bool)
    frame = np.arange(40)
    frame[7], observed[7] = -1, False
    observed[9, :, :6] = False
    observed[11, :, :4] = False
    path = write(tmp_path / "a.h5", np.where(observed, heights, 0), observed, frame=frame)
    with Crops(path) as crops:
        values, has_latents, information = pca.scores(pca_fitting.fit([path], PLAIN, seed=1), crops)[:3]
    assert_array_equal(np.flatnonzero(~has_latents), [7, 9])
    assert_array_equal(np.isnan(values).any(1), ~has_latents)
    assert_array_equal((information == 0).all(1), ~has_latents)
    assert (information[11] < information[12]).all(), "fewer pixels give less information"


def test_heights_count_in_millimeters(tmp_path, rng):
    heights, _ = blobs(rng, 200)
    fine = pca_fitting.fit([write(tmp_path / "a.h5", heights)], PLAIN, seed=1)
    coarse = pca_fitting.fit([write(tmp_path / "b.h5", heights, step_mm=0.5)], PLAIN, seed=1)
    assert_allclose(coarse.scale, fine.scale / 2, rtol=1e-4)
    assert_allclose(coarse.mean, fine.mean / 2, rtol=1e-4)


def test_an_empty_recording_has_no_latents(tmp_path, rng):
    fitted = pca_fitting.fit([write(tmp_path / "a.h5", blobs(rng, 100)[0])], PLAIN, seed=1)
    with Crops(write(tmp_path / "b.h5", np.zeros((0, *SIZE)))) as crops:
        values, has_latents, information = pca.scores(fitted, crops)[:3]
    assert values.shape == information.shape == (0, 3) and has_latents.shape == (0,)


def test_a_sample_is_spread_over_recordings_and_repeats(tmp_path, rng):
    paths = [write(tmp_path / f"{i}.h5", np.full((320, 4, 4), i)) for i in range(4)]
    first, size, pixel_mm = training_frames.sample(paths, 320, np.random.default_rng(3))
    again, _, _ = training_frames.sample(paths, 320, np.random.default_rng(3))
    assert size == (4, 4) and pixel_mm == 1.85 and first.heights.shape == (320, 16)
    assert_array_equal(first.heights, again.heights)
    counts = np.bincount(first.heights[:, 0], minlength=4)
    assert counts.min() > 0 and (counts % 16 == 0).all()
    everything, _, _ = training_frames.sample(paths, 10_000, np.random.default_rng(3))
    assert_array_equal(np.bincount(everything.heights[:, 0]), [320] * 4)


def test_dropped_ticks_are_not_sampled(tmp_path):
    frame = np.where(np.arange(100) % 3 == 0, -1, np.arange(100))
    heights = np.where(frame < 0, 200, 7)[:, None, None] * np.ones((1, 4, 4))
    path = write(tmp_path / "a.h5", heights, frame=frame)
    sampled, _, _ = training_frames.sample([path], 1000, np.random.default_rng(3))
    assert_array_equal(sampled.heights, np.full((66, 16), 7))


def test_save_and_load_round_trip_and_bytes_repeat(tmp_path, rng):
    fitted = pca_fitting.fit([write(tmp_path / "a.h5", blobs(rng, 100)[0])], PLAIN, seed=1)
    for name in ("one.h5", "two.h5"):
        pca.save(tmp_path / name, fitted, PROVENANCE)
    loaded = pca.load(tmp_path / "one.h5")
    for name, value in fitted.tensors().items():
        assert_array_equal(value, loaded.tensors()[name])
        assert value.dtype == loaded.tensors()[name].dtype
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_errors_name_the_wrong_argument(tmp_path, rng):
    heights, _ = blobs(rng, 50)
    path = write(tmp_path / "a.h5", heights)
    other = write(tmp_path / "b.h5", heights, pixel_mm=2.0)
    with pytest.raises(BadInput, match=r"differ \(12x10 at 1.85 mm; 12x10 at 2 mm\)"):
        pca_fitting.fit([path, other], PLAIN, seed=1)
    with pytest.raises(BadInput, match="only 50 frames and 110 pixels"):
        pca_fitting.fit([path], ReduceSettings(components=60), seed=1)
    with pytest.raises(BadInput, match="no frame in any of 1 recordings"):
        pca_fitting.fit([write(tmp_path / "c.h5", heights[:0])], PLAIN, seed=1)
    with pytest.raises(BadInput, match="only 0 frames and 0 pixels"):
        pca_fitting.fit([write(tmp_path / "d.h5", heights * 0, heights > 999)], PLAIN, seed=1)
    fitted = pca_fitting.fit([path], PLAIN, seed=1)
    with Crops(other) as crops, pytest.raises(ShapeError, match="at 2 mm, but the components are"):
        pca.scores(fitted, crops)
    with pytest.raises(ShapeError, match=r"latents are \(5, 4\)"):
        pca.reconstruct(fitted, np.zeros((5, 4)))
    with pytest.raises(BadInput, match="tensors of a PCA are missing: mean"):
        pca.Pca.from_tensors({n: v for n, v in fitted.tensors().items() if n != "mean"})
    with pytest.raises(BadInput, match="syllabary reduce"):
        pca.load(Path(tmp_path) / "none.h5")


@pytest.mark.parametrize(
    "change",
    [
        {"components": 2}, {"frames": 100}, {"smoothing_mm": 4.0}, {"min_observed_fraction": 0.9},
        {"min_pixel_observed_fraction": 0.6}, {"passes": 1},
    ],
)  # fmt: skip
def test_every_setting_changes_the_answer(tmp_path, rng, change):
    heights, _ = blobs(rng, 400, noise=4.0)
    observed = rng.random(heights.shape) > rng.uniform(0, 0.4, (400, 1, 1))
    observed[:, 5, 5] &= rng.random(400) > 0.5
    path = write(tmp_path / "a.h5", heights, observed)
    plain, changed = (
        pca_fitting.fit([path], PLAIN.model_copy(update=update), seed=1) for update in ({}, change)
    )
    assert not np.array_equal(plain.components, changed.components)
