"""Expected log likelihood of regressions against raw moments and against draws."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from syllabary.errors import ShapeError
from syllabary.expfam import mniw
from syllabary.messages.regression import ar_log_likelihood

K, D, P = 4, 3, 5


def spread(rng, size):
    root = rng.standard_normal((K, size, size))
    return root @ root.mT + np.eye(size)


@pytest.fixture
def posterior(rng):
    return mniw.from_standard(
        mniw.Standard(
            mean=torch.from_numpy(rng.standard_normal((K, D, P))),
            column_covariance=torch.from_numpy(spread(rng, P)),
            scale=torch.from_numpy(spread(rng, D)),
            degrees=torch.from_numpy(rng.uniform(D + 5, D + 9, K)),
        )
    )


def arguments(posterior):
    standard, expected = mniw.to_standard(posterior), mniw.expected_stats(posterior)
    return (
        standard.mean,
        standard.column_covariance,
        -2 * expected.neg_half_noise_precision,
        2 * expected.half_log_det,
    )


def raw_moments(posterior, latents, regressors):
    """Statistics of one frame times their means: right, but it cancels."""
    expected = [part.numpy() for part in mniw.expected_stats(posterior)]
    pairs = ((regressors, regressors), (latents, regressors), (latents, latents))
    terms = [
        np.einsum("...i,...j,kij->...k", left, right, mean)
        for (left, right), mean in zip(pairs, expected[:3], strict=True)
    ]
    return sum(terms) + expected[3] - D / 2 * math.log(2 * math.pi)


def test_log_likelihood_matches_raw_moments(posterior, rng):
    latents, regressors = rng.standard_normal((2, 7, D)), rng.standard_normal((2, 7, P))
    result = ar_log_likelihood(latents, regressors, *arguments(posterior))
    assert_allclose(result, raw_moments(posterior, latents, regressors), rtol=1e-9)


def test_certain_weights_give_the_gaussian_density(rng):
    latents, regressors = rng.standard_normal((6, D)), rng.standard_normal((6, P))
    weights, noise = rng.standard_normal((K, D, P)), spread(rng, D)
    result = ar_log_likelihood(
        latents, regressors, weights, None, np.linalg.inv(noise), -np.linalg.slogdet(noise)[1]
    )
    expected = [
        [stats.multivariate_normal.logpdf(x, w @ s, q) for w, q in zip(weights, noise, strict=True)]
        for x, s in zip(latents, regressors, strict=True)
    ]
    assert_allclose(result, expected, rtol=1e-9)


def test_log_likelihood_is_a_mean_over_drawn_regressions(posterior, rng):
    latents, regressors = rng.standard_normal((1, D)), rng.standard_normal((1, P))
    standard = mniw.to_standard(posterior)
    draws = []
    for _ in range(2000):
        noise = stats.invwishart.rvs(float(standard.degrees[0]), standard.scale[0], random_state=rng)
        weights = stats.matrix_normal.rvs(
            standard.mean[0], noise, standard.column_covariance[0], random_state=rng
        )
        draws.append(stats.multivariate_normal.logpdf(latents[0], weights @ regressors[0], noise))
    result = float(ar_log_likelihood(latents, regressors, *arguments(posterior))[0, 0])
    assert abs(result - np.mean(draws)) < 5 * np.std(draws) / math.sqrt(len(draws))


def test_float32_keeps_a_thousandth_of_a_nat_far_from_zero(rng):
    """Latents 3 from zero, noise of 0.05, D = 10: raw moments lose ten times as much."""
    size, lags = 10, 1
    width = size * lags + 1
    mean = np.zeros((2, size, width))
    mean[:, :, :size] = 0.95 * np.eye(size)
    mean[:, :, -1] = 0.15
    noise = 0.05**2
    latents = 3 + 0.05 * rng.standard_normal((500, size))
    regressors = np.concatenate([3 + 0.05 * rng.standard_normal((500, size)), np.ones((500, 1))], -1)
    rest = (
        mean,
        np.broadcast_to(1e-4 * np.eye(width), (2, width, width)),
        np.broadcast_to(np.eye(size) / noise, (2, size, size)),
        np.full(2, -size * math.log(noise)),
    )
    single = latents.astype(np.float32), regressors.astype(np.float32)
    exact = ar_log_likelihood(*(part.astype(float) for part in single), *rest)
    result = ar_log_likelihood(*single, *rest)
    assert result.dtype == torch.float32
    # A whitened latent is 60: eps32 * 60 * 10 terms * residuals of about 1.
    assert_allclose(result, exact, atol=3e-3)


@pytest.mark.parametrize("frames", [0, 1, 127, 128, 129, 2047, 2049, 5000])
def test_every_length_is_covered_and_frames_are_independent(frames, posterior, rng):
    latents, regressors = rng.standard_normal((frames, D)), rng.standard_normal((frames, P))
    result = ar_log_likelihood(latents, regressors, *arguments(posterior))
    assert result.shape == (frames, K)
    assert_allclose(result, raw_moments(posterior, latents, regressors), rtol=1e-8, atol=1e-8)


def test_any_number_of_threads_gives_the_same_bits(posterior, rng):
    latents = rng.standard_normal((9000, D)).astype(np.float32)
    regressors = rng.standard_normal((9000, P)).astype(np.float32)
    before, answers = torch.get_num_threads(), []
    try:
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            answers.append(ar_log_likelihood(latents, regressors, *arguments(posterior)))
    finally:
        torch.set_num_threads(before)
    assert_array_equal(answers[0], answers[1])
    assert_array_equal(answers[0], answers[2])


def test_shapes_that_disagree_are_named(posterior, rng):
    rest = arguments(posterior)
    with pytest.raises(ShapeError, match=r"regressors has shape .*7, 4.*weights_mean \(4, 3, 5\)"):
        ar_log_likelihood(np.zeros((7, D)), np.zeros((7, P - 1)), *rest)
    with pytest.raises(ShapeError, match="latents has shape"):
        ar_log_likelihood(np.zeros((7, D + 1)), np.zeros((7, P)), *rest)
    with pytest.raises(ShapeError, match="log_det has shape"):
        ar_log_likelihood(np.zeros((7, D)), np.zeros((7, P)), *rest[:3], rest[3][:2])
