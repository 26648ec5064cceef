"""Coordinates of crops against one dense solve per frame."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from syllabary.reduction.coordinates import posterior, ridge_of

FRAMES, PIXELS, RANK = 30, 25, 4


@pytest.fixture
def basis(rng):
    return np.linalg.qr(rng.standard_normal((PIXELS, RANK)))[0].T


def frames(rng, share_missing):
    deviation = rng.standard_normal((FRAMES, PIXELS))
    missing = rng.random((FRAMES, PIXELS)) < share_missing
    deviation[missing] = 0
    return deviation, missing


@pytest.mark.parametrize("share_missing", [0.0, 0.4])
def test_coordinates_solve_ridge_regression_on_measured_pixels(rng, basis, share_missing):
    deviation, missing = frames(rng, share_missing)
    ridge = rng.uniform(0.1, 2.0, RANK)
    coordinates, residual = posterior(deviation, missing, basis, ridge)
    total = 0.0
    for row, gaps, values in zip(coordinates, missing, deviation, strict=True):
        design = basis[:, ~gaps].T
        expected = np.linalg.solve(design.T @ design + np.diag(ridge), design.T @ values[~gaps])
        assert_allclose(row, expected, atol=1e-12)
        total += np.sum((values[~gaps] - design @ expected) ** 2)
    assert residual == pytest.approx(total, rel=1e-10)


def test_frames_in_the_span_of_the_basis_are_recovered_without_ridge(rng, basis):
    scores = rng.standard_normal((FRAMES, RANK))
    missing = rng.random((FRAMES, PIXELS)) < 0.3
    deviation = np.where(missing, 0, scores @ basis)
    coordinates, residual = posterior(deviation, missing, basis, np.zeros(RANK))
    assert_allclose(coordinates, scores, atol=1e-9)
    assert abs(residual) < 1e-9


def test_a_frame_without_measured_pixels_has_the_prior_mean(basis):
    missing = np.ones((1, PIXELS), bool)
    coordinates, residual = posterior(np.zeros((1, PIXELS)), missing, basis, np.ones(RANK))
    assert_allclose(coordinates, 0, atol=1e-15)
    assert residual == 0


def test_frames_are_independent(rng, basis):
    deviation, missing = frames(rng, 0.3)
    ridge = np.ones(RANK)
    together, residual = posterior(deviation, missing, basis, ridge)
    apart = [posterior(deviation[i : i + 1], missing[i : i + 1], basis, ridge) for i in range(FRAMES)]
    # BLAS may sum products of other shapes in another order.
    assert_allclose(np.concatenate([part[0] for part in apart]), together, atol=1e-12)
    assert sum(part[1] for part in apart) == pytest.approx(residual)


def test_float32_heights_give_float64_coordinates(rng, basis):
    deviation, missing = frames(rng, 0.3)
    exact, _ = posterior(deviation, missing, basis, np.ones(RANK))
    rounded, _ = posterior(deviation.astype(np.float32), missing, basis, np.ones(RANK))
    assert rounded.dtype == np.float64
    assert_allclose(rounded, exact, atol=1e-5)


def test_a_larger_ridge_shrinks_coordinates(rng, basis):
    deviation, missing = frames(rng, 0.3)
    sizes = [np.abs(posterior(deviation, missing, basis, np.full(RANK, r))[0]).sum() for r in (0, 1, 10)]
    assert sizes[0] > sizes[1] > sizes[2] > 0


def test_ridge_is_noise_over_signal_and_the_signal_has_a_floor():
    variance = np.array([3.0, 2.0, 1.0, 0.5])
    ridge = ridge_of(1.0, variance)
    assert_allclose(ridge[:2], [1 / 2, 1.0])
    # No signal is left beside the noise: a thousandth of the variance counts as signal.
    assert_allclose(ridge[2:], [1e3, 2e3])
    assert_array_equal(ridge_of(0.0, variance), 0)
