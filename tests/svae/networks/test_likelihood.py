"""Likelihood of pixels against densities of scipy, and samples of marginals."""

import numpy as np
import pytest
import scipy.stats
import torch
from numpy.testing import assert_allclose

from syllabary.errors import ShapeError
from syllabary.svae.networks import likelihood

N, SIZE, D = 6, (5, 4), 3
OUTLIERS = (0.0, 0.002, 0.3)


@pytest.fixture
def pixels(rng):
    """Arguments of the likelihood; the second frame has no pixel, one column is not used."""
    expected = 40 * rng.random((N, *SIZE))
    heights = expected + 3 * rng.standard_normal(expected.shape)
    observed = rng.random(expected.shape) > 0.3
    observed[1] = False
    log_variance = rng.uniform(-1, 3, SIZE)
    used = np.ones(SIZE, bool)
    used[:, 1] = False
    return tuple(torch.from_numpy(array) for array in (heights, observed, expected, log_variance, used))


@pytest.fixture
def marginals(rng):
    roots = rng.standard_normal((N, D, D))
    covariances = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(D)
    return torch.from_numpy(rng.standard_normal((N, D))), torch.from_numpy(covariances)


def summed_pixel_by_pixel(heights, observed, expected, log_variance, used, outliers=0.0):
    total = np.zeros(len(heights))
    for n, row, column in np.argwhere((observed & used).numpy()):
        pixel = (n, row, column)
        sd = np.exp(log_variance[row, column] / 2)
        density = scipy.stats.norm.pdf(heights[pixel], expected[pixel], sd)
        total[n] += np.log((1 - outliers) * density + outliers / 255)
    return total


@pytest.mark.parametrize("outliers", OUTLIERS)
def test_likelihood_is_the_sum_of_the_densities_of_pixels(pixels, outliers):
    log_density = likelihood.log_likelihood(*pixels, outliers)
    assert log_density.dtype == torch.float64 and log_density[1] == 0
    assert_allclose(log_density, summed_pixel_by_pixel(*pixels, outliers), rtol=1e-12)


@pytest.mark.parametrize("outliers", OUTLIERS)
def test_float32_frames_lose_rounding_alone(pixels, outliers):
    heights, observed, expected, log_variance, used = pixels
    single = likelihood.log_likelihood(
        heights.float(), observed, expected.float(), log_variance.float(), used, outliers
    )
    assert single.dtype == torch.float64
    # Heights of 40 mm are rounded to 4e-6 mm, residuals and variances are of order 1.
    assert_allclose(single, likelihood.log_likelihood(*pixels, outliers), rtol=1e-5)


def test_an_outlier_costs_the_same_at_any_height_and_has_no_gradient(pixels):
    heights, _, expected, log_variance, used = (part.float() for part in pixels)
    observed, used = torch.ones_like(heights, dtype=torch.bool), used > 0
    expected = (heights + 1).requires_grad_()
    values, slopes = [], []
    for cable_mm in (100.0, 255.0):
        cabled = heights.clone()
        cabled[:, 2:4, 2] = cable_mm
        arguments = cabled, observed, expected, log_variance.clamp(max=1), used
        values.append(likelihood.log_likelihood(*arguments, 0.01))
        slopes.append(torch.autograd.grad(values[-1].sum(), expected)[0])
    assert torch.equal(*values) and torch.equal(*slopes)
    assert torch.isfinite(slopes[0]).all() and (slopes[0][:, 2:4, 2] == 0).all()
    assert (slopes[0][:, :, 0] != 0).all()


def test_inliers_follow_from_the_ratio_of_both_densities(pixels):
    heights, _, expected, log_variance, _ = pixels
    probability = likelihood.inliers(heights - expected, log_variance, 0.1)
    density = 0.9 * scipy.stats.norm.pdf(heights, expected, torch.exp(log_variance / 2))
    assert_allclose(probability, density / (density + 0.1 / 255), rtol=1e-12)
    assert (likelihood.inliers(heights - expected, log_variance, 0.0) == 1).all()


@pytest.mark.parametrize("outliers", OUTLIERS)
@pytest.mark.parametrize("filling", [np.nan, np.inf, 1e30])
def test_pixels_that_are_missing_or_not_used_are_absent(pixels, filling, outliers):
    heights, observed, expected, log_variance, used = pixels
    expected, log_variance = expected.requires_grad_(), log_variance.requires_grad_()
    values, gradients = [], []
    for shown in (heights, torch.where(observed & used, heights, filling)):
        values.append(likelihood.log_likelihood(shown, observed, expected, log_variance, used, outliers))
        gradients.append(torch.autograd.grad(values[-1].sum(), (expected, log_variance)))
    assert torch.equal(*values)
    for left, right in zip(*gradients, strict=True):
        assert torch.equal(left, right) and torch.isfinite(left).all()
    assert (gradients[0][0][~(observed & used)] == 0).all()
    assert (gradients[0][1][~used] == 0).all()


@pytest.mark.parametrize("outliers", OUTLIERS)
def test_gradient_of_the_likelihood(pixels, outliers):
    heights, observed, expected, log_variance, used = pixels
    assert torch.autograd.gradcheck(
        lambda e, v: likelihood.log_likelihood(heights, observed, e, v, used, outliers),
        (expected.requires_grad_(), log_variance.requires_grad_()),
    )


def test_scored_pixels_are_counted(pixels):
    _, observed, _, _, used = pixels
    counts = likelihood.scored_pixels(observed, used)
    assert counts.tolist() == [int((flags & used).sum()) for flags in observed] and counts[1] == 0


def test_samples_have_the_mean_and_covariance_of_the_marginals(marginals, rng):
    draws = 200_000
    for mean, covariance in zip(*marginals, strict=True):
        normals = torch.from_numpy(rng.standard_normal((draws, D)))
        samples = likelihood.sample_marginals(
            mean.expand(draws, D), covariance.expand(draws, D, D), normals
        ).numpy()
        assert samples.dtype == np.float64
        sd = np.sqrt(np.diag(covariance))
        # Six standard errors of the mean, and of the largest entry of the covariance.
        assert_allclose(samples.mean(0), mean, atol=6 * sd.max() / np.sqrt(draws))
        atol = 6 * np.sqrt(2 / draws) * sd.max() ** 2
        assert_allclose(np.cov(samples.T), covariance, atol=atol)


def test_each_frame_is_drawn_on_its_own(marginals, rng):
    normals = torch.from_numpy(rng.standard_normal((N, D)))
    together = likelihood.sample_marginals(*marginals, normals)
    for n in range(N):
        alone = likelihood.sample_marginals(*(array[n : n + 1] for array in (*marginals, normals)))
        assert torch.equal(alone, together[n : n + 1])


def test_gradient_of_the_mean_of_samples_is_that_of_finite_differences(marginals, rng):
    """The function is not linear, so that the covariance matters."""
    mean, covariance = marginals[0][0], marginals[1][0]
    normals = torch.from_numpy(rng.standard_normal((50, D)))

    def average(mean, covariance):
        samples = likelihood.sample_marginals(mean.expand(50, D), covariance.expand(50, D, D), normals)
        return torch.tanh(samples).sum(-1).mean()

    mean.requires_grad_(), covariance.requires_grad_()
    by_mean, by_covariance = torch.autograd.grad(average(mean, covariance), (mean, covariance))
    step = 1e-6
    with torch.no_grad():
        for d in range(D):
            shift = step * torch.eye(D).double()[d]
            rise = average(mean + shift, covariance) - average(mean - shift, covariance)
            assert_allclose(by_mean[d], rise / (2 * step), rtol=1e-6, atol=1e-9)
            for e in range(D):
                # Covariances are symmetric, so a change of one entry is a change of two.
                shift = torch.zeros(D, D).double()
                shift[d, e] += step / 2
                shift[e, d] += step / 2
                rise = average(mean, covariance + shift) - average(mean, covariance - shift)
                symmetric = (by_covariance[d, e] + by_covariance[e, d]) / 2
                assert_allclose(symmetric, rise / (2 * step), rtol=1e-6, atol=1e-9)


def test_errors_name_the_wrong_shapes(pixels, marginals):
    heights, observed, expected, log_variance, used = pixels
    with pytest.raises(ShapeError, match=r"expected \(5, 5, 4\) must be of one shape"):
        likelihood.log_likelihood(heights, observed, expected[1:], log_variance, used)
    with pytest.raises(torch.linalg.LinAlgError):
        likelihood.sample_marginals(marginals[0], -marginals[1], marginals[0])
