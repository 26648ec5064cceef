"""The posterior of a recording: against all paths where they can be counted, and dense Gaussians."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import digamma
from scipy.stats import multivariate_normal

from oracles import processes, switching_filter
from syllabary.expfam import dirichlet, mniw, niw
from syllabary.priors import slds
from syllabary.priors.types import GaussianEvidence
from syllabary.svae.process import posterior
from syllabary.svae.process.generative import generative_process

T = 12
# Pseudo-counts so many that the parameters are certain.
CERTAIN = 1e9


def tensor(values):
    return torch.from_numpy(np.asarray(values, np.float64))


def parameters_of(weights, offsets, noise, steps, first, kappa):
    """Parameters whose dynamics are all but certain; steps (K, K) are counts."""
    K, D, width = weights.shape
    unit = np.tile(np.eye(width + 1) / CERTAIN, (K, 1, 1))
    mean = np.concatenate([weights, offsets[..., None]], -1)
    dynamics = mniw.from_standard(
        mniw.Standard(
            tensor(mean), tensor(unit), tensor(noise) * CERTAIN, tensor(np.full(K, CERTAIN + D + 1))
        )
    )
    start = niw.from_standard(
        niw.Standard(
            mean=tensor(np.full(D, 0.3)),
            mean_count=tensor(1.0),
            scale=tensor(0.8 * np.eye(D)) * CERTAIN,
            degrees=tensor(CERTAIN + D + 1),
        )
    )
    return slds.Parameters(
        start=start,
        initial=dirichlet.Natural(tensor(first)),
        transition=dirichlet.Natural(tensor(steps + kappa * np.eye(K))),
        dynamics=dynamics,
        weights=tensor(np.full(K, 1 / K)),
        kappa=tensor(kappa),
        hyperprior=mniw.Natural(*(part[0] for part in dynamics)),
        start_hyperprior=start,
    )


def problem(rng, K, D, lags, *, coupling=1.0, frames=T):
    """Parts of a process in plain arrays, its parameters, and evidence with missing frames."""
    weights = np.zeros((K, D, lags * D))
    for k in range(K):
        weights[k, :, :D] = coupling * (0.5 + 0.4 * k) * np.eye(D)
        weights[k] += coupling * 0.1 * rng.standard_normal((D, lags * D))
    offsets = rng.standard_normal((K, D))
    factor = rng.standard_normal((K, D, D))
    noise = 0.2 * factor @ factor.swapaxes(1, 2) / D + 0.1 * np.eye(D)
    steps, first = rng.gamma(2.0, 3.0, (K, K)) + 1, rng.uniform(1, 4, K)
    kappa = 5.0
    parameters = parameters_of(weights, offsets, noise, steps, first, kappa)
    y = rng.standard_normal((frames, D))
    precision = rng.uniform(2, 20, (frames, D))
    precision[[4, 5]] = 0
    y[[4, 5]] = np.nan
    evidence = GaussianEvidence(tensor(y), tensor(precision))
    rows = steps / steps.sum(1, keepdims=True)
    value, vector = np.linalg.eig(rows.T)
    stationary = np.real(vector[:, np.argmax(value.real)])
    parts = {
        "first": stationary / stationary.sum(),
        "rows": rows,
        "weights": weights,
        "offsets": offsets,
        "noise": noise,
        "start": (np.full(D, 0.3), 0.8 * np.eye(D)),
        "log_first": digamma(first) - digamma(first.sum()),
        "log_rows": digamma(steps + kappa * np.eye(K))
        - digamma((steps + kappa * np.eye(K)).sum(1, keepdims=True)),
    }
    return parts, parameters, evidence


def test_a_process_has_the_parameters_it_was_built_with(rng):
    """Those of the other tests, of which the oracles know."""
    parts, parameters, _ = problem(rng, 2, 2, 2)
    generative = generative_process(parameters)
    for name in ("first", "rows", "weights", "offsets"):
        assert_allclose(getattr(generative, name), parts[name], atol=1e-7, err_msg=name)
    assert_allclose(generative.noise, parts["noise"], rtol=1e-5)
    assert_allclose(generative.start.mean, parts["start"][0])
    assert_allclose(generative.start.covariance, parts["start"][1], rtol=1e-6)


@pytest.mark.parametrize(("D", "lags"), [(1, 2), (2, 1), (2, 3)])
def test_with_one_state_densities_are_those_of_one_gaussian(rng, D, lags):
    parts, parameters, evidence = problem(rng, 1, D, lags)
    result = posterior.predict(generative_process(parameters), evidence)
    center, spread = processes.dense_prior(
        [0] * T, parts["weights"], parts["offsets"], parts["noise"], parts["start"]
    )
    y, precision = evidence.mean.numpy(), evidence.precision.numpy()
    observed = (precision > 0).ravel()
    covariance = spread[np.ix_(observed, observed)] + np.diag(1 / precision.ravel()[observed])
    cumulated = [0.0]
    for t in range(1, T + 1):
        n = int(observed[: t * D].sum())
        cumulated.append(
            multivariate_normal.logpdf(y.ravel()[observed][:n], center[observed][:n], covariance[:n, :n])
        )
    expected = np.diff(cumulated)
    missing = ~(precision > 0).any(1)
    assert np.isnan(result.log_density[missing]).all() and missing.sum() == 2
    assert_allclose(result.log_density[~missing], expected[~missing], atol=2e-5)


@pytest.mark.parametrize(("D", "lags"), [(1, 2), (2, 1), (2, 3)])
@pytest.mark.parametrize("K", [1, 2])
def test_latents_are_one_gaussian_given_the_states(rng, K, D, lags):
    parts, parameters, evidence = problem(rng, K, D, lags)
    result = posterior.infer(parameters, evidence)
    mean, sd = switching_filter.smoothed(
        result.states.numpy(),
        *(parts[name] for name in ("weights", "offsets", "noise", "start")),
        evidence.mean.numpy(),
        evidence.precision.numpy(),
    )
    assert_allclose(result.means, mean, atol=1e-5)
    assert_allclose(result.sd, sd, rtol=1e-5)


@pytest.mark.parametrize("K", [2, 3])
def test_states_and_densities_are_those_of_all_paths_given_the_filter(rng, K):
    frames = 12 if K == 2 else 8
    parts, parameters, evidence = problem(rng, K, 1, 2, frames=frames)
    result = posterior.infer(parameters, evidence)
    y, precision = (part[:, 0].numpy() for part in evidence[:2])
    start = parts["start"][0][0], parts["start"][1][0, 0]
    nodes, density = switching_filter.filtered(
        parts["first"], parts["rows"], parts["weights"][:, 0], parts["offsets"][:, 0],
        parts["noise"][:, 0, 0], start, y, precision,
    )  # fmt: skip
    states, path = switching_filter.posterior_of_paths(parts["log_first"], parts["log_rows"], nodes)
    assert_allclose(result.states, states, atol=1e-5)
    assert_array_equal(result.path, path)
    observed = precision > 0
    assert_allclose(result.log_density[observed], density[observed], atol=1e-5)
    assert np.isnan(result.log_density[~observed]).all()


def test_states_of_frames_that_do_not_depend_on_each_other_are_exact(rng):
    """No Gaussian stands for others then: a hidden Markov model, path by path."""
    parts, parameters, evidence = problem(rng, 2, 2, 2, coupling=0.0)
    parts["weights"][:] = 0
    generative = generative_process(parameters)._replace(weights=torch.zeros((2, 2, 4)).double())
    y, precision = evidence.mean.numpy(), evidence.precision.numpy()
    nodes = np.zeros((T, 2))
    for t in np.flatnonzero((precision > 0).all(1)):
        for k in range(2):
            mean, spread = parts["start"] if t == 0 else (parts["offsets"][k], parts["noise"][k])
            nodes[t, k] = multivariate_normal.logpdf(y[t], mean, spread + np.diag(1 / precision[t]))
    result = posterior.infer(parameters, evidence)
    states, _ = switching_filter.posterior_of_paths(parts["log_first"], parts["log_rows"], nodes)
    assert_allclose(result.states, states, atol=1e-5)
    _, rest = switching_filter.posterior_of_paths(np.log(parts["first"]), np.log(parts["rows"]), nodes)
    # The log density of all frames is that of all paths.
    total = np.nansum(posterior.predict(generative, evidence).log_density.numpy())
    paths = np.array(np.meshgrid(*[[0, 1]] * T)).reshape(T, -1)
    weights = np.log(parts["first"])[paths[0]] + np.log(parts["rows"])[paths[:-1], paths[1:]].sum(0)
    weights = weights + nodes[np.arange(T)[:, None], paths].sum(0)
    assert total == pytest.approx(np.logaddexp.reduce(weights), abs=1e-5)
    assert np.isfinite(rest).all()


@pytest.mark.parametrize("frames", [1, 299, 300, 301, 700])
def test_windows_change_nothing(rng, monkeypatch, frames):
    _, parameters, evidence = problem(rng, 2, 2, 2, coupling=0.6, frames=800)
    evidence = GaussianEvidence(*(part[:frames] for part in evidence[:2]))
    monkeypatch.setattr(posterior, "FILTER_WINDOW", 1000)
    whole = posterior.infer(parameters, evidence)
    monkeypatch.setattr(posterior, "FILTER_WINDOW", 100)
    monkeypatch.setattr(posterior, "FILTER_BATCH", 2)
    monkeypatch.setattr(posterior, "WINDOW", 150)
    cut = posterior.infer(parameters, evidence)
    for name, left, right in zip(whole._fields, whole, cut, strict=True):
        # What is more than a margin of stable dynamics away is forgotten.
        assert_allclose(left, right, atol=1e-6, err_msg=name)


def test_a_margin_is_what_makes_windows_agree(rng, monkeypatch):
    _, parameters, evidence = problem(rng, 2, 2, 2, coupling=0.6, frames=300)
    whole = posterior.infer(parameters, evidence)
    for name in ("FILTER_WINDOW", "WINDOW"):
        monkeypatch.setattr(posterior, name, 100)
    for name in ("FILTER_MARGIN", "MARGIN"):
        monkeypatch.setattr(posterior, name, 0)
    cut = posterior.infer(parameters, evidence)
    assert abs(whole.means - cut.means)[[99, 100, 199, 200]].max() > 1e-3
    assert abs(whole.log_density - cut.log_density)[[100, 200]].max() > 1e-3


def test_frames_that_are_missing_have_states_and_no_density(rng):
    _, parameters, evidence = problem(rng, 3, 2, 2, frames=60)
    precision = evidence.precision.clone()
    precision[20:] = 0
    # One coordinate is enough for a density.
    precision[30, 1] = 5.0
    mean = torch.where(precision > 0, evidence.mean, torch.nan)
    result = posterior.infer(parameters, GaussianEvidence(mean, precision))
    observed = (precision > 0).any(-1)
    assert torch.equal(torch.isfinite(result.log_density), observed) and observed.sum() == 19
    assert_allclose(result.states.sum(-1), 1, rtol=1e-9)
    for part in (result.states, result.means, result.sd):
        assert torch.isfinite(part).all()
    assert (result.sd > 0).all() and result.sd[45:].min() > result.sd[:4].max()
    # What is anything where the precision is zero has no influence.
    other = posterior.infer(parameters, GaussianEvidence(mean.nan_to_num(7.0), precision))
    assert torch.equal(other.states, result.states) and torch.equal(other.means, result.means)


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_short_recordings(rng, frames):
    _, parameters, evidence = problem(rng, 2, 2, 3)
    result = posterior.infer(parameters, GaussianEvidence(*(part[:frames] for part in evidence[:2])))
    assert [len(part) for part in result] == [frames] * 5
    assert torch.isfinite(result.states).all() and torch.isfinite(result.log_density).all()
