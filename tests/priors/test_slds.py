"""Switching linear system: gauge, exact cases, derivatives by its parameters, and what it recovers."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.metrics import adjusted_mutual_info_score

from oracles import arhmm as sequences
from oracles import switching
from oracles.chains import enumerate_filter
from syllabary.expfam import dirichlet, mniw, niw
from syllabary.priors import arhmm, hmm, lds, slds
from syllabary.priors.types import Cotangent, GaussianEvidence, PointEvidence, total
from syllabary.simulate import latent

CONVERGED = {"max_iterations": 150, "tolerance": -np.inf}


def shown(latents, rng, min_precision=20.0, max_precision=200.0):
    """Evidence of latents; NaN is missing."""
    trust = torch.from_numpy(rng.uniform(min_precision, max_precision, latents.shape))
    return GaussianEvidence(latents, torch.where(torch.isfinite(latents), trust, 0.0))


def trained(prior, rng, states, frames=(150, 120), size=3, max_iterations=4):
    """Settings, parameters and evidence of a prior after a few max_iterations."""
    dynamics = sequences.draw_dynamics(rng, 3, size)
    latents = [torch.from_numpy(sequences.draw(rng, dynamics, n)[0]) for n in frames]
    latents[0][20:23] = torch.nan
    latents[1][5, 1] = torch.nan
    settings = prior.Settings(states=states, kappa=10.0 if states > 1 else 0.0)
    evidence = [shown(x, rng) for x in latents]
    parameters = prior.initial(settings, latents, None, rng)
    for _ in range(max_iterations):
        result = [prior.infer(parameters, each) for each in evidence]
        parameters = prior.update(parameters, total([each.statistics for each in result]), settings)
    return settings, parameters, evidence


def random_cotangent(rng, local):
    covariances = torch.from_numpy(rng.standard_normal(local.covariances.shape))
    return Cotangent(
        torch.from_numpy(rng.standard_normal(local.means.shape)),
        covariances + covariances.mT,
        torch.from_numpy(rng.standard_normal(local.states.shape)),
    )


# Gauge


def test_another_gauge_changes_no_bound_no_divergence_and_no_label(rng):
    settings, parameters, evidence = trained(slds, rng, 4)
    shift, scale = torch.from_numpy(rng.standard_normal(3)), torch.from_numpy(rng.uniform(0.2, 5, 3))
    moved = slds.rescale_latents(parameters, shift, scale)
    assert_allclose(slds.divergence(moved, settings), slds.divergence(parameters, settings), rtol=1e-10)
    for mean, precision, _ in evidence:
        other = GaussianEvidence(scale * (mean - shift), precision / scale**2)
        options = {"max_iterations": 30, "tolerance": -np.inf, "paths": True}
        before = slds.infer(parameters, GaussianEvidence(mean, precision), **options)
        after = slds.infer(moved, other, **options)
        # A density of the evidence's mean, which is now in other units.
        units = float(((precision > 0) * scale.log()).sum())
        assert_allclose(after.bound + units, before.bound, rtol=1e-10)
        assert_allclose(after.divergence, before.divergence, rtol=1e-10)
        assert_allclose(after.means, scale * (before.means - shift), rtol=1e-7, atol=1e-9)
        assert_allclose(after.covariances, scale[:, None] * before.covariances * scale, rtol=1e-7)
        assert torch.equal(after.path, before.path)
        # A step of training is the same step, the prior being moved too.
        stepped = slds.rescale_latents(
            slds.update(parameters, before.statistics, settings), shift, scale
        )
        twin = slds.update(moved, after.statistics, settings)
        for ours, theirs in zip(twin.dynamics, stepped.dynamics, strict=True):
            assert_allclose(ours, theirs, rtol=1e-7, atol=1e-7 * float(theirs.abs().max()))
        densities = (
            slds.filter(moved, other).log_density,
            slds.filter(parameters, GaussianEvidence(mean, precision)).log_density,
        )
        value = ((precision > 0) * scale.log()).sum(-1)
        assert_allclose(densities[0] + value, densities[1], rtol=1e-9, atol=1e-9)


def test_two_gauges_in_turn_are_one(rng):
    _, parameters, _ = trained(slds, rng, 2, max_iterations=1)
    shift, scale = torch.from_numpy(rng.standard_normal(3)), torch.from_numpy(rng.uniform(0.2, 5, 3))
    back = slds.rescale_latents(
        slds.rescale_latents(parameters, shift, scale), -scale * shift, 1 / scale
    )
    for ours, theirs in zip(
        back.dynamics + back.start, parameters.dynamics + parameters.start, strict=True
    ):
        assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * float(theirs.abs().max()))


# Exact cases


def as_regression(natural):
    """Expected potentials of regressions, as the oracle takes them."""
    mean, spread, scale, degrees = (part.numpy() for part in mniw.to_standard(natural))
    precision = degrees[:, None, None] * np.linalg.inv(scale)
    return switching.Regression(
        mean, spread, precision, 2 * mniw.expected_stats(natural).half_log_det.numpy()
    )


def as_problem(parameters, evidence):
    start = mniw.Natural(*(part[None] for part in niw.as_regression(parameters.start)))
    return switching.Problem(
        np.zeros(1),
        np.zeros((1, 1)),
        as_regression(start),
        as_regression(parameters.dynamics),
        np.nan_to_num(evidence.mean.numpy()),
        evidence.precision.numpy(),
    )


def test_one_state_is_the_linear_system_and_its_dense_gaussian(rng):
    settings, parameters, evidence = trained(lds, rng, 1, frames=(25, 60))
    for each in evidence:
        result, twin = lds.infer(parameters, each), slds.infer(parameters, each)
        assert torch.equal(result.means, twin.means) and torch.equal(result.bound, twin.bound)
        problem = as_problem(parameters, each)
        dense = switching.dense(*switching.latent_chain(problem, np.ones((len(each.mean), 1))))
        for ours, theirs in zip(
            (result.means, result.covariances, result.cross), dense[:3], strict=True
        ):
            assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)
        assert result.path is None and int(result.iterations) <= 2
    assert slds.Settings(states=1).states == settings.states


def test_the_filter_of_one_state_is_the_exact_one(rng):
    _, parameters, evidence = trained(lds, rng, 1, frames=(40, 12))
    standard, start = mniw.to_standard(parameters.dynamics), niw.to_standard(parameters.start)
    size = len(start.mean)
    noise = standard.scale / (standard.degrees - size - 1)[:, None, None]
    first = start.scale / (start.degrees - size - 1) * (1 + 1 / start.mean_count)
    for each in evidence:
        problem = as_problem(parameters, each)
        problem = problem._replace(
            start=problem.start._replace(precision=np.linalg.inv(first.numpy())[None]),
            regression=problem.regression._replace(precision=np.linalg.inv(noise.numpy())),
        )
        result = lds.filter(parameters, each)
        joint = [0.0]
        for t in range(1, len(each.mean) + 1):
            part = problem._replace(observed=problem.observed[:t], trust=problem.trust[:t])
            there = part.trust[part.trust > 0]
            scale = 0.5 * np.log(there / (2 * np.pi)).sum()
            joint.append(switching.log_evidence(part) + scale if len(there) else 0.0)
        usable = (each.precision > 0).any(-1)
        assert torch.equal(result.usable, usable)
        # Differences of the joint density, of up to a few hundred nats.
        assert_allclose(result.log_density, np.diff(joint), rtol=1e-8, atol=1e-9)


def test_the_filter_of_postures_is_exact_too(rng):
    _, parameters, evidence = trained(hmm, rng, 3)
    standard = mniw.to_standard(parameters.dynamics)
    size = standard.mean.shape[1]
    noise = (standard.scale / (standard.degrees - size - 1)[:, None, None]).numpy()
    counts = parameters.transition.concentration - parameters.kappa * torch.eye(3)
    rows = (counts / counts.sum(-1, keepdim=True)).log().numpy()
    first = (parameters.initial.concentration / parameters.initial.concentration.sum()).log().numpy()
    each = GaussianEvidence(*(part[18:26] for part in evidence[0][:2]))
    nodes = np.zeros((8, 3))
    for t in range(8):
        there = each.precision[t].numpy() > 0
        for k in range(3):
            spread = (noise[k] + np.diag(1 / np.maximum(each.precision[t].numpy(), 1e-9)))[
                np.ix_(there, there)
            ]
            apart = (each.mean[t].numpy() - standard.mean[k, :, 0].numpy())[there]
            nodes[t, k] -= 0.5 * apart @ np.linalg.solve(spread, apart)
            nodes[t, k] -= 0.5 * np.linalg.slogdet(2 * np.pi * spread)[1]
    _, expected = enumerate_filter(first, rows, nodes)
    assert_allclose(hmm.filter(parameters, each).log_density, expected, rtol=1e-9, atol=1e-10)


# Derivatives by the parameters


def _way(value, rng, *, square):
    """A way along which a positive matrix stays one."""
    noise = torch.from_numpy(rng.standard_normal(tuple(value.shape)))
    if not square:
        return 0.1 * value.abs() * noise
    factor = torch.linalg.cholesky(value)
    return 0.1 * factor @ (noise + noise.mT) @ factor.mT


@pytest.fixture(scope="module")
def optimum():
    """Parameters, evidence, the settled posterior, a cotangent and what it is sent back to."""
    rng = np.random.default_rng(7)
    _, parameters, evidence = trained(slds, rng, 4)
    each = GaussianEvidence(*(part[20:60] for part in evidence[0][:2]))
    local = slds.infer(parameters, each, **CONVERGED)
    assert float(local.residual) < 1e-8
    wanted = random_cotangent(rng, local)
    sent = slds.tangent(parameters, local, wanted, tolerance=1e-12, iterations=200)
    assert not bool(sent.indefinite) and float(sent.residual) < 1e-8
    return parameters, each, local, wanted, sent


BLOCKS = [(name, i) for name in ("dynamics", "start") for i in range(4)]


@pytest.mark.parametrize(("name", "index"), [*BLOCKS, ("transition", 0), ("initial", 0)])
def test_the_cotangent_of_the_parameters_matches_differences_of_the_optimum(name, index, optimum, rng):
    """A scalar of the marginals changes with the expected statistics as the cotangent says."""
    parameters, each, local, wanted, sent = optimum
    natural = getattr(parameters, name)
    family = {"dynamics": mniw, "start": niw}.get(name, dirichlet)
    square = natural[index].ndim > 1 and index in (0, 2) and name != "transition"
    step, way = 1e-4, _way(natural[index], rng, square=square)
    values, stats = [], []
    for sign in (1, -1):
        end = natural._replace(**{natural._fields[index]: natural[index] + sign * step * way})
        other = slds.infer(parameters._replace(**{name: end}), each, start=local.states, **CONVERGED)
        result = (other.means, other.covariances, other.states)
        values.append(sum(float((a * b).sum()) for a, b in zip(wanted, result, strict=True)))
        stats.append(family.expected_stats(end))
    expected = (values[0] - values[1]) / (2 * step)
    parts = [
        float(((above - below) * change).sum()) / (2 * step)
        for above, below, change in zip(*stats, getattr(sent.statistics, name), strict=True)
    ]
    assert abs(expected) > 1e-4
    # The square of the step, and rounding over it.
    assert_allclose(sum(parts), expected, rtol=1e-3)


# Recovery


def certain(weights, noise, initial, rows, moments, like):
    """Parameters that are all but certain: as if of a thousand million frames."""
    sure = 1e9
    count, width = weights.shape[::2]
    dynamics = mniw.Standard(
        torch.as_tensor(weights),
        torch.eye(width).double().expand(count, width, width) / sure,
        torch.as_tensor(noise) * sure,
        torch.full((count,), sure).double(),
    )
    center, spread = (torch.as_tensor(part) for part in moments)
    start = niw.Standard(center, torch.tensor(sure), spread * sure, torch.tensor(sure))
    return like._replace(
        start=niw.from_standard(start),
        initial=dirichlet.Natural(sure * torch.as_tensor(initial)),
        transition=dirichlet.Natural(sure * torch.as_tensor(rows) + 1e-3),
        dynamics=mniw.from_standard(dynamics),
    )


def at_means(parameters):
    standard, start = mniw.to_standard(parameters.dynamics), niw.to_standard(parameters.start)
    size = len(start.mean)
    rows = parameters.transition.concentration
    first = parameters.initial.concentration
    return certain(
        standard.mean,
        standard.scale / (standard.degrees - size - 1)[:, None, None],
        first / first.sum(),
        rows / rows.sum(-1, keepdim=True),
        (start.mean, start.scale / start.degrees),
        parameters,
    )


def simulated_system(seed, *, states=5, size=4, frames=4000, recordings=4, trust=50.0):
    """Whitened recordings of a known SLDS: evidence, true states, and what makes true parameters."""
    rng = np.random.default_rng(seed)
    drawn = latent.arhmm(
        rng, states=states, dims=size, lags=1, frames=frames, duration_frames=15, noise_sd=0.15
    )
    # As PCA hands latents over: mean 0 and variance 1.
    mean, unit = drawn.x.mean(0), drawn.x.std(0)
    latents = (drawn.x - mean) / unit
    turned = drawn.weights[:, :, :size] / unit[:, None] * unit
    offsets = (drawn.weights[:, :, :size] @ mean + drawn.weights[:, :, size] - mean) / unit
    weights = np.concatenate([turned, offsets[..., None]], -1)
    noise = drawn.noise / np.outer(unit, unit)
    observed = torch.from_numpy(latents + rng.standard_normal(latents.shape) / np.sqrt(trust))
    evidence = [GaussianEvidence(x, torch.full_like(x, trust)) for x in observed.chunk(recordings)]
    moments = latents.mean(0), np.cov(latents.T)
    like = slds.initial(slds.Settings(states=states), [e.mean for e in evidence], None, rng)
    truth = certain(weights, noise, drawn.initial, drawn.transition, moments, like)
    return evidence, drawn.z, truth, rng


def smooth(parameters, evidence, begin, truth):
    """Bound of the evidence per frame, and AMI of the best paths with the truth."""
    local = [
        slds.infer(parameters, x, start=w, max_iterations=100, tolerance=1e-6, paths=True)
        for x, w in zip(evidence, begin, strict=True)
    ]
    path = torch.cat([each.path for each in local]).numpy()
    bound = sum(float(each.bound) for each in local) / len(truth)
    return bound, adjusted_mutual_info_score(truth, path)


def fit(evidence, settings, rng, max_iterations=50):
    """Train as training does: an AR-HMM of points, then turns with noisy latents."""
    points = [PointEvidence(x.mean, torch.isfinite(x.mean).all(-1)) for x in evidence]
    true_bound = arhmm.initial(arhmm.Settings(lags=1, **settings), [x.mean for x in evidence], None, rng)
    for _ in range(30):
        result = [arhmm.infer(true_bound, each) for each in points]
        statistics = total([each.statistics for each in result])
        true_bound = arhmm.update_hyperparameters(
            arhmm.update(true_bound, statistics, arhmm.Settings(lags=1, **settings))
        )
    return iterate(
        slds.from_autoregression(true_bound),
        evidence,
        [each.states for each in result],
        settings,
        max_iterations,
    )


def iterate(parameters, evidence, starts, settings, max_iterations):
    """Parameters, states and full bound after full passes; the bound must never fall."""
    settings, bounds = slds.Settings(**settings), []
    for _ in range(max_iterations):
        result = [
            slds.infer(parameters, x, start=w, max_iterations=3)
            for x, w in zip(evidence, starts, strict=True)
        ]
        starts = [each.states for each in result]
        bounds.append(
            sum(float(each.bound) for each in result) - float(slds.divergence(parameters, settings))
        )
        parameters = slds.update_hyperparameters(
            slds.update(parameters, total([each.statistics for each in result]), settings)
        )
    assert (np.diff(bounds) > -1e-9 * abs(bounds[-1])).all()
    return parameters, starts, bounds[-1]


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_a_fit_is_as_good_as_the_smoother_that_knows_the_parameters(seed):
    """Mean-field bounds of the evidence, without what the fit's parameters cost in themselves."""
    evidence, states, truth, rng = simulated_system(seed)
    begin = torch.nn.functional.one_hot(torch.from_numpy(states)).double().chunk(len(evidence))
    true_bound, best = smooth(truth, evidence, begin, states)
    settings = {"states": 5, "kappa": 5.0}
    parameters, starts, full = fit(evidence, settings, rng)
    result, ami = smooth(at_means(parameters), evidence, starts, states)
    averaged, _ = smooth(parameters, evidence, starts, states)
    print(
        f"truth {true_bound:.4f} {best:.4f} fit {result:.4f} {ami:.4f} "
        f"mean {averaged:.4f} full {full:.1f}"
    )
    assert result > true_bound - 0.005 * abs(true_bound)
    assert ami > best - 0.02
    # Half a nat for each of 170 parameters, over 4000 frames.
    assert averaged > true_bound - 0.021


@pytest.mark.parametrize("seed", [14, 15])
def test_new_recordings_converge_where_the_true_states_do(seed):
    """The noise of what is seen was taken for motion, and up to 2.6 nats per frame were lost."""
    evidence, states, truth, _ = simulated_system(seed)
    begin = torch.nn.functional.one_hot(torch.from_numpy(states)).double().chunk(len(evidence))
    true_bound, best = smooth(truth, evidence, begin, states)
    result, ami = smooth(truth, evidence, [None] * len(evidence), states)
    assert result > true_bound - 0.01 and ami > best - 0.02
