"""Laws that hold for every exponential family, and scipy as a second opinion."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import stats

from oracles.differences import gradient
from syllabary.expfam import dirichlet, gaussian, mniw, niw

D, P = 3, 4


class Family(NamedTuple):
    module: Any
    draw_standard: Any
    """One member of the family, as arrays."""
    draw: Any
    """What the law is about, drawn by scipy: a tuple of arrays."""
    log_density: Any
    """By scipy, at one draw."""
    statistics: Any
    """Of one draw, in the order of ``Statistics``."""
    log_measure: Any
    """Log density of the measure that the statistics are coefficients under."""


def spread(rng, size):
    root = rng.standard_normal((size, size))
    return root @ root.T + np.eye(size)


def outer(left, right):
    return left[:, None] * right[None, :]


def regression_statistics(weights, noise):
    precision = np.linalg.inv(noise)
    return (
        -0.5 * weights.T @ precision @ weights,
        precision @ weights,
        -0.5 * precision,
        -0.5 * np.linalg.slogdet(noise)[1],
    )


def mean_statistics(mean, noise):
    gram, linear, precision, half_log_det = regression_statistics(mean[:, None], noise)
    return gram[0, 0], linear[:, 0], precision, half_log_det


def draw_regression(standard, rng):
    noise = stats.invwishart.rvs(float(standard.degrees), standard.scale, random_state=rng)
    weights = stats.matrix_normal.rvs(standard.mean, noise, standard.column_covariance, random_state=rng)
    return weights, noise


def draw_mean(standard, rng):
    noise = stats.invwishart.rvs(float(standard.degrees), standard.scale, random_state=rng)
    return rng.multivariate_normal(standard.mean, noise / float(standard.mean_count)), noise


FAMILIES = {
    "dirichlet": Family(
        dirichlet,
        lambda rng: dirichlet.Standard(concentration=rng.uniform(0.5, 4, 5)),
        lambda s, rng: (rng.dirichlet(s.concentration),),
        lambda s, x: stats.dirichlet.logpdf(x, s.concentration),
        lambda x: (np.log(x),),
        lambda x: -np.log(x).sum(),
    ),
    "gaussian": Family(
        gaussian,
        lambda rng: gaussian.Standard(mean=rng.standard_normal(D), covariance=spread(rng, D)),
        lambda s, rng: (rng.multivariate_normal(s.mean, s.covariance),),
        lambda s, x: stats.multivariate_normal.logpdf(x, s.mean, s.covariance),
        lambda x: (x, outer(x, x)),
        lambda x: 0.0,
    ),
    "niw": Family(
        niw,
        lambda rng: niw.Standard(
            mean=rng.standard_normal(D),
            mean_count=rng.uniform(0.5, 3),
            scale=spread(rng, D),
            degrees=rng.uniform(D + 6, D + 9),
        ),
        draw_mean,
        lambda s, x, q: (
            stats.invwishart.logpdf(q, float(s.degrees), s.scale)
            + stats.multivariate_normal.logpdf(x, s.mean, q / float(s.mean_count))
        ),
        mean_statistics,
        lambda x, q: 0.0,
    ),
    "mniw": Family(
        mniw,
        lambda rng: mniw.Standard(
            mean=rng.standard_normal((D, P)),
            column_covariance=spread(rng, P),
            scale=spread(rng, D),
            degrees=rng.uniform(D + 6, D + 9),
        ),
        draw_regression,
        lambda s, w, q: (
            stats.invwishart.logpdf(q, float(s.degrees), s.scale)
            + stats.matrix_normal.logpdf(w, s.mean, q, s.column_covariance)
        ),
        regression_statistics,
        lambda w, q: 0.0,
    ),
}


@pytest.fixture(params=FAMILIES)
def family(request):
    return FAMILIES[request.param]


def tensors(standard):
    return type(standard)(*(torch.as_tensor(part, dtype=torch.float64) for part in standard))


def natural_of(family, standard):
    return family.module.from_standard(tensors(standard))


def pairing(natural, statistics):
    """Natural parameters times statistics."""
    return sum(float((np.asarray(n) * t).sum()) for n, t in zip(natural, statistics, strict=True))


def stacked(parts):
    return type(parts[0])(*(torch.stack(rows) for rows in zip(*parts, strict=True)))


def test_natural_parameters_are_literal_coefficients_of_scipys_log_density(family, rng):
    for _ in range(5):
        standard = family.draw_standard(rng)
        natural = natural_of(family, standard)
        draw = family.draw(standard, rng)
        result = (
            pairing(natural, family.statistics(*draw))
            + family.log_measure(*draw)
            - float(family.module.log_normalizer(natural))
        )
        assert_allclose(result, family.log_density(standard, *draw), rtol=1e-9)


def test_gradient_of_log_normalizer_is_expected_stats(family, rng):
    natural = natural_of(family, family.draw_standard(rng))
    expected = family.module.expected_stats(natural)
    for name, mean in zip(natural._fields, expected, strict=True):

        def log_normalizer(part, name=name):
            part = torch.from_numpy(np.asarray(part))
            if part.ndim == 2 and part.shape[0] == part.shape[1] and name != "precision_mean":
                part = (part + part.mT) / 2  # a Cholesky factor reads one triangle
            return float(family.module.log_normalizer(natural._replace(**{name: part})))

        slopes = gradient(log_normalizer, getattr(natural, name).numpy())
        # Central differences of step 1e-5: truncation 1e-10 and rounding 1e-10, times curvature.
        assert_allclose(mean.numpy(), slopes, rtol=1e-6, atol=1e-7)


def test_expected_stats_are_means_of_scipys_draws(family, rng):
    standard = family.draw_standard(rng)
    expected = family.module.expected_stats(natural_of(family, standard))
    draws = [family.statistics(*family.draw(standard, rng)) for _ in range(3000)]
    for mean, values in zip(expected, zip(*draws, strict=True), strict=True):
        values = np.array(values)
        error = values.std(0) / np.sqrt(len(values))
        # Five standard errors: once in 10^6 for each entry, were the draws Gaussian.
        assert np.all(np.abs(values.mean(0) - mean.numpy()) < 5 * error + 1e-12)


def test_round_trip_between_natural_and_standard(family, rng):
    standard = family.draw_standard(rng)
    back = family.module.to_standard(natural_of(family, standard))
    for result, expected in zip(back, standard, strict=True):
        assert result.dtype == torch.float64
        assert_allclose(result, expected, rtol=1e-10, atol=1e-12)
    natural = natural_of(family, standard)
    again = family.module.from_standard(family.module.to_standard(natural))
    for result, expected in zip(again, natural, strict=True):
        assert_allclose(result, expected, rtol=1e-10, atol=1e-12)


def test_divergence_is_zero_at_equality_and_positive_elsewhere(family, rng):
    naturals = [natural_of(family, family.draw_standard(rng)) for _ in range(6)]
    for q in naturals:
        for p in naturals:
            divergence = float(family.module.divergence(q, p))
            assert abs(divergence) < 1e-12 if q is p else divergence > 1e-2


def test_divergence_is_the_bregman_divergence_of_the_log_normalizer(family, rng):
    q, p = (natural_of(family, family.draw_standard(rng)) for _ in range(2))
    differences = [a - b for a, b in zip(q, p, strict=True)]
    mean = [part.numpy() for part in family.module.expected_stats(q)]
    expected = (
        pairing(differences, mean)
        - float(family.module.log_normalizer(q))
        + float(family.module.log_normalizer(p))
    )
    assert_allclose(float(family.module.divergence(q, p)), expected, rtol=1e-9)


def test_divergence_is_the_mean_log_ratio_of_scipys_densities(family, rng):
    q, p = (family.draw_standard(rng) for _ in range(2))
    ratios = []
    for _ in range(2000):
        draw = family.draw(q, rng)
        ratios.append(family.log_density(q, *draw) - family.log_density(p, *draw))
    error = np.std(ratios) / np.sqrt(len(ratios))
    result = float(family.module.divergence(natural_of(family, q), natural_of(family, p)))
    assert abs(result - np.mean(ratios)) < 5 * error


def test_batch_equals_its_loop(family, rng):
    qs, ps = ([natural_of(family, family.draw_standard(rng)) for _ in range(6)] for _ in range(2))
    shaped = [
        type(qs[0])(*(part.reshape(2, 3, *part.shape[1:]) for part in stacked(each)))
        for each in (qs, ps)
    ]
    for name in ("log_normalizer", "expected_stats", "to_standard"):
        function = getattr(family.module, name)
        together = function(shaped[0])
        singles = [function(q) for q in qs]
        if name == "log_normalizer":
            assert_allclose(together.reshape(-1), torch.stack(singles), rtol=1e-12)
            continue
        for result, expected in zip(together, stacked(singles), strict=True):
            assert_allclose(result.reshape(expected.shape), expected, rtol=1e-10, atol=1e-12)
    together = family.module.divergence(*shaped)
    singles = [family.module.divergence(q, p) for q, p in zip(qs, ps, strict=True)]
    assert together.shape == (2, 3)
    assert_allclose(together.reshape(-1), torch.stack(singles), rtol=1e-10)


def test_float32_standards_become_float64_naturals(family, rng):
    drawn = family.draw_standard(rng)
    single = type(drawn)(*(torch.as_tensor(part, dtype=torch.float32) for part in drawn))
    assert all(part.dtype == torch.float64 for part in family.module.from_standard(single))


def test_data_add_to_the_natural_parameters_of_a_regression(rng):
    """Prior times likelihood is the posterior: their log ratio is the same everywhere."""
    regressors, latents = rng.standard_normal((7, P)), rng.standard_normal((7, D))
    standard = FAMILIES["mniw"].draw_standard(rng)
    prior = natural_of(FAMILIES["mniw"], standard)
    posterior = mniw.Natural(
        precision=prior.precision + regressors.T @ regressors,
        precision_mean=prior.precision_mean + latents.T @ regressors,
        scatter=prior.scatter + latents.T @ latents,
        observations=prior.observations + 7,
    )
    evidence = []
    for _ in range(4):
        weights, noise = draw_regression(standard, rng)
        likelihood = sum(
            stats.multivariate_normal.logpdf(x, weights @ s, noise)
            for x, s in zip(latents, regressors, strict=True)
        )
        statistics = regression_statistics(weights, noise)
        evidence.append(likelihood + pairing(prior, statistics) - pairing(posterior, statistics))
    assert_allclose(evidence, evidence[0], rtol=1e-9)


def test_niw_is_mniw_with_one_regressor(rng):
    standard = tensors(FAMILIES["niw"].draw_standard(rng))
    other = mniw.Standard(
        mean=standard.mean[:, None],
        column_covariance=1 / standard.mean_count[None, None],
        scale=standard.scale,
        degrees=standard.degrees,
    )
    for each, same in zip(niw.from_standard(standard), mniw.from_standard(other), strict=True):
        assert_allclose(each.reshape(same.shape), same, rtol=1e-12)


def test_small_divergence_of_sharp_laws_keeps_its_digits():
    """A million observations and a shift of 1e-6: the difference of log normalizers has none left."""
    degrees, shift = 1e6, 1e-6
    standard = mniw.Standard(
        mean=torch.eye(D, P),
        column_covariance=torch.eye(P) / degrees,
        scale=torch.eye(D) * degrees,
        degrees=torch.tensor(degrees),
    )
    p = mniw.from_standard(standard)
    moved = standard.mean.double() + shift
    q = mniw.from_standard(standard._replace(mean=moved))
    expected = 0.5 * D * P * shift**2 * degrees
    # S is stored with M V⁻¹ Mᵀ added: rounding of 1e-16 times the million observations.
    assert_allclose(float(mniw.divergence(q, p)), expected, rtol=1e-3)


def test_sparse_concentrations_do_not_round_to_zero():
    natural = dirichlet.from_standard(
        dirichlet.Standard(torch.tensor([1e-18, 1.0], dtype=torch.float64))
    )
    result = dirichlet.expected_stats(natural).log_probability
    assert_allclose(result[0], -1e18, rtol=1e-12)
    assert float(dirichlet.divergence(natural, natural)) == 0


@pytest.mark.parametrize("name", ["precision", "scatter"])
def test_a_step_too_far_is_noticed(name, rng):
    natural = natural_of(FAMILIES["mniw"], FAMILIES["mniw"].draw_standard(rng))
    broken = natural._replace(**{name: getattr(natural, name) - 1e3})
    with pytest.raises(torch.linalg.LinAlgError):
        mniw.log_normalizer(broken)
